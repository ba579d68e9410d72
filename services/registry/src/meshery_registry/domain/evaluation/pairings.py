"""Two-party relationships: which pairs of components agree, by a hash join.

All pairs are bounded: of a definition that relates more than `MAX_PER_DEFINITION` pairs the first ones in the order
of ids are taken, with a warning, and nothing is enumerated beyond.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from meshery_contracts.evaluation import MAX_RELATIONSHIPS
from meshery_registry.domain.evaluation import instances, namespaces
from meshery_registry.domain.evaluation.actions import Log
from meshery_registry.domain.evaluation.definitions import Pairing
from meshery_registry.domain.evaluation.indexes import Index, Place
from meshery_registry.domain.evaluation.instances import DELETED, IGNORED, Pair, Related
from meshery_registry.domain.evaluation.paths import value_at
from meshery_registry.domain.evaluation.sides import Row
from meshery_registry.domain.evaluation.state import State
from meshery_registry.domain.evaluation.strategies import holds

MAX_PER_DEFINITION: Final = 10_000
#: The most candidates of one definition that are looked at, when most of them are denied.
_MAX_CANDIDATES: Final = 500_000

Found = tuple[str, str, list[Pair]]


class TooMany(Exception):
    """More pairs or candidates than one definition may have."""


def identify(state: State, log: Log, definition: Pairing) -> None:
    """Relate all pairs of a definition."""
    join = Join(state, definition)
    if join.empty:
        return
    try:
        found = list(join.all())
    except TooMany:
        found = list(join.first())
        state.limited = True
        log.remark(
            f"{definition.class_key} from {definition.from_selector.kind} to {definition.to_selector.kind} would "
            f"relate too many components: only the first {len(found):,} pairs are related."
        )
    state.counts[definition.key] = len(found)
    relate(state, log, definition, found)


def identify_one(state: State, log: Log, definition: Pairing, component_id: str, *, is_from: bool) -> None:
    """Relate one component with all that it belongs to. Raises TooMany when the definition may be over its limit."""
    found = list(Join(state, definition).of(component_id, is_from=is_from))
    if found:
        count = state.counts[definition.key] = state.counts.get(definition.key, 0) + len(found)
        if count > MAX_PER_DEFINITION:
            raise TooMany
        relate(state, log, definition, found)


def relate(state: State, log: Log, definition: Pairing, found: list[Found]) -> None:
    """Add a relationship for each pair that has none."""
    key, groups = definition.class_key, state.group_of
    room = MAX_RELATIONSHIPS - len(state.relationships)
    if len(found) > room:
        found.sort(key=lambda one: one[:2])
    count = 0
    for from_id, to_id, pairs in found:
        known = state.between(key, from_id, to_id)
        if known and _is_known(state, log, definition, known, pairs):
            continue
        relationship_id = instances.stable_id(definition.key, from_id, to_id)
        if relationship_id in state.relationships:
            continue
        if count == room:
            state.limited = True
            log.remark(f"The design has {MAX_RELATIONSHIPS:,} relationships: more are not added.")
            break
        kinds = groups[from_id][0], groups[to_id][0]
        document = instances.of_pair(definition, relationship_id, (from_id, to_id), kinds, pairs)
        state.add_relationship(relationship_id, document, Related(key, from_id, to_id, (from_id, to_id)))
        log.relationship_added(relationship_id)
        count += 1
    if count:
        log.count(definition.policy, "added", count)


def _is_known(state: State, log: Log, definition: Pairing, known: list[str], pairs: list[Pair]) -> bool:
    """Whether one of the relationships is this one; it then means the elements that were found now."""
    for relationship_id in known:
        document = state.relationships[relationship_id]
        signature = instances.signature(document)
        if signature and signature != definition.general:
            continue
        if definition.wild and instances.status_of(document) not in (DELETED, IGNORED):
            _, from_id, to_id, _ = state.related(relationship_id)
            kinds = state.group_of[from_id][0], state.group_of[to_id][0]
            fresh = instances.of_pair(definition, relationship_id, (from_id, to_id), kinds, pairs)
            if instances.patches(fresh) != instances.patches(document):
                state.put_relationship(relationship_id, {**document, "selectors": fresh["selectors"]})
                log.relationship_updated(relationship_id, "/selectors", fresh["selectors"])
                log.count(definition.policy, "updated")
        return True
    return False


class Join:
    """The pairs of one definition."""

    def __init__(self, state: State, definition: Pairing) -> None:
        self._state = state
        self._definition = definition
        self._from = state.index(definition.from_selector, definition.from_side)
        self._to = state.index(definition.to_selector, definition.to_side)
        self._maps = definition.maps
        self._mixed = definition.mixed

    @property
    def empty(self) -> bool:
        """Whether one side has nothing to offer."""
        return not (self._from.rows and self._to.rows)

    def all(self) -> Iterator[Found]:
        """All pairs, as fast as can be. Raises `TooMany` when there are more than a definition may have."""
        definition = self._definition
        from_drives = self._maps or not definition.mutator_is_from
        driver = self._from if from_drives else self._to
        if not self._maps and not definition.wild and not self._mixed and not definition.denied:
            yield from self._plain(driver, self._to if from_drives else self._from, from_drives=from_drives)
            return
        candidates = count = 0
        for component_id, rows in driver.rows.items():
            partners, seen = self._partners(component_id, rows, is_from=from_drives)
            candidates += seen
            count += len(partners)
            if count > MAX_PER_DEFINITION or candidates > _MAX_CANDIDATES:
                raise TooMany
            for partner_id, pairs in partners.items():
                yield (component_id, partner_id, pairs) if from_drives else (partner_id, component_id, pairs)

    def first(self) -> Iterator[Found]:
        """The first pairs in the order of ids."""
        candidates, limit = 0, MAX_PER_DEFINITION
        for from_id in sorted(self._from.rows):
            partners, seen = self._partners(from_id, self._from.rows[from_id], is_from=True)
            for to_id in sorted(partners)[:limit]:
                yield from_id, to_id, partners[to_id]
            limit -= len(partners)
            candidates += seen
            if limit <= 0 or candidates > _MAX_CANDIDATES:
                return

    def of(self, component_id: str, *, is_from: bool) -> Iterator[Found]:
        """The pairs of one component, as `from` or as `to`."""
        rows = (self._from if is_from else self._to).rows.get(component_id)
        if not rows:
            return
        partners, _ = self._partners(component_id, rows, is_from=is_from)
        for partner_id in sorted(partners):
            pairs = partners[partner_id]
            yield (component_id, partner_id, pairs) if is_from else (partner_id, component_id, pairs)

    def _plain(self, driver: Index, other: Index, *, from_drives: bool) -> Iterator[Found]:
        """Where each component has one row, and equal keys are all that is asked."""
        get = other.table.get
        nothing: list[Pair] = []
        count = 0
        for component_id, (row,) in driver.rows.items():
            places = get(row[0])
            if places is None:
                continue
            count += len(places)
            if count > MAX_PER_DEFINITION + len(driver.rows):  # some may be the component itself
                raise TooMany
            for partner_id, _ in places:
                if partner_id != component_id:
                    yield (
                        (component_id, partner_id, nothing)
                        if from_drives
                        else (partner_id, component_id, nothing)
                    )

    def _partners(
        self, component_id: str, rows: list[Row], *, is_from: bool
    ) -> tuple[dict[str, list[Pair]], int]:
        """Whom a component belongs to, by which rows; and how many candidates were looked at."""
        found: dict[str, list[Pair]] = {}
        seen = 0
        for row in rows:
            candidates = self._candidates(row, is_from=is_from)
            seen += len(candidates)
            for partner_id, other in candidates:
                if partner_id == component_id:
                    continue
                pair = (row, other) if is_from else (other, row)
                ids = (component_id, partner_id) if is_from else (partner_id, component_id)
                if self._allowed(*ids) and (not self._mixed or self._holds(*ids, pair)):
                    found.setdefault(partner_id, []).append(pair)
            if seen > _MAX_CANDIDATES:
                break
        return found, seen

    def _candidates(self, row: Row, *, is_from: bool) -> list[Place]:
        if self._maps:
            return self._to.holding(row) if is_from else self._from.held_by(row)
        return (self._to if is_from else self._from).table.get(row[0], [])

    def _allowed(self, from_id: str, to_id: str) -> bool:
        if not self._definition.denied:
            return True
        groups = self._state.group_of
        return not self._definition.denies(groups[from_id], groups[to_id])

    def _holds(self, from_id: str, to_id: str, pair: Pair) -> bool:
        """Whether all strategies hold."""
        definition = self._definition
        from_view, to_view = self._state.view(from_id), self._state.view(to_id)
        for number, held in enumerate(definition.strategies):
            from_path = definition.from_side.walk.concrete(number, pair[0][1])
            to_path = definition.to_side.walk.concrete(number, pair[1][1])
            values = value_at(from_view, from_path), value_at(to_view, to_path)
            if not holds(held, *namespaces.compared(held, (from_path, to_path), values)):
                return False
        return True
