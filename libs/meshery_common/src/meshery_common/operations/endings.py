"""What is told of operations that the worker itself ends."""

from __future__ import annotations

from meshery_common.operations.run import Run
from meshery_contracts.errors import Internal, Problem


def given_up(run: Run) -> Problem:
    """Its worker was lost too often."""
    return Internal(
        "The operation was given up: every attempt ended without a result.",
        code="operation_gave_up",
        detail=f"{run.attempt - 1} attempts",
        cause="The work ended the process that did it, e.g. for lack of memory, or was always cut short.",
        remedy=f"Ask whoever runs the system to look in the logs for the operation {run.operation_id}.",
    ).problem


def unforeseen(run: Run) -> Problem:
    """A mistake of ours; what it was stands in the log."""
    return Internal(
        "Something went wrong on our side.",
        code="operation_failed",
        remedy=f"Ask whoever runs the system to look in the logs for the operation {run.operation_id}.",
    ).problem
