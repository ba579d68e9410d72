"""Paths into a component: reading, every way in which arrays fill them, writing without touching the original.

A path is a tuple of segments from the component's root; `_` is every element of an array, digits are one. Of one
list of paths those that share `_` under the same prefix walk through the array together: name and protocol come from
the same port. Nothing here changes a document: what is written is a new document that shares the rest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice, product
from typing import Any, Final

Path = tuple[str, ...]
#: Where a `_` stood: the index of each, in the order of `Walk.slots`.
Where = tuple[int, ...]
Filled = tuple[tuple[Any, ...], Where]

EVERY: Final = "_"
MAX_SEGMENTS: Final = 64
#: The most ways that one component fills one list of paths; what is beyond is not looked at.
MAX_WAYS: Final = 1000


class BadPath(ValueError):
    """Something that is no path; the text says what."""


def path_of(value: Any) -> Path:
    """A path as a definition or an action writes it: a list of segments, or a text `/status`. Raises `BadPath`."""
    if isinstance(value, str):
        value = [part for part in value.split("/") if part]
    if not isinstance(value, list | tuple) or not 0 < len(value) <= MAX_SEGMENTS:
        raise BadPath(f"a reference is a list of 1 to {MAX_SEGMENTS} segments, not {str(value)[:60]!r}")
    if any(isinstance(one, bool) or not isinstance(one, str | int) for one in value):
        raise BadPath(f"a segment of a reference is a text, in {str(value)[:60]!r}")
    return tuple(str(one) for one in value)


def index_of(segment: str) -> int:
    """The index that a segment is, -1 for one that is none: Python knows more digits, and refuses thousands of them."""
    return int(segment) if segment.isascii() and segment.isdigit() and len(segment) < 10 else -1


def value_at(document: Any, path: Path) -> Any:
    """What stands at a path without `_`; none where nothing does."""
    for segment in path:
        if type(document) is dict:
            document = document.get(segment)
        elif type(document) is list and 0 <= (index := index_of(segment)) < len(document):
            document = document[index]
        else:
            return None
    return document


class Walk:
    """All ways in which a document fills some paths; compiled once, used for every component."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self.paths = tuple(paths)
        #: The prefixes that end in `_`, outer before inner: the order of `Where`.
        self.slots: tuple[Path, ...] = tuple(_slots(self.paths))
        self._root = _Level(self.paths, tuple(range(len(self.paths))), (), self.slots)
        #: The paths to what is read of the document itself: values, and the arrays that are walked through.
        self.heads: tuple[Path, ...] = self._root.heads
        #: The number of the first head that is an array.
        self.array = self._root.first_array
        self._concrete: dict[tuple[int, Where], Path] = {}

    def ways(self, document: Any) -> list[Filled]:
        """All ways in which a document fills the paths."""
        return self.filled(tuple([value_at(document, path) for path in self.heads]))

    def filled(self, head: tuple[Any, ...]) -> list[Filled]:
        """The same of what stands at the heads."""
        if not self.slots:
            return [(head, ())]
        found: list[Filled] = []
        for by_number, by_slot in self._root.fill(head)[:MAX_WAYS]:
            values: list[Any] = [None] * len(self.paths)
            for number, value in by_number:
                values[number] = value
            where = [0] * len(self.slots)
            for slot, index in by_slot:
                where[slot] = index
            found.append((tuple(values), tuple(where)))
        return found

    def concrete(self, number: int, where: Where) -> Path:
        """One of the paths with the indexes of a way in place of `_`."""
        path = self.paths[number]
        if not where:
            return path
        known = self._concrete.get((number, where))
        if known is None:
            at = dict(zip(self.slots, where, strict=True))
            known = tuple(
                str(at[path[: place + 1]]) if segment == EVERY else segment
                for place, segment in enumerate(path)
            )
            if len(self._concrete) < MAX_WAYS:
                self._concrete[number, where] = known
        return known


_Way = tuple[tuple[tuple[int, Any], ...], tuple[tuple[int, int], ...]]


