"""The servers under the services: PostgreSQL and NATS of this installation, with a role and a user for each."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nkeys
import structlog

from meshery_common.background import alongside
from meshery_common.database.provision import provision
from meshery_common.nats_permissions import AuthCallout, server_config
from meshery_contracts.wiring import WIRING
from meshery_embedded import NATSServer, PostgresServer, nats_server, postgres
from meshery_standalone.settings import StandaloneSettings

log = structlog.get_logger()


@dataclass(frozen=True)
class Infrastructure:
    """Running servers, and what each service needs to reach them. Secret: it holds passwords and seeds."""

    postgres: PostgresServer
    nats: NATSServer
    seeds: Mapping[str, str]
    #: Seed of the account key that identity signs outside users with.
    issuer_seed: str
    #: Seed of the user with whom identity ends connections.
    system_seed: str
    databases: Mapping[str, dict[str, str]]

    def bus(self, service: str) -> dict[str, Any]:
        """The bus settings of a service."""
        return {"url": self.nats.url, "nkey_seed": self.seeds[service]}


@asynccontextmanager
async def infrastructure(
    settings: StandaloneSettings,
    home: Path,
    stateful: Iterable[str],
    tell: Callable[[str], None] = lambda _: None,
) -> AsyncIterator[Infrastructure]:
    """Start both servers, prepare them, and start one again that ends; `tell` gets a line about that.

    `stateful` are the services that own a schema.

    Passwords and seeds are new at every start: nobody else needs them. Raises EmbeddedError when a server cannot
    start; into the block when one cannot start again.
    """
    async with _kept_postgres(home / "postgresql", settings, tell) as database:
        databases = {}
        for service in stateful:
            made = await provision(database.admin_dsn(), service)
            databases[service] = {"app_url": made.app_url, "owner_url": made.owner_url}
        pairs = {name: _new_key(nkeys.PREFIX_BYTE_USER) for name in WIRING}
        issuer_seed, issuer = _new_key(nkeys.PREFIX_BYTE_ACCOUNT)
        system_seed, system = _new_key(nkeys.PREFIX_BYTE_USER)
        config = server_config(
            {name: public for name, (_, public) in pairs.items()}, AuthCallout(issuer), system_nkey=system
        )
        async with (
            nats_server(
                data=home / "nats",
                config=config,
                port=settings.nats_port,
                monitor_port=settings.nats_monitor_port,
                durable=settings.durable,
            ) as bus,
            alongside(_keep_nats(bus, tell)),
        ):
            yield Infrastructure(
                database,
                bus,
                {name: seed for name, (seed, _) in pairs.items()},
                issuer_seed,
                system_seed,
                databases,
            )


@asynccontextmanager
async def _kept_postgres(
    data: Path, settings: StandaloneSettings, tell: Callable[[str], None]
) -> AsyncIterator[PostgresServer]:
    """PostgreSQL, on the same port and with the same data whenever it has to be started again."""
    first: asyncio.Future[PostgresServer] = asyncio.get_running_loop().create_future()

    async def keep() -> None:
        port = 0
        while True:
            async with postgres(data, port=port, durable=settings.durable) as server:
                if not first.done():
                    first.set_result(server)
                port = server.port
                await asyncio.shield(server.died)
            log.warning("PostgreSQL ended and is started again")
            tell("PostgreSQL ended and is started again.")

    async with alongside(keep()):
        yield await first


async def _keep_nats(server: NATSServer, tell: Callable[[str], None]) -> None:
    while True:
        await asyncio.shield(server.process.died)
        log.warning("NATS ended and is started again")
        tell("NATS ended and is started again.")
        await server.restart()


def _new_key(prefix: int) -> tuple[str, str]:
    """A new NKey: its seed and its public name."""
    pair = nkeys.from_seed(nkeys.encode_seed(os.urandom(32), prefix))
    return pair.seed.decode(), pair.public_key.decode()
