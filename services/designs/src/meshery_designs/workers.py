"""The work of deployment runs: wave after wave, resumed after a crash, stopped when rights are revoked.

A step is recorded in the same fenced transaction as what it did to the list of deployed objects, so that a run
that another worker takes over goes on where the first one was. Server-side apply and delete may be repeated.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from meshery_common import operations, outbox
from meshery_common.clock import Clock, utc_now
from meshery_common.database import Database, Transaction
from meshery_contracts import deployments as contract
from meshery_contracts.clusters import ObjectOutcome, ObjectResult
from meshery_contracts.deployments import Direction, ObjectState, RunFact, RunStatus
from meshery_contracts.errors import (
    Conflict,
    DeadlineExceeded,
    Problem,
    ProblemError,
    RateLimited,
    Unavailable,
    Word,
)
from meshery_contracts.messages import Severity
from meshery_designs.clients import ClusterClient, IdentityClient
from meshery_designs.domain import healths
from meshery_designs.domain.healths import State
from meshery_designs.store import RunStore
from meshery_designs.store.runs import Step

#: Errors that pass by themselves: the step is tried again until the wave's time is over.
_AWAY = (Unavailable, DeadlineExceeded, RateLimited)
_PASSING = tuple(one.word for one in _AWAY)
_RETRY_SECONDS = 1.0


@dataclass(frozen=True)
class _Order:
    """What a run was told at its start."""

    run_id: UUID
    design_id: UUID
    design_name: str
    organization_id: UUID
    user_id: UUID
    version: int
    direction: Direction
    force: bool


class DeploymentRuns:
    """Does the operations of kind `deploy_design`."""

    def __init__(
        self,
        db: Database,
        clusters: ClusterClient,
        identity: IdentityClient,
        *,
        health_timeout_seconds: float,
        health_poll_seconds: float,
        clock: Clock = utc_now,
    ) -> None:
        self._db = db
        self._store = RunStore()
        self._clusters = clusters
        self._identity = identity
        self._health_timeout_seconds = health_timeout_seconds
        self._health_poll_seconds = health_poll_seconds
        self._clock = clock

    async def work(self, run: operations.Run) -> None:
        """Bring a run to its end, and end the operation in the transaction of the last fact."""
        order = _order(run.operation)
        steps = await self._store.steps(self._db.within(order.organization_id), order.run_id)
        for wave in sorted({one.wave for one in steps if not one.done}):
            if await run.cancelled():
                await self._finish(run, order, steps, RunStatus.CANCELLED)
                return
            steps = await self._work_wave(run, order, steps, wave)
            if any(one.state is ObjectState.FAILED for one in steps):
                steps = await self._skip_rest(run, steps)
                break
        failed = any(one.state is ObjectState.FAILED for one in steps)
        await self._finish(run, order, steps, RunStatus.FAILED if failed else RunStatus.SUCCEEDED)

    async def announce_given_up(self, tx: Transaction, operation: operations.Operation) -> None:
        """Tell that the worker itself ended a run: nobody may do it any more, or every attempt crashed."""
        order = _order(operation)
        steps = await self._store.steps(tx, order.run_id)
        await self._announce(tx, contract.RUN_FINISHED, order, steps, RunStatus(operation.status.value))

    async def _work_wave(
        self, run: operations.Run, order: _Order, steps: Sequence[Step], wave: int
    ) -> list[Step]:
        """Apply or delete the objects of one wave, and wait until they are healthy or gone."""
        deadline = time.monotonic() + self._health_timeout_seconds
        current = {one.position: one for one in steps}
        while True:
            open_steps = [one for one in current.values() if one.wave == wave and not one.done]
            if not open_steps:
                break
            late = time.monotonic() > deadline
            by_connection: dict[UUID, list[Step]] = defaultdict(list)
            for one in open_steps:
                by_connection[one.connection_id].append(one)
            try:
                assertion = await self._identity.assertion_for(order.organization_id, order.user_id)
            except _AWAY:
                if late:
                    raise
                await asyncio.sleep(_RETRY_SECONDS)
                continue
            async with asyncio.TaskGroup() as group:
                tasks = [
                    group.create_task(self._advance(order, connection_id, mine, assertion, late=late))
                    for connection_id, mine in by_connection.items()
                ]
            advanced = [one for task in tasks for one in task.result()]
            changed = [one for one in advanced if one != current[one.position]]
            current.update({one.position: one for one in advanced})
            if changed:
                await self._record(run, order, changed, list(current.values()))
            if any(not one.done for one in advanced):
                await asyncio.sleep(self._health_poll_seconds)
        return [current[position] for position in sorted(current)]

    async def _advance(
        self, order: _Order, connection_id: UUID, steps: Sequence[Step], assertion: str, *, late: bool
    ) -> list[Step]:
        """Take the steps of one cluster as far as they go now."""
        applies = [one for one in steps if one.content is not None and one.state is ObjectState.WAITING]
        deletes = [one for one in steps if one.content is None and one.state is ObjectState.WAITING]
        watched = [one for one in steps if one.state is ObjectState.APPLIED]
        try:
            advanced: list[Step] = []
            if applies:
                contents = [one.content for one in applies if one.content is not None]
                results = await self._clusters.apply(
                    connection_id, contents, force=order.force, dry_run=False, assertion=assertion
                )
                advanced += [_applied(*pair, late=late) for pair in zip(applies, results, strict=True)]
            if deletes:
                references = [one.reference for one in deletes]
                uids = [one.uid for one in deletes]
                results = await self._clusters.delete(connection_id, references, uids, assertion=assertion)
                advanced += [_deleted(*pair, late=late) for pair in zip(deletes, results, strict=True)]
            if watched:
                references = [one.reference for one in watched]
                results = await self._clusters.read(connection_id, references, assertion=assertion)
                advanced += [_watched(*pair, late=late) for pair in zip(watched, results, strict=True)]
            return advanced
        except _AWAY as error:
            # The cluster or a service is away: nothing is known to have failed, so the steps stay as they are.
            if late:
                return [_failed(one, error.problem) for one in steps]
            await asyncio.sleep(_RETRY_SECONDS)
            return list(steps)
        except ProblemError as error:
            return [_failed(one, error.problem) for one in steps]

    async def _record(
        self, run: operations.Run, order: _Order, changed: Sequence[Step], steps: Sequence[Step]
    ) -> None:
        """Write what changed, and announce it, in one transaction that a worker without the lease cannot make."""
        async with run.transaction() as tx:
            await self._store.record(tx, order.run_id, changed)
            present = [one for one in changed if one.content is not None and one.uid]
            await self._store.add_deployed(tx, order.design_id, order.organization_id, order.version, present)
            gone = [one for one in changed if one.state is ObjectState.DELETED]
            await self._store.remove_deployed(tx, order.design_id, gone)
            await self._announce(tx, contract.RUN_PROGRESSED, order, steps, RunStatus.RUNNING)

    async def _skip_rest(self, run: operations.Run, steps: Sequence[Step]) -> list[Step]:
        """What comes after a failed wave is left alone."""
        message = "Left alone because an object before it failed."
        skipped = [
            replace(one, state=ObjectState.SKIPPED, message=message) if not one.done else one for one in steps
        ]
        async with run.transaction() as tx:
            await self._store.record(
                tx, run.operation_id, [one for one in skipped if one.state is ObjectState.SKIPPED]
            )
        return skipped

    async def _finish(
        self, run: operations.Run, order: _Order, steps: Sequence[Step], status: RunStatus
    ) -> None:
        async with run.transaction() as tx:
            await self._announce(tx, contract.RUN_FINISHED, order, steps, status)
            result = {"objects": len(steps)}
            if status is RunStatus.SUCCEEDED:
                if order.direction is Direction.DEPLOY:
                    await self._store.count_deployment(tx, order.design_id)
                await run.succeed(tx, result)
            elif status is RunStatus.CANCELLED:
                await run.end_cancelled(tx, result)
            else:
                await run.fail(tx, _failure(steps), result)

    async def _announce(
        self, tx: Transaction, topic: Any, order: _Order, steps: Sequence[Step], status: RunStatus
    ) -> None:
        done = sum(one.done for one in steps)
        failed = sum(one.state is ObjectState.FAILED for one in steps)
        fact = RunFact(
            organization_id=order.organization_id,
            user_id=order.user_id,
            actor="designs",
            occurred_at=self._clock(),
            severity=_SEVERITY[status],
            category="pattern",
            action=order.direction.value,
            description=_sentence(order, status, done, failed, len(steps)),
            acted_upon=order.design_id,
            operation_id=order.run_id,
            run_id=order.run_id,
            design_id=order.design_id,
            status=status,
            done=done,
            total=len(steps),
            failed=failed,
        )
        await outbox.add(tx, topic, fact, subject_id=order.run_id)


_SEVERITY = {
    RunStatus.PENDING: Severity.INFORMATIONAL,
    RunStatus.RUNNING: Severity.INFORMATIONAL,
    RunStatus.SUCCEEDED: Severity.SUCCESS,
    RunStatus.FAILED: Severity.ERROR,
    RunStatus.CANCELLED: Severity.WARNING,
}


def _sentence(order: _Order, status: RunStatus, done: int, failed: int, total: int) -> str:
    what = f"Run to {order.direction.value} design '{order.design_name}'"
    match status:
        case RunStatus.SUCCEEDED:
            return f"{what} succeeded: {total} objects."
        case RunStatus.FAILED:
            return f"{what} failed: {failed} of {total} objects."
        case RunStatus.CANCELLED:
            return f"{what} was cancelled after {done} of {total} objects."
        case _:
            return f"{what}: {done} of {total} objects are through."


def _order(operation: operations.Operation) -> _Order:
    told = operation.input
    if operation.subject_id is None:
        raise Conflict("The run names no design.", code="run_broken")
    return _Order(
        run_id=operation.operation_id,
        design_id=operation.subject_id,
        design_name=told["design_name"],
        organization_id=operation.organization_id,
        user_id=operation.user_id,
        version=told["version"],
        direction=Direction(told["direction"]),
        force=told["force"],
    )


def _failure(steps: Sequence[Step]) -> Problem:
    failed = [one for one in steps if one.state is ObjectState.FAILED]
    first = failed[0]
    return Conflict(
        f"{len(failed)} of {len(steps)} objects failed, first {first.reference.kind} {first.reference.name}: "
        f"{first.message}",
        code="run_failed",
        remedy="Mend the named objects and deploy again; what was applied stays.",
    ).problem


def _failed(step: Step, problem: Problem) -> Step:
    return replace(step, state=ObjectState.FAILED, message=problem.title, problem=problem)


def _applied(step: Step, result: ObjectResult, *, late: bool) -> Step:
    if result.problem is not None:
        if result.problem.word in _PASSING and not late:
            return replace(step, message=result.problem.title)
        return _failed(step, result.problem)
    step = replace(step, state=ObjectState.APPLIED, uid=result.uid, reference=result.reference, message="")
    return _watched(step, result, late=late)


def _deleted(step: Step, result: ObjectResult, *, late: bool) -> Step:
    if result.outcome is ObjectOutcome.ABSENT:
        return replace(step, state=ObjectState.DELETED, message="")
    if result.problem is not None and (late or result.problem.word not in _PASSING):
        return _failed(step, result.problem)
    if late:
        return _failed(step, _late(step, "It is still there: a finalizer may hold it."))
    # Accepted; the next look finds it absent, or asks once more.
    return replace(step, message="It is being deleted.")


def _watched(step: Step, result: ObjectResult, *, late: bool) -> Step:
    if result.outcome is ObjectOutcome.ABSENT:
        return _failed(step, _late(step, "Somebody deleted it while the run was under way."))
    if result.problem is not None or result.object is None:
        return _failed(step, result.problem) if result.problem and late else step
    health = healths.health_of(result.object)
    if health.state is State.HEALTHY:
        return replace(step, state=ObjectState.HEALTHY, message="")
    if health.state is State.FAILED or late:
        return _failed(step, _late(step, health.message))
    return replace(step, message=health.message)


def _late(step: Step, message: str) -> Problem:
    return Problem(
        word=Word.TIMEOUT,
        code="not_healthy",
        title=f"{step.reference.kind} {step.reference.name} did not become what it should: {message}",
        remediation=("Look at the object and its events in the cluster, then deploy again.",),
    )
