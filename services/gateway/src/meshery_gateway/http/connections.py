"""Connections and Kubernetes contexts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson
from aiohttp import BodyPartReader, web

from meshery_contracts import connections as contract
from meshery_contracts.connections import (
    MAX_KUBECONFIG_BYTES,
    ConnectionId,
    ConnectionStatus,
    Kubeconfig,
    ListConnections,
    RegisterDefinitions,
    RegisterKubeconfig,
    SetStatus,
)
from meshery_contracts.errors import FieldProblem, Invalid, TooLarge
from meshery_contracts.paging import PageRequest
from meshery_gateway.http.calls import Call
from meshery_gateway.http.lists import pass_on_page
from meshery_gateway.http.reading import both_read, message_from
from meshery_gateway.http.routes import PAGE_QUERY, Route
from meshery_gateway.http.shapes import FILE, TEXT, Content, by_name, fields, many

_TAG = "Connections"
_FILE_FIELD = "k8sfile"
#: Meshery's connections lists carry at most this many rows.
_MOST = 50
#: Of a form; Meshery's clients send five.
_MOST_PARTS = 20


async def read_contexts(call: Call) -> web.StreamResponse:
    """The contexts of an uploaded kubeconfig; stores nothing."""
    fields = await _form(call)
    reply = await call.ask(
        contract.READ_CONTEXTS, message_from(Kubeconfig, {"kubeconfig": fields[_FILE_FIELD]})
    )
    return call.answer(reply.contexts)


async def register_kubeconfig(call: Call) -> web.StreamResponse:
    """Connect clusters of an uploaded kubeconfig."""
    fields = await _form(call)
    chosen = _json(fields.get("contexts", ""), dict)
    wanted = _json(fields.get("selectedContexts", ""), list) or list(chosen)
    values = {
        "kubeconfig": fields[_FILE_FIELD],
        "contexts": [str(one) for one in wanted],
        "meshsync_modes": _modes_of(chosen),
    }
    if mode := fields.get("meshsync_deployment_mode") or fields.get("meshsyncDeploymentMode"):
        values["meshsync_mode"] = mode
    return await call.pass_on(contract.REGISTER_KUBECONFIG, message_from(RegisterKubeconfig, values))


def _modes_of(chosen: dict[str, Any]) -> dict[str, str]:
    """What a form says of single contexts, each by its id or by the name that stands beside the mode."""
    modes: dict[str, str] = {}
    for key, settings in chosen.items():
        said = both_read(settings or {}, f"contexts.{key[:100]}")
        if mode := said.get("meshsync_deployment_mode"):
            modes |= {str(name): str(mode) for name in (key, said.get("name")) if name}
    return modes


async def register_definitions(call: Call) -> web.StreamResponse:
    """Have the registry learn the custom kinds of a cluster, which is not connected; of its current context."""
    fields = await _form(call)
    selected = _json(fields.get("selectedContexts", ""), list)
    if len(selected) > 1:
        raise Invalid("Only one cluster's kinds are registered at once.", code="form_unreadable")
    context = fields.get("contextName") or next(map(str, selected), "")
    values = {"kubeconfig": fields[_FILE_FIELD], "context": context}
    await call.ask(contract.REGISTER_DEFINITIONS, message_from(RegisterDefinitions, values))
    return web.Response(text="Accepted")


async def list_contexts(call: Call) -> web.StreamResponse:
    """The clusters that the caller may see."""
    request = message_from(PageRequest, call.page(default_size=10))
    return await pass_on_page(call, contract.LIST_CONTEXTS, request, "contexts")


async def get_context(call: Call) -> web.StreamResponse:
    """One cluster."""
    return await call.pass_on(contract.GET_CONTEXT, ConnectionId(connection_id=call.id()))


async def delete_context(call: Call) -> web.StreamResponse:
    """Delete a cluster's connection with its credential."""
    return await call.pass_on(contract.DELETE, ConnectionId(connection_id=call.id()))


async def ping(call: Call) -> web.StreamResponse:
    """The version of a cluster's API server, asked now."""
    request = message_from(ConnectionId, {"connection_id": call.text("connectionId")})
    return await call.pass_on(contract.PING, request)


