"""Lists: by cursor between services, by 0-based page at Meshery's edge."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from meshery_contracts.messages import Message, PublicMessage

#: The most rows one reply carries; `all` at the edge is walked in steps of this.
MAX_PAGE_SIZE = 1000


class PageRequest(Message):
    """Which part of a list is wanted. A cursor wins over a page number."""

    page: Annotated[int, Field(ge=0, le=1_000_000)] = 0
    page_size: Annotated[int, Field(ge=1, le=MAX_PAGE_SIZE)] = 25
    cursor: str | None = Field(default=None, description="`nextCursor` of the page before.")
    search: Annotated[str, Field(max_length=500)] = ""
    order: Annotated[str, Field(max_length=100)] = Field(
        default="", description="`<column> asc|desc`; an unknown column means the default order."
    )


class PageReply(PublicMessage):
    """The envelope of every list; a subclass adds the plural it lists."""

    page: int = 0
    page_size: int = 25
    total_count: int = 0
    next_cursor: str | None = None
