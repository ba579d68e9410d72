"""Models, components, relationships, categories and registrants, under both of Meshery's prefixes."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from meshery_contracts import registry as contract
from meshery_contracts.endpoints import Endpoint
from meshery_contracts.paging import PageRequest
from meshery_contracts.registry import ListCategories, ListComponents, ListModels, ListRelationships
from meshery_gateway.http.calls import Call, message_from
from meshery_gateway.http.routes import PAGE_QUERY, Handler, Route, both_prefixes

_TAG = "Registry"
_DEFAULT_SIZE = 25


def _page(call: Call, *names: str) -> tuple[dict[str, Any], bool]:
    """Paging, and whether names may match in part: on routes by name `search=true` says so."""
    page = call.page(default_size=_DEFAULT_SIZE, crosswise=True)
    greedy = False
    if any(name in call.request.match_info for name in names):
        greedy = page.pop("search").lower() == "true"
    return page, greedy


async def list_models(call: Call) -> web.StreamResponse:
    """Models, with what belongs to them when asked for."""
    page, greedy = _page(call, "model")
    values = {
        **page,
        "greedy": greedy,
        "name": call.request.match_info.get("model", ""),
        "registrant": call.text("registrant"),
        "with_components": call.flag("components"),
        "with_relationships": call.flag("relationships"),
        "with_schemas": not call.flag("trim"),
    }
    return await call.pass_on(contract.LIST_MODELS, message_from(ListModels, values))


async def list_components(call: Call) -> web.StreamResponse:
    """Components of all models, of one, or of a category."""
    page, greedy = _page(call, "name")
    path = call.request.match_info
    values = {
        **page,
        "greedy": greedy,
        "name": path.get("name", ""),
        "model": path.get("model", "") or call.text("model"),
        "category": path.get("category", ""),
        "api_version": call.text("apiVersion"),
        "with_schemas": not call.flag("trim"),
    }
    return await call.pass_on(contract.LIST_COMPONENTS, message_from(ListComponents, values))


async def list_relationships(call: Call) -> web.StreamResponse:
    """Relationships of all models, or of one."""
    page, _ = _page(call, "name")
    path = call.request.match_info
    values = {
        **page,
        "model": path.get("model", ""),
        "kind": path.get("name", "") or call.text("kind"),
        "type": call.text("type"),
        "sub_type": call.text("subType"),
    }
    return await call.pass_on(contract.LIST_RELATIONSHIPS, message_from(ListRelationships, values))


async def list_categories(call: Call) -> web.StreamResponse:
    """Categories."""
    page, greedy = _page(call, "category")
    values = {**page, "greedy": greedy, "name": call.request.match_info.get("category", "")}
    return await call.pass_on(contract.LIST_CATEGORIES, message_from(ListCategories, values))


async def list_registrants(call: Call) -> web.StreamResponse:
    """Who registered what."""
    page, _ = _page(call)
    return await call.pass_on(contract.LIST_REGISTRANTS, message_from(PageRequest, page))


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
        "components",
        "relationships",
        "registrant",
        "trim",
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
        "apiVersion",
        "model",
        "trim",
    ),
    *_routes(
        ("/relationships", "/models/{model}/relationships", "/models/{model}/relationships/{name}"),
        list_relationships,
        contract.LIST_RELATIONSHIPS,
        "Relationships",
        "kind",
        "type",
        "subType",
    ),
    *_routes(
        ("/categories", "/categories/{category}"), list_categories, contract.LIST_CATEGORIES, "Categories"
    ),
    *_routes(("/registrants",), list_registrants, contract.LIST_REGISTRANTS, "Registrants"),
)
