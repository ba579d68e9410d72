"""What deployment runs have to do and have done, and what designs have put into clusters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from meshery_common.database import Queries, Row, Transaction
from meshery_common.operations import Operation
from meshery_common.operations.records import COLUMNS, operation_of
from meshery_common.paging import OrderBy, SelectBuilder, Sort
from meshery_contracts.caller import Caller
from meshery_contracts.clusters import ObjectReference
from meshery_contracts.deployments import Direction, ListRuns, ObjectState, Run, RunObject, RunPage, RunStatus
from meshery_contracts.errors import Conflict, Problem

#: The kind of the durable operation that a run is.
RUN_KIND = "deploy_design"
_ORDER = OrderBy({"created_at": Sort("created_at")}, default="created_at desc", id_sql="operation_id")
_STATUS = {
    "queued": RunStatus.PENDING,
    "running": RunStatus.RUNNING,
    "succeeded": RunStatus.SUCCEEDED,
    "failed": RunStatus.FAILED,
    "cancelled": RunStatus.CANCELLED,
}


@dataclass(frozen=True)
class Step:
    """One object of a run: what has to be done to it, and how far that is."""

    position: int
    connection_id: UUID
    connection_name: str
    component_id: UUID | None
    component_name: str
    model: str
    reference: ObjectReference
    wave: int
    #: The object to apply; None for one that is deleted.
    content: dict[str, Any] | None
    uid: str = ""
    state: ObjectState = ObjectState.WAITING
    message: str = ""
    problem: Problem | None = None

    @property
    def done(self) -> bool:
        """Whether nothing is left to do for it."""
        return self.state not in (ObjectState.WAITING, ObjectState.APPLIED)


@dataclass(frozen=True)
class Deployed:
    """An object that a design has put into a cluster."""

    connection_id: UUID
    reference: ObjectReference
    uid: str
    component_id: UUID | None
    component_name: str
    wave: int


class RunStore:
    """Statements over runs and deployed objects."""

    async def lock_design(self, tx: Transaction, design_id: UUID) -> None:
        """One start of a run at a time for a design. Raises Conflict when a run is under way."""
        await tx.execute("select 1 from designs where id = $1 for update", design_id)
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

    async def page(self, queries: Queries, request: ListRuns, caller: Caller) -> RunPage:
        """A page of runs of the organisation, newest first, without their objects."""
        select = SelectBuilder("runs", COLUMNS, "operations").where("kind = {}", RUN_KIND)
        select.where("organization_id = {}", caller.organization_id)
        if request.design_id is not None:
            select.where("subject_id = {}", request.design_id)
        page = await select.page(queries, _ORDER, request)
        return RunPage(
            page=page.page,
            page_size=page.page_size,
            total_count=page.total_count,
            next_cursor=page.next_cursor,
            runs=[run_of(operation_of(row)) for row in page.rows],
        )

    async def insert_steps(
        self, tx: Transaction, run_id: UUID, organization_id: UUID, steps: Sequence[Step]
    ) -> None:
        """What a new run has to do."""
        await tx.executemany(
            """
            insert into run_objects
                (run_id, position, organization_id, connection_id, connection_name, component_id, component_name,
                 model, api_version, kind, namespace, name, wave, delete, content, uid, state)
            values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)
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
                    one.content is None,
                    one.content,
                    one.uid,
                    one.state.value,
                )
                for one in steps
            ],
        )

    async def steps(self, queries: Queries, run_id: UUID) -> list[Step]:
        """All objects of a run, in order."""
        rows = await queries.fetch("select * from run_objects where run_id = $1 order by position", run_id)
        return [_step(row) for row in rows]

    async def objects(self, queries: Queries, run_id: UUID) -> list[RunObject]:
        """All objects of a run as clients see them."""
        return [run_object(one) for one in await self.steps(queries, run_id)]

    async def record(self, tx: Transaction, run_id: UUID, steps: Sequence[Step]) -> None:
        """How far these objects are now."""
        await tx.executemany(
            """
            update run_objects set state = $3, message = $4, problem = $5, uid = $6, namespace = $7, updated_at = now()
            where run_id = $1 and position = $2
            """,
            [
                (
                    run_id,
                    one.position,
                    one.state.value,
                    one.message,
                    one.problem.model_dump(mode="json") if one.problem else None,
                    one.uid,
                    one.reference.namespace,
                )
                for one in steps
            ],
        )

    async def count_deployment(self, tx: Transaction, design_id: UUID) -> None:
        """One more successful deployment."""
        await tx.execute(
            "update designs set deployment_count = deployment_count + 1 where id = $1", design_id
        )

    async def deployed(self, queries: Queries, design_id: UUID, connection_id: UUID) -> list[Deployed]:
        """What a design has put into a cluster, in the order it went in."""
        rows = await queries.fetch(
            """
            select * from deployed_objects where design_id = $1 and connection_id = $2
            order by wave, kind, namespace, name
            """,
            design_id,
            connection_id,
        )
        return [
            Deployed(
                connection_id=row["connection_id"],
                reference=_reference(row),
                uid=row["uid"],
                component_id=row["component_id"],
                component_name=row["component_name"],
                wave=row["wave"],
            )
            for row in rows
        ]

    async def deployed_connections(self, queries: Queries, design_id: UUID) -> list[UUID]:
        """The clusters that a design has put objects into."""
        rows = await queries.fetch(
            "select distinct connection_id from deployed_objects where design_id = $1", design_id
        )
        return [row["connection_id"] for row in rows]

    async def add_deployed(
        self, tx: Transaction, design_id: UUID, organization_id: UUID, version: int, steps: Sequence[Step]
    ) -> None:
        """These objects are now in their clusters."""
        await tx.executemany(
            """
            insert into deployed_objects
                (design_id, connection_id, api_version, kind, namespace, name, organization_id, uid, component_id,
                 component_name, wave, version)
            values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
            on conflict (design_id, connection_id, kind, api_version, namespace, name) do update
            set uid = excluded.uid, component_id = excluded.component_id, version = excluded.version,
                component_name = excluded.component_name, wave = excluded.wave, applied_at = now()
            """,
            [
                (
                    design_id,
                    one.connection_id,
                    one.reference.api_version,
                    one.reference.kind,
                    one.reference.namespace,
                    one.reference.name,
                    organization_id,
                    one.uid,
                    one.component_id,
                    one.component_name,
                    one.wave,
                    version,
                )
                for one in steps
            ],
        )

    async def remove_deployed(self, tx: Transaction, design_id: UUID, steps: Sequence[Step]) -> None:
        """These objects are no longer in their clusters."""
        await tx.executemany(
            """
            delete from deployed_objects
            where design_id = $1 and connection_id = $2 and api_version = $3 and kind = $4 and namespace = $5
                and name = $6
            """,
            [
                (
                    design_id,
                    one.connection_id,
                    one.reference.api_version,
                    one.reference.kind,
                    one.reference.namespace,
                    one.reference.name,
                )
                for one in steps
            ],
        )


