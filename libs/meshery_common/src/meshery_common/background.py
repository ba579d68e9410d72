"""Loops that live exactly as long as a block, and how a loop that goes on after errors notices its own end.

In Python 3.11 a cancellation is lost where it meets something else: a TaskGroup whose children fail at that moment
raises their errors, `asyncio.wait_for` gives a result that has just come, an error in a `finally` takes its place, and
nats-py swallows it while it flushes. A loop that takes the error for one more fault would go on for ever, and so would
whoever waits for its end.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager, nullcontext
from typing import Any

from meshery_common.telemetry import working_for


@asynccontextmanager
async def alongside(*loops: Coroutine[Any, Any, None], service: str = "") -> AsyncIterator[None]:
    """Run loops beside the block, as work of `service` if it is named; they are cancelled when it ends.

    A loop that fails cancels the block, and its error comes out as it is; so does the block's own error. A plain
    TaskGroup would wrap both in a group, which callers of an innocent-looking `async with` do not expect.
    """
    failure: BaseException | None = None
    try:
        async with asyncio.TaskGroup() as group:
            with working_for(service) if service else nullcontext():
                running = [group.create_task(loop) for loop in loops]
            try:
                yield
            except Exception as error:  # noqa: BLE001 - raised again below, outside of the group
                failure = error
            finally:
                for task in running:
                    task.cancel()
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from None
    if failure is not None:
        raise failure


def raise_if_cancelled() -> None:
    """Raise CancelledError when somebody has asked the current task to end: he was perhaps not heard."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


async def pause(seconds: float) -> None:
    """Sleep before the next turn of a loop that goes on after errors. Raises CancelledError also for a lost one."""
    raise_if_cancelled()
    await asyncio.sleep(seconds)
