"""What an event carries is shown to people and kept for long: no secrets, no endless data, nothing unstorable."""

from __future__ import annotations

import re
from typing import Any, Final

#: Stands in place of a secret.
HIDDEN: Final = "[hidden]"
#: Stands in place of what is too deep or too much.
LEFT_OUT: Final = "[left out]"
MAX_DEPTH = 12
MAX_VALUES = 2_000
MAX_TEXT = 10_000

#: Names that hold secrets, without what separates their words; `secretName` or `tokenId` name a thing, not its value.
_SECRET = re.compile(
    r"(pass(word|wd|phrase)?|secret|secrets|token|apikey|accesskey|privatekey|clientkey|seed|authorization|cookie"
    r"|credential|credentials|kubeconfig|assertion|bearer)(data|value|text|file)?$"
)
_SEPARATORS = re.compile(r"[^a-z0-9]")
#: Secrets give themselves away by their form, too: bearer tokens, JSON Web Tokens, NATS seeds, PEM private keys.
_VALUE = re.compile(
    r"\b(bearer|basic)\s+[A-Za-z0-9+/._~=-]{16,}"
    r"|\beyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]*"
    r"|\bS[ACUOX][A-Z2-7]{56}\b"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(-----END [A-Z ]*PRIVATE KEY-----|\Z)"
    r"|(?<=://)[^/\s:@]+:[^/\s@]+(?=@)",
    re.IGNORECASE | re.DOTALL,
)


def safe_text(text: str, limit: int = MAX_TEXT) -> str:
    """A text without secrets and without what PostgreSQL cannot store, cut to a length."""
    shown = _VALUE.sub(HIDDEN, text.replace("\0", ""))
    shown = shown.encode("utf-8", "replace").decode()
    return shown if len(shown) <= limit else shown[: limit - 1] + "…"


def safe_metadata(metadata: dict[str, Any]) -> dict[str, Any]:
    """Metadata without secrets, of bounded depth and size."""
    return _Redaction().mapping(metadata, 0)


def is_secret(name: str) -> bool:
    """Whether a key of this name holds a secret."""
    return _SECRET.search(_SEPARATORS.sub("", name.lower())) is not None


class _Redaction:
    def __init__(self) -> None:
        self._left = MAX_VALUES

    def mapping(self, values: dict[str, Any], depth: int) -> dict[str, Any]:
        safe: dict[str, Any] = {}
        for key, value in values.items():
            if self._left <= 0:
                safe[LEFT_OUT] = len(values) - len(safe)
                break
            name = safe_text(str(key), 200)
            # A flag or a number beside such a name says how things are (`hasToken`, `tokens: 3`).
            hidden = is_secret(name) and not isinstance(value, bool | int | float | None)
            safe[name] = HIDDEN if hidden else self._value(value, depth + 1)
        return safe

    def _value(self, value: Any, depth: int) -> Any:
        self._left -= 1
        if depth > MAX_DEPTH or self._left < 0:
            return LEFT_OUT
        if isinstance(value, str):
            return safe_text(value)
        if isinstance(value, dict):
            return self.mapping(value, depth)
        if isinstance(value, list):
            kept = [self._value(one, depth + 1) for one in value[: max(self._left, 0)]]
            return kept if len(kept) == len(value) else [*kept, LEFT_OUT]
        if (
            value is None
            or isinstance(value, bool | float)
            or (isinstance(value, int) and abs(value) < 2**63)
        ):
            return value
        return safe_text(str(value))
