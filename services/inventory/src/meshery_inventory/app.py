"""The wiring of inventory: the only place where its parts meet."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.resources import files

import structlog

from meshery_common import health
from meshery_common.bus import Bus
from meshery_common.database import EVERY_ORGANIZATION, Database, DatabaseSettings
from meshery_common.health import Health
from meshery_common.runtime import supervise
from meshery_contracts.discovery import STREAM
from meshery_contracts.wiring import SYNC
from meshery_inventory import subjects
from meshery_inventory.clients import LiveClient
from meshery_inventory.service import IngestService, PicturesService, SessionsService
from meshery_inventory.settings import InventorySettings
from meshery_inventory.store import ClusterStore, PictureStore, RebuildStore, ResourceStore
from meshery_inventory.workers import FactConsumer, FrameConsumer, GoMeshSyncConsumer, Tidying

log = structlog.get_logger()

SERVICE = "inventory"
_MIGRATIONS = files("meshery_inventory") / "migrations"


@asynccontextmanager
async def running(settings: InventorySettings) -> AsyncIterator[Health]:
    """The whole service, ready for requests for the time of the block."""
    needs = Health()
    await _restore_tables(settings.database)
    async with (
        health.served(settings.health, needs),
        Database.open(settings.database, schema=SERVICE, migrations=_MIGRATIONS) as db,
        Bus.connect(settings.bus, service=SERVICE, stop_grace_seconds=settings.stop_grace_seconds) as bus,
        supervise(SERVICE) as tasks,
    ):
        needs.need("postgresql", db.healthy)
        needs.need("nats", bus.connected)
        clusters, resources, live = ClusterStore(), ResourceStore(), LiveClient(bus)
        ingest = IngestService(db, clusters, resources, live)
        sessions = SessionsService(db, clusters, resources, live)
        pictures = PicturesService(db, PictureStore())

        await bus.streams.ensure_own_stream()
        await bus.streams.ensure_stream(
            STREAM,
            list(SYNC.subjects),
            max_age_seconds=settings.stream_seconds,
            max_bytes=settings.stream_bytes,
        )
        frames = FrameConsumer(
            bus,
            ingest,
            batch_frames=settings.batch_frames,
            idle_seconds=settings.idle_seconds,
            gather_seconds=settings.gather_seconds,
        )
        tasks.start("frames", frames.run)
        tasks.start("facts", FactConsumer(bus, ingest).run)
        tasks.start("tidying", Tidying(db, resources).run)
        foreign = GoMeshSyncConsumer(bus, ingest)
        await foreign.listen()
        tasks.start("go meshsync", foreign.run)
        await subjects.serve(bus, pictures, sessions)
        # Tables that were dropped fill up again, and what was missed while we were away is repaired.
        await live.ask_agents()
        with needs.serving():
            yield needs


async def _restore_tables(settings: DatabaseSettings) -> None:
    """Make tables that were dropped anew. Without the owner role that is somebody else's to do."""
    if settings.owner_url is None:
        return
    as_owner = settings.model_copy(update={"app_url": settings.owner_url, "pool_min": 0, "pool_max": 1})
    store = RebuildStore()
    async with Database.open(as_owner, schema=SERVICE, migrations=_MIGRATIONS) as db:
        if await store.is_broken(db.within(EVERY_ORGANIZATION)):
            log.warning("tables are missing; all are made anew and filled by the agents", schema=SERVICE)
            async with db.transaction(EVERY_ORGANIZATION) as tx:
                await store.forget(tx)
