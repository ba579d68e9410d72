"""Each fault as a client on the wire sees it, and the real API server behind."""

from __future__ import annotations

import asyncio
import base64
import ssl
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml

from meshery_kube import Change, Client, ClientSettings, Interrupted, Kind, Selection, SnapshotEnded
from meshery_kube.errors import AlreadyExists, Expired, NotFound, TooManyRequests, Unreachable
from meshery_kube.kubeconfigs import own_kubeconfig
from meshery_testkit.cluster import ClusterForTests
from meshery_testkit.faults import (
    Drop,
    ErrorEvent,
    FaultProxy,
    Hang,
    Reset,
    Slow,
    expired,
    too_many,
    unavailable,
)

CONFIG = Kind("", "v1", "ConfigMap", "configmaps", namespaced=True)


def config(name: str, namespace: str, **data: str) -> dict[str, Any]:
    metadata = {"name": name, "namespace": namespace}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


@pytest.fixture
async def faulty(fault_proxy: FaultProxy, tmp_path: Path) -> AsyncIterator[Client]:
    """A client that goes through the proxy and does not try again for long."""
    file = tmp_path / "kubeconfig"
    file.write_text(fault_proxy.kubeconfig)
    async with Client(own_kubeconfig([file]).context(), ClientSettings(timeout=2.0)) as client:
        yield client


@pytest.fixture
async def wire(fault_proxy: FaultProxy) -> AsyncIterator[aiohttp.ClientSession]:
    """The same without any client's cleverness."""
    document = yaml.safe_load(fault_proxy.kubeconfig)
    authority = base64.b64decode(document["clusters"][0]["cluster"]["certificate-authority-data"]).decode()
    token = document["users"][0]["user"]["token"]
    async with aiohttp.ClientSession(
        fault_proxy.server,
        headers={"Authorization": f"Bearer {token}"},
        connector=aiohttp.TCPConnector(ssl=ssl.create_default_context(cadata=authority)),
    ) as session:
        yield session


async def test_without_faults_it_is_the_cluster(
    fault_proxy: FaultProxy, faulty: Client, kube: Client, namespace: str
) -> None:
    assert await faulty.cluster_id() == await kube.cluster_id()
    assert (await faulty.objects.apply(CONFIG, config("a", namespace, x="ü" * 10_000))).created
    assert (await kube.objects.get(CONFIG, "a", namespace))["data"]["x"] == "ü" * 10_000
    assert len((await faulty.discovery.catalogue()).kinds) > 30
    person = await faulty.reviews.who_am_i()
    assert person is not None
    assert "system:masters" in person.groups
    (applied,) = fault_proxy.passed(verb="patch")
    assert (applied.target.resource, applied.target.name, applied.target.namespace) == (
        "configmaps",
        "a",
        namespace,
    )
    assert applied.status == 201


async def test_a_foreign_token_stays_whose_it_is(wire: aiohttp.ClientSession) -> None:
    async with wire.get("/api/v1/pods", headers={"Authorization": "Bearer of-nobody"}) as reply:
        assert reply.status == 401


async def test_its_certificate_is_of_an_authority_of_its_own(
    fault_proxy: FaultProxy, sandbox_cluster: ClusterForTests
) -> None:
    document = yaml.safe_load(sandbox_cluster.kubeconfig)
    authority = base64.b64decode(document["clusters"][0]["cluster"]["certificate-authority-data"]).decode()
    context = ssl.create_default_context(cadata=authority)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=context)) as session:
        with pytest.raises(aiohttp.ClientConnectorCertificateError):
            await session.get(f"{fault_proxy.server}/version")


async def test_429_says_when_to_come_back(
    fault_proxy: FaultProxy, wire: aiohttp.ClientSession, faulty: Client
) -> None:
    fault_proxy.inject(too_many(1), verb="list", resource="configmaps")
    async with wire.get("/api/v1/configmaps") as reply:
        assert (reply.status, reply.headers["Retry-After"]) == (429, "1")
        assert (await reply.json())["details"] == {"retryAfterSeconds": 1}
    async with wire.get("/api/v1/configmaps") as reply:
        assert reply.status == 200
    always = fault_proxy.inject(too_many(30), resource="namespaces", times=None)
    with pytest.raises(TooManyRequests):
        await faulty.cluster_id()
    await always.lift()
    await faulty.cluster_id()


async def test_410_for_the_next_page(
    fault_proxy: FaultProxy, faulty: Client, kube: Client, namespace: str
) -> None:
    for number in range(3):
        await kube.objects.create(CONFIG, config(f"c{number}", namespace))
    fault_proxy.inject(expired(), verb="list", resource="configmaps", query="continue")
    with pytest.raises(Expired):
        _ = [page async for page in faulty.objects.pages(CONFIG, Selection(namespace), page_size=2)]
    assert [one.status for one in fault_proxy.passed(verb="list")] == [200, 410]


