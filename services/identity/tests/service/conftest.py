"""The identity service on a real PostgreSQL and a real NATS, and the gateway's place beside it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from importlib.resources import files
from pathlib import Path

import pytest
from pydantic import SecretStr

from meshery_common.bus import Bus
from meshery_common.database import Database
from meshery_contracts import identity
from meshery_identity.app import running
from meshery_identity.settings import IdentitySettings
from meshery_testkit.hosting import hosted
from meshery_testkit.nats import NATSForTests
from meshery_testkit.postgres import DatabaseFactory

MIGRATIONS = files("meshery_identity") / "migrations"


@pytest.fixture
async def settings(nats: NATSForTests, database_for: DatabaseFactory, tmp_path: Path) -> IdentitySettings:
    """Settings of a laptop's installation that was never started."""
    return IdentitySettings(
        database=await database_for("identity", MIGRATIONS),
        bus=nats.bus_settings("identity"),
        master_key_file=tmp_path / "master.key",
        create_master_key=True,
        nats_issuer_seed=SecretStr(nats.issuer_seed),
        nats_system_seed=SecretStr(nats.system_seed),
        nats_public_url=nats.server.url,
    )


@pytest.fixture
async def service(settings: IdentitySettings) -> AsyncIterator[None]:
    """The running service."""
    async with hosted(running(settings)):
        yield


@pytest.fixture
async def gateway(service: None, nats: NATSForTests) -> AsyncIterator[Bus]:
    """A bus with the rights of the gateway, beside the running service."""
    async with Bus.connect(nats.bus_settings("gateway"), service="gateway") as bus:
        yield bus


@pytest.fixture
async def local(gateway: Bus) -> identity.Assertion:
    """The local user, as the gateway lets him in over loopback."""
    return await gateway.request(identity.AUTHENTICATE, identity.Authenticate(from_loopback=True))


@pytest.fixture
async def database(settings: IdentitySettings, service: None) -> AsyncIterator[Database]:
    """The service's own database, to change what no use case changes yet."""
    async with Database.open(settings.database, schema="identity", migrations=MIGRATIONS) as db:
        yield db
