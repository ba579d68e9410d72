"""What the registry holds, as plain data between store and service."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from meshery_registry.domain import names
from meshery_registry.domain.openapi import LearnedKind

#: The kind of registrant that clusters are.
CLUSTER = "kubernetes"


@dataclass(frozen=True, slots=True)
class Registrant:
    """Who registered definitions, and how much that was: a connection, or a source that has an id of its own."""

    connection_id: UUID
    kind: str
    name: str
    version: str
    created_at: datetime
    updated_at: datetime
    models: int
    components: int
    relationships: int
    policies: int


@dataclass(frozen=True, slots=True)
class Category:
    """A category of models."""

    category_id: UUID
    name: str
    metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Model:
    """What a set of components belongs to. Counts are of what is enabled."""

    model_id: UUID
    organization_id: UUID
    name: str
    display_name: str
    description: str
    definition_version: str
    version: str
    category: Category
    sub_category: str
    status: str
    annotation: bool
    metadata: Mapping[str, Any]
    registrant_kind: str
    registrant_id: UUID
    registrant_name: str
    created_at: datetime
    updated_at: datetime
    components: int = 0
    relationships: int = 0
    duplicates: int = 0


@dataclass(frozen=True, slots=True)
class Component:
    """The definition of a kind; its schema is kept apart."""

    component_id: UUID
    model_id: UUID
    api_version: str
    kind: str
    display_name: str
    description: str
    definition_version: str
    namespaced: bool
    custom: bool
    schema_hash: str
    schema_bytes: int
    schema_usable: bool
    status: str
    annotation: bool
    metadata: Mapping[str, Any]
    styles: Mapping[str, Any]
    capabilities: Sequence[Mapping[str, Any]]
    configuration: Mapping[str, Any]
    created_at: datetime
    updated_at: datetime
    duplicates: int = 0


@dataclass(frozen=True, slots=True)
class Relationship:
    """How components may relate; the definition in the newest shape, without what the other fields say."""

    relationship_id: UUID
    model_id: UUID
    kind: str
    type: str
    sub_type: str
    status: str
    definition: Mapping[str, Any]
    definition_version: str
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class ConnectionDefinition:
    """A kind of connection that a model brings along."""

    definition_id: UUID
    model_id: UUID
    model_name: str
    kind: str
    definition: Mapping[str, Any]
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Summary:
    """How much there is; components and relationships by the display name of their model."""

    models: int
    policies: int
    registrants: int
    categories: int
    components: Mapping[str, int]
    relationships: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class NewModel:
    """A model as a cluster's group version makes one."""

    model_id: UUID
    name: str
    display_name: str
    description: str
    version: str
    order: list[int]
    category_id: UUID
    sub_category: str
    metadata: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class NewComponent:
    """A component that a registration brings."""

    component_id: UUID
    display_name: str
    learned: LearnedKind


def model_of(group_version: str, cluster_version: str, *, custom: bool) -> NewModel:
    """The model that a group version's kinds belong to."""
    name = names.model_name(group_version, custom=custom)
    version = names.model_version(group_version, cluster_version, custom=custom)
    built_in = name == names.KUBERNETES
    group = group_version.rpartition("/")[0]
    return NewModel(
        model_id=names.model_id(CLUSTER, name, version),
        name=name,
        display_name=names.model_display_name(name),
        description=(
            "The kinds that every Kubernetes cluster has."
            if built_in
            else f"The kinds of the API group {group}, as a connected cluster serves them."
        ),
        version=version,
        order=names.version_order(version),
        category_id=names.category_id("Orchestration & Management" if built_in else "Uncategorized"),
        sub_category="Kubernetes" if built_in else "Uncategorized",
        metadata={"primaryColor": "#326CE5", "secondaryColor": "#7AA1F0"} if built_in else {},
    )


def components_of(model: NewModel, group_version: str, kinds: list[LearnedKind]) -> list[NewComponent]:
    """The components for what was learned, in the order of their ids."""
    made = [
        NewComponent(
            component_id=names.component_id(model.model_id, group_version, one.kind, one.schema_hash),
            display_name=names.display_name(one.kind),
            learned=one,
        )
        for one in kinds
    ]
    return sorted(made, key=lambda one: one.component_id)
