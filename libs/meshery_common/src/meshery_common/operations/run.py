"""One attempt at an operation, in the hands of its handler."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, LiteralString
from uuid import UUID

from pydantic import BaseModel

from meshery_common.database import Database, Transaction
from meshery_common.operations.records import CHANNEL, Operation, OperationStatus, as_json
from meshery_contracts.errors import Problem


class OperationLost(Exception):
    """Another worker has this operation now: stop, and write nothing any more."""


class OperationCancelled(Exception):
    """Raised by a handler that has cleaned up after `cancelled`: ends the operation as cancelled."""


class Run:
    """What a handler works with.

    Everything it writes goes through `transaction`, `checkpoint` or an ending, which refuse with OperationLost
    once another worker has taken over. What it does elsewhere must bear being done twice.
    """

    def __init__(
        self, db: Database, operation: Operation, fence: int, holder: UUID, crashes: int = 0
    ) -> None:
        self._db = db
        self.operation = operation
        #: How many of the attempts before this one ended their worker.
        self.crashes = crashes
        #: Grows with every attempt: for systems that can refuse what a former worker still sends.
        self.fence = fence
        self._holder = holder
        self._state = operation.state
        self._cancel = asyncio.Event()
        self._ending: OperationStatus | None = None
        self._ended_as: OperationStatus | None = None
        if operation.cancel_requested_at is not None:
            self._cancel.set()

    @property
    def operation_id(self) -> UUID:
        """Which operation this is."""
        return self.operation.operation_id

    @property
    def organization_id(self) -> UUID:
        """Whose it is."""
        return self.operation.organization_id

    @property
    def user_id(self) -> UUID:
        """On whose behalf it runs. His rights are asked for again before each step."""
        return self.operation.user_id

    @property
    def attempt(self) -> int:
        """1 for the first worker, more for those that go on after it."""
        return self.operation.attempt

    @property
    def input(self) -> Any:
        """What it was started with, as decoded JSON."""
        return self.operation.input

    @property
    def state(self) -> Any:
        """The last checkpoint as decoded JSON; None before the first."""
        return self._state

    @property
    def finished(self) -> bool:
        """Whether it was ended through this run."""
        return self._ended_as is not None

    @property
    def ended_as(self) -> OperationStatus | None:
        """How it was ended through this run; None while it goes on."""
        return self._ended_as

    async def cancelled(self) -> bool:
        """Whether somebody asked for its end; asks the database. Raises OperationLost, Unavailable."""
        if not self._cancel.is_set():
            async with self.transaction():
                pass
        return self._cancel.is_set()

    async def cancel_requested(self) -> None:
        """Return when somebody asks for its end; heard within a heartbeat."""
        await self._cancel.wait()

    def note_cancel(self) -> None:
        """Used by the worker: the end was asked for."""
        self._cancel.set()

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        """A transaction in the operation's organisation that commits only while the operation is ours.

        Raises OperationLost at its beginning; until its end nobody else can take over.
        """
        self._ending = None
        async with self._db.transaction(self.organization_id) as tx:
            # This lock holds off claims (for update), but neither heartbeats nor requests to cancel.
            row = await tx.fetchrow(
                """
                select cancel_requested_at from operations
                where operation_id = $1 and fence = $2 and holder = $3 and status = 'running' for key share
                """,
                self.operation_id,
                self.fence,
                self._holder,
            )
            if row is None:
                raise OperationLost(
                    f"operation {self.operation_id} with fence {self.fence} is not ours any more"
                )
            if row["cancel_requested_at"] is not None:
                self._cancel.set()
            yield tx
        self._ended_as = self._ended_as or self._ending

    async def checkpoint(
        self, state: BaseModel | dict[str, Any] | list[Any], tx: Transaction | None = None
    ) -> None:
        """Save how far it came; the next attempt goes on from there. In `tx` from `transaction`, or on its own.

        Raises OperationLost.
        """
        if tx is None:
            async with self.transaction() as own:
                await self.checkpoint(state, own)
            return
        await self._write(tx, "state = $4, updated_at = clock_timestamp()", as_json(state))
        self._state = state.model_dump(mode="json", by_alias=True) if isinstance(state, BaseModel) else state

    async def succeed(self, tx: Transaction, result: BaseModel | dict[str, Any] | None = None) -> None:
        """End it well, in a transaction from `transaction` together with the facts about it."""
        await self._end(tx, OperationStatus.SUCCEEDED, result=result)

    async def fail(
        self, tx: Transaction, problem: Problem, result: BaseModel | dict[str, Any] | None = None
    ) -> None:
        """End it with the reason; `result` tells what was done all the same."""
        await self._end(tx, OperationStatus.FAILED, result=result, problem=problem)

    async def end_cancelled(self, tx: Transaction, result: BaseModel | dict[str, Any] | None = None) -> None:
        """End it because somebody asked for it."""
        await self._end(tx, OperationStatus.CANCELLED, result=result)

    async def _end(
        self,
        tx: Transaction,
        status: OperationStatus,
        *,
        result: BaseModel | dict[str, Any] | None,
        problem: Problem | None = None,
    ) -> None:
        await self._write(
            tx,
            """
            status = $4, result = $5, problem = $6, available_at = null, holder = null,
            finished_at = clock_timestamp(), updated_at = clock_timestamp()
            """,
            status,
            as_json(result),
            as_json(problem),
        )
        tx.notify(CHANNEL)
        self._ending = status

    async def _write(self, tx: Transaction, assignments: LiteralString, *values: Any) -> None:
        written = await tx.execute(
            f"update operations set {assignments} "  # noqa: S608 - texts of this module only
            "where operation_id = $1 and fence = $2 and holder = $3 and status = 'running'",
            self.operation_id,
            self.fence,
            self._holder,
            *values,
        )
        if not written:
            raise OperationLost(f"operation {self.operation_id} with fence {self.fence} is not ours any more")
