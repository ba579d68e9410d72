"""Operations end exactly once, whatever becomes of their workers."""

import asyncio
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any
from uuid import UUID, uuid4

import pytest

from meshery_common import operations
from meshery_common.database import EVERY_ORGANIZATION, Database, Transaction
from meshery_common.operations import Handler, Operation, OperationStatus, Run, Worker
from meshery_common.operations.records import free_of_the_dead
from meshery_contracts.errors import Conflict, NotFound, Unavailable
from meshery_contracts.messages import Message

ORGANIZATION, USER = uuid4(), uuid4()
EXPIRE = "update operations set available_at = now() - interval '1 second' where finished_at is null"

#: As if its worker's process had died.
GONE = "update operations set available_at = now() - interval '1 second', holder = gen_random_uuid()"


class Deploy(Message):
    design_id: UUID
    dry_run: bool = False


async def begin(db: Database, kind: str = "deploy", input: Message | dict[str, Any] | None = None) -> UUID:
    async with db.transaction(ORGANIZATION) as tx:
        return await operations.start(
            tx,
            kind,
            organization_id=ORGANIZATION,
            user_id=USER,
            input=input if input is not None else {"n": 1},
        )


async def look(db: Database, operation_id: UUID) -> Operation:
    return await operations.get(db.within(ORGANIZATION), operation_id)


async def ended(db: Database, operation_id: UUID, seconds: float = 15) -> Operation:
    async with asyncio.timeout(seconds):
        while not (operation := await look(db, operation_id)).status.finished:
            await asyncio.sleep(0.01)
    return operation


async def runs(db: Database, operation_id: UUID) -> None:
    async with asyncio.timeout(5):
        while (await look(db, operation_id)).status is not OperationStatus.RUNNING:
            await asyncio.sleep(0.01)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.005)


@asynccontextmanager
async def working(
    db: Database, handlers: Mapping[str, Handler], **more: Any
) -> AsyncIterator[asyncio.Task[None]]:
    async with asyncio.TaskGroup() as group:
        task = group.create_task(Worker(db, handlers, **more).run())
        try:
            yield task
        finally:
            task.cancel()


async def test_it_is_done_and_its_result_kept(db: Database) -> None:
    told: list[tuple[UUID, OperationStatus]] = []

    async def deploy(run: Run) -> dict[str, Any]:
        assert run.user_id == USER
        assert run.attempt == 1
        assert run.state is None
        return {"seen": Deploy.model_validate(run.input).design_id}

    async def announce(tx: Transaction, operation: Operation) -> None:
        told.append((operation.operation_id, operation.status))

    design = uuid4()
    async with working(db, {"deploy": deploy}, announce=announce):
        operation_id = await begin(db, input=Deploy(design_id=design))
        operation = await ended(db, operation_id, 3)
    assert operation.status is OperationStatus.SUCCEEDED
    assert operation.result == {"seen": str(design)}
    assert operation.started_at is not None
    assert operation.finished_at is not None
    assert told == [(operation_id, OperationStatus.SUCCEEDED)]
    assert (await operations.list_for(db.within(ORGANIZATION), ORGANIZATION))[0] == operation
    with pytest.raises(NotFound):
        await operations.get(db.within(uuid4()), operation_id)


async def test_many_workers_do_each_operation_once(db: Database) -> None:
    done: list[UUID] = []

    async def deploy(run: Run) -> None:
        await asyncio.sleep(0.01)
        done.append(run.operation_id)

    started = [await begin(db) for _ in range(40)]
    async with (
        working(db, {"deploy": deploy}, concurrency=3),
        working(db, {"deploy": deploy}, concurrency=3),
        working(db, {"other": deploy}),
    ):
        for operation_id in started:
            await ended(db, operation_id)
    assert sorted(done) == sorted(started)


