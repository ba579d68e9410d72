"""A whole Meshery for the story: started in one of the two modes, with the faults that may befall it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from io import StringIO
from pathlib import Path
from urllib.parse import unquote, urlsplit

import aiohttp
import asyncpg
from tests.system.clients import GraphQL, Rest
from tests.system.waiting import until

from meshery_common.database.provision import provision
from meshery_embedded.process import Process
from meshery_standalone.app import Running, running
from meshery_standalone.console import Console
from meshery_standalone.homes import claimed
from meshery_standalone.settings import StandaloneSettings


class Installation:
    """A running Meshery and the machine's own person at it."""

    def __init__(self, settings: StandaloneSettings, http: aiohttp.ClientSession) -> None:
        self._settings = settings
        self._http = http
        self._stack = AsyncExitStack()
        self._postgres: Process | None = None
        self.separate = settings.separate
        self.running: Running

    @classmethod
    @asynccontextmanager
    async def started(cls, home: Path, *, separate: bool) -> AsyncIterator[Installation]:
        """Start it in an empty or used folder, for the time of the block."""
        settings = StandaloneSettings(
            home=home,
            port=0,
            nats_port=0,
            nats_monitor_port=0,
            sandbox="off",
            kubeconfig="",
            separate=separate,
            durable=False,
        )
        async with aiohttp.ClientSession() as http:
            one = cls(settings, http)
            try:
                await one.start()
                yield one
            finally:
                await one.stop()

    async def start(self) -> None:
        """Start everything."""
        self._stack.enter_context(claimed(self._settings.home))
        self.running = await self._stack.enter_async_context(
            running(self._settings, self._settings.home, Console(StringIO()))
        )

    async def stop(self) -> None:
        """Stop everything; the data stay."""
        if self._postgres is not None:
            await self._postgres.stop()
            self._postgres = None
        await self._stack.aclose()

    def rest(self, token: str = "") -> Rest:
        """REST, as the machine's own person or with a token."""
        return Rest(self._http, self.running.url, token)

    def graphql(self, token: str = "") -> GraphQL:
        """GraphQL, as the machine's own person or with a token."""
        return GraphQL(self.rest(token))

    def logs(self) -> str:
        """The ends of all log files, for a failure's message."""
        files = sorted((self._settings.home / "logs").glob("*.log"))
        return "\n".join(f"--- {one.name}\n{one.read_text()[-1500:]}" for one in files)

    # --- faults -------------------------------------------------------------------------------------------

    async def kill(self, service: str) -> None:
        """End a service as a fault would (SIGKILL); its supervisor starts it again. Returns when it is gone."""
        process = self.running.processes[service].process
        assert process is not None, f"{service} does not run"
        self.running.processes[service].kill()
        await asyncio.wait_for(asyncio.shield(process.exited), 10)

    async def restart_nats(self) -> None:
        """A power cut of NATS, and its return."""
        nats = self.running.servers.nats
        await nats.kill()
        await nats.restart()

    async def restart_postgres(self) -> None:
        """A power cut of PostgreSQL, and its return on the same port."""
        server = self.running.servers.postgres
        old = self._postgres or server.process
        await old.kill()
        for _ in range(20):
            self._postgres = await Process.start(old.command)
            outcome = await until("PostgreSQL answers", self._postgres_outcome, seconds=20)
            if outcome == "answers":
                return
        # It is refused while back ends of the killed server are still ending, but not for ever.
        raise AssertionError(f"PostgreSQL does not come back: {old.log_tail()}")

    async def _postgres_outcome(self) -> str:
        assert self._postgres is not None
        if not self._postgres.running:
            return "ended"
        try:
            connection = await asyncpg.connect(self.running.servers.postgres.admin_dsn(), timeout=2)
        except asyncpg.PostgresError as error:
            raise AssertionError(str(error)) from error
        await connection.close()
        return "answers"

    async def forget(self, service: str) -> None:
        """Drop everything a service has stored, and have it start anew, as an operator does with a cache."""
        servers = self.running.servers
        address = urlsplit(servers.databases[service]["owner_url"])
        admin = servers.postgres.admin_dsn(address.path.removeprefix("/"))
        connection = await asyncpg.connect(admin)
        try:
            await connection.execute(f'drop schema "{service}" cascade')
        finally:
            await connection.close()
        if not self.separate:
            await self.stop()
            await self.start()
            return
        await provision(
            admin,
            service,
            owner_password=_password(servers.databases[service]["owner_url"]),
            app_password=_password(servers.databases[service]["app_url"]),
        )
        await self.kill(service)


def _password(url: str) -> str:
    return unquote(urlsplit(url).password or "")
