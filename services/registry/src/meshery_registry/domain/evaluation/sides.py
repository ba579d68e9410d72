"""One side of a definition: which components it means, and what of them is compared.

A side turns a component into rows. A row is the key that both sides must share, and the mappings of which one must
hold the other. Equal sides of several definitions are one value, so that a component is read once for all of them.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property
from typing import Any, NamedTuple

from meshery_registry.domain.evaluation import patterns
from meshery_registry.domain.evaluation.paths import Path, Walk, Where
from meshery_registry.domain.evaluation.strategies import key_of, text_of

#: What components are told apart by: kind and name of the model.
Group = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Selector:
    """Which components: a pattern of kinds and the name of a model, empty for any."""

    kind: str
    model: str

    def means(self, group: Group) -> bool:
        """Whether the components of a group are meant; one whose model nobody knows is."""
        kind, model = group
        return (not self.model or not model or self.model == model) and patterns.matches(self.kind, kind)


class Use(IntEnum):
    """What a value is compared for."""

    KEY = 0
    TEXT = 1
    SMALL = 2
    LARGE = 3
    PRESENT = 4


class Row(NamedTuple):
    """One way in which a component offers its values."""

    key: Hashable
    where: Where
    #: The mappings in question, one for each `SMALL` or `LARGE`.
    maps: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True)
class Side:
    """Paths, what each value is compared for, and which must be there."""

    paths: tuple[Path, ...]
    uses: tuple[Use, ...]
    needed: tuple[bool, ...]

    @cached_property
    def walk(self) -> Walk:
        """The paths, ready to be walked."""
        return Walk(self.paths)

    @cached_property
    def _parts(self) -> tuple[tuple[tuple[int, Use], ...], tuple[tuple[int, Use], ...], tuple[int, ...]]:
        numbered = tuple(enumerate(self.uses))
        return (
            tuple(one for one in numbered if one[1] in (Use.KEY, Use.TEXT)),
            tuple(one for one in numbered if one[1] in (Use.SMALL, Use.LARGE)),
            tuple(number for number, needed in enumerate(self.needed) if needed),
        )

    def rows(self, component: Mapping[str, Any]) -> list[Row]:
        """The rows of a component: none when it has nothing to offer."""
        keys, maps, needed = self._parts
        rows = []
        for values, where in self.walk.ways(component):
            if needed and any(values[number] is None for number in needed):
                continue
            held = tuple([values[number] for number, _ in maps])
            if any(type(one) is not dict or not one for one in held):
                continue
            if len(keys) == 1:
                number, use = keys[0]
                key = key_of(values[number]) if use is Use.KEY else text_of(values[number])
                if key is None and not maps:
                    continue
            else:
                key = tuple(
                    [key_of(values[one]) if use is Use.KEY else text_of(values[one]) for one, use in keys]
                )
                if keys and not maps and not any(one is not None for one in key):
                    continue
            rows.append(Row(key, where, held))
        return rows
