"""Entities of the registry as rows of GraphQL: what lists show under names of its own, and the whole definition."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from meshery_contracts.registry import EntityPage

#: An entity as Meshery's schemas describe it.
Entity = dict[str, Any]
#: A row, with names in snake_case.
Row = dict[str, Any]


def paged(page: EntityPage, plural: str, row: Callable[[Entity], Row]) -> Row:
    """A page with its rows, and with its counts as lists: GraphQL has no maps of its own."""
    return {
        "page": page.page,
        "page_size": page.page_size,
        "total_count": page.total_count,
        "next_cursor": page.next_cursor,
        plural: [row(one) for one in getattr(page, plural) or []],
        "facets": [{"name": name, "values": _counts(values)} for name, values in (page.facets or {}).items()],
    }


def _counts(values: Mapping[str, int]) -> list[Row]:
    ordered = sorted(values.items(), key=lambda one: (-one[1], one[0]))
    return [{"name": name, "count": count} for name, count in ordered]


def model_row(entity: Entity) -> Row:
    """A model, with its components and relationships where they were read."""
    registrant = entity.get("registrant") or {}
    return {
        **_named(entity),
        "version": _part(entity, "model", "version") or entity.get("version") or "",
        "category": _part(entity, "category", "name"),
        "registrant": registrant.get("name") or registrant.get("kind") or "",
        "components_count": entity.get("componentsCount") or 0,
        "relationships_count": entity.get("relationshipsCount") or 0,
        "components": [component_row(one) for one in entity.get("components") or []],
        "relationships": [relationship_row(one) for one in entity.get("relationships") or []],
    }


def component_row(entity: Entity) -> Row:
    """A component; inside of a model it does not name the model."""
    model = _model_of(entity)
    return {
        **_named(entity),
        "kind": _part(entity, "component", "kind"),
        "api_version": _part(entity, "component", "version"),
        "schema": _part(entity, "component", "schema"),
        "model": model.get("name") or "",
        "model_version": _part(model, "model", "version"),
    }


def relationship_row(entity: Entity) -> Row:
    """A relationship."""
    return {
        **_named(entity),
        "kind": entity.get("kind") or "",
        "type": entity.get("type") or entity.get("relationshipType") or "",
        "sub_type": entity.get("subType") or "",
        "model": _model_of(entity).get("name") or "",
    }


def policy_row(entity: Entity) -> Row:
    """A policy; one of the organisation's own has no model."""
    return {
        **_named(entity),
        "model": _model_of(entity).get("name") or "",
        "language": entity.get("language") or "",
        "state": entity.get("state") or "definition",
    }


def registrant_row(entity: Entity) -> Row:
    """A registrant, with its counts as a list."""
    summary = entity.get("summary") or {}
    return {
        **_named(entity),
        "kind": entity.get("kind") or "",
        "summary": [{"name": name, "count": count} for name, count in summary.items()],
    }


def plain_row(entity: Entity) -> Row:
    """A category, or a kind of connections."""
    return {**_named(entity), "kind": entity.get("kind") or ""}


def _named(entity: Entity) -> Row:
    return {
        "id": entity.get("id"),
        "name": entity.get("name") or "",
        "display_name": entity.get("displayName") or "",
        # What says nothing of it is offered.
        "status": entity.get("status") or "enabled",
        "definition": entity,
    }


def _model_of(entity: Entity) -> Entity:
    return entity.get("model") or entity.get("modelReference") or {}


def _part(entity: Entity, name: str, key: str) -> str:
    return str((entity.get(name) or {}).get(key) or "")
