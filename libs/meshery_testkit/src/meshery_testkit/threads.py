"""A server of the whole session, in a thread with a loop of its own, so that tests may have a loop each."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from contextlib import AbstractAsyncContextManager
from typing import Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")

_END_SECONDS = 60.0


class InThread(Generic[T]):
    """Holds an async context manager open in a thread; `value` is what it gave. Blocks until it is open.

    Raises what opening raised.
    """

    def __init__(self, name: str, opened: Callable[[], AbstractAsyncContextManager[T]]) -> None:
        self._opened = opened
        self._started: Future[tuple[T, asyncio.AbstractEventLoop, asyncio.Event]] = Future()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), name=name)
        self._thread.start()
        self.value, self._loop, self._ending = self._started.result()

    async def do(self, work: Callable[[T], Awaitable[R]]) -> R:
        """Do something with the value in its own loop, from any other."""

        async def doing() -> R:
            return await work(self.value)

        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(doing(), self._loop))

    def close(self) -> None:
        """Leave the context manager and wait for it. A second call does nothing."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._ending.set)
        self._thread.join(_END_SECONDS)

    async def _serve(self) -> None:
        ending = asyncio.Event()
        try:
            async with self._opened() as value:
                self._started.set_result((value, asyncio.get_running_loop(), ending))
                await ending.wait()
        except BaseException as error:
            if self._started.done():
                raise
            self._started.set_exception(error)
