"""Reading the registry: models, components, relationships, policies, categories and registrants, under both prefixes.

On a list `search` is a text to look for; on a route by name `search=true` lets the name match in part. Schemas are
long: lists carry them only with `trim=false`, components by name carry them unless `trim=true`.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from aiohttp import web

from meshery_contracts import registry as contract
from meshery_contracts.endpoints import Endpoint
from meshery_contracts.paging import PageRequest
from meshery_contracts.registry import (
    EntityPage,
    ListCategories,
    ListComponents,
    ListModels,
    ListPolicies,
    ListRelationships,
)
from meshery_gateway.http.calls import Call
from meshery_gateway.http.lists import pass_on_page
from meshery_gateway.http.reading import id_of, message_from
from meshery_gateway.http.routes import PAGE_QUERY, Handler, Route, both_prefixes

_TAG = "Registry"
_DEFAULT_SIZE = 25


async def list_models(call: Call) -> web.StreamResponse:
    """Models, with what belongs to them when asked for."""
    path = call.request.match_info
    values = {
        **_page(call, by_name="model", first="version desc"),
        **_ids(call, model_id="id"),
        **_given(
            call,
            version="version",
            registrant="registrant",
            sub_category="subCategory",
        ),
        **_states(call),
        "name": path.get("model", ""),
        "category": path.get("category", "") or call.text("category"),
        "with_components": call.flag("components"),
        "with_relationships": call.flag("relationships"),
        "with_schemas": _with_schemas(call, usually=False),
        "trim": call.flag("trim"),
        "facets": call.flag("facets"),
    }
    return await _listed(call, contract.LIST_MODELS, ListModels, values)


async def list_components(call: Call) -> web.StreamResponse:
    """Components of all models, of one, or of a category."""
    path = call.request.match_info
    by_name = "name" in path
    values = {
        **_page(call, by_name="name", first="version desc"),
        **_ids(call, component_id="id", model_id="modelId"),
        **_given(
            call,
            model_version="version",
            registrant="registrant",
            api_version="apiVersion",
        ),
        **_states(call),
        "name": path.get("name", ""),
        "model": path.get("model", "") or call.text("model"),
        "category": path.get("category", "") or call.text("category"),
        "with_schemas": _with_schemas(call, usually=by_name),
        "facets": call.flag("facets"),
    }
    return await _listed(call, contract.LIST_COMPONENTS, ListComponents, values)


async def list_relationships(call: Call) -> web.StreamResponse:
    """Relationships of all models, or of one; by name means by kind."""
    path = call.request.match_info
    values = {
        **_page(call, by_name="name"),
        **_ids(call, relationship_id="id", model_id="modelId"),
        **_given(
            call,
            model_version="version",
            type="type",
            sub_type="subType",
        ),
        **_states(call),
        "model": path.get("model", "") or call.text("model"),
        "kind": path.get("name", "") or call.text("kind"),
        "facets": call.flag("facets"),
    }
    return await _listed(call, contract.LIST_RELATIONSHIPS, ListRelationships, values)


async def list_policies(call: Call) -> web.StreamResponse:
    """Policies of models, and those of the organisation."""
    path = call.request.match_info
    values = {
        **_page(call, by_name="name"),
        "model": path.get("model", "") or call.text("model"),
        "name": path.get("name", ""),
    }
    return await _listed(call, contract.LIST_POLICIES, ListPolicies, values)


async def list_categories(call: Call) -> web.StreamResponse:
    """Categories."""
    values = {**_page(call, by_name="category"), "name": call.request.match_info.get("category", "")}
    return await _listed(call, contract.LIST_CATEGORIES, ListCategories, values)


async def list_registrants(call: Call) -> web.StreamResponse:
    """Who registered what."""
    return await _listed(call, contract.LIST_REGISTRANTS, PageRequest, _page(call))


# --- parameters ---------------------------------------------------------------------------------------------


def _page(call: Call, *, by_name: str = "", first: str = "") -> dict[str, Any]:
    """Paging; with that name in the path, whether it may match in part, and which of one name comes first."""
    page = call.page(default_size=_DEFAULT_SIZE, crosswise=True)
    if by_name in call.request.match_info:
        page["greedy"] = page.pop("search").lower() == "true"
        if not page["greedy"]:
            page["order"] = page["order"] or first
    return page


def _ids(call: Call, **names: str) -> dict[str, UUID]:
    """Ids among the parameters; a wrong one is told by the name that the client knows. Raises Invalid."""
    return {name: id_of(names[name], text) for name, text in _given(call, **names).items()}


def _given(call: Call, **names: str) -> dict[str, str]:
    """Parameters that are there, each under the name that the message has for it."""
    found = {name: call.text(parameter) for name, parameter in names.items()}
    return {name: text for name, text in found.items() if text}


def _states(call: Call) -> dict[str, Any]:
    """`status`, where `all` takes every one, and filters with two words, where neither means both."""
    found: dict[str, Any] = {}
    if status := call.text("status").lower():
        found["status"] = "" if status == "all" else status
    for name in ("annotations", "namespaced", "custom"):
        if (word := call.text(name).lower()) in ("true", "false"):
            found[name] = word == "true"
    return found


def _with_schemas(call: Call, *, usually: bool) -> bool:
    trim = call.text("trim")
    return not call.flag("trim") if trim else usually


# --- answers ------------------------------------------------------------------------------------------------


async def _listed(
    call: Call, endpoint: Endpoint[Any, EntityPage], kind: type[PageRequest], values: dict[str, Any]
) -> web.StreamResponse:
    return await pass_on_page(call, endpoint, message_from(kind, values), _PLURALS[endpoint.subject])


_PLURALS = {
    contract.LIST_MODELS.subject: "models",
    contract.LIST_COMPONENTS.subject: "components",
    contract.LIST_RELATIONSHIPS.subject: "relationships",
    contract.LIST_POLICIES.subject: "policies",
    contract.LIST_CATEGORIES.subject: "categories",
    contract.LIST_REGISTRANTS.subject: "registrants",
}


# --- routes -------------------------------------------------------------------------------------------------


def _routes(
    paths: tuple[str, ...], handler: Handler, endpoint: Endpoint[Any, Any], summary: str, *query: str
) -> tuple[Route, ...]:
    return tuple(
        Route("GET", full, handler, endpoint, summary, _TAG, (*PAGE_QUERY, *query))
        for path in paths
        for full in both_prefixes(path)
    )


ROUTES = (
    *_routes(
        (
            "/models",
            "/models/{model}",
            "/categories/{category}/models",
            "/categories/{category}/models/{model}",
        ),
        list_models,
        contract.LIST_MODELS,
        "Models",
        "id",
        "version",
        "registrant",
        "category",
        "subCategory",
        "status",
        "annotations",
        "components",
        "relationships",
        "trim",
        "facets",
    ),
    *_routes(
        (
            "/components",
            "/components/{name}",
            "/models/{model}/components",
            "/models/{model}/components/{name}",
            "/categories/{category}/components",
            "/categories/{category}/components/{name}",
            "/categories/{category}/models/{model}/components",
            "/categories/{category}/models/{model}/components/{name}",
        ),
        list_components,
        contract.LIST_COMPONENTS,
        "Components",
        "id",
        "version",
        "apiVersion",
        "model",
        "modelId",
        "registrant",
        "category",
        "status",
        "annotations",
        "namespaced",
        "custom",
        "trim",
        "facets",
    ),
    *_routes(
        ("/relationships", "/models/{model}/relationships", "/models/{model}/relationships/{name}"),
        list_relationships,
        contract.LIST_RELATIONSHIPS,
        "Relationships",
        "id",
        "version",
        "model",
        "modelId",
        "kind",
        "type",
        "subType",
        "status",
        "facets",
    ),
    *_routes(
        (
            "/policies",
            "/models/{model}/policies",
            "/models/{model}/policies/{name}",
            # As Meshery spells it.
            "/models/{model}/policies{name}",
        ),
        list_policies,
        contract.LIST_POLICIES,
        "Policies",
    ),
    *_routes(
        ("/categories", "/categories/{category}"), list_categories, contract.LIST_CATEGORIES, "Categories"
    ),
    *_routes(("/registrants",), list_registrants, contract.LIST_REGISTRANTS, "Registrants"),
)
