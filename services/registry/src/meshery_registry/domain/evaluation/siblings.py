"""Siblings: components that share an entry of a mapping, e.g. a label, as one relationship of the whole group."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Final

from meshery_contracts.evaluation import MAX_RELATIONSHIPS
from meshery_registry.domain.evaluation import instances
from meshery_registry.domain.evaluation.actions import Log
from meshery_registry.domain.evaluation.definitions import Siblings
from meshery_registry.domain.evaluation.instances import DELETED, IGNORED
from meshery_registry.domain.evaluation.paths import Path
from meshery_registry.domain.evaluation.sides import Selector, Side, Use
from meshery_registry.domain.evaluation.state import State
from meshery_registry.domain.evaluation.strategies import entries

#: The groups of one definition that are shown: the first in the order of their entries.
MAX_GROUPS: Final = 20
#: The members of one group that are listed: the first in the order of their ids.
MAX_MEMBERS: Final = 500

_Entry = tuple[int, str, str]


def identify(state: State, log: Log, definition: Siblings) -> None:
    """Make the groups of a definition what they are now."""
    groups = _groups(state, definition)
    if len(groups) > MAX_GROUPS:
        log.remark(f"{definition.class_key} has {len(groups)} groups: the first {MAX_GROUPS} are shown.")
    for entry in sorted(groups)[:MAX_GROUPS]:
        froms, tos = groups[entry]
        if max(len(froms), len(tos)) > MAX_MEMBERS:
            log.remark(
                f"{definition.class_key} of {entry[1]}={entry[2]} has more than {MAX_MEMBERS} members."
            )
        _put(state, log, definition, entry, froms[:MAX_MEMBERS], tos[:MAX_MEMBERS])


def _put(
    state: State, log: Log, definition: Siblings, entry: _Entry, froms: list[str], tos: list[str]
) -> None:
    relationship_id = instances.stable_id(definition.key, *entry)
    fresh = instances.of_group(definition, relationship_id, froms, tos)
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
        state.put_relationship(relationship_id, fresh)
        log.relationship_added(relationship_id)
        log.count(definition.policy, "added")
    elif instances.status_of(known) not in (DELETED, IGNORED) and _members(known) != (froms, tos):
        state.put_relationship(relationship_id, {**known, "selectors": fresh["selectors"]})
        log.relationship_updated(relationship_id, "/selectors", fresh["selectors"])
        log.count(definition.policy, "updated")


def _same(state: State, relationship_id: str, froms: list[str], tos: list[str]) -> bool:
    """Whether a relationship that somebody else made names the same group."""
    return set(state.related(relationship_id).ends) == {*froms, *tos}


def _members(relationship: object) -> tuple[list[object], list[object]]:
    froms, tos = (
        [one.get("id") for one in instances.selector_items(relationship, part)]  # type: ignore[arg-type]
        for part in ("from", "to")
    )
    return froms, tos


def _groups(state: State, definition: Siblings) -> dict[_Entry, tuple[list[str], list[str]]]:
    """Members that may stand on either side, by the entry that they share; only where there are two at least."""
    groups: dict[_Entry, tuple[list[str], list[str]]] = {}
    for number, path in enumerate(definition.refs):
        froms = _holders(state, definition.from_selector, path)
        tos = _holders(state, definition.to_selector, path)
        for key, value in froms.keys() & tos.keys():
            members = sorted(froms[key, value]), sorted(tos[key, value])
            if len({*members[0], *members[1]}) > 1:
                groups[number, key, _text(value)] = members
    return groups


def _holders(state: State, selector: Selector, path: Path) -> dict[tuple[str, Hashable], list[str]]:
    side = Side((path,), (Use.LARGE,), (True,))
    found: dict[tuple[str, Hashable], list[str]] = {}
    for component_id, rows in state.index(selector, side).rows.items():
        for entry in entries(rows[0].maps[0]):
            found.setdefault(entry, []).append(component_id)
    return found


def _text(value: Hashable) -> str:
    return value if isinstance(value, str) else f"{type(value).__name__} {value!r}"
