"""The system itself: version, probes, the state that clients read at their start, and the API's description."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

from aiohttp import web

from meshery_common.health import Health
from meshery_contracts import connections, identity
from meshery_contracts.endpoints import public
from meshery_contracts.messages import Nothing
from meshery_contracts.paging import PageRequest
from meshery_gateway.http.calls import Call
from meshery_gateway.http.routes import Route
from meshery_gateway.http.shapes import ANY_OBJECT, TEXT, Content, fields, many

_TAG = "System"
_OPEN = public("Tells nothing of anybody: probes, the version, the description of the API.")


async def live(call: Call) -> web.StreamResponse:
    """That the process turns."""
    return call.answer({"status": "live"})


async def sync(call: Call) -> web.StreamResponse:
    """Preferences and clusters in one, as clients read them at their start."""
    preferences = await call.ask(identity.GET_PREFERENCES, Nothing())
    contexts = await call.ask(connections.LIST_CONTEXTS, PageRequest(page_size=1000))
    clusters: list[dict[str, Any]] = [
        {
            "id": one.id,
            "name": one.name,
            "clusterConfigured": True,
            "server": one.server,
            "clusterID": one.kubernetes_server_id,
            "created_at": one.created_at,
            "updated_at": one.updated_at,
        }
        for one in contexts.contexts
    ]
    return call.answer({**preferences.model_dump(mode="json"), "k8sConfig": clusters})


async def home(call: Call) -> web.StreamResponse:
    """Where people begin, until there is a user interface: the explorer."""
    return call.redirect("/api/system/graphql/playground")


def routes(health: Health, openapi: dict[str, Any], commit: str) -> tuple[Route, ...]:
    """The routes of the system; `openapi` is the description of all routes, `commit` what was built."""
    build = f"v{version('meshery-gateway')}"

    async def get_version(call: Call) -> web.StreamResponse:
        """The build that runs."""
        return call.answer(
            {
                "build": build,
                "version": build,
                "commitsha": commit,
                "release_channel": "edge",
                "releaseChannel": "edge",
            }
        )

    async def ready(call: Call) -> web.StreamResponse:
        """Whether the gateway can serve right now, and what it lacks."""
        status = "ready" if health.ready else "not ready"
        return call.answer({"status": status, "needs": health.report()}, status=200 if health.ready else 503)

    async def description(call: Call) -> web.StreamResponse:
        """The OpenAPI description of every route."""
        return call.answer(openapi)

    return (
        Route("GET", "/", home, _OPEN, "Home", _TAG),
        Route("GET", "/healthz/live", live, _OPEN, "Alive", _TAG),
        Route("GET", "/healthz/ready", ready, _OPEN, "Ready", _TAG),
        Route(
            "GET",
            "/api/system/version",
            get_version,
            _OPEN,
            "The build that runs",
            _TAG,
            answer=Content(fields(build=TEXT, version=TEXT, commitsha=TEXT, releaseChannel=TEXT)),
        ),
        Route(
            "GET",
            "/api/system/sync",
            sync,
            identity.GET_PREFERENCES,
            "State at a client's start",
            _TAG,
            answer=Content({"allOf": [identity.Preferences, fields(k8sConfig=many(ANY_OBJECT))]}),
        ),
        Route("GET", "/openapi.json", description, _OPEN, "This description", _TAG),
    )
