"""Where the components with a value are: the hash tables of the joins.

An index holds the rows of all components that one selector means, for one side. Its tables are built when they are
asked for and kept up to date from then on.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from typing import Any

from meshery_registry.domain.evaluation.sides import Row, Selector, Side
from meshery_registry.domain.evaluation.strategies import entries

#: A component and one of its rows.
Place = tuple[str, Row]
_Entry = tuple[Hashable, int, str, Hashable]


class Index:
    """The rows of the components that a selector means."""

    def __init__(self, selector: Selector, side: Side) -> None:
        self.selector = selector
        self.side = side
        self.rows: dict[str, list[Row]] = {}
        self._table: dict[Hashable, list[Place]] | None = None
        #: Components by each entry of their mappings; an entry names the key and the mapping's number, too.
        self._holding: dict[_Entry, set[tuple[str, int]]] | None = None
        #: Components by the least entry of their first mapping.
        self._anchored: dict[tuple[Hashable, str, Hashable], list[Place]] | None = None

    def fill(self, components: Iterable[tuple[str, Mapping[str, Any]]]) -> None:
        """Take in components before any table is built."""
        rows_of, rows = self.side.rows, self.rows
        for component_id, component in components:
            found = rows_of(component)
            if found:
                rows[component_id] = found

    def put(self, component_id: str, component: Mapping[str, Any] | None) -> None:
        """Take in a component as it is now; none when it is gone or not meant any more."""
        old = self.rows.pop(component_id, None)
        new = self.side.rows(component) if component is not None else None
        if old:
            self._remove(component_id, old)
        if new:
            self.rows[component_id] = new
            self._add(component_id, new)

    @property
    def table(self) -> dict[Hashable, list[Place]]:
        """Components by key."""
        if self._table is None:
            table: dict[Hashable, list[Place]] = {}
            for component_id, rows in self.rows.items():
                for row in rows:
                    places = table.get(row[0])
                    if places is None:
                        table[row[0]] = [(component_id, row)]
                    else:
                        places.append((component_id, row))
            self._table = table
        return self._table

    def holding(self, wanted: Row) -> list[Place]:
        """Components of which each mapping holds all entries of the wanted row's."""
        if self._holding is None:
            self._holding = {}
            for component_id, rows in self.rows.items():
                self._hold(component_id, rows)
        sets = [self._holding.get(one) for one in _entries(wanted)]
        if not sets or any(one is None for one in sets):
            return []
        found = set.intersection(*sorted((one for one in sets if one is not None), key=len))
        return [(component_id, self.rows[component_id][number]) for component_id, number in found]

    def held_by(self, offered: Row) -> list[Place]:
        """Components of which each mapping is held by the offered row's."""
        if self._anchored is None:
            self._anchored = {}
            for component_id, rows in self.rows.items():
                self._anchor(component_id, rows)
        offers = [entries(one) for one in offered.maps]
        found = []
        for name, value in offers[0]:
            for component_id, row in self._anchored.get((offered.key, name, value), ()):
                if all(entries(small) <= large for small, large in zip(row.maps, offers, strict=True)):
                    found.append((component_id, row))
        return found

    def _add(self, component_id: str, rows: list[Row]) -> None:
        if self._table is not None:
            for row in rows:
                self._table.setdefault(row.key, []).append((component_id, row))
        if self._holding is not None:
            self._hold(component_id, rows)
        if self._anchored is not None:
            self._anchor(component_id, rows)

    def _remove(self, component_id: str, rows: list[Row]) -> None:
        if self._table is not None:
            for key in {row.key for row in rows}:
                _take_out(self._table, key, component_id)
        if self._holding is not None:
            for number, row in enumerate(rows):
                for entry in _entries(row):
                    self._holding[entry].discard((component_id, number))
        if self._anchored is not None:
            for anchor in {_anchor_of(row) for row in rows}:
                _take_out(self._anchored, anchor, component_id)

    def _hold(self, component_id: str, rows: list[Row]) -> None:
        assert self._holding is not None  # noqa: S101 - set by who calls
        for number, row in enumerate(rows):
            for entry in _entries(row):
                self._holding.setdefault(entry, set()).add((component_id, number))

    def _anchor(self, component_id: str, rows: list[Row]) -> None:
        assert self._anchored is not None  # noqa: S101 - set by who calls
        for row in rows:
            self._anchored.setdefault(_anchor_of(row), []).append((component_id, row))


def _take_out(table: dict[Any, list[Place]], key: Hashable, component_id: str) -> None:
    left = [one for one in table[key] if one[0] != component_id]
    if left:
        table[key] = left
    else:
        del table[key]


def _entries(row: Row) -> list[_Entry]:
    return [
        (row.key, number, name, value) for number, one in enumerate(row.maps) for name, value in entries(one)
    ]


def _anchor_of(row: Row) -> tuple[Hashable, str, Hashable]:
    name, value = min(entries(row.maps[0]), key=lambda one: str(one[0]))
    return row.key, name, value
