"""Deployment: plans, runs, and their progress as it happens."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any
from uuid import UUID

from ariadne import MutationType, ObjectType, QueryType, SubscriptionType

from meshery_contracts import deployments as contract
from meshery_contracts.deployments import (
    DeployDesign,
    ListRuns,
    ObjectState,
    Plan,
    PlanDesign,
    Run,
    RunFact,
    RunId,
    RunPage,
    RunStatus,
)
from meshery_contracts.designs import Design
from meshery_contracts.keys import Key
from meshery_contracts.messages import Message
from meshery_gateway.graphql.context import Info, page_of
from meshery_gateway.graphql.following import Told, progress
from meshery_gateway.http.reading import message_from

_query = QueryType()
_mutation = MutationType()
_subscription = SubscriptionType()
_design = ObjectType("Design")
_run = ObjectType("Run")
_delivery = ObjectType("RunDelivery")

BINDABLES = (_query, _mutation, _subscription, _design, _run, _delivery)
_FINISHED = (RunStatus.SUCCEEDED, RunStatus.FAILED, RunStatus.CANCELLED)
#: States that a run leaves again.
_UNDER_WAY = (ObjectState.WAITING, ObjectState.APPLIED)


@_query.field("planDesign")
async def plan_design(_: object, info: Info, input: dict[str, Any]) -> Plan:
    """What a deployment would do."""
    return await info.context.ask(contract.PLAN, message_from(PlanDesign, input))


@_query.field("runs")
async def list_runs(
    _: object, info: Info, page: int, page_size: int, design_id: UUID | None = None
) -> RunPage:
    """Runs, newest first."""
    request = message_from(ListRuns, page_of(page, page_size, design_id=design_id))
    return await info.context.ask(contract.LIST_RUNS, request)


@_query.field("run")
async def get_run(_: object, info: Info, id: UUID) -> Run:
    """One run with its objects."""
    return await info.context.ask(contract.GET_RUN, RunId(run_id=id))


@_design.field("runs")
async def runs_of_design(design: Design, info: Info, page: int, page_size: int) -> RunPage:
    """Its deployment runs."""
    request = message_from(ListRuns, page_of(page, page_size, design_id=design.id))
    return await info.context.ask(contract.LIST_RUNS, request)


@_run.field("design")
async def design_of_run(run: Run, info: Info) -> Design | None:
    """The design that was deployed, as it is now."""
    return await info.context.designs.load_or_none(run.design_id)


@_mutation.field("deployDesign")
async def deploy_design(_: object, info: Info, input: dict[str, Any]) -> Run:
    """Start a run; the answer does not wait for its end."""
    return await info.context.ask(contract.DEPLOY, message_from(DeployDesign, input))


@_mutation.field("undeployDesign")
async def undeploy_design(_: object, info: Info, input: dict[str, Any]) -> Run:
    """Start a run the other way round."""
    return await info.context.ask(contract.UNDEPLOY, message_from(DeployDesign, input))


@_mutation.field("cancelRun")
async def cancel_run(_: object, info: Info, id: UUID) -> Run:
    """Stop a run."""
    return await info.context.ask(contract.CANCEL_RUN, RunId(run_id=id))


@_subscription.source("runProgress")
def follow_run(_: object, info: Info, run_id: UUID) -> AsyncGenerator[Told, None]:
    """A run: where it stands at once, then each step."""

    async def read() -> Told:
        return _told_of(await info.context.ask(contract.GET_RUN, RunId(run_id=run_id)))

    def tell(fact: Message) -> Told | None:
        if not isinstance(fact, RunFact) or fact.run_id != run_id:
            return None
        return {name: getattr(fact, name) for name in ("run_id", "status", "done", "total", "failed")}

    topics = (contract.RUN_STARTED, contract.RUN_PROGRESSED, contract.RUN_FINISHED)
    return progress(
        info,
        Key.DETAILS_OF_DESIGN,
        *topics,
        read=read,
        tell=tell,
        far=lambda told: (told["status"] in _FINISHED, told["status"] is not RunStatus.PENDING, told["done"]),
        over=lambda told: told["status"] in _FINISHED,
    )


def _told_of(run: Run) -> Told:
    states = [one.state for one in run.objects]
    done = sum(state not in _UNDER_WAY for state in states)
    return {
        "run_id": run.id,
        "status": run.status,
        "done": done,
        "total": len(states),
        "failed": states.count(ObjectState.FAILED),
    }


@_delivery.field("run")
async def run_of_delivery(told: Told, info: Info) -> Run:
    """The run as it is now."""
    return await info.context.ask(contract.GET_RUN, RunId(run_id=told["run_id"]))
