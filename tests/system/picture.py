"""The live picture: what runs in the cluster, and every change as it happens."""

from __future__ import annotations

from typing import Any

from tests.system.clients import Stream
from tests.system.story import RESOURCES, Story
from tests.system.waiting import until

FOLLOW_RESOURCES = """
subscription ($connections: [UUID!]!, $namespaces: [String!]!) {
  resourceChanges(connectionIds: $connections, namespaces: $namespaces) {
    sequence resync connectionId changes { change kind name namespace uid resourceVersion }
  }
}
"""


async def what_runs_there(story: Story) -> None:
    """Nodes, namespaces and Pods are listed and counted, and the whole inventory equals the cluster."""
    count = await story.picture_equals_cluster()
    nodes = await story.resources(kind="Node")
    assert len(nodes) == 2, f"the sandbox has two nodes: {nodes}"
    names = {one["metadata"]["name"] for one in await story.resources(kind="Namespace")}
    assert {"default", "kube-system"} <= names, names
    summary = await story.rest.get(f"{RESOURCES}/summary", clusterIds=story.cluster_id)
    assert summary["total_count"] == count, (
        f"{count} objects are listed, {summary['total_count']} are counted"
    )
    assert {"kind": "Node", "count": 2}.items() <= _kind(summary, "Node").items()
    one = await story.rest.get(f"{RESOURCES}/{nodes[0]['id']}")
    assert one["metadata"]["uid"] == nodes[0]["metadata"]["uid"]
    asked = await story.graphql.ask(
        '{ resources(filter: {kinds: ["Node"]}) { totalCount resources { name labels status } } }'
    )
    assert asked["resources"]["totalCount"] == 2
    assert "kubernetes.io/hostname" in asked["resources"]["resources"][0]["labels"]


