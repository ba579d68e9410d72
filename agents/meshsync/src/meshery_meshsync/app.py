"""The wiring of the discovery agent: the only place where its parts meet."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from meshery_common import health
from meshery_common.bus import Bus
from meshery_common.health import Health
from meshery_kube.watches import WatchOptions
from meshery_meshsync.clients import InventoryClient
from meshery_meshsync.service import Agent
from meshery_meshsync.service.clusters import Habits
from meshery_meshsync.service.publishing import Pace
from meshery_meshsync.service.reporting import Report
from meshery_meshsync.settings import MeshsyncSettings

SERVICE = "meshsync"


@asynccontextmanager
async def running(settings: MeshsyncSettings, report: Report) -> AsyncIterator[Agent]:
    """An agent that waits for commands, for the time of the block. `report` must not block."""
    needs = Health()
    async with (
        health.served(settings.health, needs),
        Bus.connect(settings.bus, service=SERVICE, stop_grace_seconds=settings.stop_grace_seconds) as bus,
        asyncio.TaskGroup() as group,
    ):
        needs.need("nats", bus.connected)
        client = InventoryClient(bus)
        await client.listen()
        agent = Agent(client, habits_of(settings), report)
        watching = group.create_task(agent.run())
        # The agent must have its task group before the first command.
        await asyncio.sleep(0)
        try:
            with needs.serving():
                yield agent
        finally:
            watching.cancel()


def habits_of(settings: MeshsyncSettings) -> Habits:
    """How clusters are watched under these settings."""
    return Habits(
        skipped_kinds=frozenset(settings.skipped_kinds),
        compare_seconds=settings.compare_seconds,
        options=WatchOptions(
            page_size=settings.page_size,
            refused=settings.refused_seconds,
            snapshot_gate=asyncio.Semaphore(settings.snapshots_at_once),
        ),
        pace=Pace(settings.linger_seconds, settings.window, settings.waiting_bytes),
    )