async def test_the_limit_of_concurrency_holds(db: Database) -> None:
    now = most = 0

    async def deploy(run: Run) -> None:
        nonlocal now, most
        now += 1
        most = max(most, now)
        await asyncio.sleep(0.02)
        now -= 1

    started = [await begin(db) for _ in range(12)]
    async with working(db, {"deploy": deploy}, concurrency=4):
        for operation_id in started:
            await ended(db, operation_id, 5)
    assert most == 4


async def test_a_problem_ends_it_and_says_why(db: Database) -> None:
    async def deploy(run: Run) -> None:
        raise Conflict("The namespace is another design's.", code="foreign_object")

    async with working(db, {"deploy": deploy}):
        operation = await ended(db, await begin(db))
    assert operation.status is OperationStatus.FAILED
    assert operation.problem is not None
    assert operation.problem.code == "foreign_object"


async def test_after_a_crash_another_worker_goes_on_from_the_checkpoint(db: Database) -> None:
    seen: list[tuple[int, Any]] = []
    stuck = asyncio.Event()

    async def dies(run: Run) -> None:
        await run.checkpoint({"step": 3})
        stuck.set()
        await asyncio.sleep(100)

    async def goes_on(run: Run) -> None:
        seen.append((run.attempt, run.state))

    operation_id = await begin(db)
    dead = Worker(db, {"deploy": dies}, ttl_seconds=60)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(dead.run())
        await stuck.wait()
        await asyncio.sleep(0.2)  # a claim in flight would be done by the server all the same
        # As if the process were gone: nothing is given back, the lease runs out.
        dead._give_back = _nothing  # type: ignore[method-assign]
        dead._hand_over = _nothing  # type: ignore[method-assign]
        dead._grace_seconds = 0
        task.cancel()
    await db.execute(EVERY_ORGANIZATION, EXPIRE)
    async with working(db, {"deploy": goes_on}):
        operation = await ended(db, operation_id)
    assert operation.status is OperationStatus.SUCCEEDED
    assert seen == [(2, {"step": 3})]


async def test_what_a_killed_process_was_at_goes_on_at_once(
    db: Database, beside: Callable[[str], Awaitable[asyncio.subprocess.Process]]
) -> None:
    seen: list[tuple[int, Any]] = []

    async def goes_on(run: Run) -> None:
        seen.append((run.attempt, run.state))

    operation_id = await begin(db)
    other = await beside(
        """
        async def dies(run):
            await run.checkpoint({"step": 3})
            print("ready", flush=True)
            await asyncio.sleep(600)
        await operations.Worker(db, {"deploy": dies}, ttl_seconds=600).run()
        """
    )
    other.send_signal(signal.SIGSTOP)
    async with working(db, {"deploy": goes_on}):
        await asyncio.sleep(0.3)
    assert (await look(db, operation_id)).attempt == 1, "it may go on at any moment"
    other.kill()
    await other.wait()
    async with working(db, {"deploy": goes_on}):
        operation = await ended(db, operation_id)
    assert operation.status is OperationStatus.SUCCEEDED
    assert seen == [(2, {"step": 3})]


async def _nothing(*_: Any, **__: Any) -> None:
    return None


async def test_a_stale_worker_cannot_write_any_more(db: Database) -> None:
    first_has_it, second_has_it = asyncio.Event(), asyncio.Event()
    refused: list[str] = []

    async def slow(run: Run) -> None:
        if run.attempt > 1:
            second_has_it.set()
            await run.checkpoint({"by": "second"})
            return
        first_has_it.set()
        with suppress(asyncio.CancelledError):
            await second_has_it.wait()
        with pytest.raises(operations.OperationLost):
            await run.checkpoint({"by": "first"})
        refused.append("checkpoint")
        with pytest.raises(operations.OperationLost):
            async with run.transaction() as tx:
                await run.succeed(tx)
        refused.append("end")
        raise operations.OperationLost

    async with working(db, {"deploy": slow}, ttl_seconds=60), working(db, {"deploy": slow}, ttl_seconds=60):
        operation_id = await begin(db)
        await first_has_it.wait()
        await db.execute(EVERY_ORGANIZATION, EXPIRE)
        operation = await ended(db, operation_id)
        await until(lambda: len(refused) == 2)
    assert operation.status is OperationStatus.SUCCEEDED
    assert operation.state == {"by": "second"}


