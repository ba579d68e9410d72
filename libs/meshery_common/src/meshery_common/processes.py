"""Work that would stall the event loop, in a process beside it.

Parsing a megabyte of YAML takes a second of pure computing. The process is a fresh interpreter (`process_beside`):
it holds none of our sockets and locks, imports nothing but the modules of the work, and can be ended when nobody
waits for its answer any more. It is started at first use and ended when it was idle for a while.
"""

from __future__ import annotations

import asyncio
import contextlib
import pickle
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import ParamSpec, TypeVar

from meshery_common import process_beside
from meshery_contracts.errors import Unavailable

P = ParamSpec("P")
T = TypeVar("T")


class WorkerProcess:
    """Runs plain functions of importable modules in another process, one at a time, in order."""

    def __init__(self, idle_seconds: float, memory_bytes: int | None = None) -> None:
        self._idle_seconds = idle_seconds
        self._options = () if memory_bytes is None else (str(memory_bytes),)
        self._turn = asyncio.Lock()
        self._waiting = 0
        self._process: Process | None = None
        self._idle: asyncio.TimerHandle | None = None

    @classmethod
    @asynccontextmanager
    async def open(
        cls, *, idle_seconds: float = 60.0, memory_bytes: int | None = None
    ) -> AsyncIterator[WorkerProcess]:
        """A worker for the time of the block; costs nothing until it is used, or when it was idle for a while.

        Work that needs more than `memory_bytes` fails with MemoryError.
        """
        worker = cls(idle_seconds, memory_bytes)
        try:
            yield worker
        finally:
            worker._stop_waiting()
            await worker._end()

    @property
    def process_id(self) -> int | None:
        """The process of now, if there is one."""
        return self._process.pid if self._process is not None else None

    async def run(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """`work(*args)` over there; the function goes by its name, arguments and result are pickled.

        Raises what it raises, and Unavailable when the process died, e.g. for lack of memory. When the caller is
        cancelled the process is ended: nobody needs what it is at.
        """
        if kwargs:
            raise TypeError("pass positional arguments: they cross a process border")
        question = pickle.dumps((work, args))
        self._waiting += 1
        self._stop_waiting()
        try:
            async with self._turn:
                answer = await self._asked(question)
        finally:
            self._waiting -= 1
            if self._waiting == 0 and self._process is not None:
                self._idle = asyncio.get_running_loop().call_later(self._idle_seconds, self._kill)
        good, result = pickle.loads(answer)  # noqa: S301 - written by our own process
        if good:
            value: T = result
            return value
        error, where = result
        error.add_note(where)
        raise error

    async def _asked(self, question: bytes) -> bytes:
        process = self._process
        if process is None or process.returncode is not None:
            # Without -m's own folder on the path: the work is found where we would find it.
            process = self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-P", "-m", process_beside.__name__, *self._options),
                stdin=PIPE,
                stdout=PIPE,
            )
        assert process.stdin is not None  # noqa: S101 - asked for above
        assert process.stdout is not None  # noqa: S101
        try:
            process.stdin.write(process_beside.framed(question))
            await process.stdin.drain()
            size = int.from_bytes(await process.stdout.readexactly(process_beside.SIZE_BYTES))
            return await process.stdout.readexactly(size)
        except (asyncio.IncompleteReadError, ConnectionError) as error:
            await self._end()
            raise Unavailable(
                "The process that does the heavy work has died.",
                code="worker_died",
                cause="The input may have needed more memory than there is.",
                remedy="Try again; if it fails again, send the input in smaller parts.",
            ) from error
        except BaseException:
            # Cancelled in the middle: what it answers must not be taken for the answer to the next question.
            await self._end()
            raise

    def _stop_waiting(self) -> None:
        if self._idle is not None:
            self._idle.cancel()
            self._idle = None

    def _kill(self) -> None:
        process, self._process = self._process, None
        if process is not None and process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()

    async def _end(self) -> None:
        process = self._process
        self._kill()
        if process is not None:
            await process.wait()
