"""The session's control plane: shared, restarted, apart from another one, left whole for the next test."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from meshery_embedded.cluster import Cluster
from meshery_kube import Client, own_kubeconfig
from meshery_kube.errors import KubeError, Unreachable
from meshery_kube.kinds import NAMESPACE
from meshery_testkit.cluster import ClusterForTests

_seen: dict[str, str] = {}


def test_who_asks_for_a_cluster_is_marked(request: pytest.FixtureRequest) -> None:
    by_name = {item.name: item for item in request.session.items if item.path == request.path}
    marked = {name for name, item in by_name.items() if item.get_closest_marker("cluster")}
    assert "test_who_asks_for_a_cluster_is_marked" not in marked
    # With `-m "not cluster"` nobody is left to be looked at.
    assert {name for name in by_name if "namespace" in name} <= marked


async def test_namespaces_are_new_ones(
    kube: Client, namespace: str, namespaces: Callable[[], Awaitable[str]]
) -> None:
    names = {namespace, await namespaces(), await namespaces()}
    assert len(names) == 3
    for name in names:
        assert (await kube.objects.get(NAMESPACE, name))["status"]["phase"] == "Active"


@pytest.mark.parametrize("_time", [1, 2])
async def test_a_dead_api_server_is_mended_for_the_next_one(
    sandbox_cluster: ClusterForTests, kube: Client, _time: int
) -> None:
    assert _seen.setdefault("server", sandbox_cluster.server) == sandbox_cluster.server
    assert (await kube.version()).at_least(1, 27)
    await sandbox_cluster.kill_api_server()
    with pytest.raises(Unreachable):
        await kube.version(timeout=1)


async def test_a_restart_keeps_objects(
    sandbox_cluster: ClusterForTests, kube: Client, namespace: str
) -> None:
    await sandbox_cluster.restart_api_server()
    await sandbox_cluster.do(Cluster.wait_ready)
    assert (await kube.objects.get(NAMESPACE, namespace))["metadata"]["name"] == namespace


@pytest.mark.parametrize("_time", [1, 2])
async def test_another_cluster_is_another_one_and_used_again(
    sandbox_cluster: ClusterForTests,
    another_cluster: Callable[[], Awaitable[ClusterForTests]],
    kube: Client,
    namespace: str,
    _time: int,
) -> None:
    other = await another_cluster()
    assert other.server != sandbox_cluster.server
    assert _seen.setdefault("other", other.server) == other.server
    async with Client(own_kubeconfig([other.kubeconfig_path]).context()) as client:
        assert await client.cluster_id() != await kube.cluster_id()
        with pytest.raises(KubeError):
            await client.objects.get(NAMESPACE, namespace)
