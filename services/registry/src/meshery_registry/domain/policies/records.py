"""Policies as the store knows them, and how clients of all generations see them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid5

from meshery_contracts.policies import Enforcement, PolicyLanguage, PolicyState
from meshery_registry.domain.entities import PolicyEntity
from meshery_registry.domain.names import DEFINITION_VERSION

_NAMESPACE = UUID("0d7b6c53-1d1c-5b8e-8a62-9c7f0f0f5c11")


@dataclass(frozen=True, slots=True)
class StoredPolicy:
    """An organisation's policy with one of its versions."""

    policy_id: UUID
    state: PolicyState
    enforcement: Enforcement
    newest_version: int
    active_version: int | None
    definition_id: UUID | None
    version: int
    name: str
    language: PolicyLanguage
    document: Mapping[str, Any]
    source: str
    user_id: UUID
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class PolicyDefinition:
    """A policy that a model brought along."""

    definition_id: UUID
    name: str
    language: PolicyLanguage
    source: str
    definition: Mapping[str, Any]
    model_name: str = ""


@dataclass(frozen=True, slots=True)
class Listed:
    """A policy of either sort in a list; without a state it came with a model."""

    policy_id: UUID
    name: str
    language: PolicyLanguage
    source: str
    document: Mapping[str, Any]
    model_name: str
    state: str
    enforcement: str
    version: int | None
    active_version: int | None
    created_at: datetime
    updated_at: datetime


def definition_id(model_id: UUID, entity: PolicyEntity) -> UUID:
    """The id of a policy that a model brings along: the same one keeps it when its text changes."""
    return uuid5(_NAMESPACE, f"{model_id}\n{entity.language}\n{entity.name}")


def slug(name: str) -> str:
    """A name as policies have them."""
    return re.sub(r"[^a-z0-9.-]+", "-", name.lower()).strip("-.")[:100].strip("-.") or "policy"


def own_document(one: PolicyDefinition, document: Mapping[str, Any] | None) -> dict[str, Any]:
    """What an organisation's copy begins with; `document` is what a CEL policy's text holds."""
    if one.language is PolicyLanguage.REGO:
        description = one.definition.get("description")
        return {
            "name": slug(one.name),
            "language": "rego",
            "description": description if isinstance(description, str) else "",
        }
    return dict(document if document is not None else one.definition)


def listed_document(one: Listed, evaluated_by: str, reason: str) -> dict[str, Any]:
    """A policy in a list: Meshery's keys, then ours."""
    own = bool(one.state)
    expression = {"rego": one.source} if one.language is PolicyLanguage.REGO else dict(one.document)
    description = one.document.get("description")
    return {
        "id": str(one.policy_id),
        "kind": one.name,
        "version": f"v0.0.{one.version}" if own else DEFINITION_VERSION,
        "subType": one.language.value,
        "model": {"name": one.model_name} if one.model_name else None,
        "expression": expression,
        "name": one.name,
        "description": description if isinstance(description, str) else "",
        "language": one.language.value,
        "state": one.state or "definition",
        "enforcement": one.enforcement or None,
        "newestVersion": one.version,
        "activeVersion": one.active_version,
        "evaluatedBy": evaluated_by,
        "notEvaluatedBecause": reason,
        "createdAt": _time(one.created_at),
        "updatedAt": _time(one.updated_at),
    }


def _time(value: datetime) -> str:
    return value.isoformat().replace("+00:00", "Z")
