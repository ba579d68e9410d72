"""Events: what happened, read and marked. The live stream is in `event_streams`."""

from __future__ import annotations

from aiohttp import web

from meshery_contracts import events as contract
from meshery_contracts.events import Event, EventIds, EventStatus, ListEvents, RecordEvent, SetEventStatus
from meshery_contracts.messages import Nothing
from meshery_gateway.http.calls import Call
from meshery_gateway.http.lists import pass_on_page
from meshery_gateway.http.reading import both_read, message_from
from meshery_gateway.http.routes import PAGE_QUERY, Route
from meshery_gateway.http.shapes import UUID_TEXT, Content, fields, many

_TAG = "Events"
_PATHS = ("/api/system/events", "/api/v2/events")
_SINGLE_PATHS = ("/api/system/events", "/api/events")


async def list_events(call: Call) -> web.StreamResponse:
    """Events; here `sort` names the column and `order` the direction."""
    page = call.page(default_size=25)
    column, direction = call.text("sort") or "updated_at", call.text("order").lower()
    page["order"] = f"{column} {direction if direction in ('asc', 'desc') else 'desc'}"
    values = {
        **page,
        "status": call.text("status") or None,
        "categories": call.texts("category"),
        "actions": call.texts("action"),
        "severities": call.texts("severity"),
        "acted_upon": call.texts("actedUpon"),
    }
    return await pass_on_page(call, contract.LIST, message_from(ListEvents, values), "events")


async def record_event(call: Call) -> web.StreamResponse:
    """An event that a client reports."""
    request = message_from(RecordEvent, await call.body())
    return await call.pass_on(contract.RECORD, request, status=201)


async def list_types(call: Call) -> web.StreamResponse:
    """The categories and actions that occur."""
    return await call.pass_on(contract.TYPES, Nothing())


async def set_status(call: Call) -> web.StreamResponse:
    """Mark one event as read or unread."""
    body = await call.body()
    request = message_from(SetEventStatus, {"event_ids": [call.id()], "status": body.get("status")})
    reply = await call.ask(contract.SET_STATUS, request)
    return call.answer(reply.events[0] if reply.events else {})


async def set_statuses(call: Call) -> web.StreamResponse:
    """Mark several events as read or unread."""
    body = both_read(await call.body())
    request = message_from(SetEventStatus, {"event_ids": body.get("ids"), "status": body.get("status")})
    return call.answer((await call.ask(contract.SET_STATUS, request)).events)


async def delete_event(call: Call) -> web.StreamResponse:
    """Delete one event."""
    return await call.pass_on(contract.DELETE, EventIds(event_ids=[call.id()]))


async def delete_events(call: Call) -> web.StreamResponse:
    """Delete several events."""
    body = both_read(await call.body())
    return await call.pass_on(contract.DELETE, message_from(EventIds, {"event_ids": body.get("ids")}))


_QUERY = (*PAGE_QUERY, "status", "category", "action", "severity", "actedUpon")

ROUTES = (
    *(Route("GET", path, list_events, contract.LIST, "Events", _TAG, _QUERY) for path in _PATHS),
    *(
        Route(
            "POST",
            path,
            record_event,
            contract.RECORD,
            "Report an event",
            _TAG,
            body=Content(RecordEvent),
            answer=Content(Event, status=201),
        )
        for path in _PATHS
    ),
    *(Route("GET", f"{path}/types", list_types, contract.TYPES, "Kinds", _TAG) for path in _SINGLE_PATHS),
    *(
        Route(
            "PUT",
            f"{path}/status/bulk",
            set_statuses,
            contract.SET_STATUS,
            "Mark several",
            _TAG,
            body=Content(fields("ids", "status", ids=many(UUID_TEXT), status=EventStatus)),
            answer=Content(many(Event)),
        )
        for path in _SINGLE_PATHS
    ),
    *(
        Route(
            "PUT",
            f"{path}/status/{{id}}",
            set_status,
            contract.SET_STATUS,
            "Mark one",
            _TAG,
            body=Content(fields("status", status=EventStatus)),
            answer=Content(Event),
        )
        for path in _SINGLE_PATHS
    ),
    *(
        Route(
            "DELETE",
            f"{path}/bulk",
            delete_events,
            contract.DELETE,
            "Delete several",
            _TAG,
            body=Content(fields("ids", ids=many(UUID_TEXT))),
        )
        for path in _SINGLE_PATHS
    ),
    *(
        Route("DELETE", f"{path}/{{id}}", delete_event, contract.DELETE, "Delete one", _TAG)
        for path in _SINGLE_PATHS
    ),
)
