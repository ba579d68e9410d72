"""Missing parents: a component that names what contains or configures it gets it, when the design has none.

What already is inside of a parent needs no other one, whatever its values say: it is patched.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from meshery_contracts.evaluation import MAX_COMPONENTS
from meshery_registry.domain.evaluation import instances, patterns, plans, strategies
from meshery_registry.domain.evaluation.actions import Log
from meshery_registry.domain.evaluation.catalogue import Catalogue
from meshery_registry.domain.evaluation.definitions import INVENTORY, Document, Pairing
from meshery_registry.domain.evaluation.instances import DELETED
from meshery_registry.domain.evaluation.paths import BadPath, value_at, with_value
from meshery_registry.domain.evaluation.sides import Row, Selector, Side
from meshery_registry.domain.evaluation.state import State

_MADE_OF = ("configuration", "displayName")


def add_missing(
    state: State, log: Log, definition: Pairing, children: Iterable[str] | None = None
) -> list[str]:
    """Add the parents that children (all, unless named) lack; their ids."""
    parent, parent_side, child_side = _sides(definition)
    if not _can_be_made(definition, parent, parent_side):
        return []
    rows = state.index(_child_selector(definition), child_side).rows
    if not rows:
        return []
    parents = state.index(parent, parent_side).table
    missing: dict[str, Document] = {}
    for child_id in rows if children is None else children:
        for row in rows.get(child_id, ()):
            if row[0] in parents:
                continue
            view = state.view(child_id)
            values = [
                value_at(view, child_side.walk.concrete(number, row[1]))
                for number in range(len(child_side.paths))
            ]
            if any(strategies.key_of(one) is None for one in values):
                continue  # a parent is not made of half its names
            made = _made(state.catalogue, parent, parent_side, values)
            if made is not None and _wanted(state, definition, child_id, row, parent):
                missing[made["id"]] = made
    return [one for one in sorted(missing) if _add(state, log, definition, one, missing[one])]


def _add(state: State, log: Log, definition: Pairing, parent_id: str, parent: Document) -> bool:
    if parent_id in state.components:
        return False
    if len(state.components) >= MAX_COMPONENTS:
        state.limited = True
        log.remark(f"The design has {MAX_COMPONENTS:,} components: missing parents are not added.")
        return False
    state.put_component(parent_id, parent)
    log.component_added(parent_id)
    log.count(definition.policy, "added")
    return True


def _sides(definition: Pairing) -> tuple[Selector, Side, Side]:
    """Who the parent is, and the sides of parent and child: the parent is the mutator."""
    if definition.mutator_is_from:
        return definition.from_selector, definition.from_side, definition.to_side
    return definition.to_selector, definition.to_side, definition.from_side


def _child_selector(definition: Pairing) -> Selector:
    return definition.to_selector if definition.mutator_is_from else definition.from_selector


def _can_be_made(definition: Pairing, parent: Selector, side: Side) -> bool:
    return (
        definition.policy == INVENTORY
        and patterns.is_plain(parent.kind)
        and not side.walk.slots
        and all(path[0] in _MADE_OF for path in side.paths)
        and all(strategies.EQUAL in one for one in definition.strategies)
    )


def _wanted(state: State, definition: Pairing, child_id: str, row: Row, parent: Selector) -> bool:
    """Whether the pair is allowed, and the child has no parent at this very place."""
    child_group = state.group_of[child_id]
    groups = (parent.kind, parent.model), child_group
    if definition.denies(*(groups if definition.mutator_is_from else groups[::-1])):
        return False
    child_side = definition.to_side if definition.mutator_is_from else definition.from_side
    place = child_side.walk.concrete(0, row[1])
    for relationship_id in state.touching.get(child_id, ()):
        document = state.relationships[relationship_id]
        if (
            instances.status_of(document) == DELETED
            or state.related(relationship_id).class_key != definition.class_key
        ):
            continue
        plan = plans.plan_of(document)
        if plan is None or plan.target != child_id or plan.source not in state.components:
            continue
        is_parent = state.catalogue.means(parent, state.group_of[plan.source])
        if is_parent and any(one.target == place for one in plan.pairs):
            return False
    return True


def _made(catalogue: Catalogue, parent: Selector, side: Side, values: list[Any]) -> dict[str, Any] | None:
    """A parent with these values; none when its definition allows no such place."""
    parent_id = instances.stable_id("parent", parent.kind, parent.model, list(side.paths), values)
    known = catalogue.lookup(parent.kind, parent.model)
    document = dict(known) if isinstance(known, Mapping) else {}
    model = {"name": parent.model} if parent.model else {}
    configuration = document.get("configuration")
    component = document.get("component")
    document |= {
        "id": parent_id,
        "schemaVersion": document.get("schemaVersion") or "components.meshery.io/v1beta3",
        "displayName": f"{parent.kind.lower()}-{_letters(parent_id)}",
        "component": {**(component if isinstance(component, Mapping) else {}), "kind": parent.kind},
        "configuration": configuration if isinstance(configuration, Mapping) else {},
        "capabilities": [],
    }
    if not document.get("model") and not document.get("modelReference"):
        document |= {"model": model, "modelReference": model}
    made: Any = document
    try:
        for path, value in zip(side.paths, values, strict=True):
            made = with_value(made, path, value)
    except BadPath:
        return None
    return dict(made)


def _letters(parent_id: str) -> str:
    """Three letters that follow from an id."""
    number = int(parent_id[-8:], 16)
    return "".join(chr(ord("a") + number // 26**place % 26) for place in range(3))