async def a_config_map_lives(story: Story) -> None:
    """A ConfigMap is created, changed, relabelled, deleted and made again: seen by REST and by subscription."""
    namespace, name = f"picture-{story.mark}", "settings"
    await story.put({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
    manifest = config_map(namespace, name)
    follow = {"connections": [story.connection_id], "namespaces": [namespace]}
    async with story.graphql.following(FOLLOW_RESOURCES, **follow) as changes:
        await _live(story, changes, namespace)
        made = await story.put(manifest)
        await _told(changes, "ADDED", name, made["metadata"]["uid"])
        row = await _listed(story, namespace, name, lambda row: row is not None)
        assert row["metadata"]["uid"] == made["metadata"]["uid"]

        await story.patch("v1", "ConfigMap", name, namespace, data={"colour": "blue"})
        await _told(changes, "MODIFIED", name)
        await _listed(story, namespace, name, lambda row: "blue" in str(row.get("data")))

        await story.patch("v1", "ConfigMap", name, namespace, metadata={"labels": {"tier": "gold"}})
        await _told(changes, "MODIFIED", name)
        await _listed(story, namespace, name, lambda row: _labels(row) == {"tier": "gold"})

        await story.remove("v1", "ConfigMap", name, namespace)
        await _told(changes, "DELETED", name)
        await _listed(story, namespace, name, lambda row: row is None)

        again = await story.put(manifest)
        assert again["metadata"]["uid"] != made["metadata"]["uid"]
        await _told(changes, "ADDED", name, again["metadata"]["uid"])
        row = await _listed(story, namespace, name, lambda row: row is not None)
        assert row["metadata"]["uid"] == again["metadata"]["uid"]
        deliveries = [one["resourceChanges"] for one in changes.received if isinstance(one, dict)]
        assert [one["sequence"] for one in deliveries] == list(range(1, len(deliveries) + 1)), deliveries


async def a_new_kind_lives(story: Story) -> None:
    """A CustomResourceDefinition comes: its objects are watched, its kind becomes a component."""
    namespace, group, kind = f"picture-{story.mark}", f"m{story.mark}.example.test", f"Widget{story.mark}"
    plural = kind.lower() + "s"
    await story.put(_definition(group, kind, plural))
    custom = {
        "apiVersion": f"{group}/v1",
        "kind": kind,
        "metadata": {"name": "first", "namespace": namespace, "labels": {"size": "s"}},
        "spec": {"size": 1},
    }

    async def put() -> dict[str, Any]:
        await story.kube.discovery.refresh()
        return await story.put(custom)

    follow = {"connections": [story.connection_id], "namespaces": [namespace]}
    async with story.graphql.following(FOLLOW_RESOURCES, **follow) as changes:
        made = await _when_served(put)
        row = await _row(story, kind, namespace, "first", lambda row: row is not None)
        assert row["metadata"]["uid"] == made["metadata"]["uid"]
        await story.patch(f"{group}/v1", kind, "first", namespace, metadata={"labels": {"size": "m"}})
        await _row(story, kind, namespace, "first", lambda row: row and _labels(row) == {"size": "m"})
        await changes.next("the custom object as MODIFIED", lambda one: tells(one, "MODIFIED", "first"))
        await story.remove(f"{group}/v1", kind, "first", namespace)
        await changes.next("the custom object as DELETED", lambda one: tells(one, "DELETED", "first"))
        await _row(story, kind, namespace, "first", lambda row: row is None)
        await story.put(custom)
        await _row(story, kind, namespace, "first", lambda row: row is not None)

    async def component() -> list[Any]:
        return list((await story.rest.get(f"/api/meshmodels/components/{kind}", trim="true"))["components"])

    await until(f"{kind} is a component", component, lambda found: len(found) == 1, seconds=40)
    await story.remove("apiextensions.k8s.io/v1", "CustomResourceDefinition", f"{plural}.{group}")
    await _row(story, kind, namespace, "first", lambda row: row is None)
    await until(
        f"the CustomResourceDefinition of {kind} is gone",
        lambda: story.resources(kind="CustomResourceDefinition", search=f"{plural}.{group}"),
        lambda rows: not rows,
    )
    await story.picture_equals_cluster()


async def _when_served(put: Any) -> dict[str, Any]:
    from meshery_kube import KindNotServed
    from meshery_kube.errors import NotFound

    async def attempt() -> dict[str, Any]:
        try:
            made: dict[str, Any] = await put()
        except (KindNotServed, NotFound) as error:
            raise AssertionError(str(error)) from error
        return made

    return await until("the API server serves the new kind", attempt)


async def _live(story: Story, changes: Stream, namespace: str) -> None:
    """Wait until changes are told one by one: while a cluster is read for the first time, `resync` stands for many."""
    await story.put(config_map(namespace, "probe"))
    count = 0

    async def told() -> bool:
        nonlocal count
        count += 1
        await story.patch("v1", "ConfigMap", "probe", namespace, data={"count": str(count)})
        return any(tells(one, "MODIFIED", "probe") for one in changes.received)

    await until("changes of the probe are told", told, pause=0.3)


async def _told(changes: Stream, change: str, name: str, uid: str = "") -> None:
    expected = f"{change} of {name}" + (f" with uid {uid}" if uid else "")
    await changes.next(expected, lambda one: tells(one, change, name, uid))


def tells(delivery: Any, change: str, name: str, uid: str = "") -> bool:
    """Whether a delivery holds a change of an object."""
    if not isinstance(delivery, dict) or "resourceChanges" not in delivery:
        return False
    return any(
        one["change"] == change and one["name"] == name and (not uid or one["uid"] == uid)
        for one in delivery["resourceChanges"]["changes"]
    )


def is_resync(delivery: Any) -> bool:
    """Whether a delivery says that something may have been missed."""
    return bool(delivery["resourceChanges"]["resync"])


async def _listed(story: Story, namespace: str, name: str, good: Any) -> Any:
    return await _row(story, "ConfigMap", namespace, name, good)


async def _row(story: Story, kind: str, namespace: str, name: str, good: Any) -> Any:
    what = f"the row of {kind} {namespace}/{name} by REST as the step wants it"
    return await until(what, lambda: story.resource(kind, name, namespace), good)


def _kind(summary: Any, kind: str) -> dict[str, Any]:
    return next((dict(one) for one in summary["kinds"] if one["kind"] == kind), {})


def _labels(row: Any) -> dict[str, str]:
    return {one["key"]: one.get("value", "") for one in row["metadata"].get("labels") or []}


def config_map(namespace: str, name: str) -> dict[str, Any]:
    """A small ConfigMap."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": namespace},
        "data": {"colour": "red"},
    }


def _definition(group: str, kind: str, plural: str) -> dict[str, Any]:
    schema = {
        "type": "object",
        "properties": {"spec": {"type": "object", "properties": {"size": {"type": "integer"}}}},
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {"kind": kind, "plural": plural, "singular": kind.lower()},
            "versions": [
                {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
            ],
        },
    }
