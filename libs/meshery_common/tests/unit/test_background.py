"""Loops end when they are told to, whatever else happens in that moment."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest

from meshery_common.background import alongside, pause, raise_if_cancelled
from meshery_common.runtime import supervise


async def fails_when_it_ends() -> None:
    """Raises in its own tidying up: the error takes the place of the cancellation."""
    try:
        await asyncio.Event().wait()
    finally:
        raise RuntimeError("the connection was closed already")


async def fails_in_a_group() -> None:
    """Raises the errors of its children in place of the cancellation."""
    async with asyncio.TaskGroup() as group:
        group.create_task(fails_when_it_ends())
        group.create_task(fails_when_it_ends())


@pytest.mark.parametrize("work", [fails_when_it_ends, fails_in_a_group])
async def test_a_worker_that_fails_at_its_end_holds_nobody_up(work: object) -> None:
    async with asyncio.timeout(10):
        async with supervise("things") as tasks:
            tasks.start("work", work)  # type: ignore[arg-type]  # both are plain workers
            await asyncio.sleep(0.05)


async def test_a_loop_that_goes_on_after_errors_ends() -> None:
    turns = 0

    async def loop() -> None:
        nonlocal turns
        while True:
            turns += 1
            with suppress(ExceptionGroup):
                await fails_in_a_group()
            await pause(0.01)

    async with asyncio.timeout(10):
        async with alongside(loop()):
            await asyncio.sleep(0.05)
    assert turns == 1


async def test_nobody_is_cancelled_who_was_not_asked_to_end() -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(0.01):
            await asyncio.Event().wait()
    with suppress(ExceptionGroup):
        async with asyncio.TaskGroup() as group:
            group.create_task(asyncio.wait_for(asyncio.Event().wait(), 0.01))
            await asyncio.Event().wait()
    raise_if_cancelled()
    await pause(0)
