"""Keepers of connected clusters: each connected cluster has one, in one of the replicas.

What has to go on while a cluster is connected follows from its row: a keeper starts when the status becomes
`connected`, whoever wrote it, and ends with it. So a crash in the middle of a change loses nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from uuid import UUID

import structlog

from meshery_common import leases
from meshery_common.background import pause
from meshery_common.database import EVERY_ORGANIZATION, Database
from meshery_connections.domain.connections import StoredConnection
from meshery_connections.store import CHANNEL, ConnectionStore
from meshery_contracts.errors import ProblemError

log = structlog.get_logger()

#: Something that goes on while a cluster is connected; it never ends by itself.
Duty = Callable[[StoredConnection], Awaitable[None]]
_POLL_SECONDS = 10.0
_LEASE_SECONDS = 15.0
_LEASE_POLL_SECONDS = 3.0
_PAUSE_SECONDS = 1.0
_LONGEST_PAUSE_SECONDS = 60.0


@dataclass
class _Kept:
    version: object
    task: asyncio.Task[None]


class Keepers:
    """Starts and ends the keepers of this replica."""

    def __init__(
        self,
        db: Database,
        duties: dict[str, Duty],
        version: Callable[[StoredConnection], Awaitable[object]],
    ) -> None:
        """`version` tells what the duties depend on; they begin anew when it changes, and not while it is None."""
        self._db = db
        self._duties = duties
        self._version = version
        self._store = ConnectionStore()
        self._kept: dict[UUID, _Kept] = {}

    async def run(self) -> None:
        """Bring the keepers to what the table says, for ever; run as a supervised task."""
        try:
            async with asyncio.TaskGroup() as group, self._db.listen(CHANNEL) as wakes:
                while True:
                    try:
                        found = await self._store.connected(self._db.within(EVERY_ORGANIZATION))
                    except ProblemError as error:
                        log.debug("keepers cannot see the connections", reason=error.problem.code)
                        await pause(_PAUSE_SECONDS)
                        continue
                    await self._reconcile(group, {one.id: one for one in found})
                    await _next(wakes)
        finally:
            self._kept.clear()

    async def _reconcile(self, group: asyncio.TaskGroup, wanted: dict[UUID, StoredConnection]) -> None:
        versions = {connection_id: await self._version(stored) for connection_id, stored in wanted.items()}
        ending = [
            connection_id
            for connection_id, kept in self._kept.items()
            if connection_id not in wanted or versions[connection_id] not in (None, kept.version)
        ]
        for connection_id in ending:
            self._kept[connection_id].task.cancel()
        for connection_id in ending:
            # A successor must not meet its predecessor.
            await asyncio.wait([self._kept.pop(connection_id).task])
        for connection_id, stored in wanted.items():
            if connection_id not in self._kept:
                task = group.create_task(self._keep(stored), name=f"connections: keeper of {connection_id}")
                self._kept[connection_id] = _Kept(versions[connection_id], task)

    async def _keep(self, stored: StoredConnection) -> None:
        """Hold the connection's lease and do the duties; in another replica if the lease is there."""
        while True:
            try:
                async with (
                    leases.held(
                        self._db,
                        f"connection {stored.id}",
                        ttl_seconds=_LEASE_SECONDS,
                        poll_seconds=_LEASE_POLL_SECONDS,
                    ),
                    asyncio.TaskGroup() as group,
                ):
                    for name, duty in self._duties.items():
                        group.create_task(_kept_up(name, duty, stored))
            except leases.LeaseLost:
                log.warning("a keeper lost its lease", connection_id=str(stored.id))


async def _kept_up(name: str, duty: Duty, stored: StoredConnection) -> None:
    """Do a duty again whenever it fails: one cluster's trouble ends neither the others' keepers nor this one."""
    seconds = _PAUSE_SECONDS
    loop = asyncio.get_running_loop()
    while True:
        started = loop.time()
        try:
            await duty(stored)
        except ProblemError as error:
            log.info("a duty has to wait", duty=name, connection_id=str(stored.id), reason=error.problem.code)
        except Exception:
            log.exception("a duty failed", duty=name, connection_id=str(stored.id))
        if loop.time() - started > _LONGEST_PAUSE_SECONDS:
            seconds = _PAUSE_SECONDS
        await pause(seconds)
        seconds = min(seconds * 2, _LONGEST_PAUSE_SECONDS)


async def _next(wakes: AsyncIterator[None]) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(_POLL_SECONDS):
            await anext(wakes)