def run_of(operation: Operation) -> Run:
    """A run as clients see it, without its objects."""
    told = operation.input
    return Run(
        id=operation.operation_id,
        design_id=operation.subject_id or UUID(int=0),
        design_name=told["design_name"],
        version=told["version"],
        direction=Direction(told["direction"]),
        status=_STATUS[operation.status],
        connection_ids=[UUID(one) for one in told["connection_ids"]],
        problem=operation.problem,
        user_id=operation.user_id,
        created_at=operation.created_at,
        updated_at=operation.updated_at,
        finished_at=operation.finished_at,
    )


def run_object(step: Step) -> RunObject:
    """A step as clients see it."""
    return RunObject(
        connection_id=step.connection_id,
        connection_name=step.connection_name,
        component_id=step.component_id,
        component_name=step.component_name,
        model=step.model,
        reference=step.reference,
        wave=step.wave,
        state=step.state,
        message=step.message,
        problem=step.problem,
    )


def _reference(row: Row) -> ObjectReference:
    return ObjectReference(
        api_version=row["api_version"], kind=row["kind"], namespace=row["namespace"], name=row["name"]
    )


def _step(row: Row) -> Step:
    return Step(
        position=row["position"],
        connection_id=row["connection_id"],
        connection_name=row["connection_name"],
        component_id=row["component_id"],
        component_name=row["component_name"],
        model=row["model"],
        reference=_reference(row),
        wave=row["wave"],
        content=row["content"],
        uid=row["uid"],
        state=ObjectState(row["state"]),
        message=row["message"],
        problem=Problem.model_validate(row["problem"]) if row["problem"] else None,
    )
