"""A real Kubernetes control plane for tests: one per session, started at its first use in some five seconds.

Tests share it, so they work in namespaces of their own. A test that asks for it, in whatever way, is marked `cluster`
by the plug-in. The first run on a machine builds Kubernetes and says so.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar
from uuid import uuid4

import pytest

from meshery_embedded.cluster import Cluster, cluster, ensure_binaries
from meshery_testkit.threads import InThread

if TYPE_CHECKING:
    from meshery_kube import Client

R = TypeVar("R")

#: Seconds for one test with a cluster; the start of the cluster does not count.
TEST_SECONDS = 120.0


class ClusterForTests:
    """A running control plane; nothing it holds outlives the session."""

    def __init__(self, data: Path, say: Callable[[str], None]) -> None:
        self._running = InThread("cluster-for-tests", lambda: _built_and_started(data, say))
        self.stopped = False

    @property
    def kubeconfig(self) -> str:
        """A self-contained kubeconfig, context `sandbox`, of somebody who may do anything."""
        return self._running.value.kubeconfig

    @property
    def kubeconfig_path(self) -> Path:
        """The same as a file."""
        return self._running.value.kubeconfig_path

    @property
    def server(self) -> str:
        """URL of the API server; it stays the same."""
        return self._running.value.server

    async def do(self, work: Callable[[Cluster], Awaitable[R]]) -> R:
        """Do something to it in its own loop: `await sandbox_cluster.do(Cluster.wait_ready)`."""
        return await self._running.do(work)

    async def kill_api_server(self) -> None:
        """End the API server as a fault would. It comes back by `start_api_server`, or after the test."""
        await self.do(Cluster.kill_api_server)

    async def start_api_server(self) -> None:
        """Start a killed API server and return when it is ready: on the same port, with all objects."""
        await self.do(Cluster.start_api_server)

    async def restart_api_server(self) -> None:
        """Kill and start the API server: watches break, objects stay."""
        await self.do(Cluster.restart_api_server)

    async def mend(self) -> None:
        """Start the API server again if a test left it dead."""
        if not self._running.value.processes["kube-apiserver"].running:
            await self.start_api_server()

    def stop(self) -> None:
        """End it for good."""
        self.stopped = True
        self._running.close()


@asynccontextmanager
async def _built_and_started(data: Path, say: Callable[[str], None]) -> AsyncIterator[Cluster]:
    # Only the building is worth a word.
    await ensure_binaries(say)
    async with cluster(data=data) as running:
        yield running


@pytest.fixture(scope="session")
def _clusters(
    tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config
) -> Iterator[Callable[[], ClusterForTests]]:
    """Starts clusters, and stops them with the session."""
    started: list[ClusterForTests] = []
    terminal = pytestconfig.pluginmanager.getplugin("terminalreporter")
    capture = pytestconfig.pluginmanager.getplugin("capturemanager")

    def say(line: str) -> None:
        # Minutes of building without a word would look like a hang.
        if terminal is not None and capture is not None:
            with capture.global_and_fixture_disabled():
                terminal.write_line(line)

    def start() -> ClusterForTests:
        started.append(ClusterForTests(tmp_path_factory.mktemp("cluster") / "data", say))
        return started[-1]

    yield start
    for one in started:
        one.stop()


@pytest.fixture(scope="session")
def _session_cluster(_clusters: Callable[[], ClusterForTests]) -> ClusterForTests:
    return _clusters()


@pytest.fixture
async def sandbox_cluster(_session_cluster: ClusterForTests) -> AsyncIterator[ClusterForTests]:
    """The session's control plane; see `ClusterForTests`. A test may kill its API server."""
    await _session_cluster.mend()
    yield _session_cluster
    await _session_cluster.mend()


@pytest.fixture(scope="session")
def _spare_clusters() -> list[ClusterForTests]:
    return []


@pytest.fixture
async def another_cluster(
    _clusters: Callable[[], ClusterForTests], _spare_clusters: list[ClusterForTests]
) -> AsyncIterator[Callable[[], Awaitable[ClusterForTests]]]:
    """`await another_cluster()`: a control plane beside `sandbox_cluster`, another one at each call.

    A later test gets it again, as it was left, unless this one called `stop()`.
    """
    lent: list[ClusterForTests] = []

    async def lend() -> ClusterForTests:
        lent.append(_spare_clusters.pop() if _spare_clusters else await asyncio.to_thread(_clusters))
        return lent[-1]

    yield lend
    for one in lent:
        if not one.stopped:
            await one.mend()
            _spare_clusters.append(one)


@pytest.fixture
async def kube(sandbox_cluster: ClusterForTests) -> AsyncIterator[Client]:
    """A client of the session's cluster that may do anything, as fast as it likes."""
    # Here: most sessions never need it.
    from meshery_kube import Client, ClientSettings, own_kubeconfig

    context = own_kubeconfig([sandbox_cluster.kubeconfig_path]).context()
    async with Client(context, ClientSettings(rate=1_000, burst=1_000)) as client:
        yield client


@pytest.fixture
async def namespaces(
    kube: Client, sandbox_cluster: ClusterForTests
) -> AsyncIterator[Callable[[], Awaitable[str]]]:
    """`await namespaces()`: the name of a new namespace of this test; its removal is asked for, not waited for."""
    from meshery_kube.errors import KubeError
    from meshery_kube.kinds import NAMESPACE

    made: list[str] = []

    async def make() -> str:
        name = f"test-{uuid4().hex[:12]}"
        manifest = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
        await kube.objects.create(NAMESPACE, manifest)
        made.append(name)
        return name

    yield make
    await sandbox_cluster.mend()
    for name in made:
        # The test may have removed it, or still be fighting over it.
        with suppress(KubeError):
            await kube.objects.delete(NAMESPACE, name)


@pytest.fixture
async def namespace(namespaces: Callable[[], Awaitable[str]]) -> str:
    """A new namespace of this test."""
    return await namespaces()


def mark(item: pytest.Item) -> None:
    """Mark a test that uses a cluster, and let the start of the cluster not count as its time."""
    used: set[str] = set(getattr(item, "fixturenames", ()))
    if "_clusters" in used:
        item.add_marker("cluster")
        if item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(TEST_SECONDS, func_only=True))
