"""A deployment is done once, whatever dies on the way: by seed, services, NATS and the API server are killed again
and again while a design of thirty objects is deployed, then undeployed; answers of the API server are lost.
"""

from __future__ import annotations

import asyncio
import base64
import random
from collections import Counter
from collections.abc import Awaitable
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from tests.long.children import marked, orphans
from tests.long.clusters import ClusterFaults, connect
from tests.long.nemesis import Blow, Nemesis
from tests.long.records import Records
from tests.long.seeds import fault_seconds, seeds
from tests.long.separate import all_answer, separate_processes
from tests.system.clients import Rest
from tests.system.story import Story
from tests.system.waiting import until

from meshery_kube import Client
from meshery_testkit.cluster import ClusterForTests
from meshery_testkit.faults import Drop, FaultProxy, Slow

_FINISHED = {"succeeded", "failed", "cancelled"}
_CONFIG_MAPS, _SECRETS, _DEPLOYMENTS = 20, 5, 4


def manifest(namespace: str) -> str:
    """Thirty objects."""
    documents = [f"apiVersion: v1\nkind: Namespace\nmetadata: {{name: {namespace}}}"]
    place = f"namespace: {namespace}"
    documents += [
        f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: c{n}, {place}}}\ndata: {{a: '{n}'}}"
        for n in range(_CONFIG_MAPS)
    ]
    documents += [
        f"apiVersion: v1\nkind: Secret\nmetadata: {{name: s{n}, {place}}}\nstringData: {{a: 'secret-{n}'}}"
        for n in range(_SECRETS)
    ]
    documents += [
        f"apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: d{n}, {place}}}\n"
        f"spec: {{replicas: 1, selector: {{matchLabels: {{app: d{n}}}}}, template: {{metadata: {{labels: "
        f"{{app: d{n}}}}}, spec: {{containers: [{{name: web, image: 'web:1'}}]}}}}}}"
        for n in range(_DEPLOYMENTS)
    ]
    return "\n---\n".join(documents)


def blows(seed: int, seconds: float) -> tuple[list[Blow], list[Blow]]:
    """On the services of a deployment, and on what they need."""
    chance = random.Random(f"deployments {seed}")
    services = [
        Blow(chance.uniform(0.5, 4.0), "kill", chance.choices(("designs", "connections"), (3, 2))[0], 0.0)
        for _ in range(int(seconds / 3))
    ]
    targets = ("nats", "api-server", "postgres", "pause")
    needs = []
    for _ in range(int(seconds / 8)):
        target = chance.choices(targets, (3, 2, 1, 2))[0]
        kind = target if target in ("api-server", "pause") else "kill"
        name = "designs" if kind == "pause" else target
        needs.append(Blow(chance.uniform(2.0, 7.0), kind, name, chance.uniform(0.3, 3.0)))
    return services, needs


@pytest.mark.long
@pytest.mark.timeout(500, func_only=True)
@pytest.mark.parametrize("seed", seeds(1, 2))
async def test_a_deployment_is_finished_once(
    seed: int, sandbox_cluster: ClusterForTests, fault_proxy: FaultProxy, kube: Client, tmp_path: Path
) -> None:
    namespace = f"deployed-{uuid4().hex[:6]}"
    seconds = fault_seconds(30)
    with marked() as mark:
        async with separate_processes(tmp_path / "home") as meshery:
            story = Story(meshery, kube, fault_proxy.kubeconfig)
            nemesis = Nemesis(meshery, ClusterFaults(sandbox_cluster, fault_proxy, mark).kinds)
            try:
                await connect(meshery, fault_proxy.kubeconfig)
                file = base64.b64encode(manifest(namespace).encode()).decode()
                body = {"name": namespace, "file": file, "fileName": "many.yaml"}
                [design] = await story.rest.command("POST", "/api/pattern/import", body=body)
                for number, method in enumerate(("POST", "DELETE")):
                    # Each write is slow, so that blows fall in the middle; some are done and nobody hears of it.
                    fault_proxy.inject(Drop(done=True), verb="patch", skip=3, times=1)
                    fault_proxy.inject(Drop(done=True), verb="delete", skip=3, times=1)
                    fault_proxy.inject(Slow(0.5), verb="patch", times=None)
                    fault_proxy.inject(Slow(0.5), verb="delete", times=None)
                    middle = _in_the_middle(nemesis, fault_proxy, "delete" if number else "patch", seed)
                    lanes = blows(seed + number, seconds)
                    run = await _under_blows(nemesis, story.rest, method, design["id"], lanes, middle)
                    await fault_proxy.clear()
                    await all_answer(meshery)
                    await _is_finished_once(story, design["id"], run, runs=number + 1)
                    if method == "POST":
                        await _everything_is_there(story, namespace)
                        passed = fault_proxy.passed(verb="patch")
                        print(f"seed {seed}: {len(passed)} writes for {len(run['objects'])} objects")
                assert await story.live("v1", "Namespace", namespace) is None, "undeployed"
                async with Records.of(meshery) as records:
                    held = await records.rows("select kind, name from designs.deployed_objects")
                    assert held == [], "nothing is remembered as deployed"
                assert orphans(mark) == [], "processes whose parent died must end"
            except AssertionError as error:
                error.add_note(f"seed {seed}\n" + "\n".join(nemesis.done))
                raise


