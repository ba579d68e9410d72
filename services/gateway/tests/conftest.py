"""The gateway on a real NATS; the services behind it are stood in for."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import ClientSession

from meshery_contracts.caller import Caller
from meshery_gateway.app import running
from meshery_gateway.settings import GatewaySettings
from meshery_testkit.hosting import hosted
from meshery_testkit.nats import NATSForTests, People


@pytest.fixture
def person(people: People) -> Caller:
    """Somebody who comes over loopback without a token, and may do what the local user may."""
    people.tokens[""] = person = people.caller()
    return person


@pytest.fixture
def settings(nats: NATSForTests) -> GatewaySettings:
    """Settings of a gateway in a hurry."""
    return GatewaySettings(
        bus=nats.bus_settings("gateway"),
        port=0,
        commit="0123abc",
        session_renew_seconds=0.5,
        stream_keep_alive_seconds=0.2,
    )


@pytest.fixture
async def address(
    settings: GatewaySettings, nats: NATSForTests, people: People, person: Caller
) -> AsyncIterator[str]:
    """The running gateway's address."""
    ports: list[int] = []

    @asynccontextmanager
    async def noted() -> AsyncIterator[None]:
        async with running(settings) as gateway:
            ports.append(gateway.port)
            yield

    async with people.serving(nats), hosted(noted()):
        yield f"http://127.0.0.1:{ports[0]}"


@pytest.fixture
async def http(address: str) -> AsyncIterator[ClientSession]:
    """A client of the gateway."""
    async with ClientSession(address) as session:
        yield session
