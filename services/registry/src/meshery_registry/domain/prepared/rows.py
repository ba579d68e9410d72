"""Packages as rows: what `preparing` makes and the store writes. Documents are JSON."""

from __future__ import annotations

from dataclasses import dataclass, field
from uuid import UUID

from meshery_registry.domain.entities import PolicyEntity, Refusal
from meshery_registry.domain.openapi import StoredSchema


@dataclass(frozen=True, slots=True)
class PreparedModel:
    """A model as it is stored; documents are JSON."""

    model_id: UUID
    registrant_kind: str
    registrant_name: str
    name: str
    display_name: str
    description: str
    definition_version: str
    version: str
    order: list[int]
    category_id: UUID
    category: str
    sub_category: str
    status: str
    annotation: bool
    metadata: bytes
    icons: list[str]
    content_hash: bytes


@dataclass(frozen=True, slots=True)
class PreparedComponent:
    """A component as it is stored; documents are JSON."""

    component_id: UUID
    kind: str
    api_version: str
    display_name: str
    description: str
    definition_version: str
    namespaced: bool
    custom: bool
    status: str
    annotation: bool
    schema_hash: str | None
    schema_bytes: int
    schema_usable: bool
    styles: bytes
    capabilities: bytes
    metadata: bytes
    configuration: bytes
    icons: list[str]
    content_hash: bytes


@dataclass(frozen=True, slots=True)
class PreparedRelationship:
    """A relationship as it is stored; `from_kinds` and `to_kinds` are for reports."""

    relationship_id: UUID
    kind: str
    type: str
    sub_type: str
    status: str
    definition: bytes
    icons: list[str]
    content_hash: bytes
    from_kinds: tuple[str, ...]
    to_kinds: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PreparedConnection:
    """A connection definition as it is stored."""

    definition_id: UUID
    kind: str
    definition: bytes
    icons: list[str]
    content_hash: bytes


@dataclass(frozen=True, slots=True)
class PreparedPackage:
    """One model with what belongs to it, ready to be stored in one transaction; policies with their hashes."""

    model: PreparedModel
    components: list[PreparedComponent] = field(default_factory=list)
    relationships: list[PreparedRelationship] = field(default_factory=list)
    connections: list[PreparedConnection] = field(default_factory=list)
    policies: list[tuple[PolicyEntity, bytes]] = field(default_factory=list)
    schemas: dict[str, StoredSchema] = field(default_factory=dict)
    icons: dict[str, str] = field(default_factory=dict)
    refused: list[Refusal] = field(default_factory=list)
    fingerprint: bytes = b""
