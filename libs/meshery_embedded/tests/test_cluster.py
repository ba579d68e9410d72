"""The sandbox cluster with its real programs; the first run on a machine builds them."""

import asyncio
import base64
import contextlib
import json
import os
import re
import signal
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from meshery_embedded import DataInUseError, StartError
from meshery_embedded.cluster import Cluster, cluster, ensure_binaries
from meshery_embedded.cluster.binaries import module_version

# A first build is not what a single test's time limit is for.
pytestmark = [pytest.mark.cluster, pytest.mark.timeout(1800)]


def _deployment(name: str, image: str = "nginx", replicas: int = 2) -> dict[str, Any]:
    labels = {"app": name}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [{"name": "main", "image": image}]},
            },
        },
    }


@contextlib.asynccontextmanager
async def _client(running: Cluster, folder: Path) -> AsyncIterator[aiohttp.ClientSession]:
    """A client made of nothing but the kubeconfig's text."""

    def part(name: str) -> bytes:
        found = re.search(rf"{name}: (\S+)", running.kubeconfig)
        assert found is not None
        return base64.b64decode(found[1])

    pair = folder / "client.pem"
    pair.write_bytes(part("client-certificate-data") + part("client-key-data"))
    context = ssl.create_default_context(cadata=part("certificate-authority-data").decode())
    context.load_cert_chain(pair)
    async with aiohttp.ClientSession(
        running.server, connector=aiohttp.TCPConnector(ssl=context), raise_for_status=True
    ) as session:
        yield session


async def _watch_pods(session: aiohttp.ClientSession, app: str) -> AsyncIterator[dict[str, Any]]:
    url = f"/api/v1/namespaces/default/pods?watch=true&labelSelector=app%3D{app}&timeoutSeconds=30"
    async with session.get(url) as response:
        async for line in response.content:
            yield json.loads(line)["object"]


async def _pods_until(session: aiohttp.ClientSession, app: str, state: str, count: int) -> None:
    seen: set[str] = set()
    async for pod in _watch_pods(session, app):
        statuses = pod["status"].get("containerStatuses") or [{"state": {}}]
        waiting = statuses[0]["state"].get("waiting", {}).get("reason")
        if state in {pod["status"].get("phase"), waiting}:
            seen.add(pod["metadata"]["name"])
        if len(seen) == count:
            return
    raise AssertionError(f"only {seen} of {count} became {state}")


async def _json(session: aiohttp.ClientSession, path: str) -> Any:
    async with session.get(path) as response:
        return await response.json()


async def test_a_deployments_pods_run_and_a_missing_image_waits(tmp_path: Path) -> None:
    async with cluster(data=tmp_path / "a", nodes=3) as running, _client(running, tmp_path) as session:
        assert (await _json(session, "/version"))["gitVersion"] == module_version("k8s.io/kubernetes")
        assert len((await _json(session, "/api/v1/nodes"))["items"]) == 3
        url = "/apis/apps/v1/namespaces/default/deployments"
        await session.post(url, json=_deployment("web"))
        await _pods_until(session, "web", "Running", 2)
        await session.post(url, json=_deployment("bad", image="nginx:does-not-exist"))
        await _pods_until(session, "bad", "ImagePullBackOff", 2)


async def test_what_discovery_and_deploying_need_is_there(tmp_path: Path) -> None:
    async with cluster(data=tmp_path / "a", nodes=1) as running, _client(running, tmp_path) as session:
        watch = "watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan"
        url = f"/api/v1/namespaces?{watch}&allowWatchBookmarks=true&timeoutSeconds=1"
        async with session.get(url) as response:
            assert "k8s.io/initial-events-end" in await response.text()
        discovery = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
        async with session.get("/apis", headers={"Accept": discovery}) as response:
            assert "APIGroupDiscoveryList" in response.headers["Content-Type"]
        async with session.patch(
            "/api/v1/namespaces/default/configmaps/applied?fieldManager=meshery",
            json={
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": {"name": "applied"},
                "data": {"a": "b"},
            },
            headers={"Content-Type": "application/apply-patch+yaml"},
        ) as response:
            applied = await response.json()
            assert applied["metadata"]["managedFields"][0]["manager"] == "meshery"
        token_request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
        url = "/api/v1/namespaces/default/serviceaccounts/default/token"
        async with session.post(url, json=token_request) as response:
            token = (await response.json())["status"]["token"]
        review = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": {"token": token}}
        async with session.post("/apis/authentication.k8s.io/v1/tokenreviews", json=review) as response:
            assert (await response.json())["status"]["authenticated"] is True


