"""What deployment runs have to do and have done."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, LiteralString
from uuid import UUID

from pydantic import BaseModel

from meshery_common.access import visible_to
from meshery_common.database import Queries, Row, Transaction
from meshery_common.operations import Operation
from meshery_common.operations.records import COLUMNS, operation_of
from meshery_common.paging import OrderBy, Predicate, SelectBuilder, Sort
from meshery_contracts.caller import Caller
from meshery_contracts.deployments import (
    Action,
    Direction,
    ListRuns,
    ObjectState,
    Run,
    RunObject,
    RunPage,
    RunStatus,
)
from meshery_contracts.errors import Conflict, NotFound, Problem
from meshery_contracts.policies import Finding
from meshery_designs.domain.steps import Step
from meshery_designs.store.deployed import reference_of
from meshery_designs.store.designs import DESIGNS, missing

#: The kind of the durable operation that a run is.
RUN_KIND = "deploy_design"
_ORDER = OrderBy({"created_at": Sort("created_at")}, default="created_at desc", id_sql="operation_id")
#: What clients may see of a step: its content is not among it.
_SHOWN: LiteralString = """
    position, connection_id, connection_name, component_id, component_name, model, api_version, kind, namespace,
    name, wave, action, uid, state, message, problem
"""


class RunOrder(BaseModel):
    """What a run was told at its start: the input of its operation."""

    design_name: str
    version: int
    direction: Direction
    force: bool
    connection_ids: list[UUID]
    #: What policies warned of and proposed; none in runs of releases that knew no policies.
    policies: list[Finding] = []


class RunStore:
    """Statements over runs and their steps."""

    async def get(self, queries: Queries, run_id: UUID, caller: Caller, *, lock: bool = False) -> Operation:
        """A run that the caller may see; with `lock` nobody else ends it in this transaction. Raises NotFound."""
        locking: LiteralString = "for no key update of o" if lock else ""
        seen, values = _visible(caller).numbered(4)
        row = await queries.fetchrow(
            f"""
            select {COLUMNS} from operations o
            where operation_id = $1 and kind = $2 and organization_id = $3 and ({seen})
            {locking}
            """,  # noqa: S608 -- texts of our own
            run_id,
            RUN_KIND,
            caller.organization_id,
            *values,
        )
        if row is None:
            raise NotFound(
                f"There is no run {run_id}.",
                code="run_unknown",
                cause="It ended long ago, or its design is not shared with you.",
                remedy="List the runs to see which there are.",
            )
        return operation_of(row)

    async def page(self, queries: Queries, request: ListRuns, caller: Caller) -> RunPage:
        """A page of the runs that the caller may see, newest first, without their objects."""
        select = SelectBuilder("runs", COLUMNS, "operations o").where("kind = {}", RUN_KIND)
        select.where("organization_id = {}", caller.organization_id).where(_visible(caller))
        if request.design_id is not None:
            select.where("subject_id = {}", request.design_id)
        page = await select.page(queries, _ORDER, request)
        return RunPage(**page.envelope, runs=[run_of(operation_of(row)) for row in page.rows])

    async def require_idle(self, tx: Transaction, design_id: UUID) -> None:
        """Nobody else starts a run of this design, or deletes it, until the transaction ends.

        Raises Conflict during a run, NotFound when it was deleted.
        """
        locked = "select 1 from designs where id = $1 and deleted_at is null for update"
        if await tx.fetchval(locked, design_id) is None:
            raise missing(design_id)
        running = await tx.fetchval(
            "select operation_id from operations where subject_id = $1 and finished_at is null limit 1",
            design_id,
        )
        if running is not None:
            raise Conflict(
                f"Run {running} of this design is still under way.",
                code="run_under_way",
                remedy="Wait until it has finished, or cancel it.",
            )

    async def insert_steps(
        self, tx: Transaction, run_id: UUID, organization_id: UUID, steps: Sequence[Step]
    ) -> None:
        """What a new run has to do."""
        await tx.executemany(
            """
            insert into run_objects
                (run_id, position, organization_id, connection_id, connection_name, component_id, component_name,
                 model, api_version, kind, namespace, name, wave, action, content, uid, state, message)
            values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)
            """,
            [
                (
                    run_id,
                    one.position,
                    organization_id,
                    one.connection_id,
                    one.connection_name,
                    one.component_id,
                    one.component_name,
                    one.model,
                    one.reference.api_version,
                    one.reference.kind,
                    one.reference.namespace,
                    one.reference.name,
                    one.wave,
                    one.action,
                    one.content,
                    one.uid,
                    one.state,
                    one.message,
                )
                for one in steps
            ],
        )

    async def steps(self, queries: Queries, run_id: UUID) -> list[Step]:
        """All objects of a run with what is to be applied, in order."""
        rows = await queries.fetch(
            f"select {_SHOWN}, content from run_objects where run_id = $1 order by position",  # noqa: S608 -- texts of our own
            run_id,
        )
        return [_step(row) for row in rows]

    async def objects(self, queries: Queries, run_id: UUID) -> list[RunObject]:
        """All objects of a run as clients see them."""
        rows = await queries.fetch(
            f"select {_SHOWN} from run_objects where run_id = $1 order by position",  # noqa: S608 -- texts of our own
            run_id,
        )
        return [RunObject(**_shown(row)) for row in rows]

    async def record(self, tx: Transaction, run_id: UUID, steps: Sequence[Step]) -> None:
        """How far these objects are now."""
        await tx.executemany(
            """
            update run_objects
            set state = $3, message = $4, problem = $5, uid = $6, namespace = $7, updated_at = now()
            where run_id = $1 and position = $2
            """,
            [
                (
                    run_id,
                    one.position,
                    one.state,
                    one.message,
                    one.problem.model_dump(mode="json") if one.problem else None,
                    one.uid,
                    one.reference.namespace,
                )
                for one in steps
            ],
        )

    async def close(self, tx: Transaction, run_id: UUID, reason: str) -> list[Step]:
        """The run is over: skip what waits, for this reason, and forget the contents. All its steps."""
        await tx.execute(
            """
            update run_objects set
                content = null,
                message = case when state = 'waiting' then $2 else message end,
                state = case when state = 'waiting' then 'skipped' else state end,
                updated_at = now()
            where run_id = $1 and (content is not null or state = 'waiting')
            """,
            run_id,
            reason,
        )
        return await self.steps(tx, run_id)


def run_of(operation: Operation) -> Run:
    """A run as clients see it in a list: without its objects, and without what policies said."""
    order = order_of(operation)
    return Run(
        id=operation.operation_id,
        design_id=design_of(operation),
        design_name=order.design_name,
        version=order.version,
        direction=order.direction,
        status=RunStatus(operation.status.for_people),
        connection_ids=order.connection_ids,
        problem=operation.problem,
        user_id=operation.user_id,
        created_at=operation.created_at,
        updated_at=operation.updated_at,
        finished_at=operation.finished_at,
    )


def order_of(run: Operation) -> RunOrder:
    """What a run was told at its start."""
    return RunOrder.model_validate(run.input)


def design_of(run: Operation) -> UUID:
    """The design that a run is about."""
    assert run.subject_id is not None  # noqa: S101 -- every run is started with one
    return run.subject_id


def _visible(caller: Caller) -> Predicate:
    """One's own runs, and those of designs that one may read. Deleted designs stay visible to their owners."""
    design = visible_to(caller, DESIGNS)
    return Predicate(
        f"o.user_id = {{}} or exists (select from designs d where d.id = o.subject_id and ({design.sql}))",
        (caller.user_id, *design.values),
    )


def _step(row: Row) -> Step:
    return Step(position=row["position"], content=row["content"], uid=row["uid"], **_shown(row))


def _shown(row: Row) -> dict[str, Any]:
    """What clients see of a step."""
    return {
        "connection_id": row["connection_id"],
        "connection_name": row["connection_name"],
        "component_id": row["component_id"],
        "component_name": row["component_name"],
        "model": row["model"],
        "reference": reference_of(row),
        "wave": row["wave"],
        "action": Action(row["action"]),
        "state": ObjectState(row["state"]),
        "message": row["message"],
        "problem": Problem.model_validate(row["problem"]) if row["problem"] else None,
    }
