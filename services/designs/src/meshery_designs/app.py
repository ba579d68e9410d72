"""The wiring of the designs service: the only place where its parts meet."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.resources import files

from meshery_common import health, outbox
from meshery_common.bus import Bus
from meshery_common.database import Database
from meshery_common.delegation import Delegation
from meshery_common.health import Health
from meshery_common.operations import Worker
from meshery_common.processes import WorkerProcess
from meshery_common.runtime import supervise
from meshery_contracts import connections
from meshery_designs import subjects
from meshery_designs.clients import ClusterClient, RegistryClient
from meshery_designs.service import DeploymentsService, DesignsService, Planner
from meshery_designs.settings import DesignsSettings
from meshery_designs.store.runs import RUN_KIND
from meshery_designs.workers import ConnectionFacts, DeploymentRuns

SERVICE = "designs"


@asynccontextmanager
async def running(settings: DesignsSettings) -> AsyncIterator[Health]:
    """The whole service, ready for requests for the time of the block."""
    needs = Health()
    async with (
        health.served(settings.health, needs),
        Database.open(
            settings.database, schema=SERVICE, migrations=files("meshery_designs") / "migrations"
        ) as db,
        WorkerProcess.open() as beside,
        Bus.connect(settings.bus, service=SERVICE, stop_grace_seconds=settings.stop_grace_seconds) as bus,
        supervise(SERVICE) as tasks,
    ):
        needs.need("postgresql", db.healthy)
        needs.need("nats", bus.connected)
        registry, clusters = RegistryClient(bus), ClusterClient(bus)
        designs = DesignsService(db, registry, beside)
        deployments = DeploymentsService(db, designs, Planner(db, clusters, beside), registry, beside)

        await bus.streams.ensure_own_stream()
        tasks.start("outbox", outbox.Relay(db, bus.streams).run)
        runs = DeploymentRuns(
            db,
            clusters,
            Delegation(bus),
            health_timeout_seconds=settings.health_timeout_seconds,
            health_poll_seconds=settings.health_poll_seconds,
        )
        worker = Worker(
            db,
            {RUN_KIND: runs.work},
            announce=runs.announce_given_up,
            concurrency=settings.runs_at_once,
            grace_seconds=settings.stop_grace_seconds / 2,
        )
        tasks.start("runs", worker.run)
        connection_facts = ConnectionFacts(db)
        tasks.start(
            "facts of connections",
            lambda: bus.streams.consume(
                connections.CHANGED.stream,
                SERVICE,
                connection_facts.take,
                subjects=[connections.CHANGED.wildcard()],
            ),
        )
        await subjects.serve(bus, designs, deployments)
        with needs.serving():
            yield needs