async def list_connections(call: Call) -> web.StreamResponse:
    """Connections, with a count for each status."""
    values = {
        **call.page(default_size=10, most=_MOST),
        "kinds": call.texts("kind"),
        "statuses": call.texts("status"),
    }
    if name := call.text("name"):
        values["search"] = name
    return await call.pass_on(contract.LIST, message_from(ListConnections, values))


async def status_counts(call: Call) -> web.StreamResponse:
    """How many connections are in which state."""
    page = await call.ask(contract.LIST, ListConnections(page_size=1))
    counts = [{"status": status, "count": count} for status, count in page.status_summary.items()]
    return call.answer({"connections_status": counts, "connectionsStatus": counts})


async def get_connection(call: Call) -> web.StreamResponse:
    """One connection by id; older clients name a kind here and get the connections of it."""
    text = call.request.match_info["id"]
    if len(text) != 36 or "-" not in text:
        request = message_from(ListConnections, {**call.page(default_size=10, most=_MOST), "kinds": [text]})
        return await call.pass_on(contract.LIST, request)
    return await call.pass_on(contract.GET, ConnectionId(connection_id=call.id()))


async def update_connection(call: Call) -> web.StreamResponse:
    """Change a connection: its status."""
    body = both_read(await call.body())
    request = message_from(SetStatus, {"connection_id": call.id(), "status": body.get("status")})
    return await call.pass_on(contract.SET_STATUS, request)


async def set_statuses(call: Call) -> web.StreamResponse:
    """The older way: a mapping of connection ids to the states they shall be in."""
    changed = []
    for connection_id, status in (await call.body()).items():
        request = message_from(SetStatus, {"connection_id": connection_id, "status": status})
        changed.append(await call.ask(contract.SET_STATUS, request, step=request.connection_id))
    return call.answer({"connections": [one.model_dump(mode="json") for one in changed]}, status=202)


async def act_on_connection(call: Call) -> web.StreamResponse:
    """Do what `action` says with a connection: `resync` has MeshSync read its cluster anew."""
    action = str((await call.body()).get("action") or "")
    if action != "resync":
        raise Invalid(
            f"There is no action {action[:100]!r} here.",
            code="action_unknown",
            fields=(FieldProblem(path="action", message="must be `resync`"),),
            remedy="How a cluster is watched is said when its kubeconfig is uploaded.",
        )
    return await call.pass_on(contract.RESYNC, ConnectionId(connection_id=call.id()))


async def delete_connection(call: Call) -> web.StreamResponse:
    """Delete a connection with its credential."""
    return await call.pass_on(contract.DELETE, ConnectionId(connection_id=call.id()))


async def _form(call: Call) -> dict[str, str]:
    """The fields of a multipart upload; the kubeconfig is `k8sfile`. Raises Invalid, TooLarge."""
    if not call.request.content_type.startswith("multipart/"):
        raise Invalid(
            "A kubeconfig is uploaded as a multipart form.",
            code="form_expected",
            remedy=f"Send it as the file part `{_FILE_FIELD}`, e.g. curl -F {_FILE_FIELD}=@kubeconfig.",
        )
    fields: dict[str, str] = {}
    left = _MOST_PARTS
    try:
        async with call.receiving() as arrived:
            async for part in await call.request.multipart():
                if isinstance(part, BodyPartReader) and part.name:
                    fields[part.name] = await _text_of(part, arrived)
                left -= 1
                if left == 0 or sum(map(len, fields.values())) > 2 * MAX_KUBECONFIG_BYTES:
                    raise TooLarge("The form holds more than a kubeconfig.", code="form_too_large")
    except (ValueError, AssertionError) as error:
        raise Invalid("The multipart form cannot be read.", code="form_unreadable") from error
    if fields.get(_FILE_FIELD) == "":
        raise Invalid(f"The file `{_FILE_FIELD}` is empty.", code="kubeconfig_missing")
    if _FILE_FIELD not in fields:
        raise Invalid(
            f"The form has no file `{_FILE_FIELD}`.",
            code="kubeconfig_missing",
            remedy=f"Send the kubeconfig as the file part `{_FILE_FIELD}`.",
        )
    return fields


async def _text_of(part: BodyPartReader, arrived: Callable[[int], None]) -> str:
    content = bytearray()
    while chunk := await part.read_chunk():
        arrived(len(chunk))
        content += chunk
        if len(content) > MAX_KUBECONFIG_BYTES:
            raise TooLarge(
                f"The part {part.name} is larger than {MAX_KUBECONFIG_BYTES:,} bytes.",
                code="kubeconfig_too_large",
            )
    try:
        return content.decode()
    except UnicodeDecodeError:
        raise Invalid(f"The part {part.name} is no text in UTF-8.", code="kubeconfig_encoding") from None


