"""The sandbox comes up beside everything, connected; the next start finds the same connection, mended faults too."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import Any

import aiohttp
import pytest

from meshery_testkit.cluster import ClusterForTests
from meshery_testkit.installations import Installation, Installations

pytestmark = pytest.mark.timeout(240, func_only=True)


async def connected(running: Installation) -> list[dict[str, Any]]:
    """The Kubernetes connections."""
    async with (
        aiohttp.ClientSession(running.url, raise_for_status=True) as session,
        session.get('/api/integrations/connections?kind=["kubernetes"]') as reply,
    ):
        found: list[dict[str, Any]] = (await reply.json())["connections"]
        return found


async def until_synced(running: Installation) -> None:
    """Wait until the picture of the cluster has its nodes and much more."""
    async with asyncio.timeout(90), aiohttp.ClientSession(running.url) as session:
        while True:
            async with session.get("/api/system/meshsync/resources/summary") as reply:
                if reply.status == 200 and int((await reply.json())["total_count"]) > 50:
                    return
            await asyncio.sleep(0.2)


async def test_it_is_one_connection_over_restarts_and_faults(
    installations: Installations, sandbox_cluster: ClusterForTests
) -> None:
    # Only so that Kubernetes is built: the installation brings a sandbox of its own.
    del sandbox_cluster
    running = await installations(MESHERY_SANDBOX="on")
    await running.says("connected", timeout_seconds=120)
    # People are let in before the sandbox is there.
    words = [line.split()[1] for line in running.lines if line.startswith("✓")]
    assert words.index("gateway") < words.index("sandbox") < words.index("connected")
    (first,) = await connected(running)
    await until_synced(running)

    running.press_ctrl_c()
    assert await running.ended() == 0
    assert running.processes() == {}
    assert "Traceback" not in running.output

    running = await installations(MESHERY_SANDBOX="on")
    await running.says("connected", timeout_seconds=120)
    (second,) = await connected(running)
    assert (second["id"], second["status"]) == (first["id"], "connected")
    await until_synced(running)

    (scheduler,) = [pid for pid, command in running.processes().items() if "kube-scheduler" in command]
    told = len(running.lines)
    os.kill(scheduler, signal.SIGKILL)
    await running.says("The sandbox cluster ended: kube-scheduler")
    async with asyncio.timeout(120):
        while not any(line.startswith("✓ connected") for line in running.lines[told:]):
            await asyncio.sleep(0.1)
    (third,) = await connected(running)
    assert third["id"] == first["id"]

    # Children die with it: MeshSync and the whole control plane.
    assert any("meshery_meshsync" in command for command in running.processes().values())
    running.signal(signal.SIGKILL)
    await running.until_gone()
