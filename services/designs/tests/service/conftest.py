"""The running service on a real PostgreSQL and a real NATS; other services are stood in for."""

from __future__ import annotations

from collections.abc import AsyncIterator
from importlib.resources import files

import pytest

from meshery_common.bus import Bus
from meshery_common.database import Database
from meshery_designs.app import running
from meshery_designs.settings import DesignsSettings
from meshery_testkit.asking import Client
from meshery_testkit.hosting import hosted
from meshery_testkit.nats import NATSForTests, People
from meshery_testkit.postgres import DatabaseFactory
from meshery_testkit.stub_clusters import StubCluster, StubClusters
from meshery_testkit.stub_registry import StubRegistry

MIGRATIONS = files("meshery_designs") / "migrations"


@pytest.fixture
async def settings(nats: NATSForTests, database_for: DatabaseFactory) -> DesignsSettings:
    """Settings of an impatient installation."""
    return DesignsSettings(
        database=await database_for("designs", MIGRATIONS),
        bus=nats.bus_settings("designs"),
        health_poll_seconds=0.02,
        health_timeout_seconds=1.5,
        stop_grace_seconds=0.2,
    )


@pytest.fixture
async def kinds(nats: NATSForTests) -> AsyncIterator[StubRegistry]:
    """The registry."""
    registry = StubRegistry()
    async with registry.serving(nats):
        yield registry


@pytest.fixture
async def clusters(nats: NATSForTests) -> AsyncIterator[StubClusters]:
    """All connected clusters: one."""
    found = StubClusters(StubCluster())
    async with found.serving(nats):
        yield found


@pytest.fixture
def cluster(clusters: StubClusters) -> StubCluster:
    """The one cluster that is connected."""
    return clusters.connected[0]


@pytest.fixture
async def client(nats: NATSForTests, people: People) -> AsyncIterator[Client]:
    """A person who asks as the gateway does; identity answers as well."""
    async with (
        people.serving(nats),
        Bus.connect(nats.bus_settings("gateway"), service="gateway") as bus,
    ):
        yield Client(bus, people, people.caller())


@pytest.fixture
async def service(settings: DesignsSettings, client: Client, kinds: StubRegistry) -> AsyncIterator[None]:
    """The running service, beside a registry that it can ask."""
    async with hosted(running(settings)):
        yield


@pytest.fixture
async def database(settings: DesignsSettings) -> AsyncIterator[Database]:
    """The service's own database, to look at what it stored."""
    async with Database.open(settings.database, schema="designs", migrations=MIGRATIONS) as db:
        yield db
