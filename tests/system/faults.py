"""What befalls an installation of many processes: each service killed in the middle of its work, both servers cut."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from tests.system.clients import Integrator, events_of
from tests.system.deploying import (
    FINISHED,
    deploy,
    design_file,
    import_design,
    run_of,
    save_a_note,
    states_of,
)
from tests.system.permissions import new_token, runs_finished
from tests.system.picture import FOLLOW_RESOURCES, config_map, is_resync, tells
from tests.system.story import Story
from tests.system.waiting import until

_MANY = 60


async def identity_is_killed(story: Story) -> None:
    """Tokens made before it died open everything afterwards, and new ones can be made."""
    await story.meshery.kill("identity")
    assert (await until("REST answers with a token", _designs(story, story.token)))["total_count"] >= 1
    token = await new_token(story, "after identity died")
    async with Integrator.connected(token) as integrator:
        headers, _ = await integrator.request("meshery.rpc.designs.v1.list_designs", {})
        assert "Meshery-Error" not in headers, headers


async def registry_is_killed(story: Story) -> None:
    """Its components are still there, and a design is validated by them."""
    count = (await story.rest.get("/api/registry/components"))["total_count"]
    await story.meshery.kill("registry")
    again = await until("components are listed", lambda: story.rest.get("/api/registry/components"))
    assert again["total_count"] == count
    path = f"/api/pattern/{story.design_id}/validate"
    report = await until("the design is validated", lambda: story.rest.get(path))
    assert report["valid"], report


async def events_is_killed(story: Story) -> None:
    """What happens while it is away becomes an event, once."""
    await story.meshery.kill("events")
    saved = await save_a_note(story)

    async def told() -> list[Any]:
        rows = await story.rest.all_pages("/api/system/events", "events", actedUpon=story.design_id)
        return [one for one in rows if one["metadata"].get("version") == saved["version"]]

    await until("the save is told", told, lambda found: len(found) == 1)


async def connections_is_killed(story: Story) -> None:
    """Its MeshSync ends with it; what changes meanwhile is in the picture afterwards, and the cluster is reached."""
    namespace = f"faults-{story.mark}"
    await story.put({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
    await story.meshery.kill("connections")
    await story.put(config_map(namespace, "made-meanwhile"))
    ping = await until("the cluster is pinged", _ping(story))
    assert ping["server_version"].startswith("v1."), ping
    await until(
        "the ConfigMap is in the picture",
        lambda: story.resource("ConfigMap", "made-meanwhile", namespace),
        seconds=60,
    )


async def inventory_is_killed(story: Story) -> None:
    """It dies while many objects change; the picture becomes the cluster."""
    namespace = f"faults-{story.mark}"

    async def change() -> None:
        for number in range(_MANY):
            await story.put(config_map(namespace, f"many-{number}"))
            if number % 3 == 0:
                await story.patch(
                    "v1", "ConfigMap", f"many-{number}", namespace, metadata={"labels": {"n": "x"}}
                )
            if number % 3 == 1:
                await story.remove("v1", "ConfigMap", f"many-{number}", namespace)

    async with asyncio.TaskGroup() as group:
        changing = group.create_task(change())
        await until("changes are under way", lambda: story.live("v1", "ConfigMap", "many-5", namespace))
        await story.meshery.kill("inventory")
        assert not changing.done(), "it was to be killed in the middle of the changes"
    await story.picture_equals_cluster(seconds=60)


async def designs_is_killed(story: Story) -> None:
    """It dies in the middle of a deployment; the run is finished by its successor, and told to be finished once."""
    nodes = [one["metadata"]["name"] for one in await story.resources(kind="Node")]
    for node in nodes:
        await story.patch("v1", "Node", node, None, spec={"unschedulable": True})
    try:
        run_id = await deploy(story)
        # No node takes the Pods, so the run stays where it is.
        await until("the Deployment is applied", lambda: states_of(story, run_id), _deployment_waits)
        await story.meshery.kill("designs")
    finally:
        for node in nodes:
            await story.patch("v1", "Node", node, None, spec={"unschedulable": None})
    run = await until(
        "the run is finished",
        lambda: run_of(story, run_id),
        lambda run: run["status"] in FINISHED,
        seconds=60,
    )
    assert run["status"] == "succeeded", run
    states = await states_of(story, run_id)
    assert set(states.values()) == {"healthy"}, states

    async def told() -> int:
        return runs_finished(await story.rest.all_pages("/api/system/events", "events")).get(run_id, 0)

    await until("the run is told to be finished, once", told, lambda count: count == 1)


async def gateway_is_killed(story: Story) -> None:
    """It comes back at its address; streams can be opened again and tell of what happens."""
    async with events_of(story.rest) as events:
        await story.meshery.kill("gateway")
        await until("the stream has ended", _ended(events))
    await until("the gateway answers", lambda: story.rest.get("/healthz/ready"))
    async with events_of(story.rest) as events:
        saved = await save_a_note(story)
        await events.next("the save", lambda one: one["metadata"].get("version") == saved["version"])


async def nats_restarts(story: Story) -> None:
    """Everything finds its way back: requests, facts, the picture, subscriptions, an integrator's own connection."""
    token = await new_token(story, "over a restart of NATS")
    follow = {"connections": [story.connection_id], "namespaces": [f"faults-{story.mark}"]}
    async with (
        Integrator.connected(token) as integrator,
        story.graphql.following(FOLLOW_RESOURCES, **follow) as changes,
    ):
        await story.meshery.restart_nats()
        await changes.next("a marker that changes may have been missed", is_resync)
        await _everything_works(story, "after-nats")
        await changes.next("the change after the restart", lambda one: tells(one, "ADDED", "after-nats"))
        request = integrator.request("meshery.rpc.designs.v1.list_designs", {})
        headers, _ = await asyncio.wait_for(request, 10)
        assert "Meshery-Error" not in headers, headers


