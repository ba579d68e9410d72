"""Deploying designs: plans, runs, and the routes that wait for a run."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID

import orjson
from aiohttp import web

from meshery_contracts import deployments as contract
from meshery_contracts import designs
from meshery_contracts.deployments import (
    Action,
    DeployDesign,
    Direction,
    FindDeployed,
    ListRuns,
    ObjectState,
    PlanDesign,
    Run,
    RunId,
    RunStatus,
)
from meshery_contracts.designs import CreateDesign, Design, GetDesign, UpdateDesign
from meshery_contracts.errors import Conflict, FieldProblem, Invalid, NotFound
from meshery_gateway.http.calls import Call
from meshery_gateway.http.designs import BIG_BODY_BYTES, id_in, same_file, text_of
from meshery_gateway.http.lists import pass_on_page
from meshery_gateway.http.problems import problem_body
from meshery_gateway.http.reading import both_read, message_from
from meshery_gateway.http.routes import PAGE_QUERY, Route
from meshery_gateway.http.shapes import ANY_OBJECT, FLAG, TEXT, UUID_TEXT, Content, fields, many

_TAG = "Deployment"
_FINISHED = (RunStatus.SUCCEEDED, RunStatus.FAILED, RunStatus.CANCELLED)
_GOOD = (ObjectState.HEALTHY, ObjectState.UNCHANGED, ObjectState.DELETED)


async def plan_design(call: Call) -> web.StreamResponse:
    """What a deployment would do, object by object."""
    values = {
        "design_id": call.id(),
        "connection_ids": _contexts(call),
        "direction": call.text("direction") or Direction.DEPLOY,
        "skip_crds": call.flag("skipCRD", "skipCrd"),
        "force": call.flag("force"),
    }
    return await call.pass_on(contract.PLAN, message_from(PlanDesign, values))


async def deploy_design(call: Call) -> web.StreamResponse:
    """Deploy, and wait a while for the outcome; with `dryRun` only plan."""
    return await _deploy(call, Direction.DEPLOY)


async def undeploy_design(call: Call) -> web.StreamResponse:
    """Remove what a design has deployed."""
    return await _deploy(call, Direction.UNDEPLOY)


async def _deploy(call: Call, direction: Direction) -> web.StreamResponse:
    named = await _named(call)
    design = await (_to_deploy(call, *named) if direction is Direction.DEPLOY else _to_undeploy(call, *named))
    contexts = _contexts(call)
    skip_crds, force = call.flag("skipCRD", "skipCrd"), call.flag("force")
    if call.flag("dryRun"):
        plan = await call.ask(
            contract.PLAN,
            PlanDesign(
                design_id=design.id,
                connection_ids=contexts,
                direction=direction,
                skip_crds=skip_crds,
                force=force,
            ),
        )
        return call.answer({"dryRunResponse": _dry_run(plan, design), "policies": plan.policies})
    endpoint = contract.DEPLOY if direction is Direction.DEPLOY else contract.UNDEPLOY
    request = DeployDesign(
        design_id=design.id,
        connection_ids=contexts,
        skip_crds=skip_crds,
        force=force,
        plan_hash=call.text("planHash"),
    )
    started = await call.ask(endpoint, request)
    run = await call.finished(
        started,
        when=lambda run: run.status in _FINISHED,
        again=lambda: call.ask(contract.GET_RUN, RunId(run_id=started.id)),
    )
    return call.answer(_summary(run))


async def _named(call: Call) -> tuple[str, str]:
    """The id and the file of a design, as a request has them: at least one of them. Raises Invalid."""
    content = await call.body_bytes(call.limits.design_bytes)
    try:
        body = orjson.loads(content)
    except orjson.JSONDecodeError:
        body = {"pattern_file": content.decode(errors="replace")}  # old clients send bare YAML
    if isinstance(body, str):
        body = {"pattern_file": body}
    if not isinstance(body, dict):
        raise Invalid("The request body must name a design.", code="request_invalid")
    if "components" in body:
        body = {"pattern_file": body}  # a bare design file that is JSON
    body = both_read(body)
    file = text_of(body.get("pattern_file") or "")
    design_id = body.get("pattern_id") or body.get("id") or ""
    if not design_id and not file:
        raise Invalid("The request names no design.", code="design_missing", remedy="Send `patternId`.")
    return design_id, file


async def _to_deploy(call: Call, design_id: str, file: str) -> Design:
    """The stored design that is meant, saved anew where the file has something else; or the file, saved."""
    stored = await (_stored(call, design_id) if design_id else _stored_as(call, file))
    if stored is None:
        return await call.ask(designs.CREATE, message_from(CreateDesign, {"file": file}), step="save")
    if not file:
        return stored
    request = message_from(
        UpdateDesign, {"design_id": stored.id, "file": file, "base_version": stored.version}
    )
    if await asyncio.to_thread(same_file, file, stored.pattern_file):
        return stored
    return await call.ask(designs.UPDATE, request, step="save")


async def _to_undeploy(call: Call, design_id: str, file: str) -> Design:
    """The stored design that is meant: by its id, or by the objects in the file, all of which it has deployed.

    Raises NotFound, Invalid when none is meant, Conflict when it is not certain which.
    """
    stored = await (_stored(call, design_id) if design_id else _stored_as(call, file))
    if stored is not None:
        return stored
    found = (await call.ask(contract.FIND_DEPLOYED, message_from(FindDeployed, {"file": file}))).designs
    whole = [one for one in found if one.named == one.objects]
    if len(whole) == 1:
        return await _stored(call, str(whole[0].design_id))
    if not found:
        raise Invalid("Nothing that the file names is deployed by a design.", code="nothing_deployed")
    raise Conflict(
        "It is not certain which design the file means.",
        code="design_ambiguous",
        fields=tuple(
            FieldProblem(path=str(one.design_id), message=f"{one.name}: {one.named} of {one.objects} objects")
            for one in found[:100]
        ),
        cause="Several designs have deployed what it names, or one has deployed more.",
        remedy="Send the `patternId` of the design that is to be undeployed.",
    )


async def _stored(call: Call, design_id: str) -> Design:
    return await call.ask(designs.GET, message_from(GetDesign, {"design_id": design_id}))


async def _stored_as(call: Call, file: str) -> Design | None:
    """The stored design whose id a file carries, as one that was read before does."""
    own_id = await asyncio.to_thread(id_in, file)
    try:
        return await _stored(call, own_id) if own_id else None
    except NotFound:
        return None


def _summary(run: Run) -> dict[str, Any]:
    """A run in the shape that mesheryctl reads, with the run's own id and status beside the components."""
    summary: dict[str, Any] = {}
    for one in run.objects:
        good = one.state in _GOOD
        message = one.message or f"{one.reference.kind} {one.reference.name} is {one.state.value}"
        line = {
            "Kind": one.reference.kind,
            "Model": one.model,
            "CompName": one.component_name,
            "Success": good,
            "DesignName": run.design_name,
            "Message": message if good or run.status in _FINISHED else f"Not finished yet: {message}",
            "Metadata": {"state": one.state.value, "operationId": str(run.id)},
            "Error": problem_body(one.problem) if one.problem else None,
        }
        entry = {"Summary": [line], "SystemName": one.connection_name, "Location": str(one.connection_id)}
        summary.setdefault(one.component_name, []).append(entry)
    summary["operationId"] = str(run.id)
    summary["status"] = run.status.value
    return summary


