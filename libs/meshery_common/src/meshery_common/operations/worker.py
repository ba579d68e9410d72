"""Claims operations and runs their handlers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import structlog
from prometheus_client import Counter
from pydantic import BaseModel

from meshery_common.background import pause, raise_if_cancelled
from meshery_common.database import EVERY_ORGANIZATION, Database, Transaction
from meshery_common.incarnations import incarnation
from meshery_common.operations.endings import given_up, unforeseen
from meshery_common.operations.records import (
    CHANNEL,
    COLUMNS,
    Operation,
    free_of_the_dead,
    operation_of,
)
from meshery_common.operations.run import OperationCancelled, OperationLost, Run
from meshery_common.telemetry import Readings, SpanKind, carried, link_to, span, tracing
from meshery_contracts.errors import Problem, ProblemError, Word

_log = structlog.get_logger(__name__)

#: Does the work of one kind. What it returns becomes the result, a ProblemError the reason of its failure; it may
#: also end the run itself in a transaction of its own.
Handler = Callable[[Run], Awaitable[BaseModel | dict[str, Any] | None]]

#: Called in the transaction in which the worker ends an operation, to add the fact about it. Not called when the
#: handler has ended the run itself.
Announce = Callable[[Transaction, Operation], Awaitable[None]]

#: Problems that may be gone at the next attempt.
_PASSING = frozenset({Word.UNAVAILABLE, Word.TIMEOUT, Word.RATE_LIMITED})

_POLL_SECONDS = 1.0
_FIRST_PAUSE_SECONDS = 1.0
_LONGEST_PAUSE_SECONDS = 60.0

RUNNING = Readings("meshery_operations_running", "Operations that this process works on.", ["service"])
ATTEMPTS = Counter(
    "meshery_operations_attempts_total",
    "Attempts at operations, by how they ended: succeeded, failed, cancelled, again (tried later), lost.",
    ["service", "kind", "outcome"],
)


class Worker:
    """Does the operations of one service. Every replica runs one."""

    def __init__(
        self,
        db: Database,
        handlers: Mapping[str, Handler],
        *,
        announce: Announce | None = None,
        concurrency: int = 16,
        max_attempts: int = 5,
        max_crashes: int = 8,
        ttl_seconds: float = 15.0,
        grace_seconds: float = 10.0,
    ) -> None:
        """`handlers` by kind. After `max_attempts` that ended in a passing problem it gives up, and after
        `max_crashes` that ended their worker.

        An operation whose worker is silent for `ttl_seconds` is taken over; one whose worker's process is seen to
        be dead at once, the first time. At a stop, handlers get `grace_seconds` to end by themselves.
        """
        self._db = db
        self._handlers = dict(handlers)
        self._announce = announce
        self._concurrency = concurrency
        self._max_attempts = max_attempts
        self._max_crashes = max_crashes
        self._ttl = timedelta(seconds=ttl_seconds)
        self._grace_seconds = grace_seconds
        self._holder = uuid4()
        self._running: dict[UUID, _Running] = {}
        self._room = asyncio.Event()

    @property
    def running(self) -> int:
        """How many handlers run now; for metrics."""
        return len(self._running)

    async def run(self) -> None:
        """Work until cancelled; then let handlers end within the grace and hand over the rest."""
        with RUNNING.source(self._db.schema, read=lambda: len(self._running)):
            await self._work()

    async def _work(self) -> None:
        async with asyncio.TaskGroup() as group:
            beating = group.create_task(self._beat())
            try:
                async with self._db.listen(CHANNEL) as wakes:
                    await self._take_back()
                    while True:
                        while await self._fill(group):
                            pass
                        await self._next(wakes)
            finally:
                await self._drain()
                beating.cancel()
                await self._hand_over()

    async def _take_back(self) -> None:
        """Perhaps we are the one that was started in the place of a process that was killed."""
        while True:
            try:
                freed = await free_of_the_dead(self._db)
            except ProblemError as error:
                _log.debug("Operations cannot be taken back now", reason=error.problem.code)
                await pause(_POLL_SECONDS)
            else:
                if freed:
                    _log.info("Operations of dead processes go on", count=freed)
                return

    async def _next(self, wakes: AsyncIterator[None]) -> None:
        self._room.clear()
        if len(self._running) < self._concurrency:
            with suppress(TimeoutError):
                async with asyncio.timeout(_POLL_SECONDS):
                    await anext(wakes)
        else:
            await self._room.wait()

    async def _fill(self, group: asyncio.TaskGroup) -> bool:
        """Claim what there is room for, and begin with it; whether there may be more."""
        room = self._concurrency - len(self._running)
        if room <= 0:
            return False
        asked = time.monotonic()
        try:
            rows = await self._db.fetch(
                EVERY_ORGANIZATION,
                f"""
                update operations set
                    status = 'running', holder = $1, incarnation = $5, fence = fence + 1, attempt = attempt + 1,
                    crashes = crashes + (holder is not null)::int,
                    available_at = clock_timestamp() + $2::interval,
                    started_at = coalesce(started_at, clock_timestamp()), updated_at = clock_timestamp()
                where operation_id in (
                    select operation_id from operations
                    where finished_at is null and available_at <= clock_timestamp() and kind = any($3::text[])
                    order by available_at limit $4 for update skip locked
                )
                returning fence, headers, crashes, {COLUMNS}
                """,  # noqa: S608 - our own list of columns
                self._holder,
                self._ttl,
                list(self._handlers),
                room,
                incarnation(),
            )
        except ProblemError as error:
            _log.debug("Operations cannot be claimed now", reason=error.problem.code)
            return False
        for row in rows:
            operation = operation_of(row)
            run = Run(self._db, operation, row["fence"], self._holder, row["crashes"])
            running = _Running(run, asked + self._ttl.total_seconds(), row["headers"])
            former = self._running.get(operation.operation_id)
            if former is not None:
                # Its lease ran out while the database was away, and it came back to us.
                former.lose()
            self._running[operation.operation_id] = running
            running.task = group.create_task(self._attempt(running), name=f"operation {operation.kind}")
        return len(rows) == room

    async def _attempt(self, running: _Running) -> None:
        run = running.run
        log = _log.bind(operation_id=str(run.operation_id), kind=run.operation.kind, attempt=run.attempt)
        try:
            if run.crashes >= self._max_crashes:
                log.error("An operation ended its worker too often")
                await self._finish(run, lambda tx: run.fail(tx, given_up(run)))
                return
            with self._traced(running):
                await self._handle(run, log)
        except asyncio.CancelledError:
            if running.lost:
                log.warning("An operation was lost to another worker")
                return
            await self._give_back(run, timedelta(0), attempt=run.attempt - 1)
            raise
        except OperationLost:
            log.warning("An operation was lost to another worker")
        except ProblemError as error:
            # The database is away: the lease runs out, and the next attempt goes on from the checkpoint.
            log.warning("An operation could not be ended", reason=error.problem.code)
        finally:
            if self._running.get(run.operation_id) is running:
                del self._running[run.operation_id]
            self._room.set()
            outcome = "lost" if running.lost else run.ended_as or "again"
            ATTEMPTS.labels(self._db.schema, run.operation.kind, outcome).inc()

    @contextmanager
    def _traced(self, running: _Running) -> Iterator[None]:
        """Every attempt is a trace of its own with a link to the command: it may go on long after its end."""
        if not tracing():
            yield
            return
        run = running.run
        about: dict[str, str | int] = {
            "meshery.operation.id": str(run.operation_id),
            "meshery.operation.attempt": run.attempt,
        }
        name = f"run {run.operation.kind}"
        links = link_to([running.headers])
        with span(self._db.schema, name, SpanKind.CONSUMER, about, parent=carried({}), links=links):
            yield

    async def _handle(self, run: Run, log: Any) -> None:
        try:
            result = await self._handlers[run.operation.kind](run)
        except OperationLost:
            raise
        except OperationCancelled:
            await self._finish(run, run.end_cancelled)
        except ProblemError as error:
            # Our own end comes out as some error as well: then it is no outcome of the work.
            raise_if_cancelled()
            if error.word in _PASSING:
                await self._again_or_fail(run, error.problem, log)
            else:
                problem = error.problem
                await self._finish(run, lambda tx: run.fail(tx, problem))
        except Exception:
            raise_if_cancelled()
            log.exception("An operation failed unforeseen")
            await self._again_or_fail(run, unforeseen(run), log)
        else:
            await self._finish(run, lambda tx: run.succeed(tx, result))

    async def _again_or_fail(self, run: Run, problem: Problem, log: Any) -> None:
        if run.finished:
            return
        tried = run.attempt - run.crashes
        if tried >= self._max_attempts or await run.cancelled():
            await self._finish(run, lambda tx: run.fail(tx, problem))
            return
        seconds = min(_FIRST_PAUSE_SECONDS * 2 ** (tried - 1), _LONGEST_PAUSE_SECONDS)
        log.info("An operation is tried again later", reason=problem.code, seconds=seconds)
        await self._give_back(run, timedelta(seconds=seconds), attempt=run.attempt)

    async def _finish(self, run: Run, end: Callable[[Transaction], Awaitable[None]]) -> None:
        """End it in one transaction with its fact, unless the handler has done so."""
        if run.finished:
            return
        async with run.transaction() as tx:
            await end(tx)
            if self._announce is not None:
                row = await tx.fetchrow(
                    f"select {COLUMNS} from operations where operation_id = $1",  # noqa: S608 - our own list
                    run.operation_id,
                )
                assert row is not None  # noqa: S101 - locked by this transaction
                await self._announce(tx, operation_of(row))

    async def _give_back(self, run: Run, pause: timedelta, *, attempt: int) -> None:
        """Let another worker have it, after a pause. `attempt` is what counts as tried so far."""
        if run.finished:
            return
        with suppress(ProblemError):
            await self._db.execute(
                EVERY_ORGANIZATION,
                """
                update operations set available_at = clock_timestamp() + $4::interval, attempt = $5, holder = null
                where operation_id = $1 and fence = $2 and holder = $3 and status = 'running'
                """,
                run.operation_id,
                run.fence,
                self._holder,
                pause,
                attempt,
            )
            self._db.notify(CHANNEL)

    async def _hand_over(self) -> None:
        """Give back what a claim has claimed although we were cancelled before its answer."""
        with suppress(ProblemError):
            await self._db.execute(
                EVERY_ORGANIZATION,
                """
                update operations set available_at = clock_timestamp(), attempt = attempt - 1, holder = null
                where holder = $1 and status = 'running' and finished_at is null
                """,
                self._holder,
            )
            self._db.notify(CHANNEL)

    async def _beat(self) -> None:
        """Keep the leases of all that run here, by one statement; stop what was lost or may have been."""
        while True:
            await pause(self._ttl.total_seconds() / 5)
            if not self._running:
                continue
            asked = time.monotonic()
            mine = dict(self._running)
            try:
                rows = await self._db.fetch(
                    EVERY_ORGANIZATION,
                    # A row that one of our own transactions has locked is left alone: it cannot be claimed either,
                    # and one long transaction must not hold up the others' heartbeats.
                    """
                    with mine as (
                        select o.operation_id, o.cancel_requested_at
                        from operations o join unnest($1::uuid[], $2::bigint[]) as m (operation_id, fence)
                            on o.operation_id = m.operation_id and o.fence = m.fence
                        where o.holder = $4 and o.status = 'running'
                    ), free as (
                        select o.operation_id from operations o join mine using (operation_id)
                        where o.holder = $4 for no key update of o skip locked
                    ), renewed as (
                        update operations o set available_at = clock_timestamp() + $3::interval
                        from free where o.operation_id = free.operation_id
                        returning o.operation_id
                    )
                    select mine.operation_id, mine.cancel_requested_at, renewed.operation_id is not null as renewed
                    from mine left join renewed using (operation_id)
                    """,
                    list(mine),
                    [running.run.fence for running in mine.values()],
                    self._ttl,
                    self._holder,
                )
            except ProblemError as error:
                _log.warning("Operations cannot be kept alive now", reason=error.problem.code)
                for running in mine.values():
                    if time.monotonic() > running.safe_until:
                        running.lose()
                continue
            kept = {row["operation_id"]: row for row in rows}
            for operation_id, running in mine.items():
                row = kept.get(operation_id)
                if row is None:
                    if not running.run.finished:
                        running.lose()
                    continue
                if row["renewed"]:
                    running.safe_until = asked + self._ttl.total_seconds()
                if row["cancel_requested_at"] is not None:
                    running.run.note_cancel()

    async def _drain(self) -> None:
        """Wait for the handlers, then cancel what is left; each hands its operation over."""
        tasks = [running.task for running in self._running.values() if running.task is not None]
        if not tasks:
            return
        _, late = await asyncio.wait(tasks, timeout=self._grace_seconds)
        for task in late:
            task.cancel()
        if late:
            await asyncio.wait(late)


class _Running:
    """A run and its task."""

    def __init__(self, run: Run, safe_until: float, headers: Mapping[str, str]) -> None:
        self.run = run
        #: The trace context of the command that asked for it.
        self.headers = headers
        self.task: asyncio.Task[None] | None = None
        #: `time.monotonic()` up to which nobody else can have claimed it.
        self.safe_until = safe_until
        self.lost = False

    def lose(self) -> None:
        """Stop the handler: the operation is, or may be, another worker's."""
        self.lost = True
        if self.task is not None:
            self.task.cancel()
