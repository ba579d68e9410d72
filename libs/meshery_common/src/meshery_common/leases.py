"""Who alone may do something now: named leases in the database, by the database's clock.

Every new holder gets a larger fence. What he writes elsewhere carries the fence or is done after `guard`, so that
a holder who slept through his lease cannot write after his successor. One holder is one `held` block. The lease of a
process that is seen to be dead is free at once: a service that was killed and started again need not wait for itself.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, LiteralString
from uuid import UUID, uuid4

import structlog

from meshery_common.background import alongside, pause, raise_if_cancelled
from meshery_common.database import EVERY_ORGANIZATION, Database, Transaction
from meshery_common.incarnations import incarnation, is_dead
from meshery_contracts.errors import ProblemError

_log = structlog.get_logger(__name__)

_RELEASE: Final[LiteralString] = "update leases set expires_at = '-infinity' where name = $1 and holder = $2"


class LeaseLost(Exception):
    """The lease ran out or belongs to somebody else now: stop, and write nothing any more."""


@dataclass(frozen=True, slots=True)
class Lease:
    """A lease as it was acquired."""

    name: str
    holder: UUID
    fence: int
    ttl_seconds: float
    #: `time.monotonic()` up to which it certainly holds, unless it is renewed.
    safe_until: float


async def acquire(db: Database, name: str, *, holder: UUID, ttl_seconds: float = 10.0) -> Lease | None:
    """Take the lease if nobody has it; None when somebody has. Raises Unavailable."""
    asked = time.monotonic()
    ttl = timedelta(seconds=ttl_seconds)
    held_by = await db.fetchrow(
        EVERY_ORGANIZATION,
        "select fence, incarnation from leases where name = $1 and expires_at > clock_timestamp()",
        name,
    )
    if held_by is not None and not is_dead(held_by["incarnation"]):
        return None
    # The lock of `for update` is one that `guard` holds off: no successor while a guarded transaction runs.
    fence = await db.fetchval(
        EVERY_ORGANIZATION,
        """
        update leases set
            holder = $2, incarnation = $4, fence = fence + 1,
            expires_at = clock_timestamp() + $3::interval, acquired_at = clock_timestamp()
        where name = (
            select name from leases
            where name = $1 and (expires_at <= clock_timestamp() or fence = $5) for update skip locked
        )
        returning fence
        """,
        name,
        holder,
        ttl,
        incarnation(),
        None if held_by is None else held_by["fence"],
    )
    if fence is None:
        fence = await db.fetchval(
            EVERY_ORGANIZATION,
            """
            insert into leases (name, holder, fence, expires_at, incarnation)
            values ($1, $2, 1, clock_timestamp() + $3::interval, $4) on conflict (name) do nothing returning fence
            """,
            name,
            holder,
            ttl,
            incarnation(),
        )
    if fence is None:
        return None
    return Lease(name, holder, fence, ttl_seconds, asked + ttl_seconds)


async def renew(db: Database, lease: Lease) -> Lease:
    """Hold it for another `ttl_seconds`. Raises LeaseLost, or Unavailable (then it holds on until `safe_until`)."""
    asked = time.monotonic()
    renewed = await db.execute(
        EVERY_ORGANIZATION,
        """
        update leases set expires_at = clock_timestamp() + $4::interval
        where name = $1 and holder = $2 and fence = $3 and expires_at > clock_timestamp()
        """,
        lease.name,
        lease.holder,
        lease.fence,
        timedelta(seconds=lease.ttl_seconds),
    )
    if not renewed:
        raise LeaseLost(f"the lease {lease.name!r} with fence {lease.fence} is lost")
    return Lease(lease.name, lease.holder, lease.fence, lease.ttl_seconds, asked + lease.ttl_seconds)


async def release(db: Database, lease: Lease) -> None:
    """Let the next one have it at once; nothing happens when it is lost already. Raises Unavailable."""
    await db.execute(EVERY_ORGANIZATION, f"{_RELEASE} and fence = $3", lease.name, lease.holder, lease.fence)


async def guard(tx: Transaction, lease: Lease) -> None:
    """Make sure that the lease is held, and stays held until the transaction ends. Raises LeaseLost."""
    # Share locks of this kind let the holder renew, but nobody else acquire.
    held = await tx.fetchval(
        """
        select true from leases
        where name = $1 and holder = $2 and fence = $3 and expires_at > clock_timestamp() for key share
        """,
        lease.name,
        lease.holder,
        lease.fence,
    )
    if not held:
        raise LeaseLost(f"the lease {lease.name!r} with fence {lease.fence} is lost")


@asynccontextmanager
async def held(
    db: Database, name: str, *, ttl_seconds: float = 10.0, poll_seconds: float = 1.0
) -> AsyncIterator[Lease]:
    """Wait until the lease is ours, and keep it for the time of the block.

    When it is lost the block is cancelled and LeaseLost comes out. While the database is away the block goes on
    until the lease may have run out.
    """
    holder = uuid4()
    try:
        lease = await _awaited(db, name, holder, ttl_seconds, poll_seconds)
        _log.debug("Acquired a lease", lease=name, fence=lease.fence)
        async with alongside(_keep(db, lease)):
            yield lease
    finally:
        # By the holder, who is nobody but this block: also when we were cancelled while asking for it.
        with suppress(ProblemError):
            await db.execute(EVERY_ORGANIZATION, _RELEASE, name, holder)


async def _awaited(db: Database, name: str, holder: UUID, ttl_seconds: float, poll_seconds: float) -> Lease:
    while True:
        # Whoever lost a lease comes here next.
        raise_if_cancelled()
        with suppress(ProblemError):
            lease = await acquire(db, name, holder=holder, ttl_seconds=ttl_seconds)
            if lease is not None:
                return lease
        await pause(poll_seconds)


async def _keep(db: Database, lease: Lease) -> None:
    while True:
        await asyncio.sleep(lease.ttl_seconds / 3)
        while True:
            left = lease.safe_until - time.monotonic()
            if left <= 0:
                raise LeaseLost(f"the lease {lease.name!r} could not be renewed in time")
            try:
                async with asyncio.timeout(left):
                    lease = await renew(db, lease)
                break
            except TimeoutError:
                continue
            except ProblemError:
                await pause(min(0.2, left))