def _dry_run(plan: contract.Plan, design: Design) -> dict[str, Any]:
    """A plan in the shape of Meshery's dry run: by cluster, by component."""
    components = {
        str(one.get("id")): one for one in orjson.loads(design.pattern_file).get("components") or []
    }
    response: dict[str, Any] = {}
    for one in plan.objects:
        component = components.get(str(one.component_id), {})
        name = str(component.get("displayName") or one.reference.name)
        failed = one.action in (Action.CONFLICT, Action.FAILED)
        error = None
        if one.problem is not None:
            causes = [
                {"Type": "FieldValueInvalid", "Message": field.message, "FieldPath": field.path}
                for field in one.problem.fields
            ] or [{"Type": one.problem.code, "Message": one.problem.title, "FieldPath": ""}]
            error = {"Status": one.problem.word.value, "Causes": causes}
        response.setdefault(str(one.connection_id), {})[name] = {
            "success": not failed,
            "error": error,
            "action": one.action.value,
            "changes": [change.model_dump(mode="json") for change in one.changes],
            "component": component,
        }
    return response


async def list_runs(call: Call) -> web.StreamResponse:
    """Deployment runs, newest first."""
    values = {**call.page(default_size=25), "design_id": call.text("designId") or None}
    return await pass_on_page(call, contract.LIST_RUNS, message_from(ListRuns, values), "runs")


async def get_run(call: Call) -> web.StreamResponse:
    """A deployment run with its objects."""
    return await call.pass_on(contract.GET_RUN, RunId(run_id=call.id()))


async def cancel_run(call: Call) -> web.StreamResponse:
    """Stop a run after the wave it is in."""
    return await call.pass_on(contract.CANCEL_RUN, RunId(run_id=call.id()))


def _contexts(call: Call) -> list[UUID]:
    """The clusters that `contexts` names; none, or `all`, means every connected one."""
    names = call.texts("contexts")
    if not names or "all" in names:
        return []
    return call.ids("contexts")


_NAMED = Content(fields(patternId=UUID_TEXT, patternFile=TEXT))
_SUMMARY = Content(
    {
        "type": "object",
        "description": "By component what became of it in each cluster; beside them the run.",
        "properties": {"operationId": UUID_TEXT, "status": RunStatus},
        "additionalProperties": many(
            fields(
                SystemName=TEXT,
                Location=TEXT,
                Summary=many(
                    fields(
                        Kind=TEXT,
                        Model=TEXT,
                        CompName=TEXT,
                        DesignName=TEXT,
                        Success=FLAG,
                        Message=TEXT,
                        Metadata=ANY_OBJECT,
                        Error={},
                    )
                ),
            )
        ),
    }
)
_CONTEXTS = ("contexts", "dryRun", "verify", "skipCRD", "force", "planHash")

ROUTES = (
    Route(
        "POST",
        "/api/pattern/deploy",
        deploy_design,
        contract.DEPLOY,
        "Deploy",
        _TAG,
        _CONTEXTS,
        BIG_BODY_BYTES,
        body=_NAMED,
        answer=_SUMMARY,
    ),
    Route(
        "DELETE",
        "/api/pattern/deploy",
        undeploy_design,
        contract.UNDEPLOY,
        "Undeploy",
        _TAG,
        _CONTEXTS,
        BIG_BODY_BYTES,
        body=_NAMED,
        answer=_SUMMARY,
    ),
    Route("GET", "/api/pattern/runs", list_runs, contract.LIST_RUNS, "Deployment runs", _TAG, PAGE_QUERY),
    Route("GET", "/api/pattern/runs/{id}", get_run, contract.GET_RUN, "A deployment run", _TAG),
    Route("POST", "/api/pattern/runs/{id}/cancel", cancel_run, contract.CANCEL_RUN, "Cancel a run", _TAG),
    Route("GET", "/api/pattern/{id}/plan", plan_design, contract.PLAN, "Plan a deployment", _TAG, _CONTEXTS),
)
