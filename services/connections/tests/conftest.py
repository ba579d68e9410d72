"""The connections service on a real PostgreSQL and a real NATS; identity and registry are stood in for."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from meshery_common.bus import Bus
from meshery_common.database import Database
from meshery_connections.app import running
from meshery_connections.settings import ConnectionsSettings
from meshery_contracts import registry
from meshery_contracts.caller import Caller
from meshery_testkit.hosting import hosted
from meshery_testkit.nats import NATSForTests, People
from meshery_testkit.postgres import DatabaseFactory

MIGRATIONS = files("meshery_connections") / "migrations"


@pytest.fixture
async def settings(nats: NATSForTests, database_for: DatabaseFactory, tmp_path: Path) -> ConnectionsSettings:
    """Settings of a laptop's installation; a test changes single ones with `model_copy`."""
    return ConnectionsSettings(
        database=await database_for("connections", MIGRATIONS),
        bus=nats.bus_settings("connections"),
        master_key_file=tmp_path / "master.key",
        create_master_key=True,
        allow_loopback_addresses=True,
        health_check_seconds=0.3,
        run_meshsync=False,
    )


@pytest.fixture
async def learned(nats: NATSForTests, people: People) -> AsyncIterator[list[registry.RegisterOpenAPI]]:
    """What the registry was taught; identity answers as well."""
    taught: list[registry.RegisterOpenAPI] = []

    async def learn(request: registry.RegisterOpenAPI, _: Caller) -> registry.RegistrationReport:
        taught.append(request)
        return registry.RegistrationReport(added=1)

    async with people.serving(nats), Bus.connect(nats.bus_settings("registry"), service="registry") as bus:
        await bus.serve(registry.REGISTER_OPENAPI, learn)
        yield taught


@pytest.fixture
async def ask(
    settings: ConnectionsSettings, learned: list[Any], nats: NATSForTests, people: People
) -> AsyncIterator[Callable[..., Awaitable[Any]]]:
    """`await ask(endpoint, request, caller)` of the running service, as the gateway or designs would."""
    bus = {name: Bus.connect(nats.bus_settings(name), service=name) for name in ("gateway", "designs")}
    async with hosted(running(settings)), bus["gateway"] as gateway, bus["designs"] as designs:

        async def send(endpoint: Any, request: Any, caller: Caller, **more: Any) -> Any:
            asker = designs if endpoint.subject.startswith("meshery.svc.") else gateway
            return await asker.request(endpoint, request, assertion=people.assertion(caller), **more)

        yield send


@pytest.fixture
async def database(settings: ConnectionsSettings) -> AsyncIterator[Database]:
    """The service's own database, to look at what it stored."""
    async with Database.open(settings.database, schema="connections", migrations=MIGRATIONS) as opened:
        yield opened
