"""From a manifest to running Pods and back: import, edit, validate, plan, deploy as a run, undeploy."""

from __future__ import annotations

import base64
import json
from typing import Any

from tests.system.clients import events_of
from tests.system.story import Story
from tests.system.waiting import until

FINISHED = ("succeeded", "failed", "cancelled")
_FOLLOW_RUN = """
subscription ($run: UUID!) { runProgress(runId: $run) { sequence status done total failed run { id status } } }
"""
_DEPLOY = "mutation ($input: DeployDesignInput!) { deployDesign(input: $input) { id status } }"
_RUN = """
query ($id: UUID!) {
  run(id: $id) { status objects { reference { kind name } wave state message problem { title } } }
}
"""


def shop(namespace: str) -> str:
    """A small shop as somebody has it in a file; the cluster does not know the last kind."""
    return f"""
apiVersion: v1
kind: Namespace
metadata: {{name: {namespace}}}
---
apiVersion: v1
kind: ConfigMap
metadata: {{name: shop, namespace: {namespace}}}
data: {{greeting: hello}}
---
apiVersion: v1
kind: Secret
metadata: {{name: shop, namespace: {namespace}}}
stringData: {{password: correct-horse}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {{name: shop, namespace: {namespace}}}
spec:
  replicas: 2
  selector: {{matchLabels: {{app: shop}}}}
  template:
    metadata: {{labels: {{app: shop}}}}
    spec: {{containers: [{{name: web, image: "shop:1"}}]}}
---
apiVersion: v1
kind: Service
metadata: {{name: shop, namespace: {namespace}}}
spec: {{selector: {{app: shop}}, ports: [{{port: 80}}]}}
---
apiVersion: example.test/v1
kind: Discount
metadata: {{name: spring, namespace: {namespace}}}
spec: {{percent: 10}}
"""


async def import_design(story: Story, name: str, manifest: str) -> dict[str, Any]:
    """A manifest becomes a saved design."""
    body = {"name": name, "file": base64.b64encode(manifest.encode()).decode(), "fileName": f"{name}.yaml"}
    [design] = await story.rest.command("POST", "/api/pattern/import", body=body)
    return dict(design)


async def a_manifest_becomes_a_design(story: Story) -> None:
    """Six documents are imported with a note for the unknown kind; the design is listed, read and versioned."""
    namespace = f"shop-{story.mark}"
    design = await import_design(story, f"shop {story.mark}", shop(namespace))
    story.design_id = design["id"]
    [note] = design["notes"]
    assert "Discount" in note["message"], note
    assert note["reference"] == "Discount/spring", note

    listed = await story.rest.get("/api/pattern", search=design["name"])
    assert [one["id"] for one in listed["patterns"]] == [design["id"]], listed
    got = await story.rest.get(f"/api/pattern/{design['id']}")
    file = json.loads(got["pattern_file"])
    kinds = [one["component"]["kind"] for one in file["components"]]
    assert kinds == ["Namespace", "ConfigMap", "Secret", "Deployment", "Service", "Discount"], kinds
    assert got["patternFile"] == got["pattern_file"]

    file["components"] = [one for one in file["components"] if one["component"]["kind"] != "Discount"]
    saved = await save(story, file, base_version=got["version"])
    assert saved["version"] == got["version"] + 1
    assert await story.rest.command("POST", "/api/pattern", body=_saving(story, file, 2)) == [saved]
    query = "mutation($i: UpdateDesignInput!) { updateDesign(input: $i) { version updatedAt } }"
    again = {"id": design["id"], "file": saved["pattern_file"]}
    assert (await story.graphql.ask(query, i=again))["updateDesign"] == {
        "version": 2,
        "updatedAt": saved["updated_at"],
    }
    versions = (await story.rest.get(f"/api/pattern/{design['id']}/versions"))["versions"]
    assert [(one["version"], one["components"]) for one in versions] == [(2, 5), (1, 6)], versions
    first = await story.rest.get(f"/api/pattern/{design['id']}", version=1)
    assert len(json.loads(first["pattern_file"])["components"]) == 6

    conflict = await story.rest.call("POST", "/api/pattern", status=409, body=_saving(story, file, 1))
    assert conflict["suggestedRemediation"], f"the conflict must say how to go on: {conflict}"


