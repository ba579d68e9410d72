"""The wiring of the registry service: the only place where its parts meet."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.resources import as_file, files

from meshery_common import health, outbox
from meshery_common.bus import Bus
from meshery_common.database import Database
from meshery_common.delegation import Delegation
from meshery_common.health import Health
from meshery_common.master_keys import load_master_key
from meshery_common.operations import Worker
from meshery_common.processes import WorkerProcess
from meshery_common.runtime import supervise
from meshery_contracts import connections
from meshery_registry import subjects
from meshery_registry.clients import (
    ArtifactHubClient,
    GitClient,
    HelmRepositoryClient,
    OciClient,
    WebClient,
)
from meshery_registry.clients.helm import renderer_here
from meshery_registry.clients.opa import OpaClient
from meshery_registry.domain.packages import Limits
from meshery_registry.service import (
    Contents,
    DefinitionsService,
    PackageRegistrar,
    PushedDefinitionsService,
    RegistrationsService,
    RemovalsService,
    ValidationService,
)
from meshery_registry.service.credentials import SourceCredentialSeals
from meshery_registry.service.evaluations import EvaluationLimits, EvaluationsService
from meshery_registry.service.exports import ExportsService
from meshery_registry.service.imports import ImportsService
from meshery_registry.service.policies import POLICY_BYTES, Evaluator, PoliciesService
from meshery_registry.service.sources import Sources
from meshery_registry.settings import FetchSettings, RegistrySettings
from meshery_registry.store.imports import IMPORT_KIND
from meshery_registry.workers import ConnectionFacts, ImportRuns
from meshery_web import AddressPolicy, Fetcher, FetchPolicy

SERVICE = "registry"
#: At an import whose source does not answer, or whose process dies.
_ATTEMPTS = 3
#: How long evaluated designs are kept when nobody evaluates any.
_KEPT_SECONDS = 900.0
#: Helm as a library reserves far more than it uses.
_RENDERING_BYTES = 4 * 1024 * 1024 * 1024


@asynccontextmanager
async def running(settings: RegistrySettings) -> AsyncIterator[Health]:
    """The whole service, ready for requests for the time of the block."""
    needs = Health()
    seals = SourceCredentialSeals(_master_key(settings))
    async with (
        health.served(settings.health, needs),
        Database.open(
            settings.database, schema=SERVICE, migrations=files("meshery_registry") / "migrations"
        ) as db,
        WorkerProcess.open() as beside,
        # Ended when a policy takes too long: nothing else is done in it.
        WorkerProcess.open(idle_seconds=600, memory_bytes=POLICY_BYTES) as judging,
        # Keeps designs that people work on: it ends when nobody has for a while.
        WorkerProcess.open(idle_seconds=_KEPT_SECONDS) as evaluating,
        WorkerProcess.open(memory_bytes=settings.import_memory_bytes) as reading,
        WorkerProcess.open(memory_bytes=_RENDERING_BYTES) as rendering,
        Fetcher.open(fetch_policy(settings.fetch)) as fetcher,
        OpaClient.open(settings.opa_url, settings.opa_token, seconds=settings.policy_seconds) as opa,
        Bus.connect(settings.bus, service=SERVICE, stop_grace_seconds=settings.stop_grace_seconds) as bus,
        supervise(SERVICE) as tasks,
    ):
        needs.need("postgresql", db.healthy)
        needs.need("nats", bus.connected)
        definitions = DefinitionsService(db, kept_bytes=settings.kept_answers_bytes)
        registrar = PackageRegistrar()
        registrations = RegistrationsService(
            db,
            beside,
            max_document_bytes=settings.max_document_bytes,
            at_once=settings.registrations_at_once,
        )
        removals = RemovalsService(db)
        policies = PoliciesService(db, Evaluator(judging, opa, seconds=settings.policy_seconds))

        sources = sources_of(settings.fetch, fetcher, reading)
        imports = ImportsService(db, sources, seals, beside, max_source_bytes=settings.fetch.max_bytes)
        exports = ExportsService(db, reading)
        runs = ImportRuns(
            db,
            sources,
            seals,
            registrar,
            Delegation(bus),
            reading,
            renderer_here(rendering),
            limits=Limits(packed_bytes=settings.fetch.max_bytes),
            read_seconds=settings.import_read_seconds,
        )
        worker = Worker(
            db,
            {IMPORT_KIND: runs.work},
            announce=imports.close,
            concurrency=settings.imports_at_once,
            max_attempts=_ATTEMPTS,
            grace_seconds=settings.stop_grace_seconds / 2,
        )

        await bus.streams.ensure_own_stream()
        tasks.start("outbox", outbox.Relay(db, bus.streams).run)
        tasks.start("imports", worker.run)
        if settings.store_contents:
            with as_file(files("meshery_registry") / "content") as folder:
                tasks.start("contents", Contents(db, registrar, folder).run)
        gone = ConnectionFacts(db, removals)
        tasks.start(
            "facts of connections",
            lambda: bus.streams.consume(
                connections.CHANGED.stream, SERVICE, gone.take, subjects=[connections.CHANGED.wildcard()]
            ),
        )
        use = subjects.UseCases(
            definitions=definitions,
            registrations=registrations,
            removals=removals,
            pushed=PushedDefinitionsService(
                db, beside, registrar, most_quarantined=settings.most_quarantined
            ),
            validation=ValidationService(beside, seconds=settings.validation_seconds),
            policies=policies,
            evaluations=EvaluationsService(
                db,
                evaluating,
                EvaluationLimits(
                    max_sessions=settings.evaluations_kept,
                    max_session_bytes=settings.evaluations_kept_bytes,
                ),
            ),
            imports=imports,
            exports=exports,
        )
        await subjects.serve(bus, use)
        with needs.serving():
            yield needs


def _master_key(settings: RegistrySettings) -> bytes | None:
    if settings.master_key_file is None:
        return None
    return load_master_key(
        settings.master_key_file, create=settings.create_master_key, variable="REGISTRY_CREATE_MASTER_KEY"
    )


def fetch_policy(settings: FetchSettings) -> FetchPolicy:
    """What imports may fetch."""
    return FetchPolicy(
        addresses=AddressPolicy(
            allow_private=settings.allow_private_addresses,
            allow_loopback=settings.allow_loopback_addresses,
            allow_networks=settings.allow_networks,
        ),
        allow_http=settings.allow_http,
        ports=frozenset(settings.ports) or None,
        max_bytes=settings.max_bytes,
        connect_seconds=settings.connect_seconds,
        total_seconds=settings.total_seconds,
        redirects=settings.redirects,
    )


def sources_of(settings: FetchSettings, fetcher: Fetcher, beside: WorkerProcess) -> Sources:
    """Every kind of source, all behind one fetcher."""
    return Sources(
        web=WebClient(fetcher),
        git=GitClient(fetcher),
        oci=OciClient(fetcher),
        charts=HelmRepositoryClient(fetcher, beside),
        hub=ArtifactHubClient(fetcher, settings.artifact_hub_url),
        github_url=settings.github_url,
    )
