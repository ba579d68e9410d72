"""A service under test in a task of its own.

An async fixture that yields inside the service's task group would run it in pytest's task: when a worker dies the
test would hang. Here the block fails at once when the service ends.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")


@asynccontextmanager
async def hosted(running: AbstractAsyncContextManager[T]) -> AsyncIterator[T]:
    """Run a service beside the block, and give what its own block gives.

    Raises what the service raised, at its start, in between or at its end.
    """
    started = asyncio.Event()
    stop = asyncio.Event()
    given: list[T] = []

    async def serve() -> None:
        try:
            async with running as value:
                given.append(value)
                started.set()
                await stop.wait()
        finally:
            started.set()

    try:
        async with asyncio.TaskGroup() as group:
            serving = group.create_task(serve())
            await started.wait()
            if serving.done():
                return
            try:
                yield given[0]
            finally:
                stop.set()
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from None


def processes_beside() -> int:
    """How many processes do heavy work for this one."""
    found = 0
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            found += parent == os.getpid() and b"process_beside" in (folder / "cmdline").read_bytes()
    return found
