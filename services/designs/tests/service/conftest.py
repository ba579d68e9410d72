"""The running service on a real PostgreSQL and a real NATS; other services are stood in for."""

from __future__ import annotations

from collections.abc import AsyncIterator
from importlib.resources import files

import pytest

from meshery_common.database import Database
from meshery_designs.app import running
from meshery_designs.settings import DesignsSettings
from meshery_testkit.asking import Client, person
from meshery_testkit.facts import Facts, following
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
    async with StubRegistry().serving(nats) as registry:
        yield registry


@pytest.fixture
async def clusters(nats: NATSForTests) -> AsyncIterator[StubClusters]:
    """All connected clusters: one."""
    async with StubClusters(StubCluster()).serving(nats) as found:
        yield found


@pytest.fixture
def cluster(clusters: StubClusters) -> StubCluster:
    """The one cluster that is connected."""
    return clusters.connected[0]


@pytest.fixture
async def client(nats: NATSForTests, people: People) -> AsyncIterator[Client]:
    async with person(nats, people) as one:
        yield one


@pytest.fixture
async def service(settings: DesignsSettings, client: Client, kinds: StubRegistry) -> AsyncIterator[None]:
    """The running service, beside a registry that it can ask."""
    async with hosted(running(settings)):
        yield


@pytest.fixture
async def facts(nats: NATSForTests) -> AsyncIterator[Facts]:
    """What the service announces."""
    async with following(nats, "designs") as found:
        yield found


@pytest.fixture
async def database(settings: DesignsSettings) -> AsyncIterator[Database]:
    """The service's own database, to look at what it stored."""
    async with Database.open(settings.database, schema="designs", migrations=MIGRATIONS) as db:
        yield db
