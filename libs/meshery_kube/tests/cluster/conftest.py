"""A client of a sandbox control plane, and a namespace of one's own in it."""

import asyncio
import threading
import uuid
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import Future
from pathlib import Path

import pytest

from meshery_embedded.cluster import Cluster, cluster
from meshery_kube import Client, ClientSettings, own_kubeconfig
from meshery_kube.kinds import NAMESPACE


class Sandbox:
    """A control plane that lives in a thread of its own, as each test has its own event loop."""

    def __init__(self, data: Path) -> None:
        self._data = data
        self._started: Future[tuple[Cluster, asyncio.AbstractEventLoop, asyncio.Event]] = Future()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), name="sandbox")

    @property
    def kubeconfig(self) -> str:
        return self._started.result()[0].kubeconfig

    async def restart_api_server(self) -> None:
        running, loop, _ = self._started.result()
        restarting = asyncio.run_coroutine_threadsafe(running.restart_api_server(), loop)
        await asyncio.wrap_future(restarting)

    def start(self) -> None:
        self._thread.start()
        self._started.result()

    def stop(self) -> None:
        _, loop, stopping = self._started.result()
        loop.call_soon_threadsafe(stopping.set)
        self._thread.join()

    async def _serve(self) -> None:
        stopping = asyncio.Event()
        try:
            async with cluster(data=self._data) as running:
                self._started.set_result((running, asyncio.get_running_loop(), stopping))
                await stopping.wait()
        except Exception as error:
            if self._started.done():
                raise
            self._started.set_exception(error)


@pytest.fixture(scope="session")
def sandbox_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    sandbox = Sandbox(tmp_path_factory.mktemp("cluster") / "data")
    sandbox.start()
    yield sandbox
    sandbox.stop()


@pytest.fixture
async def kube(sandbox_cluster: Sandbox, tmp_path: Path) -> AsyncIterator[Client]:
    file = tmp_path / "kubeconfig"
    file.write_text(sandbox_cluster.kubeconfig)
    context = own_kubeconfig([file]).context()
    async with Client(context, ClientSettings(rate=1_000, burst=1_000)) as client:
        yield client


@pytest.fixture
async def namespace(kube: Client) -> AsyncIterator[str]:
    name = f"test-{uuid.uuid4().hex[:8]}"
    await kube.objects.create(
        NAMESPACE, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    )
    yield name
    await kube.objects.delete(NAMESPACE, name)