async def _in_the_middle(nemesis: Nemesis, proxy: FaultProxy, verb: str, seed: int) -> None:
    """Kill after so many writes of the run each, so that every blow falls in the middle of it."""
    chance = random.Random(f"middle {seed} {verb}")
    begin = _writes(proxy, verb)
    count = 0
    for target in chance.sample(("designs", "designs", "designs", "connections", "nats"), 5):
        count += chance.randint(2, 5)

        async def reached(count: int = count) -> int:
            return max(0, _writes(proxy, verb) - begin - count + 1)

        await until(f"{count} writes have come by", reached, seconds=180, pause=0.02)
        await nemesis.strike(Blow(0.0, "kill", target, 0.5))


def _writes(proxy: FaultProxy, verb: str) -> int:
    """How many objects were written so far, dry runs not counted; deletions may be sent for one object twice."""
    return len([one for one in proxy.passed(verb=verb) if "dryRun" not in one.target.query])


async def _under_blows(
    nemesis: Nemesis,
    rest: Rest,
    method: str,
    design_id: str,
    lanes: tuple[list[Blow], list[Blow]],
    middle: Awaitable[None],
) -> dict[str, Any]:
    """Ask for a run as a careful client does while blows fall; the run when it has finished."""
    key = str(uuid4())

    async def ask() -> Any:
        return await rest.call(method, "/api/pattern/deploy", body={"patternId": design_id}, key=key)

    async def finished() -> Any:
        summary = await until(f"{method} /api/pattern/deploy is answered", ask, seconds=180)
        return await until(
            "the run is finished",
            lambda: rest.get(f"/api/pattern/runs/{summary['operationId']}"),
            lambda run: run["status"] in _FINISHED,
            seconds=120,
        )

    async with asyncio.TaskGroup() as group:
        asking = group.create_task(finished())
        await middle
        await nemesis.deal(*lanes)
    run: dict[str, Any] = asking.result()
    return run


async def _is_finished_once(story: Story, design_id: str, run: dict[str, Any], *, runs: int) -> None:
    assert run["status"] == "succeeded", run
    good = {"healthy", "unchanged", "deleted"}
    bad = [one for one in run["objects"] if one["state"] not in good]
    assert bad == [], "every object is where it shall be"
    listed = await story.rest.get("/api/pattern/runs", designId=design_id)
    assert listed["total_count"] == runs, f"one run for one key: {listed}"
    async with Records.of(story.meshery) as records:
        await until("no fact waits", records.waiting_facts, lambda waiting: not waiting, seconds=30)

        async def told() -> Counter[str]:
            rows = await records.rows(
                "select metadata ->> 'status' as status from events.events where metadata ->> 'runId' = $1",
                run["id"],
            )
            return Counter(str(one["status"]) for one in rows)

        [row] = await records.rows(
            "select attempt from designs.operations where operation_id::text = $1", run["id"]
        )
        print(f"{run['direction']}: finished by attempt {row['attempt']}")
        counts = await until("the end of the run is told", told, lambda found: found["succeeded"], seconds=30)
        finished = {status: counts[status] for status in _FINISHED if counts[status]}
        assert finished == {"succeeded": 1}, f"the end is told once: {counts}"


async def _everything_is_there(story: Story, namespace: str) -> None:
    expected = [
        *(("v1", "ConfigMap", f"c{n}") for n in range(_CONFIG_MAPS)),
        *(("v1", "Secret", f"s{n}") for n in range(_SECRETS)),
        *(("apps/v1", "Deployment", f"d{n}") for n in range(_DEPLOYMENTS)),
    ]
    for api_version, kind, name in expected:
        found = await story.live(api_version, kind, name, namespace)
        assert found is not None, f"{kind} {name} was to be applied"
        if kind == "Deployment":
            assert found["metadata"]["generation"] == 1, f"{kind} {name} was changed after it was made"
            assert found["status"].get("readyReplicas") == 1, found["status"]
        managers = {one["manager"] for one in found["metadata"]["managedFields"]}
        assert any("meshery" in one for one in managers), managers
