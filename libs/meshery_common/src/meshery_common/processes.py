"""Work that would stall the event loop, in a process beside it.

Parsing a megabyte of YAML takes a second of pure computing. The process is started at first use, forked from a
clean server process (so that it holds none of our sockets), and ended when it was idle for a while.
"""

from __future__ import annotations

import asyncio
import multiprocessing
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import asynccontextmanager
from typing import ParamSpec, TypeVar

from meshery_contracts.errors import Unavailable

P = ParamSpec("P")
T = TypeVar("T")

_IDLE_SECONDS = 60.0


class WorkerProcess:
    """Runs plain functions of a module in another process, one at a time in order."""

    def __init__(self) -> None:
        self._executor: ProcessPoolExecutor | None = None
        self._busy = 0
        self._idle: asyncio.TimerHandle | None = None

    @classmethod
    @asynccontextmanager
    async def open(cls) -> AsyncIterator[WorkerProcess]:
        """A worker for the time of the block; costs nothing until it is used."""
        worker = cls()
        try:
            yield worker
        finally:
            worker._end()

    async def run(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """`work(*args)` over there; arguments and result are pickled. Raises what it raises.

        Raises Unavailable when the process died, e.g. for lack of memory.
        """
        if kwargs:
            raise TypeError("pass positional arguments: they cross a process border")
        if self._executor is None:
            context = multiprocessing.get_context("forkserver")
            self._executor = ProcessPoolExecutor(max_workers=1, mp_context=context)
        if self._idle is not None:
            self._idle.cancel()
        self._busy += 1
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._executor, work, *args)
        except BrokenProcessPool as error:
            self._end()
            raise Unavailable(
                "The process that does the heavy work has died.",
                code="worker_died",
                cause="The input may have needed more memory than there is.",
                remedy="Try again; if it fails again, send the input in smaller parts.",
            ) from error
        finally:
            self._busy -= 1
            if self._busy == 0:
                self._idle = loop.call_later(_IDLE_SECONDS, self._end)

    def _end(self) -> None:
        if self._idle is not None:
            self._idle.cancel()
        if self._executor is not None:
            self._executor.shutdown(wait=False, cancel_futures=True)
            self._executor = None
