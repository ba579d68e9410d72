"""The `Status` object that an API server sends with every refusal, as a typed value.

Shape: k8s.io/apimachinery/pkg/apis/meta/v1/types.go, type Status. Nothing here raises: a body
that is no Status (a proxy's HTML page, an empty reply) becomes a Status with the text in it.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

_MANAGER = re.compile(r'conflicts? with "([^"]*)"')
_WARNING = re.compile(r'299 \S+ "((?:[^"\\]|\\.)*)"')
_MAX_WARNINGS = 100
_MESSAGE_CHARS = 2_000
"""How much of a reply that is no Status is kept: enough to recognise a proxy's error page."""


@dataclass(frozen=True, slots=True)
class Cause:
    """One reason among several why the server refused, usually about one field.

    `reason` is the server's word (`FieldValueRequired`, `FieldManagerConflict`, …), `field` a
    path such as `spec.replicas`; both may be empty.
    """

    reason: str
    message: str
    field: str


@dataclass(frozen=True, slots=True)
class FieldConflict:
    """A field that another field manager owns with another value (server-side apply)."""

    manager: str
    field: str
    message: str


_SCHEMA_REFUSAL = "failed to create typed patch object"
_SCHEMA_FIELD = re.compile(r"(?:^|: |\s)(\.[^\s:]+): (.+)")


def schema_causes(message: str) -> tuple[Cause, ...]:
    """The fields that server-side apply does not find in the schema; empty for other messages.

    The server answers these with 500 and no reason, whatever fieldValidation says, though it is
    the manifest that is wrong (sigs.k8s.io/structured-merge-diff, typed/validate.go).
    """
    if not message.startswith(_SCHEMA_REFUSAL):
        return ()
    return tuple(
        Cause("FieldValueInvalid", match.group(2).strip(), match.group(1).lstrip("."))
        for line in message.splitlines()
        if (match := _SCHEMA_FIELD.search(line))
    )


@dataclass(frozen=True, slots=True)
class Status:
    """What the server said. `code` is the HTTP status, `retry_after` seconds or None."""

    code: int
    reason: str = ""
    message: str = ""
    group: str = ""
    kind: str = ""
    name: str = ""
    uid: str = ""
    causes: tuple[Cause, ...] = ()
    retry_after: float | None = None
    continue_token: str = field(default="", repr=False)
    structured: bool = False
    """True when the body really was a Status: a plain 404 page means an unknown path."""

    @property
    def field_conflicts(self) -> tuple[FieldConflict, ...]:
        """The owners that stand in the way of a server-side apply; empty for other conflicts."""
        return tuple(
            FieldConflict(
                manager=match.group(1) if (match := _MANAGER.search(cause.message)) else "",
                field=cause.field.lstrip("."),
                message=cause.message,
            )
            for cause in self.causes
            if cause.reason == "FieldManagerConflict"
        )


def status_from_reply(code: int, body: bytes, retry_after: float | None = None) -> Status:
    """Read the body of a refused request; `retry_after` comes from the header (seconds)."""
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        document = None
    if isinstance(document, Mapping) and document.get("kind") == "Status":
        return status_from_object(document, code=code, retry_after=retry_after)
    text = body[:_MESSAGE_CHARS].decode("utf-8", "replace").strip()
    return Status(code=code, message=text, retry_after=retry_after)


def status_from_object(
    document: Mapping[str, Any], code: int = 0, retry_after: float | None = None
) -> Status:
    """Read a decoded Status object (also found inside ERROR events of a watch)."""
    details = _mapping(document.get("details"))
    if retry_after is None and isinstance(details.get("retryAfterSeconds"), int):
        # The API server fills this even where a proxy dropped the header; 0 means "not said".
        retry_after = float(details["retryAfterSeconds"]) or None
    own_code = document.get("code")
    causes = details.get("causes")
    return Status(
        code=own_code if isinstance(own_code, int) and own_code > 0 else code,
        reason=_text(document.get("reason")),
        message=_text(document.get("message")),
        group=_text(details.get("group")),
        kind=_text(details.get("kind")),
        name=_text(details.get("name")),
        uid=_text(details.get("uid")),
        causes=tuple(
            Cause(_text(c.get("reason")), _text(c.get("message")), _text(c.get("field")))
            for c in (causes if isinstance(causes, list) else [])
            if isinstance(c, Mapping)
        ),
        retry_after=retry_after,
        continue_token=_text(_mapping(document.get("metadata")).get("continue")),
        structured=True,
    )


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def parse_warnings(headers: Iterable[str]) -> tuple[str, ...]:
    """The texts of `Warning` headers (RFC 7234, code 299), each once, in order.

    One header may hold several warnings, separated by commas
    (k8s.io/apimachinery pkg/util/net/http.go, ParseWarningHeaders).
    """
    found: dict[str, None] = {}
    for header in headers:
        for match in _WARNING.finditer(header):
            found[re.sub(r"\\(.)", r"\1", match.group(1))] = None
    return tuple(found)[:_MAX_WARNINGS]
