"""What MeshSync has seen in the connected clusters."""

from __future__ import annotations

from aiohttp import web

from meshery_contracts import inventory as contract
from meshery_contracts.errors import Conflict
from meshery_contracts.inventory import ListResources, ResourceId, Summarize
from meshery_gateway.http.calls import Call
from meshery_gateway.http.lists import pass_on_page
from meshery_gateway.http.reading import message_from
from meshery_gateway.http.routes import PAGE_QUERY, Route
from meshery_gateway.http.shapes import ANY_OBJECT, Content, fields, many

_TAG = "Inventory"
_PATH = "/api/system/meshsync/resources"


async def list_resources(call: Call) -> web.StreamResponse:
    """Resources of connected clusters; without `clusterIds` of all of them."""
    values = {
        **call.page(default_size=25, crosswise=True),
        "cluster_ids": call.texts_if_given("clusterIds"),
        "connection_ids": call.texts("connectionIds"),
        "kinds": call.texts("kind"),
        "api_version": call.text("apiVersion"),
        "namespaces": call.texts("namespace"),
        "with_spec": call.flag("spec"),
        "with_status": call.flag("status"),
        "with_labels": call.flag("labels"),
        "with_annotations": call.flag("annotations"),
    }
    return await pass_on_page(call, contract.LIST, message_from(ListResources, values), "resources")


async def get_resource(call: Call) -> web.StreamResponse:
    """One resource with its spec and status."""
    reply = await call.ask(
        contract.GET, message_from(ResourceId, {"resource_id": call.request.match_info["id"]})
    )
    return call.answer(reply.resource)


async def delete_resource(call: Call) -> web.StreamResponse:
    """Refused: what is listed is what the cluster holds, and taking a row out would not delete anything there."""
    request = message_from(ResourceId, {"resource_id": call.request.match_info["id"]})
    metadata = (await call.ask(contract.GET, request)).resource.get("metadata") or {}
    raise Conflict(
        f"{str(metadata.get('name') or 'The resource')!r} cannot be taken out of the inventory.",
        code="resource_mirrored",
        cause="The inventory shows what a cluster holds: the row would come back, and the object would still be there.",
        remedy=(
            "Delete the object in its cluster, or undeploy the design that made it; the row goes within seconds.",
            "If the cluster no longer has it, have the cluster read anew: POST "
            '/api/integrations/connections/<id>/actions with {"action": "resync"}.',
        ),
    )


async def summarize(call: Call) -> web.StreamResponse:
    """Kinds, namespaces and labels with counts."""
    return await call.pass_on(contract.SUMMARIZE, _summarize(call))


async def list_kinds(call: Call) -> web.StreamResponse:
    """The kinds that occur, in the older shape."""
    summary = await call.ask(contract.SUMMARIZE, _summarize(call))
    kinds = [one.model_dump(mode="json") for one in summary.kinds]
    return call.answer(
        {"kinds": kinds, "page": 0, "page_size": len(kinds), "pageSize": len(kinds)}
        | {"total_count": len(kinds), "totalCount": len(kinds)}
    )


def _summarize(call: Call) -> Summarize:
    values = {
        "cluster_ids": call.texts_if_given("clusterIds"),
        "connection_ids": call.texts("connectionIds"),
        "namespace": call.text("namespace"),
    }
    return message_from(Summarize, values)


_FILTERS = ("clusterIds", "connectionIds", "namespace")

ROUTES = (
    Route(
        "GET",
        _PATH,
        list_resources,
        contract.LIST,
        "Resources",
        _TAG,
        (*PAGE_QUERY, *_FILTERS, "kind", "apiVersion", "spec", "status", "labels", "annotations"),
    ),
    Route(
        "GET",
        f"{_PATH}/kinds",
        list_kinds,
        contract.SUMMARIZE,
        "Kinds",
        _TAG,
        _FILTERS,
        answer=Content(fields(kinds=many(contract.KindCount), totalCount={"type": "integer"})),
    ),
    Route("GET", f"{_PATH}/summary", summarize, contract.SUMMARIZE, "Counts", _TAG, _FILTERS),
    # An id of Meshery is base64 and may hold slashes.
    Route(
        "GET",
        f"{_PATH}/{{id:.+}}",
        get_resource,
        contract.GET,
        "A resource",
        _TAG,
        answer=Content(ANY_OBJECT),
    ),
    Route(
        "DELETE",
        f"{_PATH}/{{id:.+}}",
        delete_resource,
        contract.GET,
        "Refused: the inventory is a mirror",
        _TAG,
        answer=Content(ANY_OBJECT),
    ),
)
