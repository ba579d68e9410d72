"""The servers under the services: PostgreSQL and NATS of this installation, with a role and a user for each."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nkeys

from meshery_common.database.provision import provision
from meshery_common.nats_permissions import AuthCallout, server_config
from meshery_contracts.wiring import WIRING
from meshery_embedded import NATSServer, PostgresServer, nats_server, postgres
from meshery_standalone.settings import StandaloneSettings

#: Services that own a schema.
STATEFUL = ("identity", "registry", "designs", "connections", "inventory", "events")


@dataclass(frozen=True)
class Infrastructure:
    """Running servers, and what each service needs to reach them. Secret: it holds passwords and seeds."""

    postgres: PostgresServer
    nats: NATSServer
    seeds: Mapping[str, str]
    #: Seed of the account key that identity signs outside users with.
    issuer_seed: str
    databases: Mapping[str, dict[str, str]]

    def bus(self, service: str) -> dict[str, Any]:
        """The bus settings of a service."""
        return {"url": self.nats.url, "nkey_seed": self.seeds[service]}


@asynccontextmanager
async def infrastructure(settings: StandaloneSettings, home: Path) -> AsyncIterator[Infrastructure]:
    """Start both servers and prepare them. Passwords and seeds are new at every start: nobody else needs them.

    Raises EmbeddedError when a server cannot start.
    """
    async with postgres(home / "postgresql", durable=settings.durable) as database:
        databases = {}
        for service in STATEFUL:
            made = await provision(database.admin_dsn(), service)
            databases[service] = {"app_url": made.app_url, "owner_url": made.owner_url}
        pairs = {name: _new_key(nkeys.PREFIX_BYTE_USER) for name in WIRING}
        issuer_seed, issuer = _new_key(nkeys.PREFIX_BYTE_ACCOUNT)
        config = server_config({name: public for name, (_, public) in pairs.items()}, AuthCallout(issuer))
        async with nats_server(
            data=home / "nats",
            config=config,
            port=settings.nats_port,
            monitor_port=settings.nats_monitor_port,
            durable=settings.durable,
        ) as bus:
            yield Infrastructure(
                database, bus, {name: seed for name, (seed, _) in pairs.items()}, issuer_seed, databases
            )


def _new_key(prefix: int) -> tuple[str, str]:
    """A new NKey: its seed and its public name."""
    pair = nkeys.from_seed(nkeys.encode_seed(os.urandom(32), prefix))
    return pair.seed.decode(), pair.public_key.decode()
