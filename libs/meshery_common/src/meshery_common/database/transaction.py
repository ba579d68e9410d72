"""Statements: alone, or together in a transaction."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, LiteralString, Protocol, cast

from meshery_common.database.errors import commit_unknown, unavailable
from meshery_common.database.pool import Connection
from meshery_common.database.scope import Scope
from meshery_contracts.errors import Unavailable


class Row(Protocol):
    """One row: by column name or position."""

    def __getitem__(self, key: str | int) -> Any: ...
    def __iter__(self) -> Iterator[Any]: ...
    def __len__(self) -> int: ...
    def get(self, key: str, default: Any = None, /) -> Any: ...
    def keys(self) -> Iterator[str]: ...
    def values(self) -> Iterator[Any]: ...
    def items(self) -> Iterator[tuple[str, Any]]: ...


class Queries(Protocol):
    """What a store needs to run its statements: a transaction, or `Database.within(scope)`.

    Every method raises ConstraintViolated, Unavailable, DeadlineExceeded, Contended or StatementFailed.
    """

    async def fetch(self, sql: LiteralString, *args: Any) -> Sequence[Row]:
        """All rows."""

    async def fetchrow(self, sql: LiteralString, *args: Any) -> Row | None:
        """The first row, or None."""

    async def fetchval(self, sql: LiteralString, *args: Any) -> Any:
        """The first column of the first row, or None."""

    async def execute(self, sql: LiteralString, *args: Any) -> int:
        """Run it; the number of rows it changed or returned."""


def affected(status: str) -> int:
    """The number of rows in a command tag such as `INSERT 0 3`; 0 when it has none."""
    count = status.rpartition(" ")[2]
    return int(count) if count.isdigit() else 0


class Transaction:
    """An open transaction. After an error it can only be rolled back, unless inside `savepoint`."""

    def __init__(self, connection: Connection, scope: Scope) -> None:
        self._connection = connection
        self._raw = connection.raw
        #: Whose rows it sees.
        self.scope = scope
        self._channels: set[str] = set()

    async def fetch(self, sql: LiteralString, *args: Any) -> Sequence[Row]:
        """All rows."""
        with self._connection:
            return cast("Sequence[Row]", await self._raw.fetch(sql, *args))

    async def fetchrow(self, sql: LiteralString, *args: Any) -> Row | None:
        """The first row, or None."""
        with self._connection:
            return cast("Row | None", await self._raw.fetchrow(sql, *args))

    async def fetchval(self, sql: LiteralString, *args: Any) -> Any:
        """The first column of the first row, or None."""
        with self._connection:
            return await self._raw.fetchval(sql, *args)

    async def execute(self, sql: LiteralString, *args: Any) -> int:
        """Run it; the number of rows it changed or returned."""
        with self._connection:
            return affected(await self._raw.execute(sql, *args))

    async def executemany(self, sql: LiteralString, rows: Iterable[Sequence[Any]]) -> None:
        """Run it once per row of arguments, in one go."""
        with self._connection:
            await self._raw.executemany(sql, rows)

    async def copy(
        self, table: LiteralString, columns: Sequence[LiteralString], rows: Iterable[Sequence[Any]]
    ) -> int:
        """Write many rows by COPY, the fastest way in; the number of rows written.

        PostgreSQL refuses it for tables with row-level security: there insert from `unnest(…)`, half as fast.
        """
        with self._connection:
            return affected(await self._raw.copy_records_to_table(table, columns=columns, records=rows))

    @asynccontextmanager
    async def savepoint(self) -> AsyncIterator[None]:
        """Undo only what the block did when it raises, and let the transaction go on."""
        await self.execute("savepoint step")
        try:
            yield
        except Exception:
            await self.execute("rollback to savepoint step; release savepoint step")
            raise
        await self.execute("release savepoint step")

    def notify(self, channel: str) -> None:
        """Wake those who listen on the channel of this schema, once this transaction is committed.

        Sent after the commit, many in one: a NOTIFY inside makes PostgreSQL commit such transactions one by one.
        When the process dies in between nobody is woken, so listeners poll as well.
        """
        self._channels.add(channel)

    @property
    def channels(self) -> frozenset[str]:
        """The channels to wake after the commit."""
        return frozenset(self._channels)


async def begin(connection: Connection, scope: Scope, characteristics: LiteralString = "") -> None:
    """Open a transaction in the scope, in one round trip. Raises as `Queries` does."""
    sql = f"begin {characteristics}"
    if connection.scope != scope:
        # Only for this transaction: a session setting would be undone by a rollback behind our back.
        # A scope is a UUID or an asterisk: nothing that needs quoting.
        sql = f"{sql}; select set_config('meshery.organization', '{scope}', true)"
    with connection:
        await connection.raw.execute(sql)


async def commit(connection: Connection) -> None:
    """Commit. Raises CommitUnknown when the connection broke before the answer."""
    if connection.raw.is_closed():
        # Nothing was sent, so PostgreSQL has rolled back.
        raise unavailable()
    try:
        with connection:
            status = await connection.raw.execute("commit")
    except Unavailable:
        if connection.raw.is_closed():
            raise commit_unknown() from None
        raise
    if status == "ROLLBACK":
        # A statement failed and its error was swallowed: PostgreSQL undid everything.
        raise RuntimeError("the transaction was rolled back: a failed statement was ignored; use savepoint()")