@pytest.mark.parametrize("after", [0, 1])
async def test_410_inside_a_watch_after_so_many_events(
    fault_proxy: FaultProxy, faulty: Client, kube: Client, namespace: str, after: int
) -> None:
    await kube.objects.create(CONFIG, config("a", namespace))
    fault_proxy.inject(ErrorEvent(after_events=after), verb="watch", resource="configmaps")
    faults: list[Interrupted] = []
    async with aclosing(faulty.watch(CONFIG, Selection(namespace))) as events:
        async for event in events:
            if isinstance(event, Interrupted):
                faults.append(event)
            if isinstance(event, SnapshotEnded):
                break
    assert [type(one.error) for one in faults] == [Expired]
    watches = fault_proxy.passed(verb="watch", resource="configmaps")
    assert isinstance(watches[0].fault, ErrorEvent)
    assert watches[1].fault is None


async def test_a_watch_stops_in_silence_and_goes_on(
    fault_proxy: FaultProxy, wire: aiohttp.ClientSession, kube: Client, namespace: str
) -> None:
    hang = fault_proxy.inject(Hang(after_bytes=10), verb="watch")
    await kube.objects.create(CONFIG, config("a", namespace))
    url = f"/api/v1/namespaces/{namespace}/configmaps?watch=true"
    async with wire.get(url) as reply:
        await hang.happened()
        assert await reply.content.readexactly(10)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await reply.content.read(1)
        await hang.lift()
        assert b"\n" in await reply.content.readline()


async def test_a_request_hangs_without_an_answer(
    fault_proxy: FaultProxy, wire: aiohttp.ClientSession
) -> None:
    hang = fault_proxy.inject(Hang(), path="/version")
    with pytest.raises(TimeoutError):
        await wire.get("/version", timeout=aiohttp.ClientTimeout(total=0.3))
    assert hang.hits == 1
    async with wire.get("/version") as reply:
        assert reply.status == 200


async def test_all_bytes_stop_and_flow_again(
    fault_proxy: FaultProxy, wire: aiohttp.ClientSession, kube: Client, namespace: str
) -> None:
    url = f"/api/v1/namespaces/{namespace}/configmaps?watch=true&fieldSelector=metadata.name%3Da"
    async with wire.get(url) as reply:
        fault_proxy.freeze()
        await kube.objects.create(CONFIG, config("a", namespace))
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await reply.content.read(1)
        fault_proxy.thaw()
        assert b'"ADDED"' in await reply.content.readline()


@pytest.mark.parametrize("after", [0, 20])
async def test_a_reset_in_the_middle_of_a_chunk(
    fault_proxy: FaultProxy, wire: aiohttp.ClientSession, kube: Client, namespace: str, after: int
) -> None:
    await kube.objects.create(CONFIG, config("a", namespace))
    fault_proxy.inject(Reset(after_bytes=after), verb="watch")
    async with wire.get(f"/api/v1/namespaces/{namespace}/configmaps?watch=true") as reply:
        assert reply.status == 200
        assert len(await reply.content.readexactly(after)) == after
        with pytest.raises((aiohttp.ClientPayloadError, ConnectionResetError)):
            await reply.content.read(1)


async def test_open_watches_are_reset(
    fault_proxy: FaultProxy, faulty: Client, kube: Client, namespace: str
) -> None:
    interrupted = False
    async with asyncio.timeout(20), aclosing(faulty.watch(CONFIG, Selection(namespace))) as events:
        async for event in events:
            if isinstance(event, SnapshotEnded) and not interrupted:
                assert fault_proxy.reset(verb="watch", resource="configmaps") == 1
            elif isinstance(event, Interrupted):
                interrupted = True
                await kube.objects.create(CONFIG, config("after", namespace))
            elif isinstance(event, Change) and event.object["metadata"]["name"] == "after":
                break
    assert interrupted


@pytest.mark.parametrize("done", [True, False])
async def test_the_third_create_is_dropped_before_or_after_it_is_done(
    fault_proxy: FaultProxy, faulty: Client, kube: Client, namespace: str, done: bool
) -> None:
    fault_proxy.inject(Drop(done=done), verb="create", resource="configmaps", skip=2)
    await faulty.objects.create(CONFIG, config("c1", namespace))
    await faulty.objects.create(CONFIG, config("c2", namespace))
    with pytest.raises(Unreachable):
        await faulty.objects.create(CONFIG, config("c3", namespace))
    if done:
        with pytest.raises(AlreadyExists):
            await faulty.objects.create(CONFIG, config("c3", namespace))
    else:
        with pytest.raises(NotFound):
            await kube.objects.get(CONFIG, "c3", namespace)


async def test_a_slow_answer(fault_proxy: FaultProxy, wire: aiohttp.ClientSession) -> None:
    async with wire.get("/version") as reply:
        whole = await reply.read()
    fault_proxy.inject(Slow(delay_seconds=0.2, bytes_per_second=len(whole) * 4), path="/version")
    loop = asyncio.get_running_loop()
    started = loop.time()
    async with wire.get("/version") as reply:
        assert await reply.read() == whole
    assert 0.4 < loop.time() - started < 5


async def test_a_dead_api_server_is_a_broken_connection(
    wire: aiohttp.ClientSession, sandbox_cluster: ClusterForTests
) -> None:
    await sandbox_cluster.kill_api_server()
    with pytest.raises(aiohttp.ClientConnectionError):
        await wire.get("/version")


async def test_lifted_faults_are_over(fault_proxy: FaultProxy, wire: aiohttp.ClientSession) -> None:
    fault_proxy.inject(unavailable(), times=None)
    fault_proxy.freeze()
    await fault_proxy.clear()
    async with wire.get("/version") as reply:
        assert reply.status == 200
