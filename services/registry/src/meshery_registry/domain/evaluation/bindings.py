"""Three-party relationships: two components that a third one names, e.g. a role and an account by their binding."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice, product
from typing import Final

from meshery_contracts.evaluation import MAX_RELATIONSHIPS
from meshery_registry.domain.evaluation import instances
from meshery_registry.domain.evaluation.actions import Log
from meshery_registry.domain.evaluation.definitions import Binding
from meshery_registry.domain.evaluation.indexes import Index
from meshery_registry.domain.evaluation.sides import Row
from meshery_registry.domain.evaluation.state import State

#: The relationships of one definition: those of the first third parties in the order of their ids.
MAX_PER_DEFINITION: Final = 10_000


class TooMany(Exception):
    """More relationships than one definition may have, perhaps: all must be looked at."""


def identify(state: State, log: Log, definition: Binding, touched: Iterable[str] | None = None) -> None:
    """Relate whom the third parties of a definition name: all of them, or those that touched components belong to.

    Raises TooMany when only some are looked at and the definition may be over its limit.
    """
    froms = state.index(definition.from_selector, definition.from_side)
    tos = state.index(definition.to_selector, definition.to_side)
    through_from = state.index(definition.through, definition.through_from_side)
    through_to = state.index(definition.through, definition.through_to_side)
    if not (froms.rows and tos.rows and through_from.rows and through_to.rows):
        return
    through = through_from.rows.keys() & through_to.rows.keys()
    if touched is None:
        state.counts[definition.key] = 0
    else:
        parties = [(froms, through_from), (tos, through_to)]
        through &= {one for component_id in touched for one in _third_parties(component_id, parties)}
    for through_id in sorted(through):
        from_ids = _named(froms, through_from.rows[through_id], through_id)
        to_ids = _named(tos, through_to.rows[through_id], through_id)
        count = state.counts.get(definition.key, 0) + len(from_ids) * len(to_ids)
        if touched is not None and count > MAX_PER_DEFINITION:
            raise TooMany
        room = MAX_PER_DEFINITION - state.counts.get(definition.key, 0)
        state.counts[definition.key] = count
        for from_id, to_id in islice(product(from_ids, to_ids), room):
            if from_id != to_id and not _denied(state, definition, from_id, to_id):
                _put(state, log, definition, from_id, through_id, to_id)
        if count > MAX_PER_DEFINITION:
            state.limited = True
            log.remark(
                f"{definition.class_key} would relate too many components: only the first are related."
            )
            return


def _third_parties(component_id: str, parties: Sequence[tuple[Index, Index]]) -> Iterator[str]:
    """The third parties that a component is, or that name it."""
    yield component_id
    for own, third in parties:
        for row in own.rows.get(component_id, ()):
            for through_id, _ in third.table.get(row[0], ()):
                yield through_id


def _named(parties: Index, rows: list[Row], through_id: str) -> list[str]:
    table = parties.table
    named = {party for row in rows for party, _ in table.get(row[0], ())}
    return sorted(named - {through_id})


def _denied(state: State, definition: Binding, from_id: str, to_id: str) -> bool:
    return definition.denies(state.group_of[from_id], state.group_of[to_id])


def _put(state: State, log: Log, definition: Binding, from_id: str, through_id: str, to_id: str) -> None:
    for known in state.between(definition.class_key, from_id, to_id):
        if through_id in state.related(known).ends:
            return
    relationship_id = instances.stable_id(definition.key, from_id, through_id, to_id)
    if relationship_id in state.relationships:
        return
    if len(state.relationships) >= MAX_RELATIONSHIPS:
        state.limited = True
        log.remark(f"The design has {MAX_RELATIONSHIPS:,} relationships: more are not added.")
        return
    state.put_relationship(
        relationship_id, instances.of_binding(definition, relationship_id, from_id, through_id, to_id)
    )
    log.relationship_added(relationship_id)
    log.count(definition.policy, "added")
