"""Work that would stall the event loop, in a process beside it.

Parsing a megabyte of YAML takes a second of pure computing. The process is a fresh interpreter (`process_beside`):
it holds none of our sockets and locks, imports nothing but the modules of the work, and can be ended when nobody
waits for its answer any more. It is started at first use and ended when it was idle for a while.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import pickle
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import ParamSpec, TypeVar, cast

import structlog

from meshery_common import process_beside
from meshery_contracts.errors import Unavailable

P = ParamSpec("P")
T = TypeVar("T")

log = structlog.get_logger()

#: Work on a longer text, in characters or bytes, would stall the loop; below it the way there and back costs more.
LONG = 64 * 1024
#: A process that gives no sign of life for two turns of this is ended. One turn proves nothing: perhaps it was us
#: who were not running.
_SILENCE_SECONDS = 5.0
#: A killed process is gone in milliseconds, unless the system itself is stuck.
_END_SECONDS = 5.0


class WorkerProcess:
    """Runs plain functions of importable modules in another process, one at a time, in order."""

    def __init__(self, idle_seconds: float, memory_bytes: int | None, silence_seconds: float) -> None:
        self._idle_seconds = idle_seconds
        self._options = () if memory_bytes is None else (str(memory_bytes),)
        self._silence_seconds = silence_seconds
        self._turn = asyncio.Lock()
        self._waiting = 0
        self._beside: _Beside | None = None
        self._idle: asyncio.TimerHandle | None = None

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        *,
        idle_seconds: float = 60.0,
        memory_bytes: int | None = None,
        silence_seconds: float = _SILENCE_SECONDS,
    ) -> AsyncIterator[WorkerProcess]:
        """A worker for the time of the block; costs nothing until it is used, or when it was idle for a while.

        Work that needs more than `memory_bytes` fails with MemoryError. A process that is stopped or stuck is ended
        after twice `silence_seconds`.
        """
        worker = cls(idle_seconds, memory_bytes, silence_seconds)
        try:
            yield worker
        finally:
            worker._stop_waiting()
            await worker._end()

    @property
    def process_id(self) -> int | None:
        """The process of now, if there is one."""
        return self._beside.process_id if self._beside is not None and not self._beside.over else None

    async def run(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """`work(*args)` over there; the function goes by its name, arguments and result are pickled.

        Raises what it raises, and Unavailable when the process died, e.g. for lack of memory, is stuck, or cannot be
        started. When the caller is cancelled the process is ended: nobody needs what it is at.
        """
        if kwargs:
            raise TypeError("pass positional arguments: they cross a process border")
        question = pickle.dumps((work, args))
        self._waiting += 1
        self._stop_waiting()
        try:
            async with self._turn:
                good, result = pickle.loads(await self._asked(question))  # noqa: S301 - by our own process
                if not good and isinstance(result[0], (ImportError, SyntaxError)):
                    # Somebody changes the installation under us: what it has loaded belongs together no more.
                    await self._end()
        finally:
            self._waiting -= 1
            if self._waiting == 0 and self._beside is not None:
                self._idle = asyncio.get_running_loop().call_later(self._idle_seconds, self._forget)
        if good:
            value: T = result
            return value
        error, where = result
        error.add_note(where)
        raise error

    async def run_if_long(self, size: int, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Work on a text of this size, in characters or bytes: over there when it is long, at once when it is not."""
        if size > LONG:
            return await self.run(work, *args, **kwargs)
        return work(*args, **kwargs)

    async def _asked(self, question: bytes) -> bytearray:
        """The answer to a question. Whatever goes wrong, the next one meets a fresh process."""
        if self._beside is None or self._beside.over:
            await self._end()
            self._beside = await self._started()
        beside = self._beside
        try:
            return await beside.ask(question, self._silence_seconds)
        except _Over as over:
            await self._end()
            raise _died(over) from None
        except BaseException:
            # Cancelled in the middle: what it answers must not be taken for the answer to the next question.
            await self._end()
            raise

    async def _started(self) -> _Beside:
        # Without -m's own folder on the path: the work is found where we would find it.
        command = (sys.executable, "-P", "-m", process_beside.__name__, *self._options)
        try:
            _, beside = await asyncio.get_running_loop().subprocess_exec(
                _Beside,
                *command,
                stdin=PIPE,
                stdout=PIPE,
                stderr=None,
                # One heap for all of its threads: each further one takes 64 MB of what it is allowed.
                env={**os.environ, "MALLOC_ARENA_MAX": "1"},
            )
        except OSError as error:
            raise _not_started(os.strerror(error.errno) if error.errno else "") from error
        return beside

    def _stop_waiting(self) -> None:
        if self._idle is not None:
            self._idle.cancel()
            self._idle = None

    def _forget(self) -> None:
        beside, self._beside = self._beside, None
        if beside is not None:
            beside.kill()

    async def _end(self) -> None:
        beside, self._beside = self._beside, None
        if beside is not None:
            await beside.end()


