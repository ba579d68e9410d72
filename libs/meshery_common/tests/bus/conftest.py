"""Buses of services on a real NATS server, each with that service's rights."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from meshery_common.bus import Bus
from meshery_testkit.nats import NATSForTests, People


@pytest.fixture
async def server(nats: NATSForTests, people: People) -> AsyncIterator[Bus]:
    """Who answers; identity is there for those whom it verifies."""
    async with people.serving(nats), Bus.connect(nats.bus_settings("designs"), service="designs") as bus:
        yield bus


@pytest.fixture
async def client(nats: NATSForTests) -> AsyncIterator[Bus]:
    """Who asks."""
    async with Bus.connect(nats.bus_settings("gateway"), service="gateway") as bus:
        yield bus


@pytest.fixture
async def events(nats: NATSForTests) -> AsyncIterator[Bus]:
    """Who consumes."""
    async with Bus.connect(nats.bus_settings("events"), service="events") as bus:
        yield bus
