"""The wiring of the connections service: the only place where its parts meet."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.resources import files

from meshery_common import health, outbox
from meshery_common.bus import Bus
from meshery_common.database import Database
from meshery_common.health import Health
from meshery_common.runtime import supervise
from meshery_connections import subjects
from meshery_connections.clients import ClusterClients
from meshery_connections.clients.kubeconfigs import Kubeconfigs
from meshery_connections.service import (
    ClustersService,
    ConnectionsService,
    ContextsService,
    Doors,
    Moves,
    Vault,
    master_keys,
)
from meshery_connections.settings import ConnectionsSettings
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
        kubeconfigs = Kubeconfigs(
            UploadPolicy(
                allow_insecure_tls=settings.allow_insecure_tls, allow_password=settings.allow_passwords
            ),
            settings.own_kubeconfig,
        )
        addresses = AddressPolicy(
            allow_private=settings.allow_private_addresses, allow_loopback=settings.allow_loopback_addresses
        )
        doors = Doors(
            clients, vault, kubeconfigs, addresses, verify_timeout_seconds=settings.verify_timeout_seconds
        )
        moves = Moves(db, doors)

        await bus.streams.ensure_own_stream()
        tasks.start("outbox", outbox.Relay(db, bus.streams).run)
        tasks.start("rewrap", vault.rewrap_for_ever)
        await subjects.serve(
            bus,
            ConnectionsService(db, doors, moves),
            ContextsService(db, doors, vault, kubeconfigs, moves),
            ClustersService(db, doors),
        )
        yield needs
        needs.stopping = True
