"""A process of ours from start to stop: named tasks under supervision, signals, the order of the end.

A worker that fails is logged and started again after a pause: one bad row must not take a service down. A
worker that returns is a mistake and treated the same.
"""

from __future__ import annotations

import asyncio
import faulthandler
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TypeVar

import structlog
import uvloop
from prometheus_client import Counter
from pydantic import ValidationError

from meshery_common.background import alongside, pause
from meshery_common.settings import ProcessSettings
from meshery_common.telemetry import TelemetrySettings, exporting, start_logging

log = structlog.get_logger()

SettingsT = TypeVar("SettingsT", bound=ProcessSettings)

RESTARTS = Counter(
    "meshery_worker_restarts_total", "Workers started again after a failure.", ["service", "worker"]
)
_LONGEST_PAUSE_SECONDS = 30.0
_BLOCKED_SECONDS = 10.0


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
        seconds = 0.5
        while True:
            started = asyncio.get_running_loop().time()
            try:
                await work()
                log.error("a worker ended", worker=name)
            except Exception:
                log.exception("a worker failed", worker=name)
            RESTARTS.labels(self._service, name).inc()
            if asyncio.get_running_loop().time() - started > 60:
                seconds = 0.5
            await pause(seconds)
            seconds = min(seconds * 2, _LONGEST_PAUSE_SECONDS)


@asynccontextmanager
async def supervise(service: str) -> AsyncIterator[Tasks]:
    """Run named workers beside the block; they are cancelled when it ends."""
    tasks = Tasks(service)
    async with alongside(tasks.keep(), service=service):
        yield tasks


async def tell_when_blocked(seconds: float = _BLOCKED_SECONDS) -> None:
    """Have the stacks of all threads written to standard error whenever this loop has not turned for so long.

    Runs until cancelled. Written by a thread that needs no interpreter: whatever holds it up cannot keep it silent.
    """
    try:
        while True:
            faulthandler.dump_traceback_later(seconds)
            await pause(seconds / 10)
    finally:
        faulthandler.cancel_dump_traceback_later()


def main(
    service: str,
    settings: type[SettingsT],
    running: Callable[[SettingsT], AbstractAsyncContextManager[object]],
) -> None:
    """The whole `__main__` of a service: settings from the environment, then `run`. Exits with 2 when one is wrong."""
    try:
        found = settings()
    except ValidationError as error:
        prefix = settings.model_config.get("env_prefix", "")
        for one in error.errors(include_url=False, include_input=False, include_context=False):
            variable = f"{prefix}{'__'.join(str(part) for part in one['loc'])}".upper()
            print(f"{service}: {variable}: {one['msg']}", file=sys.stderr)  # noqa: T201 -- nothing logs yet
        sys.exit(2)
    run(service, found.telemetry, lambda: running(found))


def run(
    service: str,
    telemetry: TelemetrySettings,
    running: Callable[[], AbstractAsyncContextManager[object]],
    *,
    longest_stop_seconds: float = 60.0,
    blocked_seconds: float = _BLOCKED_SECONDS,
) -> None:
    """The life of a process: start, wait for SIGTERM or SIGINT, stop in order.

    A second signal, or a stop that takes too long, ends it at once with the exit code 1. While it still starts,
    the first signal ends it.
    """
    start_logging(telemetry)
    with exporting(telemetry, service):
        uvloop.run(_live(service, running, longest_stop_seconds, blocked_seconds))


async def _live(
    service: str,
    running: Callable[[], AbstractAsyncContextManager[object]],
    longest_stop_seconds: float,
    blocked_seconds: float,
) -> None:
    entered = False
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

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

    def end_at_once(why: str) -> None:
        names = sorted(task.get_name() for task in asyncio.all_tasks(loop))
        print(f"{service}: {why}; still at work: {', '.join(names)}", file=sys.stderr)  # noqa: T201 -- the very end
        os._exit(1)

    def on_signal() -> None:
        if stop.is_set():
            end_at_once("ended in the middle of stopping")
        stop.set()
        loop.call_later(longest_stop_seconds, end_at_once, f"did not stop in {longest_stop_seconds:.0f} s")

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, on_signal)
    try:
        async with alongside(tell_when_blocked(blocked_seconds)), asyncio.TaskGroup() as group:
            serving = group.create_task(serve(), name=f"{service}: start and stop")
            await stop.wait()
            if not entered:
                serving.cancel()  # still starting: there is nothing to drain
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from None