async def test_a_lost_operation_is_noticed_and_its_handler_stopped(db: Database) -> None:
    stopped = asyncio.Event()

    async def deploy(run: Run) -> None:
        try:
            await asyncio.sleep(100)
        finally:
            stopped.set()

    async with working(db, {"deploy": deploy}, ttl_seconds=0.5) as _:
        operation_id = await begin(db)
        await runs(db, operation_id)
        await db.execute(
            EVERY_ORGANIZATION,
            "update operations set fence = fence + 1, available_at = now() + interval '1 hour'",
        )
        async with asyncio.timeout(5):
            await stopped.wait()


async def test_heartbeats_keep_it_also_while_its_own_transaction_is_open(db: Database) -> None:
    attempts = 0

    async def deploy(run: Run) -> None:
        nonlocal attempts
        attempts += 1
        async with run.transaction() as tx:
            await run.checkpoint({"a": 1}, tx)
            await asyncio.sleep(0.8)
        await asyncio.sleep(0.8)

    async with (
        working(db, {"deploy": deploy}, ttl_seconds=0.5),
        working(db, {"deploy": deploy}, ttl_seconds=0.5),
    ):
        first, second = await begin(db), await begin(db)
        for operation_id in (first, second):
            assert (await ended(db, operation_id)).status is OperationStatus.SUCCEEDED
    assert attempts == 2


async def test_a_poison_operation_is_given_up(db: Database) -> None:
    attempts = 0

    async def crashes(run: Run) -> None:
        nonlocal attempts
        attempts += 1
        await db.execute(EVERY_ORGANIZATION, GONE)
        await asyncio.sleep(100)

    async with (
        working(db, {"deploy": crashes}, max_crashes=3, ttl_seconds=1),
        working(db, {"deploy": crashes}, max_crashes=3, ttl_seconds=1),
    ):
        operation = await ended(db, await begin(db), 20)
    assert attempts == 3
    assert operation.status is OperationStatus.FAILED
    assert operation.problem is not None
    assert operation.problem.code == "operation_gave_up"


async def test_crashes_are_not_counted_among_attempts_that_had_a_problem(db: Database) -> None:
    seen: list[tuple[int, int]] = []

    async def unlucky(run: Run) -> None:
        seen.append((run.attempt, run.crashes))
        if run.attempt <= 3:
            await db.execute(EVERY_ORGANIZATION, GONE)
            await asyncio.sleep(100)
        if run.attempt == 4:
            raise Unavailable("The cluster is away.")

    async with (
        working(db, {"deploy": unlucky}, max_attempts=2, ttl_seconds=1),
        working(db, {"deploy": unlucky}, max_attempts=2, ttl_seconds=1),
    ):
        operation = await ended(db, await begin(db), 30)
    assert operation.status is OperationStatus.SUCCEEDED
    assert seen == [(1, 0), (2, 1), (3, 2), (4, 3), (5, 3)]


async def test_what_has_ended_its_worker_before_is_taken_back_later(
    db: Database, beside: Callable[[str], Awaitable[asyncio.subprocess.Process]]
) -> None:
    operation_id = await begin(db)
    waits = []
    for _ in range(3):
        other = await beside(
            """
            async def dies(run):
                print("ready", flush=True)
                await asyncio.sleep(600)
            await operations.Worker(db, {"deploy": dies}, ttl_seconds=600).run()
            """
        )
        other.kill()
        await other.wait()
        assert await free_of_the_dead(db) == 1
        wait = "select extract(epoch from available_at - clock_timestamp())::float8 from operations"
        waits.append(await db.fetchval(EVERY_ORGANIZATION, wait))
        await db.execute(EVERY_ORGANIZATION, EXPIRE)
    assert waits[0] <= 0 < waits[1] <= 4 < waits[2] <= 8
    assert (await look(db, operation_id)).attempt == 3


