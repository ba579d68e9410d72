"""Session servers in threads: their value, their errors, their end."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from meshery_testkit.threads import InThread


async def test_work_is_done_over_there_and_the_end_is_awaited() -> None:
    ended = threading.Event()

    @asynccontextmanager
    async def opened() -> AsyncIterator[asyncio.AbstractEventLoop]:
        yield asyncio.get_running_loop()
        ended.set()

    async def is_home(loop: asyncio.AbstractEventLoop) -> bool:
        return asyncio.get_running_loop() is loop

    running = await asyncio.to_thread(InThread, "test", opened)
    assert running.value is not asyncio.get_running_loop()
    assert await running.do(is_home)
    await asyncio.to_thread(running.close)
    assert ended.is_set()
    running.close()


def test_what_opening_raises_comes_out() -> None:
    @asynccontextmanager
    async def opened(port: int) -> AsyncIterator[int]:
        if port < 0:
            raise ValueError("no luck")
        yield port

    with pytest.raises(ValueError, match="no luck"):
        InThread("test", lambda: opened(-1))