def _json(text: str, kind: type[Any]) -> Any:
    """A form field that holds JSON; an empty one is empty. Raises Invalid."""
    if not text.strip():
        return kind()
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        value = None
    if not isinstance(value, kind):
        raise Invalid(f"A form field must hold a JSON {kind.__name__}.", code="form_unreadable")
    return value


_FORM = "multipart/form-data"
_KUBERNETES = "/api/system/kubernetes"
_CONNECTIONS = "/api/integrations/connections"

ROUTES = (
    Route(
        "POST",
        f"{_KUBERNETES}/contexts",
        read_contexts,
        contract.READ_CONTEXTS,
        "Contexts of a file",
        _TAG,
        body=Content(fields(_FILE_FIELD, **{_FILE_FIELD: FILE}), _FORM),
        answer=Content(many(contract.KubernetesContext)),
    ),
    Route(
        "POST",
        _KUBERNETES,
        register_kubeconfig,
        contract.REGISTER_KUBECONFIG,
        "Connect clusters",
        _TAG,
        body=Content(
            fields(
                _FILE_FIELD,
                **{_FILE_FIELD: FILE},
                selectedContexts={
                    "type": "string",
                    "description": "A JSON array of names or ids; none means all.",
                },
                contexts={
                    "type": "string",
                    "description": "A JSON object of ids, each with its `meshsyncDeploymentMode`.",
                },
                meshsync_deployment_mode=TEXT,
            ),
            _FORM,
        ),
    ),
    Route(
        "POST",
        f"{_KUBERNETES}/register",
        register_definitions,
        contract.REGISTER_DEFINITIONS,
        "Register a cluster's custom kinds",
        _TAG,
        body=Content(fields(_FILE_FIELD, **{_FILE_FIELD: FILE}, contextName=TEXT), _FORM),
        answer=Content(TEXT, "text/plain"),
    ),
    Route(
        "GET", f"{_KUBERNETES}/contexts", list_contexts, contract.LIST_CONTEXTS, "Clusters", _TAG, PAGE_QUERY
    ),
    Route("GET", f"{_KUBERNETES}/ping", ping, contract.PING, "Ask an API server", _TAG, ("connectionId",)),
    Route("GET", f"{_KUBERNETES}/contexts/{{id}}", get_context, contract.GET_CONTEXT, "A cluster", _TAG),
    Route("DELETE", f"{_KUBERNETES}/contexts/{{id}}", delete_context, contract.DELETE, "Delete it", _TAG),
    Route(
        "GET",
        _CONNECTIONS,
        list_connections,
        contract.LIST,
        "Connections",
        _TAG,
        (*PAGE_QUERY, "kind", "status"),
    ),
    Route(
        "GET",
        f"{_CONNECTIONS}/status",
        status_counts,
        contract.LIST,
        "Counts by status",
        _TAG,
        answer=Content(
            fields(connectionsStatus=many(fields(status=ConnectionStatus, count={"type": "integer"})))
        ),
    ),
    Route("GET", f"{_CONNECTIONS}/{{id}}", get_connection, contract.GET, "A connection", _TAG),
    Route(
        "PUT",
        f"{_CONNECTIONS}/{{kind}}/status",
        set_statuses,
        contract.SET_STATUS,
        "Change the status of several",
        _TAG,
        body=Content(by_name(ConnectionStatus)),
        answer=Content(fields(connections=many(contract.Connection)), status=202),
    ),
    Route(
        "PUT",
        f"{_CONNECTIONS}/{{id}}",
        update_connection,
        contract.SET_STATUS,
        "Change its status",
        _TAG,
        body=Content(fields("status", status=ConnectionStatus)),
    ),
    Route(
        "POST",
        f"{_CONNECTIONS}/{{id}}/actions",
        act_on_connection,
        contract.RESYNC,
        "Have its cluster read anew",
        _TAG,
        body=Content(fields("action", action={"type": "string", "enum": ["resync"]})),
    ),
    Route(
        "DELETE", f"{_CONNECTIONS}/{{id}}", delete_connection, contract.DELETE, "Delete a connection", _TAG
    ),
)
