"""The end of a run, the same whoever ends it: a worker, the one who cancels it, or nobody who still may."""

from __future__ import annotations

from datetime import datetime

from meshery_common import outbox
from meshery_common.database import Transaction
from meshery_common.operations import Operation
from meshery_contracts import deployments as contract
from meshery_contracts.deployments import RunStatus
from meshery_designs.domain.steps import Step
from meshery_designs.service.facts import run_fact
from meshery_designs.store import RunStore

_WHY_SKIPPED = {
    RunStatus.CANCELLED: "Left alone because the run was cancelled.",
    RunStatus.FAILED: "Left alone because the run failed before.",
}


async def close_run(tx: Transaction, run: Operation, status: RunStatus, now: datetime) -> list[Step]:
    """Skip what waits, forget the contents and announce the end, in the transaction that ends the operation."""
    steps = await RunStore().close(tx, run.operation_id, _WHY_SKIPPED.get(status, ""))
    fact = run_fact(run, steps, status, now)
    await outbox.add(tx, contract.RUN_FINISHED, fact, subject_id=run.operation_id)
    return steps
