"""A cluster of more than five thousand objects, hundreds of followers, many events: all of it consistent, in a
bounded time. Times and memory are printed; only their order of magnitude is asserted, since machines differ.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from tests.long.children import marked, resident_megabytes, with_mark
from tests.long.clusters import CONFIG_MAP, Picture, config_map, connect
from tests.long.records import Records
from tests.long.separate import separate_processes
from tests.system.clients import GraphQL, Rest, Stream
from tests.system.installation import Installation
from tests.system.waiting import shown, until

from meshery_kube import Client, Selection, own_kubeconfig
from meshery_kube.kinds import NAMESPACE, Kind
from meshery_kube.transports import ClientSettings
from meshery_testkit.cluster import ClusterForTests

_CONFIG_MAPS, _DEPLOYMENTS = 5_000, 500
_FOLLOWERS, _CHANGES = 300, 100
_EVENTS = 20_000
_AT_ONCE = 25
_SPACE = "scale"
_DEPLOYMENT = Kind("apps", "v1", "Deployment", "deployments", namespaced=True, verbs=CONFIG_MAP.verbs)
_REPLICA_SET = Kind("apps", "v1", "ReplicaSet", "replicasets", namespaced=True, verbs=CONFIG_MAP.verbs)
_RESOURCES = "/api/system/meshsync/resources"
_FOLLOW = """
subscription ($connections: [UUID!]!, $namespaces: [String!]!) {
  resourceChanges(connectionIds: $connections, namespaces: $namespaces) {
    sequence resync changes { change kind name resourceVersion }
  }
}
"""
#: A page of a list must not take longer, even on a busy machine.
_LIST_SECONDS = 5.0


@pytest.mark.long
@pytest.mark.timeout(900, func_only=True)
async def test_a_large_cluster(
    another_cluster: Callable[[], Awaitable[ClusterForTests]], tmp_path: Path
) -> None:
    cluster = await another_cluster()
    async with _client(cluster) as kube:
        async with _timed(f"{_CONFIG_MAPS} ConfigMaps and {_DEPLOYMENTS} Deployments made"):
            await _fill(kube)
        with marked() as mark:
            async with separate_processes(tmp_path / "home") as meshery:
                _say_memory(mark, "before")
                async with _timed("connected"):
                    connection_id = await connect(meshery, cluster.kubeconfig)
                count, seconds = await Picture(kube, meshery).equal(seconds=240)
                print(f"{count} objects are in the picture after {seconds:.1f} s more")
                assert count > _CONFIG_MAPS + 2 * _DEPLOYMENTS, "each Deployment has a ReplicaSet"
                _say_memory(mark, "with the cluster")
                await _lists_are_fast(meshery.rest())
                await _followers_miss_nothing(meshery, kube, connection_id)
                _say_memory(mark, "after the followers")
                await Picture(kube, meshery).equal(seconds=60)
        await kube.objects.delete(NAMESPACE, _SPACE)


@pytest.mark.long
@pytest.mark.timeout(300)
async def test_many_events(tmp_path: Path) -> None:
    async with separate_processes(tmp_path / "home") as meshery:
        rest = meshery.rest()
        async with Records.of(meshery) as records, _timed(f"{_EVENTS} events stored"):
            # As they lie in the table after months; telling each as a fact would take longer than reading them all.
            await records.rows(
                """
                insert into events.events (id, organization_id, user_id, acted_upon, operation_id, severity, category,
                    action, description, metadata, created_at)
                select gen_random_uuid(), $1::uuid, $2::uuid, gen_random_uuid(), gen_random_uuid(),
                    case n % 3 when 0 then 'error' else 'informational' end, 'design', 'update',
                    'Design ' || n || ' was saved.', jsonb_build_object('version', n), now() - n * interval '1 second'
                from generate_series(1, $3::int) n
                """,
                meshery.running.owner.organization_id,
                meshery.running.owner.user_id,
                _EVENTS,
            )
        pages: tuple[dict[str, Any], ...] = (
            {},
            {"page": _EVENTS // 25 - 1},
            {"severity": "error"},
            {"search": "Design 19999 "},
            {"pagesize": 1000, "page": 19},
        )
        for query in pages:
            async with _timed(f"events {query}", at_most=_LIST_SECONDS):
                reply = await rest.get("/api/system/events", **query)
            assert reply["events"], f"{query}: events expected"
        assert (await rest.get("/api/system/events"))["total_count"] == _EVENTS
        rows = await rest.all_pages("/api/system/events", "events")
        assert len({one["id"] for one in rows}) == _EVENTS, "each event on one page, and only on one"


async def _fill(kube: Client) -> None:
    space = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": _SPACE}}
    await kube.objects.create(NAMESPACE, space)
    gate = asyncio.Semaphore(_AT_ONCE)

    async def make(kind: Kind, manifest: dict[str, Any]) -> None:
        async with gate:
            await kube.objects.create(kind, manifest)

    async with asyncio.TaskGroup() as group:
        for number in range(_CONFIG_MAPS):
            labels = {"part": str(number % 10)}
            group.create_task(make(CONFIG_MAP, config_map(_SPACE, f"c{number}", "x" * 200, labels)))
        for number in range(_DEPLOYMENTS):
            group.create_task(make(_DEPLOYMENT, _deployment(f"d{number}")))

    async def replica_sets() -> int:
        selection = Selection(namespace=_SPACE, metadata_only=True)
        async with aclosing(kube.objects.list(_REPLICA_SET, selection)) as objects:
            return len([one async for one in objects])

    # Kubernetes takes its time for them.
    await until("each Deployment has its ReplicaSet", replica_sets, lambda n: n == _DEPLOYMENTS, seconds=120)


async def _lists_are_fast(rest: Rest) -> None:
    for query in (
        {},
        {"pagesize": 1000},
        {"kind": "ConfigMap", "page": _CONFIG_MAPS // 25 - 1},
        {"search": "c4999"},
        {"namespace": _SPACE, "kind": "Deployment", "spec": "true", "status": "true", "labels": "true"},
    ):
        async with _timed(f"resources {query}", at_most=_LIST_SECONDS):
            reply = await rest.get(_RESOURCES, **query)
        assert reply["resources"], f"{query}: resources expected"
    async with _timed("summary", at_most=_LIST_SECONDS):
        summary = await rest.get(f"{_RESOURCES}/summary")
    counts = {one["kind"]: one["count"] for one in summary["kinds"]}
    assert counts["ConfigMap"] >= _CONFIG_MAPS, counts
    assert counts["Deployment"] == _DEPLOYMENTS, counts


async def _followers_miss_nothing(meshery: Installation, kube: Client, connection_id: str) -> None:
    follow = {"connections": [connection_id], "namespaces": [_SPACE]}
    async with AsyncExitStack() as stack:
        connector = aiohttp.TCPConnector(limit=0)
        http = await stack.enter_async_context(aiohttp.ClientSession(connector=connector))
        graphql = GraphQL(Rest(http, meshery.running.url))
        async with _timed(f"{_FOLLOWERS} followers"):
            streams = [
                await stack.enter_async_context(graphql.following(_FOLLOW, **follow))
                for _ in range(_FOLLOWERS)
            ]
        expected: dict[str, str] = {}
        async with _timed(f"{_CHANGES} changes"):
            for number in range(_CHANGES):
                manifest = config_map(_SPACE, f"c{number}", f"changed {number}", {"changed": "yes"})
                written = await kube.objects.apply(CONFIG_MAP, manifest, force=True)
                expected[f"c{number}"] = written.object["metadata"]["resourceVersion"]

        async def uninformed() -> list[str]:
            return [
                f"follower {number} lacks {lacking[:3]} and {len(lacking) - 3} more"
                for number, stream in enumerate(streams)
                if (lacking := _lacking(stream, expected))
            ]

        async with _timed("until all followers were told"):
            await until(
                "every follower is told of every change, or to read anew",
                uninformed,
                lambda found: not found,
                seconds=120,
                pause=0.5,
            )
        resynced = [stream for stream in streams if any(_of(one)["resync"] for one in stream.received)]
        print(f"{len(resynced)} of {_FOLLOWERS} followers were told to read anew")
        for stream in streams:
            sequences = [_of(one)["sequence"] for one in stream.received]
            assert sequences == list(range(1, len(sequences) + 1)), "each follower counts without a gap"


def _lacking(stream: Stream, expected: dict[str, str]) -> list[str]:
    """Names whose change did not come; none after a marker that says to read anew."""
    told: set[tuple[str, str]] = set()
    for one in stream.received:
        if _of(one)["resync"]:
            return []
        told |= {(change["name"], change["resourceVersion"]) for change in _of(one)["changes"]}
    return [name for name, version in expected.items() if (name, version) not in told]


def _of(delivery: Any) -> dict[str, Any]:
    assert "resourceChanges" in delivery, f"changes or a marker expected: {shown(delivery)}"
    found: dict[str, Any] = delivery["resourceChanges"]
    return found


def _deployment(name: str) -> dict[str, Any]:
    labels = {"app": name}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "web", "image": "web:1"}]}}
    spec = {"replicas": 0, "selector": {"matchLabels": labels}, "template": template}
    metadata = {"name": name, "namespace": _SPACE, "labels": labels}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec}


def _say_memory(mark: str, when: str) -> None:
    found = []
    for one in with_mark(mark):
        if "-m meshery_" in one.command:
            name = one.command.partition("-m meshery_")[2].split()[0]
            found.append(f"{name} {resident_megabytes(one.pid):.0f}")
    print(f"memory {when}, MiB: {', '.join(sorted(found))}")


@asynccontextmanager
async def _timed(what: str, *, at_most: float = float("inf")) -> AsyncIterator[None]:
    started = time.monotonic()
    yield
    seconds = time.monotonic() - started
    print(f"{what}: {seconds:.2f} s")
    assert seconds < at_most, f"{what}: at most {at_most} s expected, {seconds:.1f} s taken"


@asynccontextmanager
async def _client(cluster: ClusterForTests) -> AsyncIterator[Client]:
    context = own_kubeconfig([cluster.kubeconfig_path]).context()
    async with Client(context, ClientSettings(rate=1_000, burst=1_000)) as client:
        yield client
