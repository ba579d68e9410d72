"""The sandbox control plane, in a thread of its own because each test has its own event loop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from meshery_contracts import connections as contract
from meshery_contracts.caller import Caller
from meshery_contracts.connections import RegisterKubeconfig
from meshery_embedded.cluster import Cluster, cluster
from meshery_testkit.nats import People

Ask = Callable[..., Awaitable[Any]]


class Sandbox:
    """A running control plane."""

    def __init__(self, data: Path) -> None:
        self._data = data
        self._started: Future[tuple[Cluster, asyncio.AbstractEventLoop, asyncio.Event]] = Future()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), name="sandbox")
        self._thread.start()
        self._cluster, self._loop, self._stopping = self._started.result()

    @property
    def kubeconfig(self) -> str:
        """A self-contained kubeconfig of somebody who may do anything."""
        return self._cluster.kubeconfig

    async def do(self, work: Callable[[Cluster], Awaitable[None]]) -> None:
        """Do something to it, e.g. `Cluster.kill_api_server`."""

        async def doing() -> None:
            await work(self._cluster)

        await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(doing(), self._loop))

    def stop(self) -> None:
        """End it."""
        self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join()

    async def _serve(self) -> None:
        stopping = asyncio.Event()
        try:
            async with cluster(data=self._data) as started:
                self._started.set_result((started, asyncio.get_running_loop(), stopping))
                await stopping.wait()
        except Exception as error:
            if self._started.done():
                raise
            self._started.set_exception(error)


@pytest.fixture(scope="session")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """The session's control plane."""
    running = Sandbox(tmp_path_factory.mktemp("cluster") / "data")
    yield running
    running.stop()


@pytest.fixture
def caller(people: People) -> Caller:
    """Whose connections these are."""
    return people.caller()


@pytest.fixture
async def connection_id(ask: Ask, caller: Caller, sandbox: Sandbox) -> UUID:
    """The sandbox, connected."""
    reply = await ask(contract.REGISTER_KUBECONFIG, RegisterKubeconfig(kubeconfig=sandbox.kubeconfig), caller)
    return UUID(reply.connected_contexts[0].connection_id)
