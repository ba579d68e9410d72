"""Lists as Meshery's clients page them: as long as they like, though one reply of a service carries only so much.

`pagesize=all` gives every row, and their number as the page's size. Where a page is too long for one reply, by its
rows or by its bytes, it is read in steps and put together.
"""

from __future__ import annotations

from typing import Any, TypeVar

import orjson
from aiohttp import web

from meshery_contracts.endpoints import Endpoint
from meshery_contracts.errors import TooLarge
from meshery_contracts.paging import MAX_PAGE_SIZE, PageReply, PageRequest
from meshery_gateway.http.calls import Call
from meshery_gateway.http.reading import number_from

RequestT = TypeVar("RequestT", bound=PageRequest)
ReplyT = TypeVar("ReplyT", bound=PageReply)

#: The most rows, and bytes of replies, that one answer is put together from; `nextCursor` leads on.
_MOST_ROWS = 10_000
_MOST_BYTES = 64 * 1024 * 1024
_STEP = 500


async def pass_on_page(
    call: Call, endpoint: Endpoint[RequestT, ReplyT], request: RequestT, plural: str
) -> web.StreamResponse:
    """The part of a list that the client asks for; `plural` is what the reply calls its rows.

    Raises TooLarge for a page of a given size that no answer can hold.
    """
    text = call.text("pageSize")
    everything = text.lower() == "all"
    wanted = min(number_from("pageSize", "" if everything else text, 0) or request.page_size, _MOST_ROWS)
    if everything:
        return await _gathered(call, endpoint, request, plural, _MOST_ROWS, everything=True)
    if wanted <= MAX_PAGE_SIZE:
        try:
            return await call.pass_on(endpoint, request)
        except TooLarge as error:
            if not _may_be_parted(error, request.page_size):
                raise
    return await _gathered(call, endpoint, request, plural, wanted, everything=False)


async def _gathered(
    call: Call,
    endpoint: Endpoint[RequestT, ReplyT],
    request: RequestT,
    plural: str,
    wanted: int,
    *,
    everything: bool,
) -> web.StreamResponse:
    """The rows of a page, read in steps; everything that is no row is what the first reply said."""
    first = 0 if everything or request.cursor else request.page * wanted
    step = min(_STEP, wanted)
    whole: dict[str, Any] = {}
    rows: list[Any] = []
    cursor = request.cursor
    read = 0
    while True:
        skipped = 0
        part: dict[str, Any] = {"cursor": cursor, "page_size": min(step, wanted - len(rows))}
        if not cursor:
            skipped = first % step
            part = {"page": first // step, "page_size": step}
        try:
            reply = await call.ask_bytes(endpoint, request.model_copy(update=part))
        except TooLarge as error:
            if not _may_be_parted(error, step):
                raise
            step = max(1, step // 4)
            continue
        read += len(reply)
        page: dict[str, Any] = orjson.loads(reply)
        whole = whole or page
        rows += page[plural][skipped:]
        cursor = page.get("nextCursor")
        if not cursor or not page[plural] or len(rows) >= wanted:
            break
        if read > _MOST_BYTES:
            if everything:
                break
            raise TooLarge(
                f"A page of {wanted:,} is larger than {_MOST_BYTES:,} bytes.",
                code="answer_too_large",
                remedy="Ask for fewer or smaller things: a smaller page, fewer fields.",
            )
    size = whole["totalCount"] if everything else wanted
    number = 0 if everything else request.page
    whole |= {"page": number, "pageSize": size, "page_size": size, plural: rows}
    return call.answer({**whole, "nextCursor": cursor, "next_cursor": cursor})


def _may_be_parted(error: TooLarge, size: int) -> bool:
    return error.problem.code == "answer_too_large" and size > 1
