"""Designs, which Meshery's paths call patterns: read, save, import, deploy."""

from __future__ import annotations

import asyncio
import base64
import binascii
import time
from typing import Any
from uuid import UUID

import orjson
import yaml
from aiohttp import web

from meshery_contracts import designs as contract
from meshery_contracts.designs import (
    Action,
    CreateDesign,
    DeployDesign,
    Design,
    DesignId,
    Direction,
    GetDesign,
    ImportDesign,
    ListDesigns,
    ListRuns,
    ListVersions,
    ObjectState,
    PlanDesign,
    Run,
    RunId,
    RunStatus,
    UpdateDesign,
    ValidateDesign,
)
from meshery_contracts.errors import Invalid
from meshery_contracts.messages import Nothing
from meshery_gateway.http.calls import Call, both_read, message_from
from meshery_gateway.http.problems import problem_body
from meshery_gateway.http.routes import PAGE_QUERY, Route

_TAG = "Designs"
_FINISHED = (RunStatus.SUCCEEDED, RunStatus.FAILED, RunStatus.CANCELLED)
_GOOD = (ObjectState.HEALTHY, ObjectState.UNCHANGED, ObjectState.DELETED)


async def list_designs(call: Call) -> web.StreamResponse:
    """A page of designs; files come along unless `populate` asks for something else."""
    request = message_from(
        ListDesigns,
        {
            **call.page(default_size=10),
            "visibility": call.texts("visibility"),
            "with_files": "populate" not in call.request.query or "pattern_file" in call.texts("populate"),
            "updated_after": call.text("updatedAfter") or None,
        },
    )
    return await call.pass_on(contract.LIST, request)


async def get_design(call: Call) -> web.StreamResponse:
    """One design, in its newest version or in the one that `version` names."""
    version = call.text("version")
    request = message_from(GetDesign, {"design_id": call.id(), "version": version or None})
    return await call.pass_on(contract.GET, request)


async def save_design(call: Call) -> web.StreamResponse:
    """Save, or with `save: false` only read, a design; the answer is a list of one, as clients expect."""
    body = both_read(await call.body(call.settings.max_design_bytes))
    if manifest := body.get("k8s_manifest") or body.get("K8sManifest"):
        return await _import(call, str(manifest), name="", file_name="", save=False)
    data = both_read(body.get("pattern_data") or {})
    file = _text_of(data.get("pattern_file") or body.get("pattern_file") or "")
    name = str(body.get("name") or data.get("name") or "")
    if not body.get("save", True):
        return await _import(call, file, name=name, file_name="", save=False)
    design_id = data.get("id") or body.get("id")
    if design_id:
        changes = {"design_id": design_id, "file": file or None, "name": name or None}
        changes["visibility"] = data.get("visibility") or None
        changes["base_version"] = data.get("base_version", body.get("base_version"))
        request = message_from(UpdateDesign, changes)
        return call.answer([await call.ask(contract.UPDATE, request)])
    creation = {"name": name, "file": file, "location": data.get("location") or {}}
    if data.get("visibility"):
        creation["visibility"] = data["visibility"]
    return call.answer([await call.ask(contract.CREATE, message_from(CreateDesign, creation))])


async def save_design_as(call: Call) -> web.StreamResponse:
    """The older way to import: the type in the path, the document in `pattern_data`."""
    body = both_read(await call.body(call.settings.max_design_bytes))
    data = both_read(body.get("pattern_data") or {})
    if data.get("id"):
        file = _text_of(data.get("pattern_file") or "")
        request = message_from(
            UpdateDesign, {"design_id": data["id"], "file": file or None, "name": data.get("name") or None}
        )
        return call.answer([await call.ask(contract.UPDATE, request)])
    if body.get("url"):
        raise _no_url()
    document = _text_of(
        data.get("source_content") or data.get("pattern_file") or body.get("k8s_manifest") or ""
    )
    name = str(body.get("name") or data.get("name") or "")
    file_name = str(data.get("file_name") or "")
    return await _import(call, document, name=name, file_name=file_name, save=bool(body.get("save", True)))


async def import_design(call: Call) -> web.StreamResponse:
    """A document in base64 becomes a saved design."""
    body = both_read(await call.body(call.settings.max_design_bytes))
    if body.get("url"):
        raise _no_url()
    request = message_from(
        ImportDesign,
        {key: body[key] for key in ("name", "file_name", "file") if body.get(key) is not None},
    )
    imported = await call.ask(contract.IMPORT, request)
    return call.answer([_with_notes(imported)])


