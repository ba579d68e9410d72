"""When two values belong together, and what makes them so again.

Meshery's strategies are `equal`, `equal_as_strings`, `to_contains_from` and `not_null`. Ours are for references that
leave something out: `one_null` (not both are there), `equal_or_null`, and `same_group`, which compares the API groups
of API versions, or a bare group.

Two absent values are equal, but absent values alone relate nothing: see `Side`. An empty text or mapping is as good
as absent, so that an empty selector does not take everything.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Mapping
from typing import Any, Final, Literal

import orjson

EQUAL: Final = "equal"
AS_TEXT: Final = "equal_as_strings"
CONTAINED: Final = "to_contains_from"
NOT_NULL: Final = "not_null"
ONE_NULL: Final = "one_null"
EQUAL_OR_NULL: Final = "equal_or_null"
SAME_GROUP: Final = "same_group"
#: Nothing is looked up by these: they are asked of the pairs that the others find.
ASKED: Final = frozenset({ONE_NULL, EQUAL_OR_NULL, SAME_GROUP})
ALL: Final = frozenset({EQUAL, AS_TEXT, CONTAINED, NOT_NULL, *ASKED})

Strategies = tuple[str, ...]
Mode = Literal["replace", "merge"]

_VERSION: Final = re.compile(r"v\d+(?:(?:alpha|beta)\d+)?")
_SORTED: Final = orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS


def key_of(value: Any) -> Hashable | None:
    """A value as something to look up: equal JSON has equal keys, `true` is not 1. None for what is absent."""
    kind = type(value)
    if kind is str:
        return value or None
    if kind is int or kind is float or value is None:
        return value  # type: ignore[no-any-return]  # numbers are their own key
    if kind is bool:
        return b"true" if value else b"false"
    return _json(value) if value else None


def text_of(value: Any) -> str | None:
    """A value as text, as `equal_as_strings` compares it. None for what is absent."""
    if value is None or isinstance(value, str):
        return value or None
    return (_json(value) if value or not isinstance(value, dict | list) else b"").decode() or None


def _json(value: Any) -> bytes:
    try:
        return orjson.dumps(value, option=_SORTED)
    except TypeError:  # nested too deeply, or a number that JSON does not have
        return repr(value).encode()


def entries(value: Any) -> frozenset[tuple[str, Hashable | None]]:
    """The entries of a mapping as something to look up; none of anything else."""
    if type(value) is not dict:
        return frozenset()
    return frozenset([(key, key_of(one)) for key, one in value.items()])


def holds(strategies: Strategies, from_value: Any, to_value: Any) -> bool:
    """Whether all strategies hold between the two sides' values."""
    for one in strategies:
        if one == EQUAL:
            good = key_of(from_value) == key_of(to_value)
        elif one == AS_TEXT:
            good = text_of(from_value) == text_of(to_value)
        elif one == CONTAINED:
            small = entries(from_value)
            good = bool(small) and small <= entries(to_value)
        elif one in ASKED:
            good = _asked(one, from_value, to_value)
        else:
            good = from_value is not None and to_value is not None
        if not good:
            return False
    return True


def _asked(strategy: str, from_value: Any, to_value: Any) -> bool:
    keys = key_of(from_value), key_of(to_value)
    if None in keys or strategy == ONE_NULL:
        return None in keys
    return keys[0] == keys[1] if strategy == EQUAL_OR_NULL else _group(keys[0]) == _group(keys[1])


def _group(key: Hashable) -> Hashable:
    """The API group of an API version, or the group itself; that of Kubernetes' core is empty."""
    if not isinstance(key, str):
        return key
    group, slash, _ = key.partition("/")
    return group if slash or not _VERSION.fullmatch(key) else ""


def mended(
    strategies: Strategies, mutator: Any, mutated: Any, *, mutator_is_from: bool
) -> tuple[Any, Mode] | None:
    """What to write so that the strategies hold; none when nothing can be written."""
    if ONE_NULL in strategies:
        return None
    if SAME_GROUP in strategies:
        bare = isinstance(mutated, str) and _group(mutated) == mutated
        return (_group(mutator) if bare else mutator), "replace"
    if CONTAINED in strategies:
        if not isinstance(mutator, Mapping) or not mutator:
            return None
        if mutator_is_from:
            return dict(mutator), "merge"
        kept = (
            {key: mutator[key] for key in mutated if key in mutator} if isinstance(mutated, Mapping) else {}
        )
        return kept or dict(mutator), "replace"
    if AS_TEXT in strategies and isinstance(mutated, str):
        return text_of(mutator), "replace"
    return mutator, "replace"
