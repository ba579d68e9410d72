"""The wiring of the connections service: the only place where its parts meet."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from importlib.resources import files

from meshery_common import health, outbox
from meshery_common.bus import Bus
from meshery_common.database import Database
from meshery_common.delegation import Delegation
from meshery_common.health import Health
from meshery_common.runtime import Tasks, supervise
from meshery_connections import subjects
from meshery_connections.clients import ClusterClients, GoMeshSyncClient, RegistryClient
from meshery_connections.clients.kubeconfigs import Kubeconfigs
from meshery_connections.domain.connections import StoredConnection
from meshery_connections.service import (
    ClustersService,
    ComponentsService,
    ConnectionsService,
    ContextsService,
    DefinitionsService,
    Doors,
    HealthService,
    Moves,
    OwnContexts,
    Vault,
    master_keys,
)
from meshery_connections.settings import ConnectionsSettings
from meshery_connections.workers import Duty, Keepers, MeshSyncProcesses, Resyncs, meshsync_environment
from meshery_contracts.errors import Unavailable
from meshery_kube import AddressPolicy, UploadPolicy

SERVICE = "connections"


@asynccontextmanager
async def running(settings: ConnectionsSettings) -> AsyncIterator[Health]:
    """The whole service, ready for requests for the time of the block."""
    needs = Health()
    masters = master_keys(settings.master_key_file, create=settings.create_master_key)
    async with (
        health.served(settings.health, needs),
        Database.open(
            settings.database, schema=SERVICE, migrations=files("meshery_connections") / "migrations"
        ) as db,
        Bus.connect(settings.bus, service=SERVICE, stop_grace_seconds=settings.stop_grace_seconds) as bus,
        ClusterClients.open() as clients,
        supervise(SERVICE) as tasks,
    ):
        needs.need("postgresql", db.healthy)
        needs.need("nats", bus.connected)
        vault = Vault(db, masters, data_key_days=settings.data_key_days)
        kubeconfigs = Kubeconfigs(upload_policy(settings), settings.own_kubeconfig)
        doors = Doors(
            clients,
            vault,
            kubeconfigs,
            address_policy(settings),
            verify_timeout_seconds=settings.verify_timeout_seconds,
        )
        moves = Moves(db, doors)

        await bus.streams.ensure_own_stream()
        tasks.start("outbox", outbox.Relay(db, bus.streams).run)
        tasks.start("rewrap", vault.rewrap_for_ever)
        start_keepers(tasks, settings, db, bus, doors)
        if settings.own_kubeconfig and settings.own_organization_id and settings.own_user_id:
            own = OwnContexts(
                db,
                kubeconfigs,
                moves,
                organization_id=settings.own_organization_id,
                owner_id=settings.own_user_id,
                connect=settings.connect_own,
                every_seconds=settings.own_poll_seconds,
            )
            tasks.start("own kubeconfig", own.follow)
        await subjects.serve(
            bus,
            ConnectionsService(db, doors, moves),
            ContextsService(db, doors, vault, kubeconfigs, moves),
            DefinitionsService(db, doors, kubeconfigs, RegistryClient(bus)),
            ClustersService(db, doors),
        )
        with needs.serving():
            yield needs


def start_keepers(tasks: Tasks, settings: ConnectionsSettings, db: Database, bus: Bus, doors: Doors) -> None:
    """What goes on for every connected cluster, each duty where it is switched on."""
    observed = HealthService(
        db,
        doors,
        every_seconds=settings.health_check_seconds,
        timeout_seconds=settings.verify_timeout_seconds,
        patience=settings.unreachable_after,
    )
    duties: dict[str, Duty] = {"health": observed.watch_health}
    if settings.register_components:
        duties["components"] = ComponentsService(db, doors, RegistryClient(bus), Delegation(bus)).follow
    if settings.run_meshsync:
        processes = MeshSyncProcesses(
            observed.note_watch,
            environment=meshsync_environment(settings.meshsync_bus or settings.bus, settings.own_kubeconfig),
            per_process=settings.connections_per_meshsync,
        )
        duties["meshsync"] = partial(watch_with, processes, doors)
        duties["resyncs"] = Resyncs(db, processes, GoMeshSyncClient(bus)).follow
        tasks.start("meshsync", processes.run)
    tasks.start("keepers", Keepers(db, duties, doors.watched).run)


async def watch_with(processes: MeshSyncProcesses, doors: Doors, stored: StoredConnection) -> None:
    """Have a cluster watched, for as long as it is kept; in operator mode its own agent does.

    Raises Unavailable when MeshSync gives up, so that it is asked again after a pause.
    """
    if stored.meshsync_mode != "embedded":
        await asyncio.Event().wait()
    async with processes.watching(await doors.watch(stored)) as ended:
        await ended.wait()
    raise Unavailable("MeshSync has ended its watch of the cluster.", code="watch_ended")


def upload_policy(settings: ConnectionsSettings) -> UploadPolicy:
    """What may be uploaded."""
    return UploadPolicy(
        allow_insecure_tls=settings.allow_insecure_tls, allow_password=settings.allow_passwords
    )


def address_policy(settings: ConnectionsSettings) -> AddressPolicy:
    """Where uploaded clusters may be."""
    return AddressPolicy(
        allow_private=settings.allow_private_addresses,
        allow_loopback=settings.allow_loopback_addresses,
        allow_networks=settings.allow_networks,
    )
