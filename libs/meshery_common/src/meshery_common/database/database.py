"""The database of one service: statements, transactions, wake-ups.

Nothing else of the project talks to the driver. Needs a PostgreSQL session of its own per connection: a pooler in
transaction mode in between would mix up the scopes.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from importlib.resources.abc import Traversable
from typing import Any, LiteralString, TypeVar, cast

import structlog

from meshery_common.background import alongside, pause
from meshery_common.context import current_request
from meshery_common.database import connecting, migrator
from meshery_common.database.commands import Command, check_key, check_patience, recall
from meshery_common.database.errors import Contended
from meshery_common.database.listening import Listener
from meshery_common.database.pool import Connection, Pool
from meshery_common.database.scope import EVERY_ORGANIZATION, Scope
from meshery_common.database.settings import DatabaseSettings
from meshery_common.database.transaction import Queries, Row, Transaction, affected, begin, commit
from meshery_common.telemetry import Readings
from meshery_contracts.errors import ProblemError, Unavailable

T = TypeVar("T")

_log = structlog.get_logger(__name__)

_FIRST_PAUSE_SECONDS = 0.02
_NOTIFY_PAUSE_SECONDS = 0.002

CONNECTIONS = Readings(
    "meshery_database_connections",
    "Open connections to PostgreSQL by state: idle, used.",
    ["service", "state"],
)
WAITING = Readings("meshery_database_waiting", "Statements that wait for a free connection.", ["service"])
HEALTHY = Readings("meshery_database_healthy", "1 while PostgreSQL answers, else 0.", ["service"])


class Database:
    """A service's own schema. Made by `Database.open`; safe to use from any task of its loop."""

    def __init__(self, settings: DatabaseSettings, schema: str) -> None:
        self._settings = settings
        self.schema = schema
        self._pool = Pool(
            lambda: connecting.connect_app(settings, schema),
            least=min(settings.pool_min, settings.pool_max),
            most=settings.pool_max,
            acquire_timeout_seconds=settings.acquire_timeout_seconds,
            idle_seconds=settings.idle_connection_seconds,
            lifetime_seconds=settings.connection_lifetime_seconds,
        )
        self._listener = Listener(settings, schema)
        self._to_wake: set[str] = set()
        self._wake = asyncio.Event()

    @classmethod
    @asynccontextmanager
    async def open(
        cls, settings: DatabaseSettings, *, schema: str, migrations: Traversable
    ) -> AsyncIterator[Database]:
        """Connect, migrate or check the schema, and serve until the block ends.

        Waits for PostgreSQL for as long as it takes, saying so once a minute. `migrations` is the folder with the
        service's `NNNN_words.sql` files. Raises MigrationError when the schema does not fit the code.
        """
        while True:
            await connecting.wait_for(settings, schema)
            try:
                await migrator.prepare(settings, schema=schema, migrations=migrations)
                break
            except Unavailable:
                continue
        database = cls(settings, schema)
        try:
            database._pool.give(await database._pool.take(EVERY_ORGANIZATION))
            loops = (database._pool.upkeep(), database._send_wakes(), database._listener.run())
            async with alongside(*loops, service=schema):
                with database._measured():
                    yield database
        finally:
            await database._pool.close()

    @property
    def ready(self) -> bool:
        """Whether requests can be served: PostgreSQL answered when last asked."""
        return self._pool.healthy

    def healthy(self) -> bool:
        """The same as `ready`, as a probe."""
        return self._pool.healthy

    @property
    def connections(self) -> tuple[int, int]:
        """Connections open, and how many of them are idle."""
        return self._pool.size, self._pool.idle

    @contextmanager
    def _measured(self) -> Iterator[None]:
        pool = self._pool
        with (
            CONNECTIONS.source(self.schema, "idle", read=lambda: pool.idle),
            CONNECTIONS.source(self.schema, "used", read=lambda: pool.size - pool.idle),
            WAITING.source(self.schema, read=lambda: pool.waiting),
            HEALTHY.source(self.schema, read=self.healthy),
        ):
            yield

    def within(self, scope: Scope) -> Queries:
        """The single-statement methods bound to a scope, so that a store takes this or a transaction."""
        return _Within(self, scope)

    async def fetch(self, scope: Scope, sql: LiteralString, *args: Any) -> Sequence[Row]:
        """All rows of one statement, without a transaction around it."""
        connection = await self._pool.take(scope)
        try:
            with connection:
                if connection.scope is not scope and connection.scope != scope:
                    await connection.enter(scope)
                rows = await connection.raw.fetch(sql, *args)
        finally:
            self._pool.give(connection)
        return cast("Sequence[Row]", rows)

    async def fetchrow(self, scope: Scope, sql: LiteralString, *args: Any) -> Row | None:
        """The first row of one statement, or None."""
        connection = await self._pool.take(scope)
        try:
            with connection:
                if connection.scope is not scope and connection.scope != scope:
                    await connection.enter(scope)
                row = await connection.raw.fetchrow(sql, *args)
        finally:
            self._pool.give(connection)
        return cast("Row | None", row)

    async def fetchval(self, scope: Scope, sql: LiteralString, *args: Any) -> Any:
        """The first column of the first row of one statement, or None."""
        row = await self.fetchrow(scope, sql, *args)
        return None if row is None else row[0]

    async def execute(self, scope: Scope, sql: LiteralString, *args: Any) -> int:
        """Run one statement; the number of rows it changed or returned."""
        connection = await self._pool.take(scope)
        try:
            with connection:
                if connection.scope is not scope and connection.scope != scope:
                    await connection.enter(scope)
                status = await connection.raw.execute(sql, *args)
        finally:
            self._pool.give(connection)
        return affected(status)

    @asynccontextmanager
    async def transaction(
        self, scope: Scope, *, characteristics: LiteralString = ""
    ) -> AsyncIterator[Transaction]:
        """Several statements, all or nothing. `characteristics`, e.g. `isolation level serializable`.

        Raises CommitUnknown when the connection breaks while committing.
        """
        async with self._connection() as connection:
            await begin(connection, scope, characteristics)
            transaction = Transaction(connection, scope)
            yield transaction
            await commit(connection)
        self._wake_up(transaction)

    @asynccontextmanager
    async def command(self, scope: Scope) -> AsyncIterator[Command]:
        """The transaction of a command: with an idempotency key in the current request it is done once.

        Raises Repeated (the bus answers with what is stored), Conflict when the key belongs to another command,
        DeadlineExceeded when the first one is not through in time. Without a key it is a plain transaction.
        """
        request = current_request()
        check_key(request)
        while True:
            claimed = False
            try:
                async with self._connection() as connection:
                    await begin(connection, scope)
                    command = Command(connection, scope, request)
                    await command.claim()
                    claimed = True
                    yield command
                    command.check_answered()
                    await commit(connection)
                    break
            except Contended:
                if claimed:
                    raise
                # The first one with this key is still at it: as long as our caller waits, so do we.
                check_patience(request)
        self._wake_up(command)

    async def recall(self, scope: Scope) -> None:
        """Raise Repeated when the current request is a command that was done before, Conflict as `command` does.

        For a use case that asks others before its transaction: a repeat must get the first answer, whatever they
        would say now.
        """
        request = current_request()
        if request is not None and request.idempotency_key:
            await recall(self.within(scope), request)

    async def run(self, scope: Scope, work: Callable[[Transaction], Awaitable[T]], *, attempts: int = 5) -> T:
        """Do work in a transaction, again from the start when another transaction was in its way.

        Raises Contended after the last attempt.
        """
        pause = _FIRST_PAUSE_SECONDS
        for attempt in range(1, attempts + 1):
            try:
                async with self.transaction(scope) as transaction:
                    return await work(transaction)
            except Contended:
                if attempt == attempts:
                    raise
                await asyncio.sleep(pause * random.uniform(0.5, 1.5))  # noqa: S311 - spreads, hides nothing
                pause *= 2
        raise AssertionError("unreachable")

    def notify(self, channel: str) -> None:
        """Wake those who listen on a channel of this schema."""
        self._to_wake.add(channel)
        self._wake.set()

    @asynccontextmanager
    async def listen(self, channel: str) -> AsyncIterator[AsyncIterator[None]]:
        """Wake-ups on a channel of this schema: `async with db.listen("x") as wakes: async for _ in wakes:`.

        Many notifications may come as one. One comes at the start and one after every reconnect, because
        something may have been missed; so the loop's body looks at the tables, never at a payload.
        """
        async with self._listener.subscribed(channel) as wakes:
            yield wakes

    def _wake_up(self, transaction: Transaction) -> None:
        if transaction.channels:
            self._to_wake |= transaction.channels
            self._wake.set()

    async def _send_wakes(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            channels = [f"{self.schema}.{channel}" for channel in self._to_wake]
            self._to_wake.clear()
            try:
                await self.execute(
                    EVERY_ORGANIZATION, "select pg_notify(c, '') from unnest($1::text[]) c", channels
                )
            except ProblemError as error:
                # Those who listen also poll.
                _log.debug("A wake-up was not sent", reason=error.problem.code)
            await pause(_NOTIFY_PAUSE_SECONDS)

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[Connection]:
        """A connection for a transaction; doubtful unless the block ends well."""
        connection = await self._pool.take(EVERY_ORGANIZATION)
        try:
            yield connection
        except BaseException as error:
            if not isinstance(error, Exception):
                # Cancelled, perhaps within a statement.
                connection.doubtful = True
            raw = connection.raw
            if not connection.doubtful and not raw.is_closed() and raw.is_in_transaction():
                with suppress(Exception), connection:
                    await raw.execute("rollback")
            raise
        finally:
            self._pool.give(connection)


class _Within:
    """See `Database.within`."""

    __slots__ = ("_database", "_scope")

    def __init__(self, database: Database, scope: Scope) -> None:
        self._database = database
        self._scope = scope

    async def fetch(self, sql: LiteralString, *args: Any) -> Sequence[Row]:
        return await self._database.fetch(self._scope, sql, *args)

    async def fetchrow(self, sql: LiteralString, *args: Any) -> Row | None:
        return await self._database.fetchrow(self._scope, sql, *args)

    async def fetchval(self, sql: LiteralString, *args: Any) -> Any:
        return await self._database.fetchval(self._scope, sql, *args)

    async def execute(self, sql: LiteralString, *args: Any) -> int:
        return await self._database.execute(self._scope, sql, *args)
