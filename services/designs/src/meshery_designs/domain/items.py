"""The objects of a design in the order they go into a cluster."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson

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


def items_in(file: str, design_id: UUID | None, version: int) -> list[Item]:
    """What a checked design file (JSON) brings into a cluster. Raises Invalid when it contradicts itself."""
    components = orjson.loads(file)["components"]
    waves = waves_of(components)
    items = [
        _item(one, design_id, version, waves[str(one["id"])]) for one in components if is_deployable(one)
    ]
    _check_unique(items)
    return sorted(items, key=lambda item: item.wave)


def references_in(file: str) -> list[ObjectReference]:
    """The objects that a checked design file (JSON) names. Raises Invalid when it contradicts itself."""
    return [one.reference for one in items_in(file, None, 0)]


class Objects:
    """Objects of a cluster, to be asked whether another reference means one of them.

    Versions of a kind show the same objects. A namespace that only one of two references names is the word of
    somebody who did not know whether the kind has namespaces.
    """

    def __init__(self, references: Iterable[ObjectReference]) -> None:
        self._namespaces: dict[tuple[str, str], set[str]] = {}
        for one in references:
            self._namespaces.setdefault(_kind_and_name(one), set()).add(one.namespace)

    def __contains__(self, reference: ObjectReference) -> bool:
        found = self._namespaces.get(_kind_and_name(reference), set())
        return bool(found) and (not reference.namespace or not found.isdisjoint((reference.namespace, "")))


def _kind_and_name(reference: ObjectReference) -> tuple[str, str]:
    return group_kind(reference.api_version, reference.kind), reference.name


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
