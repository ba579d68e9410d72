"""The registry over the bus, and people who ask it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from importlib.resources import files
from typing import TypeVar
from uuid import UUID, uuid4

import pytest

from meshery_common.bus import Bus
from meshery_contracts import registry
from meshery_contracts.caller import Caller
from meshery_contracts.endpoints import Endpoint
from meshery_contracts.messages import Message
from meshery_contracts.registry import RegisterOpenAPI, RegistrationReport
from meshery_registry.app import running
from meshery_registry.settings import RegistrySettings
from meshery_testkit.hosting import hosted
from meshery_testkit.nats import NATSForTests, People
from meshery_testkit.postgres import DatabaseFactory

RequestT = TypeVar("RequestT", bound=Message)
ReplyT = TypeVar("ReplyT", bound=Message)
CLUSTER = UUID("11111111-1111-4111-8111-111111111111")


@dataclass
class Client:
    """Asks as one person: through the gateway, or through connections as it registers a cluster."""

    gateway: Bus
    connections: Bus
    people: People
    caller: Caller

    async def ask(self, endpoint: Endpoint[RequestT, ReplyT], request: RequestT) -> ReplyT:
        return await self.gateway.request(endpoint, request, assertion=self.people.assertion(self.caller))

    async def register(self, request: RegisterOpenAPI, *, key: str = "") -> RegistrationReport:
        assertion = self.people.assertion(self.caller)
        return await self.connections.request(
            registry.REGISTER_OPENAPI, request, assertion=assertion, idempotency_key=key or uuid4().hex
        )

    def as_somebody(self, **claims: object) -> Client:
        return Client(self.gateway, self.connections, self.people, self.people.caller(**claims))


@pytest.fixture
async def settings(nats: NATSForTests, database_for: DatabaseFactory) -> RegistrySettings:
    """Settings of a registry on an empty database."""
    database = await database_for("registry", files("meshery_registry") / "migrations")
    return RegistrySettings(database=database, bus=nats.bus_settings("registry"), store_contents=False)


@pytest.fixture
async def client(nats: NATSForTests, people: People, settings: RegistrySettings) -> AsyncIterator[Client]:
    """A running registry and a person who asks it."""
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(people.serving(nats))
        await stack.enter_async_context(hosted(running(settings)))
        gateway = await stack.enter_async_context(
            Bus.connect(nats.bus_settings("gateway"), service="gateway")
        )
        connections = await stack.enter_async_context(
            Bus.connect(nats.bus_settings("connections"), service="connections")
        )
        yield Client(gateway, connections, people, people.caller())