async def postgresql_restarts(story: Story) -> None:
    """Everything finds its way back: nothing that was accepted is lost."""
    before = await design_file(story)
    await story.meshery.restart_postgres()
    await until("the design is there", lambda: design_file(story), lambda file: file == before)
    await _everything_works(story, "after-postgresql")


async def the_picture_is_thrown_away(story: Story) -> None:
    """All of inventory's tables are dropped; the picture is made again from the cluster."""
    count = await story.picture_equals_cluster(seconds=60)
    assert count > 100, count
    await story.meshery.forget("inventory")
    again = await story.picture_equals_cluster(seconds=90)
    assert again > 100, again


async def nothing_was_lost(story: Story) -> None:
    """At the end the design has all its versions, each run was finished once, and the picture is the cluster."""
    versions = await story.rest.get(f"/api/pattern/{story.design_id}/versions", pagesize=100)
    assert versions["total_count"] == story.saves + 1, versions["total_count"]
    runs = runs_finished(await story.rest.all_pages("/api/system/events", "events"))
    assert runs, "runs are told of"
    assert set(runs.values()) == {1}, runs
    connection = await story.rest.get(f"/api/integrations/connections/{story.connection_id}")
    assert connection["status"] == "connected", connection


async def the_cluster_is_left_clean(story: Story) -> None:
    """What is deployed is undeployed, and the connection is deleted with all that was seen through it."""
    namespace = f"shop-{story.mark}"
    if await story.live("v1", "Namespace", namespace) is not None:
        body = {"patternId": story.design_id}
        summary = await story.rest.command("DELETE", "/api/pattern/deploy", body=body)
        assert summary["status"] == "succeeded", summary
        assert await story.live("v1", "Namespace", namespace) is None
    for name in (f"picture-{story.mark}", f"faults-{story.mark}"):
        if await story.live("v1", "Namespace", name) is not None:
            await story.remove("v1", "Namespace", name)
    await story.rest.command("DELETE", f"/api/integrations/connections/{story.connection_id}")
    await until("the inventory is empty", lambda: story.resources(), lambda rows: not rows)
    await story.rest.command("DELETE", f"/api/pattern/{story.design_id}")
    await story.rest.call("GET", f"/api/pattern/{story.design_id}", status=404)


async def _everything_works(story: Story, name: str) -> None:
    await until("REST answers", _designs(story))
    await until("the cluster is pinged", _ping(story))
    namespace = f"faults-{story.mark}"
    await story.put(config_map(namespace, name))
    await until("the change is seen", lambda: story.resource("ConfigMap", name, namespace), seconds=60)
    saved = await save_a_note(story)

    async def told() -> list[Any]:
        rows = await story.rest.all_pages("/api/system/events", "events", actedUpon=story.design_id)
        return [one for one in rows if one["metadata"].get("version") == saved["version"]]

    await until("the save is told once", told, lambda found: len(found) == 1)
    design = await import_design(story, name, "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n")
    await story.rest.command("DELETE", f"/api/pattern/{design['id']}")


def _designs(story: Story, token: str = "") -> Callable[[], Awaitable[Any]]:
    return lambda: story.meshery.rest(token).get("/api/pattern")


def _ping(story: Story) -> Callable[[], Awaitable[Any]]:
    path = "/api/system/kubernetes/ping"
    return lambda: story.rest.get(path, connectionId=story.connection_id)


def _ended(stream: Any) -> Callable[[], Awaitable[str]]:
    async def look() -> str:
        return str(stream.ended)

    return look


def _deployment_waits(states: dict[str, str]) -> bool:
    return states.get("Deployment/shop") == "applied"
