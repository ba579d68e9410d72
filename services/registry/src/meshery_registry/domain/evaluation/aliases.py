"""Aliases: parts of a component that are shown as components, e.g. the containers of a pod.

An alias lives as long as its part. It keeps no configuration: what is read of it and written to it is the part's.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from meshery_contracts.evaluation import MAX_COMPONENTS
from meshery_registry.domain.evaluation import instances
from meshery_registry.domain.evaluation.actions import Log
from meshery_registry.domain.evaluation.definitions import Alias, value_of
from meshery_registry.domain.evaluation.instances import DELETED, PENDING
from meshery_registry.domain.evaluation.paths import Path, Walk, value_at
from meshery_registry.domain.evaluation.state import Part, State


def identify(state: State, log: Log, definition: Alias) -> list[str]:
    """Add the aliases that parts of components lack; their ids."""
    added = []
    walk = Walk([definition.path])
    for group in sorted(state.groups):
        if not state.catalogue.means(definition.to_selector, group):
            continue
        for parent_id in sorted(state.groups[group]):
            for (value,), where in walk.ways(state.view(parent_id)):
                path = walk.concrete(0, where)
                if value is not None and (alias_id := _identified(state, log, definition, parent_id, path)):
                    added.append(alias_id)
    return added


def _identified(state: State, log: Log, definition: Alias, parent_id: str, path: Path) -> str:
    """The id of the alias when it had to be added, else nothing."""
    alias_id = instances.stable_id(parent_id, path)
    relationship_id = instances.stable_id(definition.key, alias_id, parent_id)
    known = state.relationships.get(relationship_id)
    if known is not None and instances.status_of(known) == DELETED:
        return ""
    if known is None and any(
        part_of(state, one) == (alias_id, parent_id, path)
        for one in state.between(definition.class_key, alias_id, parent_id)
    ):
        return ""
    is_new = alias_id not in state.components
    if is_new and len(state.components) >= MAX_COMPONENTS:
        state.limited = True
        log.remark(f"The design has {MAX_COMPONENTS:,} components: aliases are not added.")
        return ""
    if known is None:
        document = instances.of_alias(definition, relationship_id, alias_id, parent_id, path)
        state.put_relationship(relationship_id, document)
        log.relationship_added(relationship_id)
        log.count(definition.policy, "added")
    if is_new:
        state.put_component(alias_id, _component(state, definition, alias_id, path))
        log.component_added(alias_id)
    return alias_id if is_new or known is None else ""


def _component(state: State, definition: Alias, alias_id: str, path: Path) -> dict[str, Any]:
    selector = definition.from_selector
    found = state.catalogue.lookup(selector.kind, selector.model)
    document = dict(found) if isinstance(found, Mapping) else {}
    metadata, component = document.get("metadata"), document.get("component")
    document |= {
        "id": alias_id,
        "schemaVersion": document.get("schemaVersion") or "components.meshery.io/v1beta3",
        "displayName": ".".join(path[-2:]),
        "component": {**(component if isinstance(component, Mapping) else {}), "kind": selector.kind},
        "metadata": {**(metadata if isinstance(metadata, Mapping) else {}), "isAnnotation": True},
        "configuration": {},
        "capabilities": [],
    }
    if not document.get("model") and not document.get("modelReference"):
        model = value_of(definition.from_shared, "model") or {}
        document |= {"model": model, "modelReference": model}
    return document


def part_of(state: State, relationship_id: str) -> tuple[str, str, Path] | None:
    """Alias, whole and path of an alias relationship; none when it does not say."""
    document = state.relationships[relationship_id]
    _, alias_id, parent_id, _ = state.related(relationship_id)
    froms, tos = instances.selector_items(document, "from"), instances.selector_items(document, "to")
    if not (alias_id and parent_id and froms and tos):
        return None
    paths = instances.refs(froms[0], "mutatorRef", "mutator_ref") or instances.refs(
        tos[0], "mutatedRef", "mutated_ref"
    )
    if not paths or paths[0][0] != "configuration":
        return None
    return alias_id, parent_id, paths[0]


def resolve(state: State) -> set[str]:
    """Bring up to date where the configuration of each alias is; the components for which that changed."""
    changed = set()
    wholes: dict[str, tuple[str, Path]] = {}
    for relationship_id in sorted(state.alias_relationships):
        part = part_of(state, relationship_id)
        status = instances.status_of(state.relationships[relationship_id])
        if part is not None and status != DELETED and part[1] in state.components:
            wholes.setdefault(part[0], part[1:])
    for alias_id in {*state.parts, *wholes}:
        part_now = _resolved(alias_id, wholes)
        if part_now != state.parts.get(alias_id):
            state.put_part(alias_id, part_now)
            changed.add(alias_id)
    return changed & state.components.keys()


def _resolved(alias_id: str, wholes: Mapping[str, tuple[str, Path]]) -> Part | None:
    """Where the configuration of an alias is, over aliases of aliases; none when they go round in a circle."""
    seen, path, at = {alias_id}, Path(), alias_id
    while at in wholes:
        at, own = wholes[at]
        if at in seen:
            return None
        seen.add(at)
        path = own[1:] + path
    return None if at == alias_id else Part(at, ("configuration", *path))


def is_valid(state: State, relationship_id: str) -> bool:
    """Whether an alias still has its part."""
    part = part_of(state, relationship_id)
    if part is None or instances.status_of(state.relationships[relationship_id]) == PENDING:
        return True
    alias_id, parent_id, path = part
    if alias_id not in state.components or parent_id not in state.components:
        return False
    return value_at(state.view(parent_id), path) is not None


def table(state: State) -> dict[str, dict[str, Any]]:
    """`metadata.resolvedAliases` of the design."""
    found = {}
    for relationship_id in sorted(state.alias_relationships):
        part = part_of(state, relationship_id)
        if part is None or part[0] not in state.parts:
            continue
        alias_id, parent_id, path = part
        resolved = state.parts[alias_id]
        found[alias_id] = {
            "relationshipId": relationship_id,
            "aliasComponentId": alias_id,
            "immediateParentId": parent_id,
            "immediateRefFieldPath": list(path),
            "resolvedParentId": resolved.root,
            "resolvedRefFieldPath": list(resolved.path),
        }
    return found