async def _import(call: Call, document: str, *, name: str, file_name: str, save: bool) -> web.StreamResponse:
    request = ImportDesign(
        name=name, file_name=file_name, file=base64.b64encode(document.encode()).decode(), save=save
    )
    return call.answer([_with_notes(await call.ask(contract.IMPORT, request))])


def _with_notes(imported: contract.ImportedDesign) -> dict[str, Any]:
    """The design, with what the import has to say beside it."""
    return {**imported.design.model_dump(mode="json"), "notes": [one.model_dump() for one in imported.notes]}


async def list_types(call: Call) -> web.StreamResponse:
    """The document kinds that can be imported."""
    return call.answer((await call.ask(contract.TYPES, Nothing())).types)


async def delete_design(call: Call) -> web.StreamResponse:
    """Delete a design."""
    return await call.pass_on(contract.DELETE, DesignId(design_id=call.id()))


async def delete_designs(call: Call) -> web.StreamResponse:
    """Delete several designs; the answer lists those that are gone."""
    wanted = (await call.body()).get("patterns") or []
    if not isinstance(wanted, list):
        raise Invalid("`patterns` must be a list.", code="request_invalid")
    deleted: list[Design] = []
    for one in wanted:
        request = message_from(DesignId, {"design_id": one.get("id") if isinstance(one, dict) else one})
        deleted.append(await call.ask(contract.DELETE, request))
    return call.answer({"patterns": [{"id": str(one.id), "name": one.name} for one in deleted]})


async def list_versions(call: Call) -> web.StreamResponse:
    """The saved versions of a design."""
    request = ListVersions(design_id=call.id(), **call.page(default_size=25))
    return await call.pass_on(contract.LIST_VERSIONS, request)


async def download_design(call: Call) -> web.StreamResponse:
    """The design file as YAML."""
    design = await call.ask(contract.GET, GetDesign(design_id=call.id()))
    text = await asyncio.to_thread(_as_yaml, design.pattern_file)
    name = "".join(one if one.isalnum() or one in "-_." else "_" for one in design.name)
    return web.Response(
        text=text,
        content_type="application/yaml",
        headers={"Content-Disposition": f"attachment;filename={name}.yml"},
    )


async def validate_design(call: Call) -> web.StreamResponse:
    """Check a design against the schemas of its components."""
    return await call.pass_on(contract.VALIDATE, ValidateDesign(design_id=call.id()))


async def plan_design(call: Call) -> web.StreamResponse:
    """What a deployment would do, object by object."""
    request = PlanDesign(
        design_id=call.id(),
        connection_ids=_contexts(call),
        direction=Direction(call.text("direction") or "deploy"),
        skip_crds=call.flag("skipCRD", "skipCrd"),
        force=call.flag("force"),
    )
    return await call.pass_on(contract.PLAN, request)


async def deploy_design(call: Call) -> web.StreamResponse:
    """Deploy, and wait a while for the outcome; with `dryRun` only plan."""
    return await _deploy(call, Direction.DEPLOY)


async def undeploy_design(call: Call) -> web.StreamResponse:
    """Remove what a design has deployed."""
    return await _deploy(call, Direction.UNDEPLOY)


async def _deploy(call: Call, direction: Direction) -> web.StreamResponse:
    design = await _design_to_deploy(call)
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
        return call.answer({"dryRunResponse": _dry_run(plan, design)})
    endpoint = contract.DEPLOY if direction is Direction.DEPLOY else contract.UNDEPLOY
    request = DeployDesign(
        design_id=design.id,
        connection_ids=contexts,
        skip_crds=skip_crds,
        force=force,
        plan_hash=call.text("planHash"),
    )
    run = await _finished(call, await call.ask(endpoint, request))
    return call.answer(_summary(run))


async def _design_to_deploy(call: Call) -> Design:
    """The design that a deploy request means: a stored one, or a file that is saved first."""
    content = await call.body_bytes(call.settings.max_design_bytes)
    try:
        body = orjson.loads(content)
    except orjson.JSONDecodeError:
        body = {"pattern_file": content.decode(errors="replace")}  # old clients send bare YAML
    if isinstance(body, str):
        body = {"pattern_file": body}
    if not isinstance(body, dict):
        raise Invalid("The request body must name a design.", code="request_invalid")
    body = both_read(body)
    file = _text_of(body.get("pattern_file") or "")
    design_id = body.get("pattern_id") or body.get("id") or ""
    if not design_id:
        if not file:
            raise Invalid("The request names no design.", code="design_missing", remedy="Send `patternId`.")
        return await call.ask(contract.CREATE, message_from(CreateDesign, {"file": file}))
    stored = await call.ask(contract.GET, message_from(GetDesign, {"design_id": design_id}))
    if not file or _same_file(file, stored.pattern_file):
        return stored
    request = message_from(
        UpdateDesign, {"design_id": design_id, "file": file, "base_version": stored.version}
    )
    return await call.ask(contract.UPDATE, request)


