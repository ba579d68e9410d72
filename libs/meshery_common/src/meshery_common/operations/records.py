"""Operations as rows: begun, looked at, asked to stop."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, LiteralString
from uuid import UUID

from pydantic import BaseModel

from meshery_common.database import EVERY_ORGANIZATION, Database, Queries, Row, Transaction
from meshery_common.ids import uuid7
from meshery_common.incarnations import is_dead
from meshery_common.telemetry import carry
from meshery_contracts.errors import NotFound, Problem

CHANNEL = "operations"

COLUMNS: Final[LiteralString] = (
    "operation_id, kind, organization_id, user_id, subject_id, status, input, state, result, problem, attempt, "
    "cancel_requested_at, created_at, started_at, updated_at, finished_at"
)


class OperationStatus(StrEnum):
    """Where an operation stands."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def finished(self) -> bool:
        """Whether it will not change any more."""
        return self in (OperationStatus.SUCCEEDED, OperationStatus.FAILED, OperationStatus.CANCELLED)

    @property
    def for_people(self) -> str:
        """The word in contracts: what is queued is pending to people."""
        return "pending" if self is OperationStatus.QUEUED else self.value


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation as it stood when it was read. `input`, `state` and `result` are what the service made them."""

    operation_id: UUID
    kind: str
    organization_id: UUID
    user_id: UUID
    subject_id: UUID | None
    status: OperationStatus
    input: Any
    state: Any
    result: Any
    problem: Problem | None
    attempt: int
    cancel_requested_at: datetime | None
    created_at: datetime
    started_at: datetime | None
    updated_at: datetime
    finished_at: datetime | None


async def start(
    tx: Transaction,
    kind: str,
    *,
    organization_id: UUID,
    user_id: UUID,
    input: BaseModel | dict[str, Any],
    subject_id: UUID | None = None,
) -> UUID:
    """Have work done once this transaction is committed; the operation's id.

    `input` must hold no secrets: it stays readable for as long as the operation is kept.
    """
    operation_id = uuid7()
    headers: dict[str, str] = {}
    carry(headers)
    await tx.execute(
        """
        insert into operations (operation_id, kind, organization_id, user_id, subject_id, input, headers)
        values ($1, $2, $3, $4, $5, $6, $7)
        """,
        operation_id,
        kind,
        organization_id,
        user_id,
        subject_id,
        as_json(input),
        headers,
    )
    tx.notify(CHANNEL)
    return operation_id


async def get(queries: Queries, operation_id: UUID) -> Operation:
    """One operation of the scope. Raises NotFound."""
    row = await queries.fetchrow(f"select {COLUMNS} from operations where operation_id = $1", operation_id)  # noqa: S608 - our own list of columns
    if row is None:
        raise _not_found(operation_id)
    return operation_of(row)


async def list_for(
    queries: Queries, organization_id: UUID, *, subject_id: UUID | None = None, limit: int = 100
) -> list[Operation]:
    """The newest operations of an organisation, or of one object in it."""
    rows = await queries.fetch(
        f"""
        select {COLUMNS} from operations
        where organization_id = $1 and ($2::uuid is null or subject_id = $2)
        order by created_at desc, operation_id desc limit $3
        """,  # noqa: S608 - our own list of columns
        organization_id,
        subject_id,
        limit,
    )
    return [operation_of(row) for row in rows]


async def request_cancel(tx: Transaction, operation_id: UUID) -> Operation:
    """Ask for the end of an operation; the operation as it stands then. Raises NotFound.

    One that has not begun is cancelled at once: add the fact about it to `tx`. One that runs is told, and ends
    when its handler heeds it. A finished one stays as it is.
    """
    row = await tx.fetchrow(
        f"""
        update operations set
            cancel_requested_at = coalesce(cancel_requested_at, now()),
            status = case when status = 'queued' then 'cancelled' else status end,
            finished_at = case when status = 'queued' then now() end,
            available_at = case when status <> 'queued' then available_at end,
            updated_at = now()
        where operation_id = $1 and finished_at is null
        returning {COLUMNS}
        """,  # noqa: S608 - our own list of columns
        operation_id,
    )
    if row is None:
        return await get(tx, operation_id)
    tx.notify(CHANNEL)
    return operation_of(row)


async def free_of_the_dead(db: Database) -> int:
    """Let operations be claimed whose worker's process is seen to be dead; how many they are. Raises Unavailable.

    At once for the first time. What has ended its worker before waits longer each time, at most as long as its lease
    lasts: perhaps it is the operation that does it.
    """
    rows = await db.fetch(
        EVERY_ORGANIZATION,
        "select distinct incarnation from operations where status = 'running' and available_at > clock_timestamp()",
    )
    return await db.execute(
        EVERY_ORGANIZATION,
        """
        update operations set available_at = least(
            available_at,
            clock_timestamp() + case when crashes = 0 then interval '0' else interval '2 seconds' * 2 ^ crashes end
        )
        where incarnation = any($1::text[]) and status = 'running' and available_at > clock_timestamp()
        """,
        [row["incarnation"] for row in rows if is_dead(row["incarnation"])],
    )


def operation_of(row: Row) -> Operation:
    """The operation that a row with `COLUMNS` holds."""
    problem = row["problem"]
    return Operation(
        operation_id=row["operation_id"],
        kind=row["kind"],
        organization_id=row["organization_id"],
        user_id=row["user_id"],
        subject_id=row["subject_id"],
        status=OperationStatus(row["status"]),
        input=row["input"],
        state=row["state"],
        result=row["result"],
        problem=None if problem is None else Problem.model_validate(problem),
        attempt=row["attempt"],
        cancel_requested_at=row["cancel_requested_at"],
        created_at=row["created_at"],
        started_at=row["started_at"],
        updated_at=row["updated_at"],
        finished_at=row["finished_at"],
    )


def as_json(value: BaseModel | dict[str, Any] | list[Any] | None) -> Any:
    """What is stored for a value in a jsonb column."""
    return value.model_dump_json(by_alias=True).encode() if isinstance(value, BaseModel) else value


def _not_found(operation_id: UUID) -> NotFound:
    return NotFound(
        f"The operation {operation_id} does not exist.",
        code="operation_not_found",
        cause="It finished long ago and was removed, or it belongs to another organisation.",
    )
