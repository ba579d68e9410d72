"""Child processes: commands handed over, again after a death, and nothing left behind."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from pydantic import SecretStr

from meshery_common.bus import BusSettings
from meshery_connections.workers import MeshSyncProcesses, meshsync_environment
from meshery_contracts.discovery import Watch, WatchReport, WatchStatus

#: Answers each command with a report that holds the command's name, and ends with its input.
AGENT = """
import json, sys
for line in sys.stdin:
    command = json.loads(line)
    status = {"watch": "watching", "unwatch": "ended", "resync": "synced"}[command["command"]]
    print("no report at all")
    print(json.dumps({"status": status, "connectionId": command["connectionId"], "objects": len(line)}), flush=True)
"""


def a_watch() -> Watch:
    return Watch(connection_id=uuid4(), organization_id=uuid4(), kubeconfig=SecretStr("secret"), context="c")


class Reports:
    """What was told, and waiting for it."""

    def __init__(self) -> None:
        self.all: list[WatchReport] = []
        self._came = asyncio.Condition()

    async def __call__(self, report: WatchReport) -> None:
        async with self._came:
            self.all.append(report)
            self._came.notify_all()

    async def until(self, enough: Callable[[list[WatchReport]], bool]) -> None:
        async with asyncio.timeout(20), self._came:
            await self._came.wait_for(lambda: enough(self.all))

    def of(self, connection_id: UUID) -> list[WatchStatus]:
        return [one.status for one in self.all if one.connection_id == connection_id]


async def eventually(holds: Callable[[], bool]) -> None:
    for _ in range(1000):
        if holds():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it did not come about")


@pytest.fixture
def reports() -> Reports:
    return Reports()


@asynccontextmanager
async def processes(
    reports: Reports, per_process: int = 2, agent: str = AGENT, silence_seconds: float = 15.0
) -> AsyncIterator[MeshSyncProcesses]:
    found = MeshSyncProcesses(
        reports,
        environment=dict(os.environ),
        per_process=per_process,
        command=(sys.executable, "-c", agent),
        silence_seconds=silence_seconds,
    )
    async with asyncio.TaskGroup() as group:
        running = group.create_task(found.run())
        yield found
        running.cancel()


async def test_one_process_watches_many_clusters_and_ends_with_the_last(reports: Reports) -> None:
    watches = [a_watch() for _ in range(3)]
    async with processes(reports) as found:
        async with found.watching(watches[0]):
            async with found.watching(watches[1]), found.watching(watches[2]):
                await reports.until(lambda all_: len(all_) == 3)
                assert len(found.pids) == 2
                await found.resync(watches[1].connection_id)
                await reports.until(lambda all_: len(all_) == 4)
            await eventually(lambda: len(found.pids) == 1)
        await eventually(lambda: not found.pids)
    assert reports.of(watches[1].connection_id) == [WatchStatus.WATCHING, WatchStatus.SYNCED]


async def test_a_killed_process_comes_back_with_all_its_clusters(reports: Reports) -> None:
    watches = [a_watch(), a_watch()]
    async with processes(reports) as found, found.watching(watches[0]), found.watching(watches[1]):
        await reports.until(lambda all_: len(all_) == 2)
        os.kill(found.pids[0], signal.SIGKILL)
        await reports.until(lambda all_: len(all_) == 6)
    for watch in watches:
        assert reports.of(watch.connection_id) == [
            WatchStatus.WATCHING,
            WatchStatus.FAILED,
            WatchStatus.WATCHING,
        ]


async def test_a_process_that_is_stopped_is_replaced(reports: Reports) -> None:
    watch = a_watch()
    async with processes(reports, silence_seconds=1.0) as found, found.watching(watch):
        await reports.until(lambda all_: len(all_) == 1)
        stopped = found.pids[0]
        os.kill(stopped, signal.SIGSTOP)
        await reports.until(lambda all_: len(all_) == 3)
        assert found.pids[0] != stopped
        with pytest.raises(ProcessLookupError):
            os.kill(stopped, 0)
    assert reports.of(watch.connection_id) == [
        WatchStatus.WATCHING,
        WatchStatus.FAILED,
        WatchStatus.WATCHING,
    ]


async def test_a_program_that_is_not_there_is_reported(reports: Reports) -> None:
    watch = a_watch()
    async with processes(reports, agent="raise SystemExit(3)") as found, found.watching(watch):
        await reports.until(lambda all_: len(all_) >= 1)
    assert set(reports.of(watch.connection_id)) == {WatchStatus.FAILED}


async def test_stopping_leaves_no_process_behind(reports: Reports) -> None:
    async with processes(reports) as found, found.watching(a_watch()):
        await reports.until(lambda all_: len(all_) == 1)
        pid = found.pids[0]
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child of its parent's death")
async def test_a_child_dies_with_its_parent() -> None:
    script = f"""
import asyncio, os, signal, sys
from uuid import uuid4
from meshery_connections.workers import MeshSyncProcesses
from meshery_contracts.discovery import Watch
async def main():
    async def told(report):
        print(found.pids[0], flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
    # It does not end with its input: only the kernel can end it.
    agent = {AGENT!r} + "import time; time.sleep(60)"
    found = MeshSyncProcesses(
        told, environment=dict(os.environ), per_process=1, command=(sys.executable, "-c", agent))
    async with asyncio.TaskGroup() as group:
        group.create_task(found.run())
        async with found.watching(Watch(connection_id=uuid4(), organization_id=uuid4())):
            await asyncio.Event().wait()
asyncio.run(main())
"""
    done = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", script], check=False, capture_output=True, text=True
    )
    pid = int(done.stdout.splitlines()[-1])
    status = Path(f"/proc/{pid}/status")
    await eventually(lambda: not status.exists() or "zombie" in status.read_text())


def test_children_get_their_way_to_nats_and_none_of_our_settings() -> None:
    bus = BusSettings(url="nats://x", nkey_seed=SecretStr("SU1"))
    inherited = {
        "PATH": "/bin",
        "CONNECTIONS_BUS__NKEY_SEED": "SU2",
        "CONNECTIONS_DATABASE__APP_URL": "postgres://",
    }
    found = meshsync_environment(bus, (Path("/a"), Path("/b")), inherited)
    assert found == {
        "PATH": "/bin",
        "MESHSYNC_BUS__URL": "nats://x",
        "MESHSYNC_BUS__NKEY_SEED": "SU1",
        "KUBECONFIG": "/a:/b",
    }
