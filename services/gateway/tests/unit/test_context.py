"""What one operation reads only once, and how pages are asked for."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

import pytest

from meshery_contracts.errors import Forbidden, Invalid, NotFound, ProblemError
from meshery_gateway.graphql.context import Loader, page_of


class Shelf:
    """Knows the lengths of words; `none` is unknown, `secret` is refused."""

    def __init__(self) -> None:
        self.reads: list[list[str]] = []

    async def lengths(self, words: Sequence[str]) -> Mapping[str, int | ProblemError]:
        self.reads.append(list(words))
        await asyncio.sleep(0)
        if "break" in words:
            raise RuntimeError("broken")
        found: dict[str, int | ProblemError] = {word: len(word) for word in words if word != "none"}
        if "secret" in words:
            found["secret"] = Forbidden("not for you")
        return found


async def test_what_is_asked_for_together_is_read_together_and_once() -> None:
    shelf = Shelf()
    loader = Loader(shelf.lengths)
    assert await asyncio.gather(*(loader.load(word) for word in ("a", "bb", "a"))) == [1, 2, 1]
    assert await loader.load("bb") == 2
    assert shelf.reads == [["a", "bb"]]


async def test_errors_reach_each_who_asked() -> None:
    shelf = Shelf()
    loader = Loader(shelf.lengths)
    words = ("none", "secret", "fine", "secret")
    first, second, third, fourth = await asyncio.gather(
        *(loader.load(word) for word in words), return_exceptions=True
    )
    assert isinstance(first, NotFound)
    assert isinstance(second, Forbidden)
    assert isinstance(fourth, Forbidden)
    assert third == 4
    assert await loader.load_or_none("none") is None
    with pytest.raises(Forbidden):
        await loader.load_or_none("secret")
    broken = await asyncio.gather(loader.load("break"), loader.load("x"), return_exceptions=True)
    assert [str(one) for one in broken] == ["broken", "broken"]
    assert await loader.load("x") == 1


async def test_nobody_waits_for_somebody_who_was_cancelled() -> None:
    loader = Loader(Shelf().lengths)
    async with asyncio.TaskGroup() as group:
        first = group.create_task(loader.load("a"))
        second = group.create_task(loader.load("b"))
        await asyncio.sleep(0)
        first.cancel()
    assert (first.cancelled(), second.cancelled()) == (True, True)
    assert await loader.load("b") == 1


def test_pages_have_a_size() -> None:
    assert page_of(2, 100, search="x", cursor=None) == {"page": 2, "page_size": 100, "search": "x"}
    for size in (0, -1, 101):
        with pytest.raises(Invalid):
            page_of(0, size)