async def a_mistake_is_found(story: Story) -> None:
    """Validation names component, field and what was expected; the mended design is valid."""
    file = await design_file(story)
    component(file, "Deployment")["configuration"]["spec"]["replicas"] = "three"
    await save(story, file)
    report = await story.rest.get(f"/api/pattern/{story.design_id}/validate")
    assert not report["valid"], report
    [wrong] = report["components"]
    assert (wrong["kind"], wrong["name"]) == ("Deployment", "shop"), wrong
    assert wrong["problems"][0]["path"] == "configuration.spec.replicas", wrong
    component(file, "Deployment")["configuration"]["spec"]["replicas"] = 2
    await save(story, file)
    report = await story.rest.get(f"/api/pattern/{story.design_id}/validate")
    assert report["valid"], report
    assert report["checked"] == 5, report


async def it_is_deployed(story: Story) -> None:
    """The plan creates five objects; the run is followed to its end; every object is healthy and the Pods run."""
    plan = await story.rest.get(f"/api/pattern/{story.design_id}/plan")
    assert plan["valid"], plan
    assert _actions(plan) == dict.fromkeys(
        ["Namespace", "ConfigMap", "Secret", "Deployment", "Service"], "create"
    )
    assert "correct-horse" not in json.dumps(plan), "a plan must not show secret values"
    async with events_of(story.rest) as events:
        run_id = await deploy(story, planHash=plan["hash"])
        async with story.graphql.following(_FOLLOW_RUN, run=run_id) as progress:
            last = await progress.next("the end of the run", lambda one: _status(one) in FINISHED, seconds=60)
            assert last["runProgress"]["status"] == "succeeded", await run_of(story, run_id)
            assert last["runProgress"]["done"] == last["runProgress"]["total"] == 5, last
            done = [one["runProgress"]["done"] for one in progress.received if isinstance(one, dict)]
            assert done == sorted(done), f"progress must not go back: {done}"
            assert len(done) > 1, "a run that takes waves tells of more than its end"
        await events.next(
            "the end of the run as an event",
            lambda one: one.get("operationId") == run_id and one["severity"] == "success",
        )
    states = await states_of(story, run_id)
    assert set(states.values()) == {"healthy"}, states
    assert await story.running_pods(f"shop-{story.mark}") == 2
    rows = await story.resources(kind="Deployment", namespace=f"shop-{story.mark}")
    assert [one["patternResource"] for one in rows] == [story.design_id], (
        "the inventory knows whose object it is"
    )


async def again_and_changed(story: Story) -> None:
    """Deploying again changes nothing; a change is planned with its fields, values of Secrets hidden, and deployed."""
    namespace = f"shop-{story.mark}"
    plan = await story.rest.get(f"/api/pattern/{story.design_id}/plan")
    assert set(_actions(plan).values()) == {"unchanged"}, plan
    before = await story.live("v1", "ConfigMap", "shop", namespace)
    summary = await story.rest.command("POST", "/api/pattern/deploy", body={"patternId": story.design_id})
    assert summary["status"] == "succeeded", summary
    states = await states_of(story, summary["operationId"])
    assert set(states.values()) <= {"unchanged", "healthy"}, states
    assert await story.live("v1", "ConfigMap", "shop", namespace) == before, "deploying again writes nothing"

    file = await design_file(story)
    component(file, "Deployment")["configuration"]["spec"]["replicas"] = 3
    component(file, "ConfigMap")["configuration"]["data"]["greeting"] = "good day"
    component(file, "Secret")["configuration"]["stringData"] = {"password": "battery-staple"}
    await save(story, file)
    plan = await story.rest.get(f"/api/pattern/{story.design_id}/plan")
    assert _actions(plan) == {
        "Namespace": "unchanged",
        "ConfigMap": "update",
        "Secret": "update",
        "Deployment": "update",
        "Service": "unchanged",
    }, plan
    changes = {one["reference"]["kind"]: one["changes"] for one in plan["objects"]}
    assert {"path": "spec.replicas", "before": 2, "after": 3} in changes["Deployment"], changes
    assert {"path": "data.greeting", "before": "hello", "after": "good day"} in changes["ConfigMap"], changes
    told = json.dumps(plan)
    for secret in ("correct-horse", "battery-staple", base64.b64encode(b"battery-staple").decode()):
        assert secret not in told, "a plan must not show secret values"
    summary = await story.rest.command("POST", "/api/pattern/deploy", body={"patternId": story.design_id})
    assert summary["status"] == "succeeded", summary
    await until("three Pods run", lambda: story.running_pods(namespace), lambda count: count == 3)
    config = await story.live("v1", "ConfigMap", "shop", namespace)
    assert config is not None
    assert config["data"] == {"greeting": "good day"}


