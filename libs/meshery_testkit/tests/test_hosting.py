"""A hosted service fails the block that it stands beside, and nothing hangs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from meshery_testkit.hosting import hosted


@asynccontextmanager
async def service(story: list[str], *, start: bool = True, end: bool = True) -> AsyncIterator[str]:
    story.append("starting")
    if not start:
        raise ValueError("cannot start")
    try:
        yield "served"
    finally:
        story.append("stopping")
    if not end:
        raise ValueError("cannot end")


async def test_it_runs_in_a_task_of_its_own_and_ends_with_the_block() -> None:
    story: list[str] = []
    async with hosted(service(story)):
        story.append("block")
    assert story == ["starting", "block", "stopping"]


async def test_a_failed_start_is_raised_before_the_block() -> None:
    story: list[str] = []
    with pytest.raises(ValueError, match="cannot start"):
        async with hosted(service(story, start=False)):
            story.append("block")
    assert story == ["starting"]


async def test_a_failed_end_is_raised_after_the_block() -> None:
    with pytest.raises(ValueError, match="cannot end"):
        async with hosted(service([], end=False)):
            pass


async def test_a_service_that_dies_ends_the_block() -> None:
    @asynccontextmanager
    async def dying() -> AsyncIterator[None]:
        async with asyncio.TaskGroup() as group:
            group.create_task(die())
            yield

    async def die() -> None:
        await asyncio.sleep(0)
        raise ValueError("died")

    with pytest.raises(BaseExceptionGroup) as caught:
        async with hosted(dying()):
            await asyncio.Event().wait()
    assert caught.group_contains(ValueError, match="died")


async def test_the_error_of_the_block_comes_out_as_it_is() -> None:
    story: list[str] = []
    with pytest.raises(KeyError):
        async with hosted(service(story)):
            raise KeyError("mine")
    assert story == ["starting", "stopping"]


async def test_cancelling_the_block_stops_the_service() -> None:
    story: list[str] = []
    inside = asyncio.Event()

    async def block() -> None:
        async with hosted(service(story)):
            inside.set()
            await asyncio.Event().wait()

    async with asyncio.TaskGroup() as group:
        task = group.create_task(block())
        await inside.wait()
        task.cancel()
    assert story == ["starting", "stopping"]
