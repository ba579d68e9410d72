"""Lists while an import of 10,000 components goes on, against the same lists while nothing does.

The laptop mode, so one process for everything: what holds up the registry holds up everybody. People page through the
components all the time; counts is what they wait, idle and during the import. Goals: the median stays within 2.5 times
the idle one and nobody waits for a second.
"""

from __future__ import annotations

import asyncio
import base64
import gzip
import json
import os
import signal
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp

COMPONENTS = 10_000
PEOPLE = 4
PAUSE_SECONDS = 0.02
IDLE_SECONDS = 5.0
GOAL_RATIO = 2.5
GOAL_LONGEST_SECONDS = 1.0
LIST = "/api/registry/components?pagesize=25&trim=true&page="


@asynccontextmanager
async def started() -> AsyncIterator[str]:
    """The laptop mode without a cluster; its address."""
    with tempfile.TemporaryDirectory() as home:
        environment = {
            "MESHERY_HOME": home,
            "MESHERY_SANDBOX": "off",
            "MESHERY_KUBECONFIG": "",
            **dict.fromkeys(("MESHERY_PORT", "MESHERY_NATS_PORT", "MESHERY_NATS_MONITOR_PORT"), "0"),
        }
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "meshery_standalone"),
            env={**os.environ, **environment},
            stdout=asyncio.subprocess.PIPE,
        )
        assert process.stdout is not None
        try:
            async with asyncio.timeout(120):
                async for line in process.stdout:
                    if b"ready:" in line:
                        break
            yield line.split()[-1].decode()
        finally:
            process.send_signal(signal.SIGTERM)
            # Read on: a full pipe would hold it.
            await process.communicate()


def crds() -> str:
    """So many kinds, in base64."""
    schema = {"type": "object", "properties": {"spec": {"type": "object", "description": "x" * 300}}}
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    documents = [
        {
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {"name": f"kind{number}s.bench.example.com"},
            "spec": {
                "group": "bench.example.com",
                "scope": "Namespaced",
                "names": {"kind": f"Kind{number}", "plural": f"kind{number}s"},
                "versions": [version],
            },
        }
        for number in range(COMPONENTS)
    ]
    return base64.b64encode(gzip.compress("\n---\n".join(map(json.dumps, documents)).encode())).decode()


async def waits_while(http: aiohttp.ClientSession, goes_on: Callable[[], Awaitable[bool]]) -> list[float]:
    """How long people waited for their lists meanwhile, sorted."""
    waits: list[float] = []
    over = asyncio.Event()

    async def person(number: int) -> None:
        while not over.is_set():
            before = time.perf_counter()
            async with http.get(f"{LIST}{number}") as reply:
                reply.raise_for_status()
                await reply.read()
            waits.append(time.perf_counter() - before)
            await asyncio.sleep(PAUSE_SECONDS)

    async with asyncio.TaskGroup() as group:
        for number in range(PEOPLE):
            group.create_task(person(number))
        while await goes_on():
            await asyncio.sleep(0.1)
        over.set()
    return sorted(waits)


def told(name: str, waits: list[float]) -> str:
    """One line."""
    median, late = waits[len(waits) // 2], waits[int(len(waits) * 0.99)]
    longest = waits[-1]
    return (
        f"{name:8} {len(waits):5} lists, median {median * 1e3:5.1f} ms, 99 % {late * 1e3:6.1f} ms, "
        f"longest {longest * 1e3:6.1f} ms"
    )


async def main() -> int:
    """1 when a goal is missed."""
    async with started() as url, aiohttp.ClientSession(url) as http:
        end = time.monotonic() + IDLE_SECONDS

        async def still_idle() -> bool:
            return time.monotonic() < end

        await waits_while(http, still_idle)
        end = time.monotonic() + IDLE_SECONDS
        idle = await waits_while(http, still_idle)
        order = {"file": {"fileName": "crds.yaml", "contentGzip": crds()}}
        begun = time.monotonic()
        async with http.post("/api/registry/imports", json=order) as reply:
            reply.raise_for_status()
            import_id = (await reply.json())["id"]
        last: dict[str, Any] = {}

        async def importing() -> bool:
            async with http.get(f"/api/registry/imports/{import_id}") as answer:
                last.update(await answer.json())
            return last["finishedAt"] is None

        busy = await waits_while(http, importing)
        seconds = time.monotonic() - begun
        print(told("idle", idle))
        print(told("import", busy))
        ratio = busy[len(busy) // 2] / idle[len(idle) // 2]
        added = last["components"]["added"]
        print(f"{added:,} components in {seconds:.1f} s; median of the lists {ratio:.2f} times the idle one")
        good = added == COMPONENTS and ratio <= GOAL_RATIO and busy[-1] <= GOAL_LONGEST_SECONDS
        return 0 if good else 1


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
