"""The wiring of the gateway: the only place where its parts meet."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from meshery_common import health
from meshery_common.bus import Bus
from meshery_common.health import Health
from meshery_common.processes import WorkerProcess
from meshery_common.room import Room
from meshery_common.runtime import supervise
from meshery_gateway.graphql import transport as graphql
from meshery_gateway.http import (
    connection_definitions,
    connections,
    definitions,
    deployments,
    designs,
    downloads,
    evaluation,
    event_streams,
    events,
    identity,
    imports,
    inventory,
    openapi,
    policies,
    providers,
    registrations,
    registry,
    system,
)
from meshery_gateway.http.calls import Limits, Means
from meshery_gateway.http.guards import Guard
from meshery_gateway.http.live import Live
from meshery_gateway.http.newcomers import Newcomers
from meshery_gateway.http.routes import Route
from meshery_gateway.http.server import Server, listening
from meshery_gateway.http.sessions import Sessions
from meshery_gateway.settings import GatewaySettings

SERVICE = "gateway"

#: Routes that need nothing but a call; more exact paths come before those they would be taken for.
PLAIN_ROUTES: tuple[Route, ...] = (
    *providers.ROUTES,
    *identity.ROUTES,
    *designs.ROUTES,
    *downloads.ROUTES,
    *deployments.ROUTES,
    *connections.ROUTES,
    *connection_definitions.ROUTES,
    *definitions.ROUTES,
    *policies.ROUTES,
    *imports.ROUTES,
    *evaluation.ROUTES,
    *registry.ROUTES,
    *registrations.ROUTES,
    *inventory.ROUTES,
    *events.ROUTES,
)


@dataclass(frozen=True)
class Running:
    """A gateway that serves."""

    health: Health
    port: int


def all_routes(settings: GatewaySettings, live: Live, sessions: Sessions, needs: Health) -> tuple[Route, ...]:
    """Every route that is served, the description of them all included."""
    plain = PLAIN_ROUTES
    if settings.registrant_networks and settings.registrant_organization:
        unproven = registrations.Unproven(
            tuple(settings.registrant_networks), settings.registrant_organization
        )
        plain = unproven.routes(plain)
    routes = (
        *plain,
        *event_streams.routes(live, sessions, settings.stream_keep_alive_seconds),
        *graphql.routes(
            live, sessions, max_depth=settings.graphql_max_depth, max_cost=settings.graphql_max_cost
        ),
    )
    document = openapi.describe((*routes, *system.routes(needs, {}, settings.commit)))
    return (*routes, *system.routes(needs, document, settings.commit))


def openapi_document() -> dict[str, Any]:
    """The description of every route, for the committed schema."""
    unused: Any = None  # routes hold on to these and touch them only when they serve
    return openapi.describe(all_routes(GatewaySettings(), unused, unused, Health()))


@asynccontextmanager
async def running(settings: GatewaySettings) -> AsyncIterator[Running]:
    """The whole gateway, ready for requests for the time of the block."""
    needs = Health()
    async with (
        health.served(settings.health, needs),
        WorkerProcess.open() as worker,
        Bus.connect(settings.bus, service=SERVICE, stop_grace_seconds=settings.stop_grace_seconds) as bus,
        supervise(SERVICE) as tasks,
    ):
        needs.need("nats", bus.connected)
        sessions = Sessions(bus, settings.session_renew_seconds)
        guard = Guard(settings.public_url, settings.allowed_hosts)
        limits = Limits(
            body_bytes=settings.max_body_bytes,
            design_bytes=settings.max_design_bytes,
            body_idle_seconds=settings.body_idle_seconds,
            operation_wait_seconds=settings.operation_wait_seconds,
        )
        means = Means(
            bus,
            sessions,
            limits,
            Room(settings.large_bodies_bytes),
            worker,
            secure_cookies=settings.public_url.lower().startswith("https://"),
        )
        newcomers = Newcomers()
        server = Server(means, guard, newcomers)
        async with Live.open(bus, sessions) as live:
            app = server.application(all_routes(settings, live, sessions, needs))
            async with listening(app, settings.host, settings.port) as (port, connections):
                tasks.start("newcomers", lambda: newcomers.turn_away(connections, settings.head_idle_seconds))
                try:
                    with needs.serving():
                        yield Running(needs, port)
                finally:
                    # Streams end by themselves before the listener waits for them.
                    live.stop()