async def _finished(call: Call, run: Run) -> Run:
    """The run when it has finished, or as it stands when the patience of the route is over."""
    give_up = time.monotonic() + call.settings.deploy_wait_seconds
    pause = 0.1
    while run.status not in _FINISHED and time.monotonic() < give_up:
        await asyncio.sleep(pause)
        pause = min(pause * 1.5, 1.0)
        run = await call.ask(contract.GET_RUN, RunId(run_id=run.id))
    return run


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
    return await call.pass_on(contract.LIST_RUNS, message_from(ListRuns, values))


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


def _text_of(value: Any) -> str:
    """A file as text: older clients send base64, newer ones the text itself, some an object."""
    if isinstance(value, (dict, list)):
        return orjson.dumps(value).decode()
    text = str(value)
    try:
        return base64.b64decode(text, validate=True).decode("utf-8")
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return text


def _same_file(one: str, other: str) -> bool:
    """Whether two texts are the same design, told by their components."""
    try:
        left, right = (yaml.load(text, Loader=_Loader) for text in (one, other))  # noqa: S506 -- a safe loader
    except yaml.YAMLError:
        return False
    keys = ("name", "components", "relationships")
    return (
        isinstance(left, dict) and isinstance(right, dict) and all(left.get(k) == right.get(k) for k in keys)
    )


def _as_yaml(file: str) -> str:
    text: str = yaml.dump(orjson.loads(file), Dumper=_Dumper, sort_keys=False, allow_unicode=True)
    return text


_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_Dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


def _no_url() -> Invalid:
    return Invalid(
        "Designs cannot be imported from a URL yet.",
        code="import_url",
        remedy="Fetch the file and send its content in `file`.",
    )


_BIG = 17 * 1024 * 1024
_CONTEXTS = ("contexts", "dryRun", "verify", "skipCRD", "force", "planHash")

ROUTES = (
    Route(
        "GET",
        "/api/pattern",
        list_designs,
        contract.LIST,
        "Designs",
        _TAG,
        (*PAGE_QUERY, "visibility", "populate", "updatedAfter"),
    ),
    Route("POST", "/api/pattern", save_design, contract.CREATE, "Save a design", _TAG, max_body_bytes=_BIG),
    Route("GET", "/api/pattern/types", list_types, contract.TYPES, "What can be imported", _TAG),
    Route("POST", "/api/pattern/import", import_design, contract.IMPORT, "Import", _TAG, max_body_bytes=_BIG),
    Route("POST", "/api/pattern/deploy", deploy_design, contract.DEPLOY, "Deploy", _TAG, _CONTEXTS, _BIG),
    Route(
        "DELETE", "/api/pattern/deploy", undeploy_design, contract.UNDEPLOY, "Undeploy", _TAG, _CONTEXTS, _BIG
    ),
    Route("GET", "/api/pattern/runs", list_runs, contract.LIST_RUNS, "Deployment runs", _TAG, PAGE_QUERY),
    Route("GET", "/api/pattern/runs/{id}", get_run, contract.GET_RUN, "A deployment run", _TAG),
    Route("POST", "/api/pattern/runs/{id}/cancel", cancel_run, contract.CANCEL_RUN, "Cancel a run", _TAG),
    Route("POST", "/api/patterns/delete", delete_designs, contract.DELETE, "Delete several", _TAG),
    Route("GET", "/api/pattern/download/{id}", download_design, contract.GET, "The file as YAML", _TAG),
    Route(
        "GET",
        "/api/pattern/{id}/versions",
        list_versions,
        contract.LIST_VERSIONS,
        "Versions",
        _TAG,
        PAGE_QUERY,
    ),
    Route("GET", "/api/pattern/{id}/validate", validate_design, contract.VALIDATE, "Validate", _TAG),
    Route("GET", "/api/pattern/{id}/plan", plan_design, contract.PLAN, "Plan a deployment", _TAG, _CONTEXTS),
    Route("GET", "/api/pattern/{id}", get_design, contract.GET, "A design", _TAG, ("version",)),
    Route("DELETE", "/api/pattern/{id}", delete_design, contract.DELETE, "Delete a design", _TAG),
    *(
        Route(method, "/api/pattern/{type}", save_design_as, contract.IMPORT, "Import a type", _TAG, (), _BIG)
        for method in ("POST", "PUT")
    ),
)
