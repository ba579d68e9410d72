"""Every service as a process of its own, on the same servers: how it is in a cluster, on one machine.

A process that ends is started again, with the same environment, as a supervisor in production would.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import structlog

from meshery_common.background import alongside
from meshery_embedded.process import Command, Process, StopStep

log = structlog.get_logger()

_STOP = (StopStep(signal.SIGTERM, 25.0), StopStep(signal.SIGKILL, 5.0))
_RESTART_SECONDS = 0.5


class SeparateProcess:
    """One service's process; `process` is the living one of now."""

    def __init__(self, name: str, environment: Mapping[str, str], log_file: Path) -> None:
        self.name = name
        inherited = {key: value for key, value in os.environ.items() if not key.startswith("MESHERY_")}
        self._command = Command(
            name=name,
            argv=[sys.executable, "-m", f"meshery_{name}"],
            log=log_file,
            env={**inherited, **environment},
            stop=_STOP,
        )
        self.process: Process | None = None

    @classmethod
    @asynccontextmanager
    async def started(
        cls, name: str, environment: Mapping[str, str], log_file: Path
    ) -> AsyncIterator[SeparateProcess]:
        """Keep the process running for the time of the block."""
        one = cls(name, environment, log_file)
        one.process = await Process.start(one._command)
        async with alongside(one._keep()):
            yield one
        await one.process.stop()

    async def _keep(self) -> None:
        while True:
            assert self.process is not None  # noqa: S101 -- set before this runs
            code = await asyncio.shield(self.process.exited)
            log.warning("a service ended and is started again", service=self.name, exit_code=code)
            await asyncio.sleep(_RESTART_SECONDS)
            self.process = await Process.start(self._command)

    def kill(self) -> None:
        """End it as a fault would; it is started again."""
        if self.process is not None:
            self.process.signal(signal.SIGKILL)
