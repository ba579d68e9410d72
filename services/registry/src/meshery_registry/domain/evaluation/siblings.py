"""Siblings: components that share an entry of a mapping, e.g. a label, as one relationship of the whole group."""

from __future__ import annotations

from collections.abc import Collection, Hashable
from typing import Final

from meshery_contracts.evaluation import MAX_RELATIONSHIPS
from meshery_registry.domain.evaluation import instances
from meshery_registry.domain.evaluation.actions import Log
from meshery_registry.domain.evaluation.definitions import Document, Siblings
from meshery_registry.domain.evaluation.instances import DELETED, IGNORED
from meshery_registry.domain.evaluation.sides import Side, Use
from meshery_registry.domain.evaluation.state import State

#: The groups of one definition that are shown: the first in the order of their entries.
MAX_GROUPS: Final = 20
#: The members of one group that are listed: the first in the order of their ids.
MAX_MEMBERS: Final = 500


def identify(state: State, log: Log, definition: Siblings, touched: Collection[str] | None = None) -> None:
    """Make the groups of a definition what they are now: all of them, or those that touched components are in."""
    shown = 0
    for number, path in enumerate(definition.refs):
        side = Side((path,), (Use.LARGE,), (True,))
        froms = state.index(definition.from_selector, side).by_entry
        tos = state.index(definition.to_selector, side).by_entry
        shared = froms.keys() & tos.keys() if froms is not tos else froms.keys()
        wide = [one for one in shared if len(froms[one]) > 1 or len(tos[one]) > 1 or froms[one] != tos[one]]
        named = sorted(((one[2], _text(one[3]), one) for one in wide), key=lambda one: one[:2])
        if shown + len(named) > MAX_GROUPS and touched is None:
            log.remark(f"{definition.class_key} has {len(named)} groups: the first {MAX_GROUPS} are shown.")
        for name, value, entry in named[: MAX_GROUPS - shown]:
            relationship_id = instances.stable_id(definition.key, number, name, value)
            if touched is not None and relationship_id in state.relationships:
                holders = froms[entry] if froms is tos else froms[entry] | tos[entry]
                if not any((one, 0) in holders or _names(state, one, relationship_id) for one in touched):
                    continue
            from_ids = sorted(one for one, _ in froms[entry])
            to_ids = from_ids if froms is tos else sorted(one for one, _ in tos[entry])
            if max(len(from_ids), len(to_ids)) > MAX_MEMBERS:
                log.remark(f"{definition.class_key} of {name}={value} has more than {MAX_MEMBERS} members.")
            _put(state, log, definition, relationship_id, from_ids[:MAX_MEMBERS], to_ids[:MAX_MEMBERS])
        shown = min(shown + len(named), MAX_GROUPS)


def _put(
    state: State,
    log: Log,
    definition: Siblings,
    relationship_id: str,
    froms: list[str],
    tos: list[str],
) -> None:
    known = state.relationships.get(relationship_id)
    if known is None:
        if any(
            _same(state, one, froms, tos) for one in state.between(definition.class_key, froms[0], tos[0])
        ):
            return
        if len(state.relationships) >= MAX_RELATIONSHIPS:
            state.limited = True
            log.remark(f"The design has {MAX_RELATIONSHIPS:,} relationships: more are not added.")
            return
        state.put_relationship(relationship_id, instances.of_group(definition, relationship_id, froms, tos))
        log.relationship_added(relationship_id)
        log.count(definition.policy, "added")
        return
    same = _members(known, "from") == froms and _members(known, "to") == tos
    if not same and instances.status_of(known) not in (DELETED, IGNORED):
        fresh = instances.of_group(definition, relationship_id, froms, tos)["selectors"]
        state.put_relationship(relationship_id, {**known, "selectors": fresh})
        log.relationship_updated(relationship_id, "/selectors", fresh)
        log.count(definition.policy, "updated")


def _same(state: State, relationship_id: str, froms: list[str], tos: list[str]) -> bool:
    """Whether a relationship that somebody else made names the same group."""
    return set(state.related(relationship_id).ends) == {*froms, *tos}


def _names(state: State, component_id: str, relationship_id: str) -> bool:
    return relationship_id in state.touching.get(component_id, ())


def _members(relationship: Document, part: str) -> list[object]:
    return [one.get("id") for one in instances.selector_items(relationship, part)]


def _text(value: Hashable) -> str:
    """A value as text that is another one for every value: no label has such a beginning."""
    return value if isinstance(value, str) else f"\0{type(value).__name__} {value!r}"
