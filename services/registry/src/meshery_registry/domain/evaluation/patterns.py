"""Which kinds a selector means: one by its name, all of them (`*`), or those of a pattern, which is anchored.

Patterns come from packages of strangers, and Python's engine backtracks. Only a small part of its language is
read: letters, `.`, character classes, `* + ?` behind one of those (three at most), alternatives, and groups of plain
alternatives. Nothing in it can be nested, so that a long kind costs little.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

ANY: Final = "*"
MAX_PATTERN: Final = 200
#: No kind of Kubernetes is longer; a longer one matches no pattern.
MAX_KIND: Final = 255
_MAX_REPEATS: Final = 3

_NAME = re.compile(r"[\w -]*")
_ATOM: Final = r"(?:[\w -]|\\[.wd-]|\.|\[\^?[\w-]{1,64}\])"
_GROUP: Final = r"\((?:\?:)?[\w-]+(?:\|[\w-]+){0,50}\)"
_SAFE = re.compile(rf"(?:{_ATOM}[*+?]?|{_GROUP}\??|\|)*")


class BadPattern(ValueError):
    """A pattern that is not read; the text says why and what is."""


def check(pattern: str) -> None:
    """Raise `BadPattern` unless the pattern is one that we read."""
    compiled(pattern)


def matches(pattern: str, kind: str) -> bool:
    """Whether a kind is meant: an absent pattern means all."""
    if pattern in ("", ANY) or pattern == kind:
        return True
    expression = compiled(pattern)
    return expression is not None and len(kind) <= MAX_KIND and expression.fullmatch(kind) is not None


def is_plain(pattern: str) -> bool:
    """Whether the pattern is the name of one kind."""
    return bool(pattern) and _NAME.fullmatch(pattern) is not None


@lru_cache(maxsize=4096)
def compiled(pattern: str) -> re.Pattern[str] | None:
    """The expression; none when the pattern is a name or means all. Raises `BadPattern`."""
    if pattern == ANY or _NAME.fullmatch(pattern) is not None:
        return None
    body = pattern.removeprefix("^").removesuffix("$")
    repeats = sum(body.count(one) for one in "*+")
    if len(body) > MAX_PATTERN or repeats > _MAX_REPEATS or _SAFE.fullmatch(body) is None:
        raise BadPattern(
            f"the kind {pattern[:60]!r} is no pattern that is read: use a name, `*`, or letters, `.`, [classes], "
            f"(one|another) and at most {_MAX_REPEATS} of `*` and `+`"
        )
    try:
        return re.compile(body)
    except re.error as error:
        raise BadPattern(f"the kind {pattern[:60]!r} is no pattern: {error}") from None
