"""The steps of a run: what has to be done to one object, and how far that is after what its cluster said."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from meshery_contracts.clusters import NOT_THERE_YET, ObjectOutcome, ObjectReference, ObjectResult
from meshery_contracts.deployments import Action, ObjectState
from meshery_contracts.errors import Problem, Word
from meshery_designs.domain.healths import State, health_of
from meshery_designs.domain.plans import Planned

#: Problems that pass by themselves: the step is tried again until the wave's time is over.
PASSING = frozenset({Word.UNAVAILABLE, Word.TIMEOUT, Word.RATE_LIMITED})


@dataclass(frozen=True)
class Step:
    """One object of a run."""

    position: int
    connection_id: UUID
    connection_name: str
    component_id: UUID | None
    component_name: str
    model: str
    reference: ObjectReference
    wave: int
    action: Action
    #: The object to apply, which may hold secrets; None for one that is removed, and once the run is over.
    content: dict[str, Any] | None
    uid: str = ""
    state: ObjectState = ObjectState.WAITING
    message: str = ""
    problem: Problem | None = None

    @property
    def done(self) -> bool:
        """Whether nothing is left to do for it."""
        return self.state not in (ObjectState.WAITING, ObjectState.APPLIED)


def step_of(position: int, planned: Planned, connection_name: str) -> Step:
    """The step that does what was planned. What needs no removing is done from the start."""
    plan = planned.plan
    left_alone = planned.content is None and plan.action is Action.UNCHANGED
    return Step(
        position=position,
        connection_id=plan.connection_id,
        connection_name=connection_name,
        component_id=plan.component_id,
        component_name=planned.component_name,
        model=planned.model,
        reference=plan.reference,
        wave=plan.wave,
        action=plan.action,
        content=planned.content,
        uid=planned.uid,
        state=ObjectState.UNCHANGED if left_alone else ObjectState.WAITING,
        message=plan.warnings[0] if left_alone and plan.warnings else "",
    )


def applied(step: Step, result: ObjectResult, *, late: bool) -> Step:
    """After it was applied: how the API server took it, and whether it is healthy at once."""
    if result.problem is not None:
        return _hindered(step, result.problem, late=late)
    step = replace(step, state=ObjectState.APPLIED, uid=result.uid, reference=result.reference, message="")
    return watched(step, result, late=late)


def watched(step: Step, result: ObjectResult, *, late: bool) -> Step:
    """After it was read: whether it is healthy by now."""
    if result.problem is not None:
        return _hindered(step, result.problem, late=late)
    if result.outcome is ObjectOutcome.ABSENT:
        return failed(step, _unfinished(step, "Somebody deleted it while the run was under way."))
    health = health_of(result.object or {})
    if health.state is State.HEALTHY:
        return replace(step, state=ObjectState.HEALTHY, message=health.message)
    if health.state is State.FAILED or late:
        return failed(step, _unfinished(step, health.message))
    return replace(step, message=health.message)


def deleted(step: Step, result: ObjectResult, *, late: bool) -> Step:
    """After its deletion was asked for: it is gone, on its way, or kept."""
    if result.outcome is ObjectOutcome.ABSENT:
        return replace(step, state=ObjectState.DELETED, message="")
    if result.problem is not None:
        return _hindered(step, result.problem, late=late)
    if late:
        return failed(step, _unfinished(step, "It is still there: a finalizer may hold it."))
    # Accepted. The next look finds it absent, or asks once more, which changes nothing.
    return replace(step, message="It is being deleted.")


def failed(step: Step, problem: Problem) -> Step:
    """The step with the reason why it cannot go on."""
    return replace(step, state=ObjectState.FAILED, message=problem.title, problem=problem)


def refused(step: Step) -> bool:
    """Whether the API server has certainly not taken the object."""
    return (
        step.state is ObjectState.FAILED
        and not step.uid
        and step.problem is not None
        and step.problem.word not in PASSING
    )


def _hindered(step: Step, problem: Problem, *, late: bool) -> Step:
    """Try again while it may help. A kind or namespace that was just made may take a moment to be known."""
    passing = problem.word in PASSING or problem.code in NOT_THERE_YET
    return replace(step, message=problem.title) if passing and not late else failed(step, problem)


def _unfinished(step: Step, message: str) -> Problem:
    return Problem(
        word=Word.TIMEOUT,
        code="object_unfinished",
        title=f"{step.reference.kind} {step.reference.name} did not become what it should: {message}",
        remediation=("Look at the object and its events in the cluster, then deploy again.",),
    )