async def it_is_undeployed(story: Story) -> None:
    """Everything goes in the reverse order, and the inventory shows that it is gone."""
    namespace = f"shop-{story.mark}"
    summary = await story.rest.command("DELETE", "/api/pattern/deploy", body={"patternId": story.design_id})
    assert summary["status"] == "succeeded", summary
    objects = (await run_of(story, summary["operationId"]))["objects"]
    assert {one["state"] for one in objects} == {"deleted"}, objects
    waves = {one["reference"]["kind"]: one["wave"] for one in objects}
    assert waves["Deployment"] < waves["Service"] < waves["ConfigMap"] < waves["Namespace"], waves
    assert await story.live("v1", "Namespace", namespace) is None
    for kind in ("Deployment", "Pod", "ConfigMap"):
        await until(
            f"no {kind} of {namespace} in the inventory",
            lambda kind=kind: story.resources(kind=kind, namespace=namespace),  # type: ignore[misc]
            lambda rows: not rows,
        )


# --- what other steps use as well -------------------------------------------------------------------------------


async def deploy(story: Story, **more: Any) -> str:
    """Start a run; gives its id."""
    given = {"designId": story.design_id, **more}
    return str((await story.graphql.ask(_DEPLOY, input=given))["deployDesign"]["id"])


async def run_of(story: Story, run_id: str) -> dict[str, Any]:
    """A run with its objects."""
    return dict((await story.graphql.ask(_RUN, id=run_id))["run"])


async def states_of(story: Story, run_id: str) -> dict[str, str]:
    """The state of each object of a run."""
    objects = (await run_of(story, run_id))["objects"]
    return {f"{one['reference']['kind']}/{one['reference']['name']}": one["state"] for one in objects}


async def design_file(story: Story) -> dict[str, Any]:
    """The design as it is now."""
    return dict(json.loads((await story.rest.get(f"/api/pattern/{story.design_id}"))["pattern_file"]))


def component(file: dict[str, Any], kind: str) -> dict[str, Any]:
    """The component of a kind."""
    [found] = [one for one in file["components"] if one["component"]["kind"] == kind]
    return dict(found)


async def save(story: Story, file: dict[str, Any], base_version: int | None = None) -> dict[str, Any]:
    """Save a new version."""
    body = _saving(story, file, base_version)
    [saved] = await story.rest.command("POST", "/api/pattern", body=body)
    story.saves += 1
    return dict(saved)


async def save_a_note(story: Story) -> dict[str, Any]:
    """Save a new version that means the same to every cluster."""
    file = await design_file(story)
    file["metadata"]["note"] = f"save {story.saves}"
    return await save(story, file)


def _saving(story: Story, file: dict[str, Any], base_version: int | None) -> dict[str, Any]:
    data = {"id": story.design_id, "pattern_file": json.dumps(file), "base_version": base_version}
    return {"save": True, "pattern_data": data}


def _actions(plan: dict[str, Any]) -> dict[str, str]:
    return {one["reference"]["kind"]: one["action"] for one in plan["objects"]}


def _status(delivery: Any) -> str:
    return (
        str(delivery["runProgress"]["status"])
        if isinstance(delivery, dict) and "runProgress" in delivery
        else ""
    )