async def test_pods_have_logs(tmp_path: Path) -> None:
    folder = tmp_path / "José's: data"
    async with cluster(data=folder, nodes=1) as running, _client(running, tmp_path) as session:
        (folder / "pods.log").write_text("2026-01-01T00:00:00Z stdout F hello\n")
        url = "/apis/apps/v1/namespaces/default/deployments"
        await session.post(url, json=_deployment("web", replicas=1))
        await _pods_until(session, "web", "Running", 1)
        pods = await _json(session, "/api/v1/namespaces/default/pods")
        name = pods["items"][0]["metadata"]["name"]
        async with session.get(f"/api/v1/namespaces/default/pods/{name}/log") as response:
            assert "hello" in await response.text()


async def test_two_clusters_at_once(tmp_path: Path) -> None:
    async with (
        cluster(data=tmp_path / "a", nodes=1) as one,
        cluster(data=tmp_path / "b", nodes=1) as two,
        _client(one, tmp_path) as session,
    ):
        assert one.server != two.server
        assert (await _json(session, "/api/v1/nodes"))["items"][0]["metadata"]["name"] == "sandbox-node-1"
        with pytest.raises(DataInUseError):
            async with cluster(data=tmp_path / "a"):
                pass


async def test_a_durable_sandbox_finds_itself_again(tmp_path: Path) -> None:
    config_map = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "kept"}}
    async with (
        cluster(data=tmp_path / "a", nodes=2, durable=True) as first,
        _client(first, tmp_path) as session,
    ):
        await session.post("/api/v1/namespaces/default/configmaps", json=config_map)
    async with (
        cluster(data=tmp_path / "a", nodes=1, durable=True) as second,
        _client(second, tmp_path) as session,
    ):
        assert second.kubeconfig == first.kubeconfig
        assert second.kubeconfig_path.read_text() == second.kubeconfig
        await _json(session, "/api/v1/namespaces/default/configmaps/kept")
        assert len((await _json(session, "/api/v1/nodes"))["items"]) == 1


async def test_faults_are_noticed_and_the_api_server_comes_back(tmp_path: Path) -> None:
    async with cluster(data=tmp_path / "a", nodes=1) as running, _client(running, tmp_path) as session:
        await running.restart_api_server()
        await running.wait_ready()
        assert not running.died.done()
        await _json(session, "/api/v1/nodes")
        os.kill(running.processes["kwok"].pid, signal.SIGKILL)
        dead = await asyncio.wait_for(running.died, 10)
        assert dead.command.name == "kwok"
        with pytest.raises(StartError) as caught:
            await running.wait_ready()
        assert caught.value.process == "kwok"


async def test_a_failed_start_names_the_process_and_its_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = await ensure_binaries(lambda _: None)
    assets = tmp_path / "assets"
    assets.mkdir()
    for program in real.iterdir():
        (assets / program.name).symlink_to(program)
    (assets / "kube-scheduler").unlink()
    (assets / "kube-scheduler").write_text("#!/bin/sh\necho the scheduler is ill\nexit 3\n")
    (assets / "kube-scheduler").chmod(0o755)
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(assets))
    with pytest.raises(StartError) as caught:
        async with cluster(data=tmp_path / "a", nodes=1):
            pass
    assert caught.value.process == "kube-scheduler"
    assert "the scheduler is ill" in caught.value.log_tail


async def test_nothing_outlives_a_killed_parent(tmp_path: Path) -> None:
    script = f"""
import asyncio, os, signal
from pathlib import Path
from meshery_embedded.cluster import cluster
async def main():
    async with cluster(data=Path({str(tmp_path / "a")!r}), nodes=1, durable=True) as running:
        print(*(process.pid for process in running.processes.values()), flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
asyncio.run(main())
"""
    await asyncio.to_thread(subprocess.run, [sys.executable, "-c", script], check=False)
    # The same folder is free, and holds a cluster that works.
    async with cluster(data=tmp_path / "a", nodes=1, durable=True) as running:
        await running.wait_ready()


async def test_the_command_line_prints_the_path_and_stops_on_ctrl_c(tmp_path: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "meshery_embedded.cluster", "up", "--nodes", "1", "--data", str(tmp_path)),
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    path = (await process.stdout.readline()).decode().strip()
    assert Path(path).name == "admin.kubeconfig"
    process.send_signal(signal.SIGINT)
    assert await process.wait() == 0
