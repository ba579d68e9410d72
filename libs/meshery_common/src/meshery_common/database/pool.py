"""Connections kept for reuse.

Our own, because the driver's pool costs as much as the query: it resets, shields and wraps on every use. Taking
and giving back a healthy connection is here a list operation without a suspension. A connection whose state is
in doubt goes to the mender, which rolls back and resets it before anybody else gets it.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg
import structlog

from meshery_common.background import pause
from meshery_common.database.errors import (
    leaves_connection_clean,
    shows_former_primary,
    translated,
    unavailable,
)
from meshery_common.database.scope import Scope
from meshery_contracts.errors import Unavailable

_log = structlog.get_logger(__name__)

_UPKEEP_SECONDS = 1.0
_PING_AFTER_SECONDS = 5.0
_MEND_TIMEOUT_SECONDS = 5.0

_SET_SCOPE = "select set_config('meshery.organization', $1, false)"


class Connection:
    """A driver connection and what we know of its state.

    As a context it turns the driver's errors into ours, and notes when one leaves the connection in doubt.
    """

    __slots__ = ("born", "doubtful", "raw", "scope", "used")

    def __init__(self, raw: Any) -> None:
        self.raw = raw
        #: The scope that the session has now; None: not known, or none.
        self.scope: Scope | None = None
        #: Whether a statement or transaction may still be going on.
        self.doubtful = False
        self.born = self.used = time.monotonic()

    def __enter__(self) -> None:
        return None

    def __exit__(self, _type: object, error: BaseException | None, _traceback: object) -> None:
        if error is None:
            return
        if not leaves_connection_clean(error):
            self.doubtful = True
        if shows_former_primary(error):
            self.raw.terminate()
        meaning = translated(error)
        if meaning is not error:
            raise meaning from None

    async def enter(self, scope: Scope) -> None:
        """Make the session see the rows of this scope."""
        self.scope = None
        await self.raw.fetchval(_SET_SCOPE, str(scope))
        self.scope = scope


class Pool:
    """Open connections between a least and a most number. `upkeep` must run beside it."""

    def __init__(
        self,
        connect: Callable[[], Awaitable[Any]],
        *,
        least: int,
        most: int,
        acquire_timeout_seconds: float,
        idle_seconds: float,
        lifetime_seconds: float,
    ) -> None:
        self._connect = connect
        self._least = least
        self._most = most
        self._acquire_timeout = acquire_timeout_seconds
        self._idle_seconds = idle_seconds
        self._lifetime = lifetime_seconds
        self._idle: list[Connection] = []
        self._waiting: deque[asyncio.Future[Connection | None]] = deque()
        self._to_mend: asyncio.Queue[Connection] = asyncio.Queue()
        self._open: set[Connection] = set()
        self._opening = 0
        self._closed = False
        self.healthy = False

    @property
    def size(self) -> int:
        """Connections open or being opened."""
        return len(self._open) + self._opening

    @property
    def idle(self) -> int:
        """Connections that wait for work."""
        return len(self._idle)

    @property
    def waiting(self) -> int:
        """Statements that wait for a connection."""
        return len(self._waiting)

    async def take(self, scope: Scope) -> Connection:
        """A connection, one that already has the scope if possible. Raises Unavailable.

        Whoever takes one gives it back with `give`.
        """
        idle = self._idle
        while idle:
            connection = idle.pop()
            if connection.scope is not scope and connection.scope != scope and idle:
                connection = self._better(connection, scope)
            if not connection.raw.is_closed():
                return connection
            self._open.discard(connection)
        return await self._take_slowly()

    def give(self, connection: Connection) -> None:
        """Give back a connection: outside of any transaction, or marked as doubtful."""
        if self._closed or connection.raw.is_closed():
            self._drop(connection)
            return
        if connection.doubtful:
            connection.scope = None
            self._to_mend.put_nowait(connection)
            return
        connection.used = time.monotonic()
        while self._waiting:
            waiting = self._waiting.popleft()
            if not waiting.done():
                waiting.set_result(connection)
                return
        self._idle.append(connection)

    async def upkeep(self) -> None:
        """Keep the pool in shape for ever: mend, replace old connections, notice loss and recovery."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._mend())
            group.create_task(self._watch())

    async def close(self) -> None:
        """Close what is idle gracefully and the rest at once; waiting statements get Unavailable."""
        self._closed = True
        self.healthy = False
        while self._waiting:
            waiting = self._waiting.popleft()
            if not waiting.done():
                waiting.set_exception(unavailable(cause="This service is stopping."))
        idle, self._idle = self._idle, []
        for connection in idle:
            try:
                async with asyncio.timeout(1):
                    await connection.raw.close()
            except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
                connection.raw.terminate()
        for connection in self._open.difference(idle):
            connection.raw.terminate()
        self._open.clear()

    def _better(self, connection: Connection, scope: Scope) -> Connection:
        for other in reversed(self._idle):
            if other.scope == scope:
                self._idle.remove(other)
                self._idle.append(connection)
                return other
        return connection

    async def _take_slowly(self) -> Connection:
        deadline = time.monotonic() + self._acquire_timeout
        while True:
            if self._closed:
                raise unavailable(cause="This service is stopping.")
            if self.size < self._most:
                return await self._grow()
            waiting: asyncio.Future[Connection | None] = asyncio.get_running_loop().create_future()
            self._waiting.append(waiting)
            try:
                async with asyncio.timeout(deadline - time.monotonic()):
                    connection = await waiting
            except BaseException as error:
                # The connection may have been handed over in the same moment.
                if waiting.done() and not waiting.cancelled() and waiting.exception() is None:
                    handed = waiting.result()
                    if handed is not None:
                        self.give(handed)
                    else:
                        self._wake_one()
                else:
                    waiting.cancel()
                if isinstance(error, TimeoutError):
                    raise unavailable(
                        "database_busy", cause="All connections of this service are in use."
                    ) from None
                raise
            if connection is not None and not connection.raw.is_closed():
                return connection
            if connection is not None:
                self._drop(connection)

    async def _grow(self) -> Connection:
        self._opening += 1
        try:
            raw = await self._connect()
        except BaseException as error:
            if isinstance(error, Exception):
                self._note(healthy=False, reason=type(error).__name__)
            self._wake_one_after_failure()
            meaning = translated(error)
            if isinstance(error, TimeoutError):
                meaning = unavailable()
            if meaning is error:
                raise
            raise meaning from None
        finally:
            self._opening -= 1
        connection = Connection(raw)
        if self._closed:
            raw.terminate()
            raise unavailable(cause="This service is stopping.")
        self._open.add(connection)
        self._note(healthy=True)
        return connection

    def _note(self, *, healthy: bool, reason: str = "") -> None:
        if healthy and not self.healthy:
            _log.info("PostgreSQL answers")
        if self.healthy and not healthy:
            _log.warning("PostgreSQL does not answer", reason=reason)
        self.healthy = healthy

    def _drop(self, connection: Connection) -> None:
        self._open.discard(connection)
        if not connection.raw.is_closed():
            connection.raw.terminate()
        self._wake_one()

    def _wake_one(self) -> None:
        """Let one waiting statement look again: there is room for a new connection."""
        while self._waiting:
            waiting = self._waiting.popleft()
            if not waiting.done():
                waiting.set_result(None)
                return

    def _wake_one_after_failure(self) -> None:
        # `_opening` still counts the failed attempt: the woken one must look after it is discounted.
        asyncio.get_running_loop().call_soon(self._wake_one)

    async def _mend(self) -> None:
        while True:
            connection = await self._to_mend.get()
            try:
                async with asyncio.timeout(_MEND_TIMEOUT_SECONDS):
                    await connection.raw.execute("rollback; reset all; select pg_advisory_unlock_all()")
            except (
                TimeoutError,
                OSError,
                asyncpg.PostgresError,
                asyncpg.InterfaceError,
                asyncpg.InternalClientError,
            ):
                self._drop(connection)
            else:
                connection.doubtful = False
                self.give(connection)

    async def _watch(self) -> None:
        while True:
            await pause(_UPKEEP_SECONDS)
            now = time.monotonic()
            for connection in list(self._idle):
                old = now - connection.born > self._lifetime
                unused = now - connection.used > self._idle_seconds and self.size > self._least
                if connection.raw.is_closed() or old or unused:
                    self._idle.remove(connection)
                    self._drop(connection)
            newest = max((connection.used for connection in self._open), default=0.0)
            if not self.healthy or not self._open or now - newest > _PING_AFTER_SECONDS:
                await self._ping()
            if self.healthy and self.size < self._least:
                await self._add_one()

    async def _ping(self) -> None:
        """Find out whether PostgreSQL answers."""
        try:
            async with asyncio.timeout(_MEND_TIMEOUT_SECONDS):
                connection = self._idle.pop() if self._idle else None
                if connection is None and self.size < self._most:
                    connection = await self._grow()
                if connection is None:
                    return
                try:
                    await connection.raw.execute("select 1")
                except BaseException:
                    self._drop(connection)
                    raise
                self.give(connection)
                self._note(healthy=True)
        except (Unavailable, TimeoutError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            self._note(healthy=False, reason=type(error).__name__)

    async def _add_one(self) -> None:
        try:
            self.give(await self._grow())
        except Unavailable:
            return
