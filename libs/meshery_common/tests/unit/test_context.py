"""The request of now, and the time of day."""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta

from meshery_common.callers import NOBODY
from meshery_common.clock import utc_now
from meshery_common.context import RequestContext, current_request, serving


async def test_a_request_is_that_of_its_own_task_and_of_the_tasks_it_starts() -> None:
    async def serve(name: str) -> str | None:
        with serving(RequestContext(caller=NOBODY, request_id=name)):
            await asyncio.sleep(0)
            async with asyncio.TaskGroup() as group:
                inner = group.create_task(named())
            return inner.result()

    async def named() -> str | None:
        await asyncio.sleep(0)
        request = current_request()
        return request.request_id if request is not None else None

    found = await asyncio.gather(serve("a"), serve("b"), named())
    assert list(found) == ["a", "b", None]
    assert current_request() is None


def test_what_is_left_of_the_callers_patience() -> None:
    request = RequestContext(caller=NOBODY, deadline=time.monotonic() + 5)
    assert 4 < request.remaining_seconds <= 5
    assert RequestContext(caller=NOBODY).remaining_seconds == float("inf")
    assert RequestContext(caller=NOBODY, deadline=time.monotonic() - 1).remaining_seconds < 0


def test_the_clock_is_aware_and_utc() -> None:
    assert utc_now().utcoffset() == timedelta(0)
