"""The wiring of the events service: the only place where its parts meet."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from importlib.resources import files

from meshery_common import health
from meshery_common.bus import Bus
from meshery_common.database import Database
from meshery_common.health import Health
from meshery_common.runtime import supervise
from meshery_contracts.wiring import WIRING
from meshery_events import subjects
from meshery_events.service import EventsService, FactsService
from meshery_events.settings import EventsSettings
from meshery_events.workers import Retention, consume_facts

SERVICE = "events"


@asynccontextmanager
async def running(settings: EventsSettings) -> AsyncIterator[Health]:
    """The whole service, ready for requests for the time of the block."""
    needs = Health()
    async with (
        health.served(settings.health, needs),
        Database.open(
            settings.database, schema=SERVICE, migrations=files("meshery_events") / "migrations"
        ) as db,
        Bus.connect(settings.bus, service=SERVICE, stop_grace_seconds=settings.stop_grace_seconds) as bus,
        supervise(SERVICE) as tasks,
    ):
        needs.need("postgresql", db.healthy)
        needs.need("nats", bus.connected)
        events = EventsService(db, bus)
        facts = FactsService(db, bus)

        await bus.streams.ensure_own_stream()
        for service in WIRING[SERVICE].consumes:
            work = partial(consume_facts, bus, service, facts, settings.batch_size)
            tasks.start(f"facts of {service}", work)
        tasks.start("retention", Retention(db, days=settings.retention_days).run)
        await subjects.serve(bus, events)
        with needs.serving():
            yield needs
