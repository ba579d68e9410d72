"""A process of ours from start to stop: named tasks under supervision, signals, the order of the end.

A worker that fails is logged and started again after a pause: one bad row must not take a service down. A
worker that returns is a mistake and treated the same.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import structlog
import uvloop
from prometheus_client import Counter

from meshery_common.background import alongside
from meshery_common.telemetry import TelemetrySettings, exporting, start_logging

log = structlog.get_logger()

RESTARTS = Counter(
    "meshery_worker_restarts_total", "Workers started again after a failure.", ["service", "worker"]
)
_LONGEST_PAUSE_SECONDS = 30.0


class Tasks:
    """The background work of one service, by name."""

    def __init__(self, service: str) -> None:
        self._service = service
        self._to_start: asyncio.Queue[tuple[str, Callable[[], Awaitable[object]]]] = asyncio.Queue()

    def start(self, name: str, work: Callable[[], Awaitable[object]]) -> None:
        """Run `work` for as long as the service lives; it is called again whenever it ends."""
        self._to_start.put_nowait((name, work))

    async def keep(self) -> None:
        """Start what is to be started, and hold it until cancelled."""
        async with asyncio.TaskGroup() as group:
            while True:
                name, work = await self._to_start.get()
                group.create_task(self._kept_running(name, work), name=f"{self._service}: {name}")

    async def _kept_running(self, name: str, work: Callable[[], Awaitable[object]]) -> None:
        pause = 0.5
        while True:
            started = asyncio.get_running_loop().time()
            try:
                await work()
                log.error("a worker ended", worker=name)
            except Exception:
                log.exception("a worker failed", worker=name)
            RESTARTS.labels(self._service, name).inc()
            if asyncio.get_running_loop().time() - started > 60:
                pause = 0.5
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)


@asynccontextmanager
async def supervise(service: str) -> AsyncIterator[Tasks]:
    """Run named workers beside the block; they are cancelled when it ends."""
    tasks = Tasks(service)
    async with alongside(tasks.keep(), service=service):
        yield tasks


def run(
    service: str, telemetry: TelemetrySettings, running: Callable[[], AbstractAsyncContextManager[object]]
) -> None:
    """The life of a process: start, wait for SIGTERM or SIGINT, stop in order; a second signal ends it at once."""
    start_logging(telemetry)
    with exporting(telemetry, service):
        uvloop.run(_live(service, running))


async def _live(service: str, running: Callable[[], AbstractAsyncContextManager[object]]) -> None:
    entered = False
    stop = asyncio.Event()

    async def serve() -> None:
        nonlocal entered
        try:
            async with running():
                entered = True
                log.info("ready", service=service)
                await stop.wait()
                log.info("stopping", service=service)
        finally:
            stop.set()

    def on_signal() -> None:
        if stop.is_set():
            print(f"{service}: ended in the middle of stopping", file=sys.stderr)  # noqa: T201 -- the very end
            os._exit(1)
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, on_signal)
    async with asyncio.TaskGroup() as group:
        serving = group.create_task(serve())
        await stop.wait()
        if not entered:
            serving.cancel()  # still starting: there is nothing to drain
