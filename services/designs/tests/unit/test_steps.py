"""How a step of a run goes on after what its cluster said."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest

from meshery_contracts.clusters import ObjectOutcome, ObjectReference, ObjectResult
from meshery_contracts.deployments import Action, ObjectPlan, ObjectState
from meshery_contracts.errors import (
    Conflict,
    DeadlineExceeded,
    Forbidden,
    Invalid,
    NotFound,
    ProblemError,
    RateLimited,
    Unavailable,
)
from meshery_designs.domain.plans import Planned
from meshery_designs.domain.steps import Step, applied, deleted, refused, step_of, watched

REFERENCE = ObjectReference(api_version="apps/v1", kind="Deployment", namespace="default", name="web")
READY = {"observedGeneration": 1, "updatedReplicas": 1, "replicas": 1, "availableReplicas": 1}
PASSING = [Unavailable("away"), DeadlineExceeded("slow"), RateLimited("busy")]


def a_step(action: Action = Action.CREATE, **changes: Any) -> Step:
    plan = ObjectPlan(connection_id=uuid4(), reference=REFERENCE, action=action, wave=1)
    content = None if action is Action.DELETE else {"kind": "Deployment"}
    return replace(step_of(0, Planned(plan, "web", content=content), "cluster"), **changes)


def a_deployment(status: dict[str, Any]) -> dict[str, Any]:
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"generation": 1}, "status": status}


def said(outcome: ObjectOutcome, status: dict[str, Any] | None = None, **more: Any) -> ObjectResult:
    found = None if status is None else a_deployment(status)
    return ObjectResult(**{"reference": REFERENCE, "outcome": outcome, "uid": "u1", "object": found, **more})


def failure(error: ProblemError) -> ObjectResult:
    return said(ObjectOutcome.FAILED, problem=error.problem, uid="")


def test_what_is_unchanged_is_applied_and_what_needs_no_removing_is_done() -> None:
    plan = ObjectPlan(connection_id=uuid4(), reference=REFERENCE, action=Action.UNCHANGED, wave=1)
    assert step_of(0, Planned(plan, "web", content={}), "c").state is ObjectState.WAITING
    left = step_of(0, Planned(plan.model_copy(update={"warnings": ["not ours"]}), "web"), "c")
    assert (left.state, left.done, left.message) == (ObjectState.UNCHANGED, True, "not ours")


def test_an_applied_object_is_watched_until_it_is_healthy() -> None:
    placed = REFERENCE.model_copy(update={"namespace": "shop"})
    step = applied(a_step(), said(ObjectOutcome.APPLIED, {}, reference=placed), late=False)
    assert (step.state, step.uid, step.reference, step.done) == (ObjectState.APPLIED, "u1", placed, False)
    assert step.message == "Its controller has not seen it yet."
    step = watched(step, said(ObjectOutcome.FOUND, READY), late=False)
    assert (step.state, step.message, step.done) == (ObjectState.HEALTHY, "", True)


def test_an_object_may_be_healthy_at_once() -> None:
    assert applied(a_step(), said(ObjectOutcome.APPLIED, READY), late=True).state is ObjectState.HEALTHY


def test_an_object_that_is_not_healthy_in_time_has_failed() -> None:
    step = watched(a_step(state=ObjectState.APPLIED), said(ObjectOutcome.FOUND, {}), late=True)
    assert (step.state, step.problem and step.problem.code) == (ObjectState.FAILED, "object_unfinished")
    assert "Its controller has not seen it yet" in step.message


def test_an_object_beyond_hope_has_failed_before_its_time_is_over() -> None:
    status = {
        "conditions": [{"type": "Progressing", "reason": "ProgressDeadlineExceeded", "message": "stuck"}]
    }
    found = said(ObjectOutcome.FOUND, {**status, "observedGeneration": 1})
    step = watched(a_step(state=ObjectState.APPLIED), found, late=False)
    assert step.state is ObjectState.FAILED
    assert "stuck" in step.message


def test_an_object_that_somebody_deleted_has_failed() -> None:
    step = watched(a_step(state=ObjectState.APPLIED), said(ObjectOutcome.ABSENT), late=False)
    assert step.state is ObjectState.FAILED


@pytest.mark.parametrize("error", PASSING, ids=lambda one: type(one).__name__)
def test_a_look_that_fails_is_tried_again_until_it_is_late(error: ProblemError) -> None:
    step = a_step(state=ObjectState.APPLIED)
    assert watched(step, failure(error), late=False) == replace(step, message=error.problem.title)
    assert watched(step, failure(error), late=True).problem == error.problem


@pytest.mark.parametrize(
    "error", [*PASSING, NotFound("", code="kind_unknown"), NotFound("", code="object_unknown")], ids=repr
)
def test_applying_is_tried_again_while_it_may_help(error: ProblemError) -> None:
    step = applied(a_step(), failure(error), late=False)
    assert (step.state, step.message) == (ObjectState.WAITING, error.problem.title)
    step = applied(a_step(), failure(error), late=True)
    assert (step.state, step.problem) == (ObjectState.FAILED, error.problem)


@pytest.mark.parametrize(
    "error", [Invalid("wrong"), Conflict("managed"), NotFound("", code="connection_unknown")]
)
def test_what_is_refused_has_failed(error: ProblemError) -> None:
    step = applied(a_step(), failure(error), late=False)
    assert (step.state, step.problem) == (ObjectState.FAILED, error.problem)
    assert refused(step)


def test_a_look_that_is_refused_has_failed() -> None:
    step = watched(a_step(state=ObjectState.APPLIED), failure(Forbidden("no longer")), late=False)
    assert step.state is ObjectState.FAILED


def test_only_a_certain_refusal_counts_as_one() -> None:
    assert not refused(applied(a_step(), failure(Unavailable("away")), late=True))
    assert not refused(watched(a_step(uid="u1"), said(ObjectOutcome.ABSENT), late=True))
    assert not refused(a_step())


def test_a_deletion_ends_when_the_object_is_gone() -> None:
    step = a_step(Action.DELETE)
    step = deleted(step, said(ObjectOutcome.DELETED), late=False)
    assert (step.state, step.message) == (ObjectState.WAITING, "It is being deleted.")
    assert deleted(step, said(ObjectOutcome.ABSENT), late=False).state is ObjectState.DELETED
    kept = deleted(step, said(ObjectOutcome.DELETED), late=True)
    assert (kept.state, "finalizer" in kept.message) == (ObjectState.FAILED, True)


def test_a_deletion_is_tried_again_while_the_cluster_is_away() -> None:
    step = a_step(Action.DELETE)
    assert deleted(step, failure(PASSING[0]), late=False).state is ObjectState.WAITING
    assert deleted(step, failure(PASSING[0]), late=True).state is ObjectState.FAILED
    assert deleted(step, failure(Forbidden("no")), late=False).state is ObjectState.FAILED