class _Over(Exception):
    """The process has ended, or is as good as that."""

    def __init__(self, *, began: bool, silent: bool = False) -> None:
        super().__init__()
        #: Whether it ever gave a sign of life.
        self.began = began
        self.silent = silent


class _Beside(asyncio.SubprocessProtocol):
    """One process and the question that it is at.

    Its end is noticed at once and by itself: a stream that is not read to its end would hide it for ever.
    """

    def __init__(self) -> None:
        self._exited: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._answer: asyncio.Future[bytearray] | None = None
        self._arrived = bytearray()
        self._signs = 0
        self._transport: asyncio.SubprocessTransport
        #: Whether it can be asked nothing more.
        self.over = False

    @property
    def process_id(self) -> int:
        return int(self._transport.get_pid())

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.SubprocessTransport, transport)

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        self._signs += 1
        self._arrived += data
        while (frame := process_beside.cut(self._arrived)) is not None:
            # An empty one only says that it lives.
            if frame and self._answer is not None and not self._answer.done():
                self._answer.set_result(frame)

    def pipe_connection_lost(self, fd: int, exc: Exception | None) -> None:
        self._is_over()

    def process_exited(self) -> None:
        self._is_over()
        if not self._exited.done():
            self._exited.set_result(None)
        # Also what it has not read of a question, and what we have not read of an answer.
        self._transport.close()

    def _is_over(self) -> None:
        self.over = True
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(_Over(began=self._signs > 0))

    async def ask(self, question: bytes, silence_seconds: float) -> bytearray:
        """The answer, as bytes. Raises _Over; after that, or when cancelled, it must be ended."""
        if self.over:
            raise _Over(began=self._signs > 0)
        answer: asyncio.Future[bytearray] = asyncio.get_running_loop().create_future()
        self._answer = answer
        questions = cast(asyncio.WriteTransport, self._transport.get_pipe_transport(0))
        # RuntimeError: uvloop has closed the pipe and not told us yet.
        with contextlib.suppress(RuntimeError):
            questions.writelines(process_beside.framed(question))
        silent = 0
        try:
            while not answer.done() and silent < 2:
                signs = self._signs
                await asyncio.wait([answer], timeout=silence_seconds)
                silent = silent + 1 if signs == self._signs else 0
        finally:
            self._answer = None
        if not answer.done():
            raise _Over(began=True, silent=True)
        return answer.result()

    def kill(self) -> None:
        """End it now; it may still be there for a moment."""
        self.over = True
        with contextlib.suppress(ProcessLookupError):
            self._transport.kill()

    async def end(self) -> None:
        """End it, and return when it is gone."""
        self.kill()
        try:
            await asyncio.wait([self._exited], timeout=_END_SECONDS)
            if not self._exited.done():
                log.error("a process cannot be killed", process_id=self.process_id)
        finally:
            self._transport.close()


def _died(over: _Over) -> Unavailable:
    if not over.began:
        return _not_started("it ended at once; the log of this service tells more")
    if over.silent:
        return Unavailable(
            "The process that does the heavy work is stuck, and was ended.",
            code="worker_stuck",
            cause="Somebody has stopped it, or this machine is badly short of time or memory.",
            remedy="Try again.",
        )
    return Unavailable(
        "The process that does the heavy work has died.",
        code="worker_died",
        cause="The input may have needed more memory than there is.",
        remedy="Try again; if it fails again, send the input in smaller parts.",
    )


def _not_started(why: str) -> Unavailable:
    return Unavailable(
        "The process that does the heavy work cannot be started.",
        code="worker_not_started",
        cause=why or "This machine lets us start no more processes.",
        remedy="Try again in a moment; if it lasts, look at the memory, the process limit and the installation here.",
    )