async def test_what_may_pass_is_tried_again_and_the_rest_of_errors_hidden(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("meshery_common.operations.worker._FIRST_PAUSE_SECONDS", 0.01)
    attempts: list[int] = []

    async def flaky(run: Run) -> None:
        attempts.append(run.attempt)
        if run.attempt < 3:
            raise Unavailable("The cluster is away.", code="cluster_away")

    async def buggy(run: Run) -> None:
        raise ZeroDivisionError("secret")

    async with working(db, {"flaky": flaky, "buggy": buggy}, max_attempts=3):
        good, bad = await begin(db, "flaky"), await begin(db, "buggy")
        assert (await ended(db, good)).status is OperationStatus.SUCCEEDED
        failed = await ended(db, bad)
    assert attempts == [1, 2, 3]
    assert failed.status is OperationStatus.FAILED
    assert failed.attempt == 3
    assert "secret" not in str(failed.problem)


async def test_cancelling_reaches_the_handler(db: Database) -> None:
    async def deploy(run: Run) -> None:
        await run.cancel_requested()
        assert await run.cancelled()
        raise operations.OperationCancelled

    async with working(db, {"deploy": deploy}, ttl_seconds=1):
        operation_id = await begin(db)
        await runs(db, operation_id)
        async with db.transaction(ORGANIZATION) as tx:
            assert (await operations.request_cancel(tx, operation_id)).status is OperationStatus.RUNNING
        assert (await ended(db, operation_id)).status is OperationStatus.CANCELLED
    async with db.transaction(ORGANIZATION) as tx:
        assert (await operations.request_cancel(tx, operation_id)).status is OperationStatus.CANCELLED


async def test_one_that_has_not_begun_is_cancelled_at_once(db: Database) -> None:
    operation_id = await begin(db)
    async with db.transaction(ORGANIZATION) as tx:
        operation = await operations.request_cancel(tx, operation_id)
    assert operation.status is OperationStatus.CANCELLED
    async with db.transaction(uuid4()) as tx:
        with pytest.raises(NotFound):
            await operations.request_cancel(tx, operation_id)


async def test_a_stop_hands_over_at_once_and_counts_no_attempt(db: Database) -> None:
    attempts: list[int] = []
    began = asyncio.Event()

    async def long(run: Run) -> None:
        attempts.append(run.attempt)
        began.set()
        await asyncio.sleep(100)

    async def short(run: Run) -> None:
        attempts.append(run.attempt)

    async with working(db, {"deploy": long}, ttl_seconds=60, grace_seconds=0.05):
        operation_id = await begin(db)
        await began.wait()
    async with working(db, {"deploy": short}):
        await ended(db, operation_id, 3)
    assert attempts == [1, 1]


async def test_a_stop_lets_handlers_end_within_the_grace(db: Database) -> None:
    began = asyncio.Event()

    async def deploy(run: Run) -> None:
        began.set()
        await asyncio.sleep(0.3)

    async with working(db, {"deploy": deploy}, grace_seconds=5):
        operation_id = await begin(db)
        await began.wait()
    assert (await look(db, operation_id)).status is OperationStatus.SUCCEEDED


async def test_a_handler_may_end_it_together_with_its_own_changes(db: Database) -> None:
    async def deploy(run: Run) -> None:
        with suppress(KeyError):
            async with run.transaction() as tx:
                await run.succeed(tx, {"never": "committed"})
                raise KeyError
        assert not run.finished
        async with run.transaction() as tx:
            await tx.execute(
                "insert into things (thing_id, organization_id, owner_id, name) values ($1, $2, $3, 'done')",
                run.operation_id,
                run.organization_id,
                run.user_id,
            )
            await run.succeed(tx, {"really": True})
        assert run.finished

    async with working(db, {"deploy": deploy}):
        operation = await ended(db, await begin(db))
    assert operation.result == {"really": True}
    assert await db.fetchval(ORGANIZATION, "select name from things") == "done"
