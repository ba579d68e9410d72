"""MeshSync as child processes: each watches many clusters, is started again when it dies, and ends with us.

The commands hold credentials, so they go through the pipe and nowhere else: no arguments, no files, no logs.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

import structlog
from pydantic import ValidationError

from meshery_common.background import pause
from meshery_common.bus import BusSettings
from meshery_contracts.discovery import Resync, Unwatch, Watch, WatchReport, WatchStatus

log = structlog.get_logger()

#: Told of every change of a watch; must not fail.
Report = Callable[[WatchReport], Awaitable[None]]
MESHSYNC = (sys.executable, "-m", "meshery_meshsync")
_LAUNCHER = Path(__file__).with_name("_launch.py")
_FIRST_PAUSE_SECONDS = 0.5
_LONGEST_PAUSE_SECONDS = 30.0
_STEADY_SECONDS = 60.0
_STOP_SECONDS = 5.0
#: MeshSync writes something every few seconds. One that is silent for two turns of this is stuck or stopped; one turn
#: proves nothing: perhaps it was us who were not running.
_SILENCE_SECONDS = 15.0
_LINE_BYTES = 1 << 20


def meshsync_environment(
    bus: BusSettings, own_kubeconfig: Sequence[Path], inherited: Mapping[str, str] = os.environ
) -> dict[str, str]:
    """The environment of the children: ours without our own settings, and how they reach NATS."""
    found = {
        key: value for key, value in inherited.items() if not key.startswith(("CONNECTIONS_", "MESHSYNC_"))
    }
    found["MESHSYNC_BUS__URL"] = bus.url
    if bus.nkey_seed is not None:
        found["MESHSYNC_BUS__NKEY_SEED"] = bus.nkey_seed.get_secret_value()
    if bus.user:
        found["MESHSYNC_BUS__USER"] = bus.user
    if bus.password is not None:
        found["MESHSYNC_BUS__PASSWORD"] = bus.password.get_secret_value()
    if own_kubeconfig:
        found["KUBECONFIG"] = os.pathsep.join(str(path) for path in own_kubeconfig)
    return found


class MeshSyncProcesses:
    """As many children as the watched clusters need."""

    def __init__(
        self,
        report: Report,
        *,
        environment: Mapping[str, str],
        per_process: int,
        command: Sequence[str] = MESHSYNC,
        silence_seconds: float = _SILENCE_SECONDS,
    ) -> None:
        self._report = report
        self._silence_seconds = silence_seconds
        self._environment = dict(environment)
        self._per_process = per_process
        self._command = tuple(command)
        self._children: list[_Child] = []
        self._group: asyncio.TaskGroup | None = None

    async def run(self) -> None:
        """Keep the children; run as a supervised task. Ending it ends them."""
        try:
            async with asyncio.TaskGroup() as group:
                self._group = group
                for child in self._children:
                    group.create_task(self._keep(child))
                await asyncio.Event().wait()
        finally:
            self._group = None

    @asynccontextmanager
    async def watching(self, watch: Watch) -> AsyncIterator[asyncio.Event]:
        """Have a cluster watched for the time of the block, whatever happens to the child.

        The event is set when MeshSync gives the watch up, e.g. because another agent has taken over.
        """
        child = self._child_with_room()
        watched = await child.watch(watch)
        try:
            yield watched.ended
        finally:
            await child.unwatch(watch.connection_id)
            if not child.watches:
                self._children.remove(child)

    async def resync(self, connection_id: UUID) -> None:
        """List a watched cluster anew."""
        for child in self._children:
            if connection_id in child.watches:
                await child.send(Resync(connection_id=connection_id).model_dump_json())

    @property
    def pids(self) -> list[int]:
        """Process ids of the children that run now."""
        return [child.process.pid for child in self._children if child.process is not None]

    def _child_with_room(self) -> _Child:
        for child in self._children:
            if len(child.watches) < self._per_process:
                return child
        child = _Child(self._command, self._environment, self._report, self._silence_seconds)
        self._children.append(child)
        if self._group is not None:
            self._group.create_task(self._keep(child))
        return child

    async def _keep(self, child: _Child) -> None:
        """Run a child until it has nothing to watch; again after every end that was not asked for."""
        seconds = _FIRST_PAUSE_SECONDS
        loop = asyncio.get_running_loop()
        while child in self._children:
            started = loop.time()
            try:
                code = await child.run()
            except OSError as error:
                log.warning("MeshSync cannot be started", error=error.strerror)
                code = -1
            if child not in self._children:
                return
            if loop.time() - started > _STEADY_SECONDS:
                seconds = _FIRST_PAUSE_SECONDS
            log.warning("a MeshSync process ended; starting another", code=code, clusters=len(child.watches))
            await child.report_all(
                WatchStatus.FAILED, "The process that watches the cluster is started again."
            )
            await pause(seconds)
            seconds = min(seconds * 2, _LONGEST_PAUSE_SECONDS)


@dataclass(frozen=True)
class _Watched:
    """One cluster of a child."""

    command: Watch
    ended: asyncio.Event = field(default_factory=asyncio.Event)


class _Child:
    """One process and what it shall watch."""

    def __init__(
        self, command: Sequence[str], environment: Mapping[str, str], report: Report, silence_seconds: float
    ) -> None:
        self._silence_seconds = silence_seconds
        self._command = command
        self._environment = environment
        self._report = report
        self.watches: dict[UUID, _Watched] = {}
        self.process: asyncio.subprocess.Process | None = None

    async def watch(self, watch: Watch) -> _Watched:
        """Watch a cluster from now on, over every restart."""
        watched = self.watches[watch.connection_id] = _Watched(watch)
        await self.send(watch.model_dump_json())
        return watched

    async def unwatch(self, connection_id: UUID) -> None:
        """Watch it no longer; the process ends with its last cluster."""
        self.watches.pop(connection_id, None)
        if self.watches:
            await self.send(Unwatch(connection_id=connection_id).model_dump_json())
        elif self.process is not None and self.process.stdin is not None:
            self.process.stdin.close()

    async def send(self, line: str) -> None:
        """Write a command, if there is a process to read it; a new one gets all watches anyway."""
        process = self.process
        if process is None or process.stdin is None or process.stdin.is_closing():
            return
        with suppress(OSError):
            process.stdin.write(line.encode() + b"\n")
            await process.stdin.drain()

    async def run(self) -> int:
        """One life of the process; its exit code. Raises OSError when it cannot be started."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", "-S", str(_LAUNCHER), str(os.getpid()), *self._command),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env=self._environment,
            limit=_LINE_BYTES,
            # Ctrl-C in a terminal goes to the whole session; we decide what it means for the child.
            start_new_session=True,
        )
        self.process = process
        try:
            for watched in list(self.watches.values()):
                await self.send(watched.command.model_dump_json())
            if not self.watches and process.stdin is not None:
                process.stdin.close()
            await self._read(process)
            return await process.wait()
        finally:
            self.process = None
            await _end(process)

    async def report_all(self, status: WatchStatus, error: str) -> None:
        """Tell the same of all clusters."""
        for connection_id in list(self.watches):
            await self._report(WatchReport(status=status, connection_id=connection_id, error=error))

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None  # noqa: S101 -- it was asked for above
        silent = 0
        while True:
            try:
                async with asyncio.timeout(self._silence_seconds):
                    line = await process.stdout.readline()
            except TimeoutError:
                silent += 1
                if silent == 2:
                    log.warning("MeshSync gives no sign of life and is ended", clusters=len(self.watches))
                    _kill(process)
                continue
            except ValueError:
                log.warning("MeshSync wrote a line that is too long", limit=_LINE_BYTES)
                return
            silent = 0
            if not line:
                return
            if not line.strip():
                continue
            try:
                report = WatchReport.model_validate_json(line)
            except ValidationError:
                log.warning("MeshSync wrote a line that is no report", length=len(line))
                continue
            watched = self.watches.get(report.connection_id)
            if watched is None:
                continue
            await self._report(report)
            if report.status is WatchStatus.ENDED:
                watched.ended.set()


async def _end(process: asyncio.subprocess.Process) -> None:
    """Nothing of it is left behind, also when we are cancelled."""
    if process.returncode is not None:
        return
    if process.stdin is not None:
        process.stdin.close()
    with suppress(TimeoutError):
        async with asyncio.timeout(_STOP_SECONDS):
            await process.wait()
            return
    _kill(process)
    await process.wait()


def _kill(process: asyncio.subprocess.Process) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
