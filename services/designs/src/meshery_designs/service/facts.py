"""What the service announces, in sentences for people. Never holds the content of an object."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from meshery_common.operations import Operation
from meshery_contracts.caller import Caller
from meshery_contracts.deployments import ObjectState, RunFact, RunStatus
from meshery_contracts.designs import Design, DesignCloned, DesignDeleted, DesignSaved
from meshery_contracts.messages import Severity
from meshery_designs.domain.steps import Step
from meshery_designs.store.runs import RunOrder, design_of, order_of

_SAVED = {"create": "created", "update": "saved", "import": "imported"}
_SEVERITY = {
    RunStatus.PENDING: Severity.INFORMATIONAL,
    RunStatus.RUNNING: Severity.INFORMATIONAL,
    RunStatus.SUCCEEDED: Severity.SUCCESS,
    RunStatus.FAILED: Severity.ERROR,
    RunStatus.CANCELLED: Severity.WARNING,
}


def design_saved(design: Design, caller: Caller, action: str, now: datetime) -> DesignSaved:
    """A design was created, saved or imported."""
    return DesignSaved(
        organization_id=design.organization_id,
        user_id=caller.user_id,
        actor=caller.actor,
        occurred_at=now,
        severity=Severity.SUCCESS,
        category="design",
        action=action,
        description=f"Design '{design.name}' was {_SAVED[action]} in version {design.version}.",
        acted_upon=design.id,
        design_id=design.id,
        name=design.name,
        version=design.version,
    )


def design_cloned(design: Design, original: Design, caller: Caller, now: datetime) -> DesignCloned:
    """A design was cloned; the fact is the new one's."""
    return DesignCloned(
        organization_id=design.organization_id,
        user_id=caller.user_id,
        actor=caller.actor,
        occurred_at=now,
        severity=Severity.SUCCESS,
        category="design",
        action="clone",
        description=f"Design '{original.name}' was cloned as '{design.name}'.",
        acted_upon=design.id,
        design_id=design.id,
        original_id=original.id,
        name=design.name,
    )


def design_deleted(design: Design, caller: Caller, now: datetime) -> DesignDeleted:
    """A design was deleted."""
    return DesignDeleted(
        organization_id=design.organization_id,
        user_id=caller.user_id,
        actor=caller.actor,
        occurred_at=now,
        category="design",
        action="delete",
        description=f"Design '{design.name}' was deleted.",
        acted_upon=design.id,
        design_id=design.id,
        name=design.name,
    )


def run_fact(
    run: Operation, steps: Sequence[Step], status: RunStatus, now: datetime, *, actor: str = "designs"
) -> RunFact:
    """Where a run stands."""
    order = order_of(run)
    done = sum(one.done and one.state is not ObjectState.SKIPPED for one in steps)
    failed = sum(one.state is ObjectState.FAILED for one in steps)
    return RunFact(
        organization_id=run.organization_id,
        user_id=run.user_id,
        actor=actor,
        occurred_at=now,
        severity=_SEVERITY[status],
        category="pattern",
        action=order.direction.value,
        description=_sentence(order, status, done, failed, len(steps)),
        acted_upon=design_of(run),
        operation_id=run.operation_id,
        metadata={"force": order.force},
        run_id=run.operation_id,
        design_id=design_of(run),
        status=status,
        done=done,
        total=len(steps),
        failed=failed,
    )


def _sentence(order: RunOrder, status: RunStatus, done: int, failed: int, total: int) -> str:
    what = f"Run to {order.direction.value} design '{order.design_name}'"
    match status:
        case RunStatus.PENDING:
            return f"{what} was started: {counted(total, 'object')}."
        case RunStatus.RUNNING:
            return f"{what}: {done} of {total} objects are through."
        case RunStatus.SUCCEEDED:
            return f"{what} succeeded: {counted(total, 'object')}."
        case RunStatus.FAILED:
            return f"{what} failed: {failed} of {total} objects failed."
        case RunStatus.CANCELLED:
            return f"{what} was cancelled after {done} of {total} objects."


def counted(number: int, noun: str) -> str:
    """A number of things in words: 1 object, 2 objects."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
