"""One side of a definition: which components it means, and what of them is compared.

A side turns a component into rows. A row is the key that both sides must share, and the mappings of which one must
hold the other. Equal sides of several definitions are one value, so that a component is read once for all of them.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property
from typing import Any

from meshery_registry.domain.evaluation import namespaces, patterns
from meshery_registry.domain.evaluation.paths import Path, Walk, Where, value_at
from meshery_registry.domain.evaluation.strategies import key_of, text_of

#: What components are told apart by: kind and name of the model.
Group = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Selector:
    """Which components: a pattern of kinds and the name of a model, empty for any."""

    kind: str
    model: str

    @property
    def is_pattern(self) -> bool:
        """Whether it means several kinds, but not all."""
        return self.kind != patterns.ANY and not patterns.is_plain(self.kind)

    def means(self, group: Group) -> bool:
        """Whether the components of a group are meant; one whose model nobody knows is."""
        kind, model = group
        return (not self.model or not model or self.model == model) and patterns.matches(self.kind, kind)


class Use(IntEnum):
    """What a value is compared for."""

    KEY = 0
    TEXT = 1
    #: A key that is `default` where it is absent.
    NAMESPACE = 2
    SMALL = 3
    LARGE = 4
    PRESENT = 5


_KEYS = (Use.KEY, Use.NAMESPACE)
_LOOKED_UP = (*_KEYS, Use.TEXT)

#: One way in which a component offers its values: the key, the indexes of the elements that it is from, and the
#: mappings in question, one for each `SMALL` or `LARGE`.
Row = tuple[Hashable, Where, tuple[Mapping[str, Any], ...]]


@dataclass(frozen=True)
class Side:
    """Paths, what each value is compared for, and which must be there."""

    paths: tuple[Path, ...]
    uses: tuple[Use, ...]
    needed: tuple[bool, ...]

    def __hash__(self) -> int:
        return self._hash

    @cached_property
    def _hash(self) -> int:
        return hash((self.paths, self.uses, self.needed))

    @cached_property
    def walk(self) -> Walk:
        """The paths, ready to be walked."""
        return Walk(self.paths)

    @cached_property
    def is_plain(self) -> bool:
        """Whether a component has one row, made of nothing but keys."""
        return (
            not self.walk.slots
            and not any(self.needed)
            and not {*_KEYS}.isdisjoint(self.uses)
            and {*_KEYS, Use.PRESENT}.issuperset(self.uses)
        )

    @cached_property
    def key_paths(self) -> tuple[Path, ...]:
        """The paths whose values are looked up as they are."""
        return tuple(path for path, use in zip(self.paths, self.uses, strict=True) if use in _KEYS)

    @cached_property
    def implied(self) -> tuple[Hashable | None, ...]:
        """What each part of a key is where it is absent."""
        return tuple(
            namespaces.DEFAULT if use is Use.NAMESPACE else None for use in self.uses if use in _LOOKED_UP
        )

    @cached_property
    def _parts(self) -> tuple[tuple[tuple[int, Use], ...], tuple[int, ...], tuple[int, ...]]:
        numbered = tuple(enumerate(self.uses))
        return (
            tuple(one for one in numbered if one[1] in _LOOKED_UP),
            tuple(number for number, use in numbered if use in (Use.SMALL, Use.LARGE)),
            tuple(number for number, needed in enumerate(self.needed) if needed),
        )

    def rows(self, component: Mapping[str, Any]) -> list[Row]:
        """The rows of a component: none when it has nothing to offer."""
        return self.rows_of(tuple([value_at(component, path) for path in self.walk.heads]))

    def rows_of(self, head: tuple[Any, ...]) -> list[Row]:
        """The same from what stands at `walk.heads`."""
        keys, maps, needed = self._parts
        rows: list[Row] = []
        for values, where in self.walk.filled(head):
            if needed and any(values[number] is None for number in needed):
                continue
            held = tuple([values[number] for number in maps])
            if maps and any(type(one) is not dict or not one for one in held):
                continue
            parts = [(text_of if use is Use.TEXT else key_of)(values[number]) for number, use in keys]
            if parts and not maps and parts.count(None) == len(parts):
                continue
            rows.append((self.key(parts), where, held))
        return rows

    def key(self, parts: Sequence[Hashable | None]) -> Hashable:
        """The key of a row: absent parts are what they imply."""
        if None in parts:
            parts = [part if part is not None else self.implied[at] for at, part in enumerate(parts)]
        return parts[0] if len(parts) == 1 else tuple(parts)
