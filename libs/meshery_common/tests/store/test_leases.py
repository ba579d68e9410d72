"""One holder at a time, and fences that only grow."""

import asyncio
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path
from uuid import uuid4

import pytest

from meshery_common import leases
from meshery_common.database import EVERY_ORGANIZATION, Database, DatabaseSettings

Beside = Callable[[str], Awaitable[asyncio.subprocess.Process]]
EXPIRE = "update leases set expires_at = now() - interval '1 second'"


async def test_one_of_many_gets_it_and_the_next_has_a_larger_fence(db: Database) -> None:
    got = await asyncio.gather(*(leases.acquire(db, "x", holder=uuid4()) for _ in range(8)))
    first = next(lease for lease in got if lease is not None)
    assert sum(lease is not None for lease in got) == 1
    assert await leases.acquire(db, "x", holder=uuid4()) is None
    assert await leases.acquire(db, "y", holder=uuid4()) is not None
    await leases.release(db, first)
    got = await asyncio.gather(*(leases.acquire(db, "x", holder=uuid4()) for _ in range(8)))
    second = next(lease for lease in got if lease is not None)
    assert sum(lease is not None for lease in got) == 1
    assert second.fence > first.fence
    await leases.release(db, first)  # too late: changes nothing
    assert (await leases.renew(db, second)).fence == second.fence


async def test_a_stale_holder_can_neither_renew_nor_write(db: Database) -> None:
    stale = await leases.acquire(db, "x", holder=uuid4())
    assert stale is not None
    await db.execute(EVERY_ORGANIZATION, EXPIRE)
    with pytest.raises(leases.LeaseLost):
        await leases.renew(db, stale)
    successor = await leases.acquire(db, "x", holder=uuid4())
    assert successor is not None
    async with db.transaction(EVERY_ORGANIZATION) as tx:
        with pytest.raises(leases.LeaseLost):
            await leases.guard(tx, stale)
        await leases.guard(tx, successor)


async def test_nobody_takes_over_while_a_guarded_transaction_runs(db: Database) -> None:
    lease = await leases.acquire(db, "x", holder=uuid4())
    assert lease is not None
    async with db.transaction(EVERY_ORGANIZATION) as tx:
        await leases.guard(tx, lease)
        lease = await leases.renew(db, lease)  # the holder may
        await db.execute(EVERY_ORGANIZATION, EXPIRE)
        assert await leases.acquire(db, "x", holder=uuid4()) is None
    assert await leases.acquire(db, "x", holder=uuid4()) is not None


async def test_the_lease_of_a_killed_process_is_free_at_once(db: Database, beside: Beside) -> None:
    other = await beside(
        """
        async with leases.held(db, "x", ttl_seconds=600):
            print("ready", flush=True)
            await asyncio.sleep(600)
        """
    )
    assert await leases.acquire(db, "x", holder=uuid4()) is None
    other.send_signal(signal.SIGSTOP)
    assert await leases.acquire(db, "x", holder=uuid4()) is None, "it may go on at any moment"
    former = await db.fetchval(EVERY_ORGANIZATION, "select fence from leases where name = 'x'")
    other.kill()
    await other.wait()
    got = await asyncio.gather(*(leases.acquire(db, "x", holder=uuid4()) for _ in range(8)))
    (successor,) = [lease for lease in got if lease is not None]
    assert successor.fence > former
    assert await leases.acquire(db, "x", holder=uuid4()) is None


async def test_held_renews_and_releases(db: Database) -> None:
    async with leases.held(db, "x", ttl_seconds=0.3) as lease:
        await asyncio.sleep(0.7)
        assert await leases.acquire(db, "x", holder=uuid4()) is None
        async with db.transaction(EVERY_ORGANIZATION) as tx:
            await leases.guard(tx, lease)
    assert await leases.acquire(db, "x", holder=uuid4()) is not None


async def test_held_waits_for_its_turn(db: Database) -> None:
    inside = 0

    async def hold() -> None:
        nonlocal inside
        async with leases.held(db, "x", poll_seconds=0.02):
            inside += 1
            assert inside == 1
            await asyncio.sleep(0.02)
            inside -= 1

    await asyncio.gather(*(hold() for _ in range(5)))


async def test_losing_it_cancels_the_block(db: Database) -> None:
    cancelled = False
    with pytest.raises(leases.LeaseLost):  # noqa: PT012 - the block is what is tested
        async with leases.held(db, "x", ttl_seconds=0.3):
            await db.execute(EVERY_ORGANIZATION, "update leases set fence = fence + 1")
            try:
                await asyncio.sleep(10)
            except asyncio.CancelledError:
                cancelled = True
                raise
    assert cancelled


async def test_the_blocks_own_error_comes_out_as_it_is(db: Database) -> None:
    with pytest.raises(KeyError, match="mine"):
        async with leases.held(db, "x"):
            raise KeyError("mine")
    assert await leases.acquire(db, "x", holder=uuid4()) is not None


async def test_a_database_that_stays_away_ends_the_block_in_time(
    settings: DatabaseSettings, migrations: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from meshery_contracts.errors import Unavailable

    async with Database.open(settings, schema="things", migrations=migrations) as db:

        async def away(*_: object) -> int:
            raise Unavailable("away")

        loop = asyncio.get_running_loop()
        with pytest.raises(leases.LeaseLost):  # noqa: PT012 - the block is what is tested
            async with leases.held(db, "x", ttl_seconds=0.6):
                started = loop.time()
                monkeypatch.setattr(db, "execute", away)
                await asyncio.sleep(10)
        assert 0.4 < loop.time() - started < 0.8
