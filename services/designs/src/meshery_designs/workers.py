"""Background work: deployment runs, and what follows when a cluster is no longer connected.

A step is recorded in the same fenced transaction as what it did to the list of deployed objects, so that a run
that another worker takes over goes on where the first one was. Server-side apply and delete may be repeated.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

from meshery_common import inbox, operations, outbox
from meshery_common.background import pause
from meshery_common.bus import Received
from meshery_common.clock import Clock, utc_now
from meshery_common.database import Database, Transaction
from meshery_common.delegation import Delegation
from meshery_contracts import deployments as contract
from meshery_contracts.connections import ConnectionFact, ConnectionStatus
from meshery_contracts.deployments import Action, Direction, ObjectState, RunStatus
from meshery_contracts.errors import Conflict, Problem, ProblemError
from meshery_designs.clients import ClusterClient
from meshery_designs.domain import steps as transitions
from meshery_designs.domain.steps import PASSING, Step
from meshery_designs.service.endings import close_run
from meshery_designs.service.facts import run_fact
from meshery_designs.store import DeployedStore, DesignStore, RunStore
from meshery_designs.store.runs import design_of, order_of


class DeploymentRuns:
    """Does the operations of kind `deploy_design`, wave after wave; stops when rights are revoked."""

    def __init__(
        self,
        db: Database,
        clusters: ClusterClient,
        rights: Delegation,
        *,
        health_timeout_seconds: float,
        health_poll_seconds: float,
        clock: Clock = utc_now,
    ) -> None:
        self._db = db
        self._store = RunStore()
        self._deployed = DeployedStore()
        self._designs = DesignStore()
        self._clusters = clusters
        self._rights = rights
        self._health_timeout_seconds = health_timeout_seconds
        self._health_poll_seconds = health_poll_seconds
        self._clock = clock

    async def work(self, run: operations.Run) -> None:
        """Bring a run to its end, and end the operation in the transaction of the last fact."""
        steps = await self._store.steps(self._db.within(run.organization_id), run.operation_id)
        status = RunStatus.SUCCEEDED
        for wave in sorted({one.wave for one in steps}):
            steps = await self._work_wave(run, steps, wave)
            if any(one.state is ObjectState.FAILED for one in steps):
                status = RunStatus.FAILED
                break
            if not all(one.done for one in steps if one.wave == wave):
                status = RunStatus.CANCELLED
                break
        await self._finish(run, status)

    async def announce_given_up(self, tx: Transaction, operation: operations.Operation) -> None:
        """Tell that the worker itself ended a run: nobody may do it any more, or every attempt crashed."""
        await close_run(tx, operation, RunStatus(operation.status.for_people), self._clock())

    async def _work_wave(self, run: operations.Run, steps: Sequence[Step], wave: int) -> list[Step]:
        """Apply or delete the objects of one wave, and wait until all are healthy, gone or failed.

        Leaves some unfinished only when the run was cancelled. The time of the wave begins anew when another
        worker takes the run over: nobody looked in between.
        """
        deadline = time.monotonic() + self._health_timeout_seconds
        current = {one.position: one for one in steps}
        while not await run.cancelled():
            unfinished = [one for one in current.values() if one.wave == wave and not one.done]
            if not unfinished:
                break
            late = time.monotonic() > deadline
            advanced = await self._advance(run, unfinished, late=late)
            before = [current[one.position] for one in advanced]
            current.update({one.position: one for one in advanced})
            await self._record(run, before, advanced, list(current.values()))
            if any(not one.done for one in advanced):
                await pause(self._health_poll_seconds)
        return list(current.values())

    async def _advance(self, run: operations.Run, steps: Sequence[Step], *, late: bool) -> list[Step]:
        """Take these steps as far as they go now, all clusters side by side. Raises Forbidden, NotFound."""
        try:
            assertion = await self._rights.assertion_for(run.organization_id, run.user_id)
        except ProblemError as error:
            if late or error.word not in PASSING:
                raise
            return [replace(one, message=error.problem.title) for one in steps]
        await self._intend(run, steps)
        by_connection: dict[UUID, list[Step]] = defaultdict(list)
        for one in steps:
            by_connection[one.connection_id].append(one)
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(self._advance_in(run, connection_id, mine, assertion, late=late))
                for connection_id, mine in by_connection.items()
            ]
        return [one for task in tasks for one in task.result()]

    async def _advance_in(
        self, run: operations.Run, connection_id: UUID, steps: Sequence[Step], assertion: str, *, late: bool
    ) -> list[Step]:
        """The same for the steps of one cluster."""
        waiting = [one for one in steps if one.state is ObjectState.WAITING]
        watched = [one for one in steps if one.state is ObjectState.APPLIED]
        removed = [one for one in waiting if one.action is Action.DELETE]
        applied = [one for one in waiting if one.action is not Action.DELETE]
        order = order_of(run.operation)
        contents = [one.content for one in applied if one.content is not None]
        results = await self._clusters.apply(
            connection_id, contents, force=order.force, dry_run=False, assertion=assertion
        )
        advanced = [transitions.applied(*pair, late=late) for pair in zip(applied, results, strict=True)]
        named = [(one.reference, one.uid) for one in removed]
        results = await self._clusters.delete(connection_id, named, assertion=assertion)
        advanced += [transitions.deleted(*pair, late=late) for pair in zip(removed, results, strict=True)]
        references = [one.reference for one in watched]
        results = await self._clusters.read(connection_id, references, assertion=assertion)
        advanced += [transitions.watched(*pair, late=late) for pair in zip(watched, results, strict=True)]
        return advanced

    async def _intend(self, run: operations.Run, steps: Sequence[Step]) -> None:
        """Note what is about to be applied: should we die before the answer, it can still be found and removed."""
        applied = [one for one in steps if one.state is ObjectState.WAITING and one.content is not None]
        if applied:
            async with run.transaction() as tx:
                await self._add_deployed(tx, run, applied)

    async def _record(
        self, run: operations.Run, before: Sequence[Step], after: Sequence[Step], steps: Sequence[Step]
    ) -> None:
        """Write what changed, and announce it, in one transaction that a worker without the lease cannot make."""
        pairs = [(old, new) for old, new in zip(before, after, strict=True) if old != new]
        if not pairs:
            return
        async with run.transaction() as tx:
            await self._store.record(tx, run.operation_id, [new for _, new in pairs])
            placed = [(old, new) for old, new in pairs if new.uid and not old.uid]
            await self._add_deployed(tx, run, [new for _, new in placed])
            gone = [new for _, new in pairs if new.state is ObjectState.DELETED or transitions.refused(new)]
            # Noted before the cluster said whether the kind has namespaces.
            gone += [old for old, new in placed if old.reference != new.reference]
            await self._deployed.remove(tx, design_of(run.operation), gone)
            if any(old.state is not new.state for old, new in pairs):
                fact = run_fact(run.operation, steps, RunStatus.RUNNING, self._clock())
                await outbox.add(tx, contract.RUN_PROGRESSED, fact, subject_id=run.operation_id)

    async def _add_deployed(self, tx: Transaction, run: operations.Run, steps: Sequence[Step]) -> None:
        version = order_of(run.operation).version
        await self._deployed.add(tx, design_of(run.operation), run.organization_id, version, steps)

    async def _finish(self, run: operations.Run, status: RunStatus) -> None:
        async with run.transaction() as tx:
            steps = await close_run(tx, run.operation, status, self._clock())
            match status:
                case RunStatus.SUCCEEDED:
                    if order_of(run.operation).direction is Direction.DEPLOY:
                        await self._designs.count_deployment(tx, design_of(run.operation))
                    await run.succeed(tx)
                case RunStatus.CANCELLED:
                    await run.end_cancelled(tx)
                case _:
                    await run.fail(tx, _failure(steps))


class ConnectionFacts:
    """What becomes of a cluster's objects when its connection is deleted: they are out of every design's reach."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._deployed = DeployedStore()

    async def take(self, batch: Sequence[Received]) -> None:
        """Forget what was deployed over connections that are gone."""
        for one in batch:
            fact = ConnectionFact.model_validate_json(one.payload)
            if fact.status is not ConnectionStatus.DELETED:
                continue
            async with self._db.transaction(fact.organization_id) as tx:
                if not await inbox.seen(tx, "connections", one.message_id):
                    await self._deployed.forget_cluster(tx, fact.connection_id, fact.organization_id)


def _failure(steps: Sequence[Step]) -> Problem:
    failed = [one for one in steps if one.state is ObjectState.FAILED]
    first = failed[0]
    return Conflict(
        f"{len(failed)} of {len(steps)} objects failed, first {first.reference.kind} {first.reference.name}: "
        f"{first.message}",
        code="run_failed",
        remedy="Mend the named objects and deploy again; what was applied stays.",
    ).problem
