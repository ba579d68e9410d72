"""The wiring of the registry service: the only place where its parts meet."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.resources import as_file, files

from meshery_common import health, outbox
from meshery_common.bus import Bus
from meshery_common.database import Database
from meshery_common.health import Health
from meshery_common.processes import WorkerProcess
from meshery_common.runtime import supervise
from meshery_registry import subjects
from meshery_registry.clients.opa import OpaClient
from meshery_registry.service import Contents, DefinitionsService, PackageRegistrar, RegistrationsService
from meshery_registry.service.policies import Evaluator, PoliciesService
from meshery_registry.settings import RegistrySettings

SERVICE = "registry"


@asynccontextmanager
async def running(settings: RegistrySettings) -> AsyncIterator[Health]:
    """The whole service, ready for requests for the time of the block."""
    needs = Health()
    async with (
        health.served(settings.health, needs),
        Database.open(
            settings.database, schema=SERVICE, migrations=files("meshery_registry") / "migrations"
        ) as db,
        WorkerProcess.open() as beside,
        # Ended when a policy takes too long: nothing else is done in it.
        WorkerProcess.open() as judging,
        OpaClient.open(settings.opa_url, settings.opa_token, seconds=settings.policy_seconds) as opa,
        Bus.connect(settings.bus, service=SERVICE, stop_grace_seconds=settings.stop_grace_seconds) as bus,
        supervise(SERVICE) as tasks,
    ):
        needs.need("postgresql", db.healthy)
        needs.need("nats", bus.connected)
        definitions = DefinitionsService(
            db,
            max_message_bytes=settings.bus.max_message_bytes,
            kept_bytes=settings.kept_answers_bytes,
        )
        registrar = PackageRegistrar()
        registrations = RegistrationsService(
            db,
            beside,
            max_document_bytes=settings.max_document_bytes,
            at_once=settings.registrations_at_once,
        )
        policies = PoliciesService(db, Evaluator(judging, opa, seconds=settings.policy_seconds))

        await bus.streams.ensure_own_stream()
        tasks.start("outbox", outbox.Relay(db, bus.streams).run)
        if settings.store_contents:
            with as_file(files("meshery_registry") / "content") as folder:
                tasks.start("contents", Contents(db, registrar, folder).run)
        await subjects.serve(bus, definitions, registrations, policies)
        with needs.serving():
            yield needs