class _Level:
    """What is read of one array element (or of the root), and the arrays further in."""

    def __init__(
        self, paths: Sequence[Path], numbers: Sequence[int], prefix: Path, slots: Sequence[Path]
    ) -> None:
        inner: dict[Path, list[int]] = {}
        plain: list[tuple[int, Path]] = []
        for number in numbers:
            rest = paths[number][len(prefix) :]
            if EVERY in rest:
                inner.setdefault(rest[: rest.index(EVERY)], []).append(number)
            else:
                plain.append((number, rest))
        self._numbers = tuple(number for number, _ in plain)
        self.first_array = len(plain)
        self.heads = (*(path for _, path in plain), *inner)
        self._arrays = tuple(
            (slots.index((*prefix, *rest, EVERY)), _Level(paths, group, (*prefix, *rest, EVERY), slots))
            for rest, group in inner.items()
        )

    def fill(self, head: tuple[Any, ...]) -> list[_Way]:
        """All ways, from what stands at the heads."""
        numbers = self._numbers
        own = tuple(zip(numbers, head, strict=False))
        if not self._arrays:
            return [(own, ())]
        parts = []
        for (slot, level), array in zip(self._arrays, head[len(numbers) :], strict=True):
            if type(array) is not list or not array:
                return []
            parts.append(level.elements(array, slot))
        if len(parts) == 1:
            return [(own + values, places) for values, places in parts[0]]
        return [
            (
                own + tuple(value for way in combined for value in way[0]),
                tuple(place for way in combined for place in way[1]),
            )
            for combined in islice(product(*parts), MAX_WAYS)
        ]

    def elements(self, array: list[Any], slot: int) -> list[_Way]:
        """The ways of all elements that have any of it."""
        heads = self.heads
        if not self._arrays and len(heads) == 1:
            path, number = heads[0], self._numbers[0]
            return [
                (((number, value),), ((slot, index),))
                for index, element in enumerate(array[:MAX_WAYS])
                if (value := value_at(element, path)) is not None
            ]
        found: list[_Way] = []
        for index, element in enumerate(array):
            head = tuple([value_at(element, path) for path in heads])
            if head.count(None) == len(head):
                continue
            found += [(values, ((slot, index), *places)) for values, places in self.fill(head)]
            if len(found) >= MAX_WAYS:
                break
        return found


def _slots(paths: Sequence[Path]) -> list[Path]:
    found: dict[Path, None] = {}
    for path in paths:
        for place, segment in enumerate(path):
            if segment == EVERY:
                found[path[: place + 1]] = None
    return sorted(found, key=lambda one: (len(one), one))


def with_value(document: Any, path: Path, value: Any) -> Any:
    """The document with a value at a path; mappings on the way are made, an array grows by its next element only.

    Raises `BadPath` when something else stands in the way.
    """
    if not path:
        return value
    segment, rest = path[0], path[1:]
    if document is None:
        document = [] if segment == "0" else {}
    if type(document) is list:
        index = index_of(segment)
        if not 0 <= index <= len(document):
            raise BadPath(f"there is no element {segment!r}")
        inner = document[index] if index < len(document) else None
        return [*document[:index], with_value(inner, rest, value), *document[index + 1 :]]
    if type(document) is not dict and not isinstance(document, Mapping):
        raise BadPath(f"{segment!r} is wanted inside of a {type(document).__name__}")
    return {**document, segment: with_value(document.get(segment), rest, value)}


def without(document: Any, path: Path, *, keep: int = 1) -> Any:
    """The document without what stands at a path, and without the mappings that this leaves empty.

    The first `keep` segments stay, whatever they hold then; elements of arrays stay, so that others keep their index.
    """
    segment, rest = path[0], path[1:]
    if type(document) is list:
        index = index_of(segment)
        if not 0 <= index < len(document) or not rest:
            return document
        return [*document[:index], without(document[index], rest, keep=keep - 1), *document[index + 1 :]]
    if type(document) is not dict or segment not in document:
        return document
    others = {key: value for key, value in document.items() if key != segment}
    if not rest:
        return others
    inner = without(document[segment], rest, keep=keep - 1)
    if inner == {} and document[segment] != {} and keep < 1:
        return others
    return {**document, segment: inner}
