"""Answers that are kept: the same bytes until something changes, and never somebody else's."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from uuid import uuid4

import orjson

from meshery_contracts.registry import LIST_MODELS, EntityPage, ListModels
from meshery_registry.service.answers import KeptAnswers

OURS, THEIRS = uuid4(), uuid4()


def making(asked: list[str], name: str, size: int = 1) -> Callable[[], Awaitable[EntityPage]]:
    async def make() -> EntityPage:
        asked.append(name)
        return EntityPage(models=[{"name": name * size}])

    return make


async def test_a_question_is_worked_out_once_per_generation_and_organisation() -> None:
    kept, asked = KeptAnswers(1_000_000), list[str]()
    first = await kept.answer(LIST_MODELS, ListModels(), OURS, 1, making(asked, "a"))
    again = await kept.answer(LIST_MODELS, ListModels(), OURS, 1, making(asked, "b"))
    assert again == first
    assert orjson.loads(first.payload)["models"] == [{"name": "a"}]
    await kept.answer(LIST_MODELS, ListModels(), OURS, 2, making(asked, "c"))
    await kept.answer(LIST_MODELS, ListModels(), THEIRS, 1, making(asked, "d"))
    await kept.answer(LIST_MODELS, ListModels(search="x"), OURS, 1, making(asked, "e"))
    assert asked == ["a", "c", "d", "e"]


async def test_memory_is_bounded() -> None:
    kept, asked = KeptAnswers(10_000), list[str]()
    for round_ in range(2):
        for number in range(40):
            await kept.answer(
                LIST_MODELS, ListModels(page=number), OURS, round_, making(asked, f"{number}", 200)
            )
    await kept.answer(LIST_MODELS, ListModels(page=39), OURS, 1, making(asked, "kept"))
    await kept.answer(LIST_MODELS, ListModels(page=0), OURS, 1, making(asked, "gone"))
    assert asked[80:] == ["gone"]
    for _ in range(2):
        await kept.answer(LIST_MODELS, ListModels(page=99), OURS, 1, making(asked, "large", 2_000))
    assert asked[81:] == ["large", "large"]
