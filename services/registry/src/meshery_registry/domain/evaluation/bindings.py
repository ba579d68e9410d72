"""Three-party relationships: two components that a third one names, e.g. a role and an account by their binding."""

from __future__ import annotations

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


def identify(state: State, log: Log, definition: Binding) -> None:
    """Relate whom the third parties of a definition name."""
    froms = state.index(definition.from_selector, definition.from_side)
    tos = state.index(definition.to_selector, definition.to_side)
    through_from = state.index(definition.through, definition.through_from_side)
    through_to = state.index(definition.through, definition.through_to_side)
    if not (froms.rows and tos.rows and through_from.rows and through_to.rows):
        return
    left = MAX_PER_DEFINITION
    for through_id in sorted(through_from.rows.keys() & through_to.rows.keys()):
        from_ids = _named(froms, through_from.rows[through_id], through_id)
        to_ids = _named(tos, through_to.rows[through_id], through_id)
        for from_id in from_ids:
            for to_id in to_ids:
                if left == 0 or len(state.relationships) >= MAX_RELATIONSHIPS:
                    state.limited = True
                    log.remark(
                        f"{definition.class_key} would relate too many components: the first are related."
                    )
                    return
                left -= 1
                if from_id != to_id and not _denied(state, definition, from_id, to_id):
                    _put(state, log, definition, from_id, through_id, to_id)


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
    state.put_relationship(
        relationship_id, instances.of_binding(definition, relationship_id, from_id, through_id, to_id)
    )
    log.relationship_added(relationship_id)
    log.count(definition.policy, "added")
