"""Every service as a process of its own, on the same servers: how it is in a cluster, on one machine.

A process that ends is started again, with the same environment, as a supervisor in production would.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import structlog

from meshery_common.background import alongside, pause
from meshery_embedded.process import Command, Process, StopStep
from meshery_standalone.errors import CannotRunError

log = structlog.get_logger()

_STOP = (StopStep(signal.SIGTERM, 25.0), StopStep(signal.SIGKILL, 5.0))
_FIRST_PAUSE_SECONDS = 0.5
_LONGEST_PAUSE_SECONDS = 10.0
_STEADY_SECONDS = 60.0


class SeparateProcess:
    """One service's process; `process` is the living one of now."""

    def __init__(
        self, name: str, environment: Mapping[str, str], log_file: Path, warn: Callable[[str], None]
    ) -> None:
        self.name = name
        self._warn = warn
        inherited = {key: value for key, value in os.environ.items() if not key.startswith("MESHERY_")}
        self._command = Command(
            name=name,
            argv=[sys.executable, "-m", f"meshery_{name.replace('-', '_')}"],
            log=log_file,
            env={**inherited, **environment},
            stop=_STOP,
        )
        self.process: Process | None = None
        #: Set once the service has answered: from then on an end is mended, before it is an error.
        self.answered = False
        self._stopping = False

    @classmethod
    @asynccontextmanager
    async def started(
        cls, name: str, environment: Mapping[str, str], log_file: Path, warn: Callable[[str], None]
    ) -> AsyncIterator[SeparateProcess]:
        """Keep the process running for the time of the block; `warn` tells a person when it has to be started again.

        Raises CannotRunError into the block when it ends before it has answered.
        """
        one = cls(name, environment, log_file, warn)
        async with alongside(one._keep()):
            yield one

    async def _keep(self) -> None:
        seconds = _FIRST_PAUSE_SECONDS
        loop = asyncio.get_running_loop()
        while True:
            started = loop.time()
            self.process = process = await Process.start(self._command)
            try:
                code = await asyncio.shield(process.exited)
            finally:
                await process.stop()
            if self._stopping:
                await asyncio.Event().wait()
            if not self.answered:
                raise CannotRunError(
                    f"The service {self.name} ended with {_ending(code)} while it started.\n"
                    f"Details: {self._command.log}"
                )
            log.warning("a service ended and is started again", service=self.name, exit_code=code)
            self._warn(f"The service {self.name} ended with {_ending(code)} and is started again.")
            if loop.time() - started > _STEADY_SECONDS:
                seconds = _FIRST_PAUSE_SECONDS
            await pause(seconds)
            seconds = min(seconds * 2, _LONGEST_PAUSE_SECONDS)

    async def stop(self) -> None:
        """End it in order, and do not start it again."""
        self._stopping = True
        if self.process is not None:
            await self.process.stop()

    @property
    def pid(self) -> int:
        """Process id of the living one."""
        return self.process.pid if self.process is not None else 0

    def kill(self) -> None:
        """End it as a fault would; it is started again."""
        if self.process is not None:
            self.process.signal(signal.SIGKILL)


def _ending(code: int) -> str:
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
