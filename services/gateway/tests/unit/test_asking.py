"""One asks for many, and nobody suffers from the one who asked."""

from __future__ import annotations

import asyncio

import pytest

from meshery_gateway.http.asking import Asking


class Source:
    """Answers when it is told to, and counts."""

    def __init__(self) -> None:
        self.asked = 0
        self.go = asyncio.Event()

    async def ask(self) -> int:
        self.asked += 1
        await self.go.wait()
        return self.asked


async def test_one_asks_for_many() -> None:
    asking: Asking[str, int] = Asking()
    source = Source()
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(asking.once("a", source.ask)) for _ in range(10)]
        await asyncio.sleep(0)
        source.go.set()
    assert [task.result() for task in tasks] == [1] * 10
    assert await asking.once("a", source.ask) == 2, "what is over is asked again"


async def test_the_next_asks_when_the_first_has_gone() -> None:
    asking: Asking[str, int] = Asking()
    source = Source()
    async with asyncio.TaskGroup() as group:
        first = group.create_task(asking.once("a", source.ask))
        others = [group.create_task(asking.once("a", source.ask)) for _ in range(3)]
        await asyncio.sleep(0)
        first.cancel()
        while source.asked < 2:
            await asyncio.sleep(0)
        await asyncio.sleep(0)
        source.go.set()
    assert first.cancelled()
    assert [task.result() for task in others] == [2, 2, 2]


async def test_who_waits_can_be_cancelled_alone() -> None:
    asking: Asking[str, int] = Asking()
    source = Source()
    async with asyncio.TaskGroup() as group:
        first = group.create_task(asking.once("a", source.ask))
        second = group.create_task(asking.once("a", source.ask))
        await asyncio.sleep(0)
        second.cancel()
        await asyncio.sleep(0)
        source.go.set()
    assert second.cancelled()
    assert first.result() == 1


async def test_all_hear_what_went_wrong() -> None:
    asking: Asking[str, int] = Asking()

    async def fail() -> int:
        await asyncio.sleep(0)
        raise ValueError("no")

    async def ask() -> None:
        with pytest.raises(ValueError, match="no"):
            await asking.once("a", fail)

    async with asyncio.TaskGroup() as group:
        for _ in range(3):
            group.create_task(ask())
