"""The objects of a design in the order they go into a cluster."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from meshery_contracts.clusters import ObjectReference
from meshery_contracts.errors import FieldProblem, Invalid
from meshery_designs.domain.manifests import group_kind, is_deployable, object_of, reference_of
from meshery_designs.domain.waves import waves_of


@dataclass(frozen=True)
class Item:
    """A component's object on its way into a cluster."""

    component_id: UUID
    component_name: str
    model: str
    content: dict[str, Any]
    #: As the design names it: only the API server knows for certain whether the kind has namespaces.
    reference: ObjectReference
    wave: int


def items_of(document: Mapping[str, Any], *, design_id: UUID | None, version: int) -> list[Item]:
    """What a checked design file brings into a cluster. Raises Invalid when it contradicts itself."""
    components = document["components"]
    waves = waves_of(components)
    items = [
        _item(one, design_id, version, waves[str(one["id"])]) for one in components if is_deployable(one)
    ]
    _check_unique(items)
    return sorted(items, key=lambda item: item.wave)


def same_object(one: ObjectReference, other: ObjectReference) -> bool:
    """Whether two references mean one object of a cluster.

    Versions of a kind show the same objects. A namespace that only one of them names is the word of somebody
    who did not know whether the kind has namespaces.
    """
    return (
        group_kind(one.api_version, one.kind) == group_kind(other.api_version, other.kind)
        and one.name == other.name
        and (one.namespace == other.namespace or not (one.namespace and other.namespace))
    )


def how_many_of(named: Iterable[ObjectReference], references: Iterable[ObjectReference]) -> int:
    """How many of the references mean one of the named objects, as `same_object` has it."""
    namespaces: dict[tuple[str, str], set[str]] = {}
    for one in named:
        namespaces.setdefault((group_kind(one.api_version, one.kind), one.name), set()).add(one.namespace)
    found = 0
    for one in references:
        known = namespaces.get((group_kind(one.api_version, one.kind), one.name), set())
        found += bool(known) and (not one.namespace or not known.isdisjoint((one.namespace, "")))
    return found


def _item(component: Mapping[str, Any], design_id: UUID | None, version: int, wave: int) -> Item:
    content = object_of(component, design_id=design_id, version=version)
    namespaced = bool((component.get("metadata") or {}).get("isNamespaced", True))
    return Item(
        component_id=UUID(str(component["id"])),
        component_name=str(component.get("displayName") or content["metadata"]["name"]),
        model=str((component.get("modelReference") or {}).get("name") or ""),
        content=content,
        reference=reference_of(content, namespaced=namespaced),
        wave=wave,
    )


def _check_unique(items: list[Item]) -> None:
    seen: dict[tuple[str, str, str], Item] = {}
    for item in items:
        where = item.reference
        key = (group_kind(where.api_version, where.kind), where.namespace, where.name)
        first = seen.setdefault(key, item)
        if first is not item:
            message = (
                f"declares the same object as component {first.component_name!r}: {where.kind} {where.name}"
            )
            raise Invalid(
                f"Component {item.component_name!r} {message}.",
                code="object_twice",
                fields=(FieldProblem(path=f"{item.component_name}.configuration.metadata", message=message),),
                remedy="Remove one of the two, or give it another name or namespace.",
            )
