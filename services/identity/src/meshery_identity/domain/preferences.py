"""A person's preferences: how a change is merged into them, and what a change may say."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

import orjson
from pydantic import ValidationError
from pydantic.alias_generators import to_camel

from meshery_contracts.errors import FieldProblem, Invalid, TooLarge
from meshery_contracts.identity import Preferences

MAX_BYTES = 256 * 1024
LOAD_GENERATORS = ("fortio", "wrk2", "nighthawk")
#: As Go's time.ParseDuration reads it, without a sign: a load test has no negative length.
_DURATION = re.compile(r"\+?(?:0|(?:(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:ns|us|µs|μs|ms|s|m|h))+)")


def merge(document: Mapping[str, Any], change: Mapping[str, Any]) -> dict[str, Any]:
    """The document after a change: objects are merged, all else replaces, null takes back to the default.

    Names of fields may come in both spellings; unknown ones, and those below, are the clients' own and stay.
    """
    return _merged(document, Preferences.named(change))


def check(document: Mapping[str, Any]) -> Preferences:
    """The preferences that a document stands for. Raises `Invalid` (wrong values) or `TooLarge`."""
    size = len(orjson.dumps(dict(document)))
    if size > MAX_BYTES:
        raise TooLarge(
            f"The preferences have {size:,} bytes.",
            code="preferences_too_large",
            remedy=f"Keep them under {MAX_BYTES:,} bytes: they are no place for data.",
        )
    problems = _load_test_problems(document.get("load_test_prefs"))
    if problems:
        raise _invalid(problems)
    try:
        return Preferences.model_validate(dict(document))
    except ValidationError as error:
        raise _invalid(
            [
                FieldProblem(path=_path(one["loc"]), message=one["msg"])
                for one in error.errors(include_url=False, include_context=False, include_input=False)
            ]
        ) from None


def _merged(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    result = dict(old)
    for name, value in new.items():
        if value is None:
            result.pop(name, None)
        elif isinstance(value, Mapping):
            before = result.get(name)
            result[name] = _merged(before if isinstance(before, Mapping) else {}, value)
        else:
            result[name] = value
    return result


def _load_test_problems(prefs: object) -> list[FieldProblem]:
    if not isinstance(prefs, Mapping):
        return []  # the type itself is checked with all others
    problems = []
    for name in ("qps", "c"):
        value = prefs.get(name, 0)
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < math.inf:
            problems.append(_field(name, "a number of 0 or more is expected"))
    duration = prefs.get("t", "")
    if not isinstance(duration, str) or (duration and _DURATION.fullmatch(duration) is None):
        problems.append(_field("t", "a duration such as 30s, 1m30s or 500ms is expected"))
    generator = prefs.get("gen", "")
    if generator not in ("", *LOAD_GENERATORS):
        problems.append(_field("gen", f"one of {', '.join(LOAD_GENERATORS)} is expected"))
    return problems


def _path(location: tuple[int | str, ...]) -> str:
    first, *rest = (str(part) for part in location)
    return ".".join((to_camel(first), *rest))


def _field(name: str, message: str) -> FieldProblem:
    return FieldProblem(path=f"loadTestPrefs.{name}", message=message)


def _invalid(problems: list[FieldProblem]) -> Invalid:
    return Invalid(
        f"The preferences are not valid at {problems[0].path}.",
        code="preferences_invalid",
        fields=tuple(problems),
        remedy="Correct the named fields; nothing was changed.",
    )
