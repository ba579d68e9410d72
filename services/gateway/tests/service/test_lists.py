"""Pages of any length: what one reply of a service cannot carry is read in steps."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from aiohttp import ClientSession

from meshery_contracts import designs, inventory
from meshery_contracts.caller import Caller
from meshery_contracts.designs import DesignPage, ListDesigns
from meshery_contracts.errors import TooLarge
from meshery_contracts.inventory import ResourcePage
from meshery_testkit.builders import a_design
from meshery_testkit.stubs import Stubs

#: Page, cursor and size of each request.
Asked = list[tuple[int, str | None, int]]


async def listing(stubs: Stubs, total: int, *, most: int = 1000) -> Asked:
    """Designs named by their number, by page or by cursor, as a service lists them; gives what it was asked."""
    asked: Asked = []

    async def handle(request: ListDesigns, _: Caller) -> DesignPage:
        asked.append((request.page, request.cursor, request.page_size))
        first = int(request.cursor) if request.cursor else request.page * request.page_size
        last = min(first + request.page_size, total)
        if last - first > most:
            raise TooLarge("The answer is too large.", code="answer_too_large")
        return DesignPage(
            page=request.page,
            page_size=request.page_size,
            total_count=total,
            next_cursor=str(last) if last < total else None,
            patterns=[
                a_design(id=UUID(int=number), name=str(number), pattern_file="")
                for number in range(first, last)
            ],
        )

    await (await stubs.bus("designs")).serve(designs.LIST, handle)
    return asked


async def page(http: ClientSession, query: str) -> dict[str, Any]:
    async with http.get(f"/api/pattern?{query}") as reply:
        assert reply.status == 200, await reply.text()
        found: dict[str, Any] = await reply.json()
    assert found["page_size"] == found["pageSize"]
    assert found["next_cursor"] == found["nextCursor"]
    return found


def numbers(found: dict[str, Any]) -> list[int]:
    return [int(one["name"]) for one in found["patterns"]]


async def test_a_page_that_one_reply_carries_is_passed_on(http: ClientSession, stubs: Stubs) -> None:
    asked = await listing(stubs, 30)
    assert numbers(await page(http, "page=1&pagesize=7")) == list(range(7, 14))
    assert asked == [(1, None, 7)]


async def test_all_is_every_row_and_their_number(http: ClientSession, stubs: Stubs) -> None:
    await listing(stubs, 1234)
    found = await page(http, "pagesize=all&page=3")
    assert numbers(found) == list(range(1234))
    assert (found["page"], found["pageSize"], found["totalCount"]) == (0, 1234, 1234)
    assert found["nextCursor"] is None
    assert numbers(await page(http, "pagesize=all&cursor=1200")) == list(range(1200, 1234))


@pytest.mark.parametrize(("number", "size"), [(0, 1700), (1, 1700), (1, 1301), (2, 1001), (9, 5000)])
async def test_a_page_of_more_rows_than_a_reply_has(
    http: ClientSession, stubs: Stubs, number: int, size: int
) -> None:
    """As `mesheryctl design view NAME` asks: every name at once."""
    asked = await listing(stubs, 3000)
    found = await page(http, f"page={number}&page_size={size}")
    assert numbers(found) == list(range(3000))[number * size : (number + 1) * size]
    assert (found["page"], found["pageSize"], found["totalCount"]) == (number, size, 3000)
    following = numbers(found)[-1] + 1 if numbers(found) else 3000
    assert found["nextCursor"] == (str(following) if following < 3000 else None)
    assert len(asked) <= 2 + size // 500


@pytest.mark.parametrize("most", [1, 2, 5])
async def test_a_page_of_more_bytes_than_a_reply_has(http: ClientSession, stubs: Stubs, most: int) -> None:
    await listing(stubs, 60, most=most)
    assert numbers(await page(http, "page=2&pagesize=25")) == list(range(50, 60))
    assert numbers(await page(http, "page=1&pagesize=7")) == list(range(7, 14))
    assert numbers(await page(http, "pagesize=all")) == list(range(60))


async def test_one_row_that_is_too_large_says_so(http: ClientSession, stubs: Stubs) -> None:
    await listing(stubs, 3, most=0)
    async with http.get("/api/pattern?pagesize=2") as reply:
        assert (reply.status, (await reply.json())["code"]) == (413, "answer_too_large")


@pytest.mark.parametrize(
    ("query", "wanted"),
    [("", None), ("clusterIds=", None), ("clusterIds=[]", []), ('cluster_ids=["a","b"]', ["a", "b"])],
)
async def test_no_cluster_is_not_every_cluster(
    http: ClientSession, stubs: Stubs, query: str, wanted: list[str] | None
) -> None:
    listed = await stubs.answer(inventory.LIST, ResourcePage(resources=[]))
    counted = await stubs.answer(
        inventory.SUMMARIZE, inventory.Summary(kinds=[], namespaces=[], total_count=0)
    )
    for path in ("", "/summary", "/kinds"):
        async with http.get(f"/api/system/meshsync/resources{path}?{query}") as reply:
            assert reply.status == 200, await reply.text()
    assert [one.cluster_ids for one, _ in listed] == [wanted]
    assert [one.cluster_ids for one, _ in counted] == [wanted] * 2
