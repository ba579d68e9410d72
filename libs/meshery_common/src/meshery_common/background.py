"""Loops that live exactly as long as a block."""

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
