"""GraphQL over HTTP: queries by GET, everything but subscriptions by POST, and the pages around it.

A WebSocket on the same path goes to `sockets`. Errors of an operation are answered with 200 and `errors`, as
Meshery's clients expect; a request that is none is refused like on every other route.
"""

from __future__ import annotations

from importlib.resources import files
from typing import Any

import orjson
from aiohttp import web
from graphql import OperationType

from meshery_contracts.endpoints import public
from meshery_contracts.errors import Invalid
from meshery_gateway.graphql import schema
from meshery_gateway.graphql.context import Context
from meshery_gateway.graphql.execution import Executor, Failed, Prepared, Sent
from meshery_gateway.graphql.sockets import Sockets
from meshery_gateway.http.calls import Call
from meshery_gateway.http.live import Live
from meshery_gateway.http.live_sessions import Credential, LiveSession
from meshery_gateway.http.routes import Route
from meshery_gateway.http.sessions import Sessions
from meshery_gateway.http.shapes import ANY_OBJECT, TEXT, Content, fields, many

PATH = "/api/system/graphql/query"
_TAG = "GraphQL"
_FIELDS = public("Every field asks an endpoint, whose key its service checks.")
_PAGES = public("Files of ours: a page that talks as whoever opens it, and the schema.")
_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
}


class Transport:
    """Operations over HTTP."""

    def __init__(self, executor: Executor, sockets: Sockets, live: Live, sessions: Sessions) -> None:
        self._executor = executor
        self._sockets = sockets
        self._live = live
        self._sessions = sessions

    async def get(self, call: Call) -> web.StreamResponse:
        """A query in the address, or a WebSocket for subscriptions."""
        if call.request.headers.get("Upgrade", "").lower() == "websocket":
            return await self._sockets.serve(call)
        query = call.request.query
        value: dict[str, Any] = {"query": query.get("query"), "operationName": query.get("operationName")}
        if text := query.get("variables"):
            try:
                value["variables"] = orjson.loads(text)
            except orjson.JSONDecodeError:
                raise Invalid("`variables` must be JSON.", code="graphql_request_invalid") from None
        return await self._answer(call, value, only_queries=True)

    async def post(self, call: Call) -> web.StreamResponse:
        """A query or a mutation in the body."""
        content = await call.body_bytes(call.limits.design_bytes)
        try:
            value = orjson.loads(content)
        except orjson.JSONDecodeError:
            raise Invalid(
                "The request body is no valid JSON.",
                code="body_unreadable",
                remedy='Send {"query": "…", "variables": {…}}.',
            ) from None
        return await self._answer(call, value, only_queries=False)

    async def _answer(self, call: Call, value: Any, *, only_queries: bool) -> web.StreamResponse:
        session = LiveSession(self._sessions, Credential.of(call.request), await call.session())
        sent = Sent.read(value)
        try:
            prepared = self._executor.prepare(sent)
        except Failed as failed:
            return call.answer({"errors": failed.errors})
        if only_queries and prepared.type is not OperationType.QUERY:
            return _refused(prepared)
        if prepared.type is OperationType.SUBSCRIPTION:
            raise Invalid(
                "A subscription needs a WebSocket.",
                code="subscription_needs_socket",
                remedy=f"Open {PATH} with the sub-protocol graphql-transport-ws.",
            )
        context = Context(
            call.bus,
            self._live,
            session,
            idempotency_key=call.idempotency_key,
        )
        return call.answer(await self._executor.run(prepared, context))


def _refused(prepared: Prepared) -> web.Response:
    """A GET must not change anything: a link or an image could send it."""
    error = {
        "message": f"A {prepared.type.value} is not served by GET.",
        "extensions": {
            "code": "method_unknown",
            "word": "invalid",
            "suggestedRemediation": ["Use POST, or a WebSocket for a subscription."],
        },
    }
    return web.json_response({"errors": [error]}, status=405, headers={"Allow": "POST"})


def routes(live: Live, sessions: Sessions, *, max_depth: int, max_cost: int) -> tuple[Route, ...]:
    """All routes of GraphQL, its explorer and its schema."""
    executor = Executor(schema.executable(), max_depth=max_depth, max_cost=max_cost)
    transport = Transport(executor, Sockets(executor, live, sessions), live, sessions)
    return (
        Route("GET", PATH, transport.get, _FIELDS, "A query, or a WebSocket", _TAG, endless=True),
        Route(
            "POST",
            PATH,
            transport.post,
            _FIELDS,
            "A query or mutation",
            _TAG,
            body=Content(fields("query", query=TEXT, variables=ANY_OBJECT, operationName=TEXT)),
            answer=Content(fields(data=ANY_OBJECT, errors=many(ANY_OBJECT))),
        ),
        _page("/api/system/graphql/playground", "explorer.html", "The explorer"),
        _page("/api/system/graphql/explorer.js", "explorer.js", "The explorer's script"),
        _page("/api/system/graphql/explorer.css", "explorer.css", "The explorer's style"),
        Route("GET", "/graphql/schema.graphql", _sdl, _PAGES, "The schema definition", _TAG),
    )


def _page(path: str, name: str, summary: str) -> Route:
    content = (files("meshery_gateway.graphql") / "explorer" / name).read_bytes()
    headers = {"Content-Type": _TYPES[name[name.rindex(".") :]], "Cache-Control": "no-cache"}

    async def serve(_call: Call) -> web.StreamResponse:
        """A file of the explorer."""
        return web.Response(body=content, headers=headers)

    return Route("GET", path, serve, _PAGES, summary, _TAG)


async def _sdl(_call: Call) -> web.StreamResponse:
    """The schema definition in GraphQL's own language."""
    return web.Response(text=schema.sdl(), content_type="text/plain", charset="utf-8")
