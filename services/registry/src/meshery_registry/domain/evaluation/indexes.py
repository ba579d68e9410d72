"""Where the components with a value are: the hash tables of the joins.

An index holds the rows of all components that one selector means, for one side. Its tables are built when they are
asked for and kept up to date from then on.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

from meshery_registry.domain.evaluation.paths import Path, value_at
from meshery_registry.domain.evaluation.sides import Row, Selector, Side
from meshery_registry.domain.evaluation.strategies import entries, key_of

#: A component and one of its rows.
Place = tuple[str, Row]
#: The key of a row, the number of a mapping, and an entry of it.
Entry = tuple[Hashable, int, str, Hashable]


class Columns:
    """What stands at some paths in the components of one group, each path read once."""

    def __init__(self, components: Sequence[tuple[str, Mapping[str, Any]]]) -> None:
        self.ids = [component_id for component_id, _ in components]
        self._components = [component for _, component in components]
        self._values: dict[Path, list[Any]] = {}
        self._keys: dict[Path, list[Hashable | None]] = {}

    def values(self, path: Path) -> list[Any]:
        """The values at a path without `_`, in the order of `ids`."""
        known = self._values.get(path)
        if known is None:
            # Most paths have a neighbour that was read: from there it is one step.
            if len(path) > 1:
                last = path[-1]
                known = [
                    one.get(last) if type(one) is dict else value_at(one, (last,))
                    for one in self.values(path[:-1])
                ]
            else:
                known = [value_at(one, path) for one in self._components]
            self._values[path] = known
        return known

    def keys(self, path: Path) -> list[Hashable | None]:
        """The keys of these values."""
        known = self._keys.get(path)
        if known is None:
            known = self._keys[path] = [key_of(one) for one in self.values(path)]
        return known


class Index:
    """The rows of the components that a selector means."""

    def __init__(self, selector: Selector, side: Side) -> None:
        self.selector = selector
        self.side = side
        self.rows: dict[str, list[Row]] = {}
        self._table: dict[Hashable, list[Place]] | None = None
        self._holding: dict[Entry, set[tuple[str, int]]] | None = None
        #: Components by the least entry of their first mapping.
        self._anchored: dict[tuple[Hashable, str, Hashable], list[Place]] | None = None

    def fill(self, columns: Columns) -> None:
        """Take in the components of a group before any table is built."""
        rows, paths = self.rows, self.side.walk.heads
        if self.side.walk.slots:
            rows_of, array = self.side.rows_of, self.side.walk.array
            for component_id, head in zip(
                columns.ids, zip(*map(columns.values, paths), strict=True), strict=True
            ):
                if type(head[array]) is list:  # most have no such array at all
                    found = rows_of(head)
                    if found:
                        rows[component_id] = found
        elif not self.side.is_plain:
            rows_of = self.side.rows_of
            for component_id, head in zip(
                columns.ids, zip(*map(columns.values, paths), strict=True), strict=True
            ):
                found = rows_of(head)
                if found:
                    rows[component_id] = found
        elif len(self.side.key_paths) == 1:
            for component_id, key in zip(columns.ids, columns.keys(self.side.key_paths[0]), strict=True):
                if key is not None:
                    rows[component_id] = [(key, (), ())]
        else:
            nothing = (None,) * len(self.side.key_paths)
            # Where nothing is implied, an absent part stays as it is.
            key_of_row = self.side.key if self.side.implied != nothing else None
            for component_id, keys in zip(
                columns.ids, zip(*map(columns.keys, self.side.key_paths), strict=True), strict=True
            ):
                if keys != nothing:
                    whole = keys if key_of_row is None or None not in keys else key_of_row(keys)
                    rows[component_id] = [(whole, (), ())]

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

    @property
    def by_entry(self) -> dict[Entry, set[tuple[str, int]]]:
        """Components, and which of their rows, by each entry of their mappings."""
        if self._holding is None:
            self._holding = {}
            for component_id, rows in self.rows.items():
                self._hold(component_id, rows)
        return self._holding

    def holding(self, wanted: Row) -> list[Place]:
        """Components of which each mapping holds all entries of the wanted row's."""
        holding = self.by_entry
        sets = [holding.get(one) for one in _entries(wanted)]
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
        offers = [entries(one) for one in offered[2]]
        found = []
        for name, value in offers[0]:
            for component_id, row in self._anchored.get((offered[0], name, value), ()):
                if all(entries(small) <= large for small, large in zip(row[2], offers, strict=True)):
                    found.append((component_id, row))
        return found

    def _add(self, component_id: str, rows: list[Row]) -> None:
        if self._table is not None:
            for row in rows:
                self._table.setdefault(row[0], []).append((component_id, row))
        if self._holding is not None:
            self._hold(component_id, rows)
        if self._anchored is not None:
            self._anchor(component_id, rows)

    def _remove(self, component_id: str, rows: list[Row]) -> None:
        if self._table is not None:
            for key in {row[0] for row in rows}:
                _take_out(self._table, key, component_id)
        if self._holding is not None:
            for number, row in enumerate(rows):
                for entry in _entries(row):
                    holders = self._holding[entry]
                    holders.discard((component_id, number))
                    if not holders:
                        del self._holding[entry]
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


def _entries(row: Row) -> list[Entry]:
    return [
        (row[0], number, name, value) for number, one in enumerate(row[2]) for name, value in entries(one)
    ]


def _anchor_of(row: Row) -> tuple[Hashable, str, Hashable]:
    name, value = min(entries(row[2][0]), key=lambda one: str(one[0]))
    return row[0], name, value
