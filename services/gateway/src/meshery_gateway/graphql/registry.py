"""What designs are made of: models, components, relationships, and who registered them."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any
from uuid import UUID

from ariadne import QueryType, SubscriptionType

from meshery_contracts import definitions
from meshery_contracts import registry as contract
from meshery_contracts.definitions import (
    GetComponents,
    GetModel,
    GetModels,
    ListConnectionDefinitions,
    RegistrySummary,
)
from meshery_contracts.errors import Invalid
from meshery_contracts.keys import Key
from meshery_contracts.messages import Message, Nothing
from meshery_contracts.paging import PageRequest
from meshery_contracts.registry import (
    ListCategories,
    ListComponents,
    ListModels,
    ListRelationships,
    ModelsRegistered,
)
from meshery_gateway.graphql.context import MAX_PAGE_SIZE, Info, page_of, wanted_fields
from meshery_gateway.graphql.entities import (
    Row,
    component_row,
    model_row,
    paged,
    plain_row,
    registrant_row,
    relationship_row,
)
from meshery_gateway.graphql.following import Told, deliveries
from meshery_gateway.http.reading import message_from

_query = QueryType()
_subscription = SubscriptionType()

BINDABLES = (_query, _subscription)


# --- lists --------------------------------------------------------------------------------------------------


def _listing(
    page: int, page_size: int, filter: dict[str, Any] | None, more: dict[str, Any]
) -> dict[str, Any]:
    """The fields of a request. A filter that is null is none."""
    given = {name: value for name, value in (filter or {}).items() if value is not None}
    return page_of(page, page_size, **more, **given)


@_query.field("models")
async def list_models(
    _: object, info: Info, page: int, page_size: int, filter: dict[str, Any] | None = None, **more: Any
) -> Row:
    """A page of models."""
    values = _listing(page, page_size, filter, more)
    wanted = wanted_fields(info)
    for part in ("components", "relationships"):
        values[f"with_{part}"] = part in wanted
    values["with_schemas"] = "schema" in wanted
    values["facets"] = "facets" in wanted
    reply = await info.context.ask(contract.LIST_MODELS, message_from(ListModels, values))
    return paged(reply, "models", model_row)


@_query.field("components")
async def list_components(
    _: object, info: Info, page: int, page_size: int, filter: dict[str, Any] | None = None, **more: Any
) -> Row:
    """A page of components."""
    values = _listing(page, page_size, filter, more)
    wanted = wanted_fields(info)
    values |= {"with_schemas": "schema" in wanted, "facets": "facets" in wanted}
    reply = await info.context.ask(contract.LIST_COMPONENTS, message_from(ListComponents, values))
    return paged(reply, "components", component_row)


@_query.field("relationships")
async def list_relationships(
    _: object, info: Info, page: int, page_size: int, filter: dict[str, Any] | None = None, **more: Any
) -> Row:
    """A page of relationships."""
    values = _listing(page, page_size, filter, more)
    values["facets"] = "facets" in wanted_fields(info)
    reply = await info.context.ask(contract.LIST_RELATIONSHIPS, message_from(ListRelationships, values))
    return paged(reply, "relationships", relationship_row)


@_query.field("categories")
async def list_categories(_: object, info: Info, page: int, page_size: int, search: str) -> Row:
    """A page of categories."""
    request = message_from(ListCategories, page_of(page, page_size, search=search))
    return paged(await info.context.ask(contract.LIST_CATEGORIES, request), "categories", plain_row)


@_query.field("registrants")
async def list_registrants(_: object, info: Info, page: int, page_size: int, search: str) -> Row:
    """A page of registrants."""
    request = message_from(PageRequest, page_of(page, page_size, search=search))
    return paged(await info.context.ask(contract.LIST_REGISTRANTS, request), "registrants", registrant_row)


@_query.field("connectionDefinitions")
async def list_connection_definitions(
    _: object, info: Info, page: int, page_size: int, **filters: Any
) -> Row:
    """A page of the kinds of connections."""
    request = message_from(ListConnectionDefinitions, page_of(page, page_size, **filters))
    return paged(
        await info.context.ask(definitions.LIST_CONNECTION_DEFINITIONS, request),
        "connection_definitions",
        plain_row,
    )


# --- by id --------------------------------------------------------------------------------------------------


@_query.field("model")
async def get_model(_: object, info: Info, id: UUID | None = None, **named: Any) -> Row:
    """One model with what belongs to it."""
    wanted = wanted_fields(info)
    request = GetModel(
        model_id=id,
        **named,
        with_components="components" in wanted,
        with_relationships="relationships" in wanted,
        with_schemas="schema" in wanted,
    )
    return model_row((await info.context.ask(definitions.GET_MODEL, request)).entity)


@_query.field("modelsById")
async def get_models(_: object, info: Info, ids: list[UUID]) -> list[Row]:
    """Several models."""
    page = await info.context.ask(definitions.GET_MODELS, GetModels(ids=_few(ids)))
    return [model_row(one) for one in page.models or []]


@_query.field("componentsById")
async def get_components(_: object, info: Info, ids: list[UUID]) -> list[Row]:
    """Several components."""
    request = GetComponents(ids=_few(ids), with_schemas="schema" in wanted_fields(info))
    page = await info.context.ask(definitions.GET_COMPONENTS, request)
    return [component_row(one) for one in page.components or []]


def _few(ids: list[UUID]) -> list[UUID]:
    if len(ids) > MAX_PAGE_SIZE:
        raise Invalid(f"`ids` holds {len(ids)}; {MAX_PAGE_SIZE} are allowed.", code="page_too_large")
    return ids


@_query.field("registrySummary")
async def summarize(_: object, info: Info) -> RegistrySummary:
    """Counts of everything."""
    return await info.context.ask(definitions.SUMMARY, Nothing())


# --- following ----------------------------------------------------------------------------------------------


@_subscription.source("registryChanges")
def follow_registry(_: object, info: Info) -> AsyncGenerator[Told, None]:
    """Models that change."""
    return deliveries(info, Key.VIEW_REGISTRY, contract.MODELS_REGISTERED, tell=_told_of)


def _told_of(fact: Message) -> Told:
    if not isinstance(fact, ModelsRegistered):
        return {}
    # What ships with us counts for everybody, on top of what an organisation has counted itself.
    ours = fact.organization_id.int != 0
    return {"models": fact.models, "generation": fact.generation if ours else None}


@_subscription.field("registryChanges")
def tell_change(told: Told, _: Info) -> Told:
    """After a gap nobody can say which models changed."""
    return {"models": [], **told}
