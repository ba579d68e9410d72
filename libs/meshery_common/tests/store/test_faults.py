"""A PostgreSQL that is killed, late, full or read-only: nothing acknowledged is lost, nobody gives up."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from uuid import UUID, uuid4

import asyncpg
import pytest

from meshery_common import leases, outbox
from meshery_common.database import EVERY_ORGANIZATION, CommitUnknown, Database, DatabaseSettings
from meshery_common.database.provision import provision
from meshery_contracts.errors import DeadlineExceeded, ProblemError, Unavailable
from meshery_embedded.ports import free_port
from meshery_embedded.postgres import PostgresServer, postgres
from meshery_testkit.postgres import data_folder

ADD = "insert into things (thing_id, organization_id, owner_id, name) values ($1, $2, $2, $1::uuid::text)"


class Server:
    """A server that can be killed and started again at the same port."""

    def __init__(self, data: Path) -> None:
        self._data = data
        self._port = free_port()
        self._stack = AsyncExitStack()
        self.running: PostgresServer

    async def start(self) -> None:
        self.running = await self._stack.enter_async_context(postgres(self._data, port=self._port))

    async def kill(self) -> None:
        await self.running.process.kill()
        await self._stack.aclose()

    async def stop(self) -> None:
        await self._stack.aclose()


async def until(condition: Callable[[], bool], seconds: float) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.02)


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    with data_folder() as data:
        server = Server(data)
        await server.start()
        yield server
        await server.stop()


@pytest.fixture
async def own_settings(server: Server) -> DatabaseSettings:
    made = await provision(server.running.admin_dsn(), "things")
    return made.settings(connect_timeout_seconds=1)


class Broker:
    def __init__(self) -> None:
        self.subjects: set[str] = set()

    async def publish(
        self, subject: str, payload: bytes, *, message_id: str, headers: dict[str, str]
    ) -> None:
        self.subjects.add(subject)


async def test_a_kill_in_the_middle_loses_nothing_acknowledged(
    server: Server, own_settings: DatabaseSettings, migrations: Path
) -> None:
    organization = uuid4()
    acknowledged: set[UUID] = set()
    refused = 0
    broker = Broker()
    async with Database.open(own_settings, schema="things", migrations=migrations) as db:

        async def write() -> None:
            nonlocal refused
            while True:
                thing = uuid4()
                try:
                    async with db.transaction(organization) as tx:
                        await tx.execute(ADD, thing, organization)
                        await tx.execute(
                            "insert into outbox (message_id, subject, payload) values ($1, $1::uuid::text, '')",
                            thing,
                        )
                        tx.notify(outbox.CHANNEL)
                except (Unavailable, DeadlineExceeded):
                    refused += 1
                    await asyncio.sleep(0.01)
                else:
                    acknowledged.add(thing)

        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(write()) for _ in range(8)]
            tasks.append(group.create_task(outbox.Relay(db, broker).run()))
            await asyncio.sleep(0.5)
            before = len(acknowledged)
            assert before > 0
            await server.kill()
            await asyncio.sleep(1.5)
            assert not db.ready
            assert refused
            with pytest.raises(Unavailable):
                await db.fetchval(EVERY_ORGANIZATION, "select 1")
            await server.start()
            await until(lambda: db.healthy() and len(acknowledged) >= before + 20, 20)
            for task in tasks[:-1]:
                task.cancel()
            async with asyncio.timeout(20):
                while True:
                    with suppress(ProblemError):
                        if (await outbox.lag(db)).pending == 0:
                            break
                    await asyncio.sleep(0.05)
            tasks[-1].cancel()
        kept = {row["thing_id"] for row in await db.fetch(organization, "select thing_id from things")}
    assert acknowledged <= kept
    assert {str(thing) for thing in kept} <= broker.subjects


async def test_a_relay_ends_while_postgres_is_away(
    server: Server, own_settings: DatabaseSettings, migrations: Path
) -> None:
    published = asyncio.Event()

    class HalfABroker(Broker):
        async def publish(
            self, subject: str, payload: bytes, *, message_id: str, headers: dict[str, str]
        ) -> None:
            await super().publish(subject, payload, message_id=message_id, headers=headers)
            if len(self.subjects) == 2:
                published.set()
                await asyncio.Event().wait()

    async with Database.open(own_settings, schema="things", migrations=migrations) as db:
        for subject in ("a.b", "c.d"):
            await db.execute(
                EVERY_ORGANIZATION,
                "insert into outbox (message_id, subject, payload) values (gen_random_uuid(), $1, '')",
                subject,
            )
        async with asyncio.TaskGroup() as group:
            relaying = group.create_task(outbox.Relay(db, HalfABroker()).run())
            await published.wait()
            await server.kill()
            relaying.cancel()
            _, late = await asyncio.wait([relaying], timeout=20)
            # Not for ever, whatever the test finds.
            relaying.cancel()
    assert not late, "what it tells the database at its end must not keep it going"


async def test_a_break_while_committing_is_neither_yes_nor_no(
    server: Server, own_settings: DatabaseSettings, migrations: Path
) -> None:
    organization = uuid4()
    assert own_settings.owner_url is not None
    async with Database.open(own_settings, schema="things", migrations=migrations) as db:
        owner = await asyncpg.connect(own_settings.owner_url.get_secret_value())
        await owner.execute(
            """
            create function things.slow() returns trigger language plpgsql as
                'begin perform pg_sleep(3); return null; end';
            create constraint trigger slow after insert on things.things deferrable initially deferred
                for each row execute function things.slow();
            """
        )
        await owner.close()
        asyncio.get_running_loop().call_later(0.5, os.kill, server.running.pid, signal.SIGQUIT)
        with pytest.raises(CommitUnknown):
            async with db.transaction(organization) as tx:
                await tx.execute(ADD, uuid4(), organization)


async def test_a_break_before_committing_is_a_no(
    server: Server, own_settings: DatabaseSettings, migrations: Path
) -> None:
    organization = uuid4()
    async with Database.open(own_settings, schema="things", migrations=migrations) as db:
        with pytest.raises(Unavailable):  # noqa: PT012 - the block is what is tested
            async with db.transaction(organization) as tx:
                await tx.execute(ADD, uuid4(), organization)
                await server.kill()
                await asyncio.sleep(0.2)  # the driver reads the end of the connection


async def test_listeners_survive_a_restart_and_look_again(
    server: Server, own_settings: DatabaseSettings, migrations: Path
) -> None:
    async with (
        Database.open(own_settings, schema="things", migrations=migrations) as db,
        db.listen("x") as wakes,
    ):
        await anext(wakes)
        await asyncio.sleep(0.3)
        with suppress(TimeoutError):
            async with asyncio.timeout(0.05):
                await anext(wakes)
        await server.kill()
        await server.start()
        async with asyncio.timeout(10):
            await anext(wakes)  # the one after the reconnect
        await until(lambda: db.ready, 10)
        db.notify("x")
        async with asyncio.timeout(5):
            await anext(wakes)


async def test_a_lease_outlives_a_short_restart(
    server: Server, own_settings: DatabaseSettings, migrations: Path
) -> None:
    async with (
        Database.open(own_settings, schema="things", migrations=migrations) as db,
        leases.held(db, "x", ttl_seconds=8) as lease,
    ):
        await server.kill()
        await server.start()
        await asyncio.sleep(4)
        await until(lambda: db.ready, 5)
        async with db.transaction(EVERY_ORGANIZATION) as tx:
            await leases.guard(tx, lease)


async def test_opening_waits_for_a_server_that_comes_later(
    server: Server, own_settings: DatabaseSettings, migrations: Path
) -> None:
    await server.kill()
    opened = asyncio.Event()

    async def serve() -> None:
        async with Database.open(own_settings, schema="things", migrations=migrations) as db:
            assert db.ready
            opened.set()

    async with asyncio.TaskGroup() as group:
        group.create_task(serve())
        await asyncio.sleep(0.5)
        assert not opened.is_set()
        await server.start()
        async with asyncio.timeout(20):
            await opened.wait()


async def test_a_server_that_hangs_makes_it_not_ready_and_back(
    server: Server, own_settings: DatabaseSettings, migrations: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("meshery_common.database.pool._PING_AFTER_SECONDS", 0.2)
    monkeypatch.setattr("meshery_common.database.pool._MEND_TIMEOUT_SECONDS", 0.5)
    async with Database.open(own_settings, schema="things", migrations=migrations) as db:
        pids = await db.fetch(EVERY_ORGANIZATION, "select pid from pg_stat_activity where pid is not null")
        stopped = [server.running.pid, *(row["pid"] for row in pids)]
        try:
            for pid in stopped:
                os.kill(pid, signal.SIGSTOP)
            await until(lambda: not db.ready, 10)
        finally:
            for pid in stopped:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)
        await until(lambda: db.ready, 10)
        assert await db.fetchval(EVERY_ORGANIZATION, "select 1") == 1
