"""The laptop mode: seconds from the start of the process until people may come, and memory with an idle cluster.

Starts are warm (data and caches are there), the median of three counts, started in turn with a bare baseline (see
bare_standalone.py). Memory is the sum of PSS of all processes, the sandbox cluster not among them: it stands for
somebody's cluster. Goals: ready in less than 10 s, less than 600 MB.
"""

from __future__ import annotations

import asyncio
import os
import signal
import statistics
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import memory
from homes import throw_away_home

from meshery_embedded.cluster import cluster

STARTS = 3
GOAL_SECONDS = 10.0
GOAL_MEGABYTES = 600.0
#: A worker process that is idle ends after a minute.
SETTLED_SECONDS = 90
OBJECTS = 50
BARE = (sys.executable, str(Path(__file__).with_name("bare_standalone.py")))
MESHERY = (sys.executable, "-m", "meshery_standalone")


@asynccontextmanager
async def started(
    command: tuple[str, ...], environment: Mapping[str, str]
) -> AsyncIterator[tuple[int, str, float]]:
    """Start it; gives its pid, its address and how long it took until it answered."""
    begin = time.monotonic()
    process = await asyncio.create_subprocess_exec(
        *command, env={**os.environ, **environment}, stdout=asyncio.subprocess.PIPE, start_new_session=True
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(120), aiohttp.ClientSession() as session:
            async for line in process.stdout:
                if b"ready:" in line:
                    url = line.split()[-1].decode()
                    break
            else:
                raise RuntimeError(f"{command} did not start")
            async with session.get(f"{url}/healthz/ready") as reply:
                reply.raise_for_status()
        yield process.pid, url, time.monotonic() - begin
    finally:
        process.send_signal(signal.SIGTERM)
        # Read on: a full pipe would hold it.
        await process.communicate()


async def start_seconds(command: tuple[str, ...], environment: Mapping[str, str]) -> float:
    """One start and stop."""
    async with started(command, environment) as (_, _, seconds):
        return seconds


async def picture_is_there(url: str) -> None:
    """Wait until the cluster is connected and known."""
    async with asyncio.timeout(120), aiohttp.ClientSession() as session:
        while True:
            async with session.get(f"{url}/api/system/meshsync/resources/summary") as reply:
                if reply.status == 200 and int((await reply.json())["total_count"]) > OBJECTS:
                    return
            await asyncio.sleep(0.2)


async def settled(pid: int) -> None:
    """Give it time to become idle, until no worker process is left."""
    for second in range(SETTLED_SECONDS):
        if second > 15 and not memory.by_part(pid).get("worker processes"):
            return
        await asyncio.sleep(1)


async def measure(folder: Path) -> tuple[bool, list[str]]:
    """Everything; whether the goals are met, and lines to print."""
    plain = {
        "MESHERY_HOME": str(folder / "meshery"),
        "MESHERY_PORT": "0",
        "MESHERY_NATS_PORT": "0",
        "MESHERY_NATS_MONITOR_PORT": "0",
        "MESHERY_SANDBOX": "off",
        "MESHERY_KUBECONFIG": "",
    }
    bare_command = (*BARE, str(folder / "bare"))
    for command in (bare_command, MESHERY):
        await start_seconds(command, plain)
    bare, ours = [], []
    for _ in range(STARTS):
        bare.append(await start_seconds(bare_command, plain))
        ours.append(await start_seconds(MESHERY, plain))
    start, bare_start = statistics.median(ours), statistics.median(bare)
    async with cluster(data=folder / "cluster") as somebodys:
        connected = plain | {
            "MESHERY_KUBECONFIG": str(somebodys.kubeconfig_path),
            "MESHERY_CONNECT_OWN": "true",
        }
        async with (
            started(bare_command, plain) as (bare_pid, _, _),
            started(MESHERY, connected) as (pid, url, _),
        ):
            await picture_is_there(url)
            await settled(pid)
            parts, bare_parts = memory.by_part(pid), memory.by_part(bare_pid)
    total, bare_total = sum(parts.values()), sum(bare_parts.values())
    lines = [
        f"{'':<18} {'Meshery':>10} {'bare':>10} {'ratio':>7}",
        f"{'start, s':<18} {start:>10.2f} {bare_start:>10.2f} {start / bare_start:>7.1f}   goal < {GOAL_SECONDS:g} s",
        f"{'memory, MB':<18} {total:>10.0f} {bare_total:>10.0f} {total / bare_total:>7.1f}   "
        f"goal < {GOAL_MEGABYTES:g} MB",
        *(
            f"  {name:<16} {size:>10.0f} {bare_parts.get(name, 0):>10.0f}"
            for name, size in sorted(parts.items())
        ),
    ]
    return start < GOAL_SECONDS and total < GOAL_MEGABYTES, lines


def main() -> int:
    """Measure and print; 1 when a goal is missed."""
    with throw_away_home() as home:
        good, lines = asyncio.run(measure(home))
    print("\n".join(lines))
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
