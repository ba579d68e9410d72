"""GraphQL without network: what a query costs with and without the cache of documents, and what one event costs
when a thousand subscriptions follow it.

Goals: a known document is answered at least 3 times as fast as an unknown one; an event reaches 1,000
subscriptions, each with its own selection executed, within 250 ms of one core.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import time
from contextlib import aclosing
from datetime import UTC, datetime
from typing import Any, cast
from uuid import uuid4

import uvloop

from meshery_common.bus import Bus
from meshery_contracts import designs, events
from meshery_contracts.keys import ORDER
from meshery_contracts.messages import Message, Severity
from meshery_gateway.graphql.context import Context
from meshery_gateway.graphql.execution import Executor, Sent
from meshery_gateway.graphql.schema import executable
from meshery_gateway.http.live import Live
from meshery_gateway.http.live_sessions import Credential, LiveSession
from meshery_gateway.http.sessions import Session, Sessions
from meshery_gateway.http.visibility import VisibleConnections

FOLLOWERS = 1_000
EVENTS = 20
QUERIES = 400
ROWS = 25
NOW = datetime.now(UTC)
QUERY = (
    "{ designs(pageSize: 25) { totalCount designs { id name version visibility type createdAt updatedAt } } }"
)
SUBSCRIPTION = "subscription { events { sequence resync event { id description category createdAt } } }"


class AnswersAtOnce:
    """In the place of the bus: the same page for every question."""

    def __init__(self) -> None:
        design = designs.Design(
            id=uuid4(), name="shop", user_id=uuid4(), organization_id=uuid4(), created_at=NOW, updated_at=NOW,
            visibility=designs.Visibility.PRIVATE, type=designs.NullString(), version=1,
        )  # fmt: skip
        self._page = designs.DesignPage(total_count=ROWS, patterns=[design] * ROWS)

    async def request(self, *_: object, **__: object) -> Message:
        return self._page


class Arrived:
    """A message as NATS hands it over."""

    def __init__(self, event: events.Event) -> None:
        self.subject = events.STORED.subject_for(event.organization_id, event.id)
        self.data = event.model_dump_json().encode()
        self.headers: dict[str, str] | None = None


async def queries(executor: Executor, context: Context) -> tuple[float, float]:
    """Median seconds of a query that was never seen, and of one that was."""

    async def timed(text: str) -> float:
        started = time.perf_counter()
        answer = await executor.run(executor.prepare(Sent(text)), context)
        assert len(answer["data"]["designs"]["designs"]) == ROWS
        return time.perf_counter() - started

    unknown = [await timed(f"{QUERY} # {number}") for number in range(QUERIES)]
    known = [await timed(QUERY) for _ in range(QUERIES)]
    return statistics.median(unknown), statistics.median(known)


async def fan_out(executor: Executor, live: Live, context: Context) -> list[float]:
    """Seconds from an event's arrival until every follower's answer is made, for each event."""
    session = context.session
    done = asyncio.Semaphore(0)
    took = []

    async def follow() -> None:
        prepared = executor.prepare(Sent(SUBSCRIPTION))
        own = Context(cast(Bus, AnswersAtOnce()), live, session)
        async with aclosing(executor.subscribe(prepared, own)) as answers:
            async for answer in answers:
                assert answer["data"]["events"]["event"] is not None
                done.release()

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(follow()) for _ in range(FOLLOWERS)]
        await asyncio.sleep(1)
        for _ in range(EVENTS):
            event = events.Event(
                id=uuid4(), user_id=session.user_id, organization_id=session.organization_id, severity=Severity.SUCCESS,
                acted_upon=uuid4(), operation_id=uuid4(), system_id=uuid4(), category="design", action="create",
                description="A design was saved.", created_at=NOW, updated_at=NOW,
            )  # fmt: skip
            started = time.perf_counter()
            await live.arrived(Arrived(event))
            for _ in range(FOLLOWERS):
                await done.acquire()
            took.append(time.perf_counter() - started)
        for task in tasks:
            task.cancel()
    return sorted(took)


async def main() -> int:
    """Measure and say; 1 when a goal is missed."""
    session = Session(
        assertion="", user_id=uuid4(), organization_id=uuid4(), provider="", token="",
        key_ids=frozenset(key.id for key in ORDER), renew_at=time.monotonic() + 3600,
    )  # fmt: skip
    bus: Any = AnswersAtOnce()
    sessions = Sessions(bus, 60)
    live = Live(sessions, VisibleConnections(bus))
    context = Context(bus, live, LiveSession(sessions, Credential("", "", loopback=True), session))
    executor = Executor(executable(), max_depth=12, max_cost=20_000)
    unknown, known = await queries(executor, context)
    print(f"{ROWS} rows of 7 fields: unknown document {unknown * 1e6:,.0f} µs, known {known * 1e6:,.0f} µs")
    took = await fan_out(executor, live, context)
    print(
        f"one event to {FOLLOWERS:,} subscriptions: median {statistics.median(took) * 1e3:.0f} ms, "
        f"slowest of {EVENTS} {took[-1] * 1e3:.0f} ms"
    )
    return 0 if unknown > 3 * known and statistics.median(took) < 0.25 else 1


if __name__ == "__main__":
    sys.exit(uvloop.run(main()))
