"""What designs are made of: models and components."""

from __future__ import annotations

from typing import Any

from ariadne import ObjectType, QueryType

from meshery_contracts import registry as contract
from meshery_contracts.registry import EntityPage, ListComponents, ListModels
from meshery_gateway.graphql.context import Info, page_of
from meshery_gateway.http.calls import message_from

_query = QueryType()
_models = ObjectType("ModelPage")
_components = ObjectType("ComponentPage")

BINDABLES = (_query, _models, _components)


@_query.field("models")
async def list_models(_: object, info: Info, page: int, page_size: int, **filters: Any) -> EntityPage:
    """A page of models."""
    request = message_from(ListModels, page_of(page, page_size, **filters))
    return await info.context.ask(contract.LIST_MODELS, request)


@_query.field("components")
async def list_components(_: object, info: Info, page: int, page_size: int, **filters: Any) -> EntityPage:
    """A page of components, without their schemas: those are long, and REST has them."""
    request = message_from(ListComponents, {**page_of(page, page_size, **filters), "with_schemas": False})
    return await info.context.ask(contract.LIST_COMPONENTS, request)


@_models.field("models")
def models_of_page(page: EntityPage, _: Info) -> list[dict[str, Any]]:
    """The rows; every number and name that a list shows, and the whole definition."""
    return [
        {
            "id": one.get("id"),
            "name": one.get("name", ""),
            "display_name": one.get("displayName", ""),
            "version": (one.get("model") or {}).get("version") or one.get("version") or "",
            "components_count": one.get("componentsCount") or 0,
            "relationships_count": one.get("relationshipsCount") or 0,
            "definition": one,
        }
        for one in page.models or []
    ]


@_components.field("components")
def components_of_page(page: EntityPage, _: Info) -> list[dict[str, Any]]:
    """The rows."""
    return [
        {
            "id": one.get("id"),
            "display_name": one.get("displayName", ""),
            "kind": (one.get("component") or {}).get("kind", ""),
            "api_version": (one.get("component") or {}).get("version", ""),
            "definition": one,
        }
        for one in page.components or []
    ]
