"""Events as server-sent events."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import orjson
from aiohttp import ClientResponse, ClientSession

from meshery_common.ids import uuid7
from meshery_contracts import events
from meshery_contracts.caller import Caller
from meshery_contracts.errors import Unavailable
from meshery_contracts.keys import LOCAL_BITS, Key, bits_of
from meshery_contracts.messages import Severity
from meshery_testkit.nats import People
from meshery_testkit.stubs import Stubs

PATH = "/api/system/events/subscribe"
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def an_event(person: Caller, **values: Any) -> events.Event:
    """An event as it is stored."""
    return events.Event(
        **{
            "id": uuid7(), "user_id": person.user_id, "organization_id": person.organization_id,
            "acted_upon": uuid4(), "operation_id": uuid4(), "system_id": uuid4(),
            "severity": Severity.SUCCESS, "category": "design", "action": "create", "description": "made\nnow",
            "created_at": NOW, "updated_at": NOW, **values,
        }
    )  # fmt: skip


class Stream:
    """A client's end of an event stream."""

    def __init__(self, response: ClientResponse) -> None:
        self.response = response

    async def frame(self) -> list[str]:
        """The lines of the next frame, comments as well."""
        lines: list[str] = []
        async with asyncio.timeout(10):
            while line := (await self.response.content.readline()).decode():
                assert not line.endswith("\r\n")
                if line == "\n":
                    return lines
                lines.append(line.rstrip("\n"))
        return lines

    async def event(self) -> dict[str, Any]:
        """The next event, with its frame checked; comments are passed over."""
        while (lines := await self.frame())[0].startswith(":"):
            pass
        name, data = lines
        event: dict[str, Any] = orjson.loads(data.removeprefix("data: "))
        assert name == f"id: {event['id']}"
        return event


@asynccontextmanager
async def streaming(http: ClientSession, **headers: str) -> AsyncIterator[Stream]:
    async with http.get(PATH, headers=headers) as response:
        assert response.status == 200
        yield Stream(response)


async def test_events_come_as_unnamed_frames_with_their_ids(
    http: ClientSession, stubs: Stubs, person: Caller
) -> None:
    async with streaming(http, **{"Accept-Encoding": "gzip"}) as stream:
        headers = stream.response.headers
        assert headers["Content-Type"] == "text/event-stream"
        assert headers["Cache-Control"] == "no-cache"
        assert headers["X-Accel-Buffering"] == "no"
        assert "Content-Encoding" not in headers
        assert await stream.frame() == [": following"]
        assert await stream.frame() == [": keep-alive"]
        # Whoever has seen the headers misses nothing that comes after.
        mine, others = an_event(person), an_event(person, user_id=uuid4())
        for event in (others, mine):
            await stubs.tell(events.STORED, event, person.organization_id, event.id)
        told = await stream.event()
        assert told["id"] == str(mine.id)
        assert told["actedUpon"] == str(mine.acted_upon)
        assert told["description"] == "made\nnow"


async def test_what_was_missed_is_replayed_once_and_in_order(
    http: ClientSession, stubs: Stubs, person: Caller
) -> None:
    seen, *missed = [an_event(person, description=str(number)) for number in range(4)]
    page = events.EventPage(events=[*reversed(missed), seen, an_event(person)])
    asked = await stubs.answer(events.LIST, page)
    async with streaming(http, **{"Last-Event-ID": str(seen.id)}) as stream:
        assert [(await stream.event())["description"] for _ in missed] == ["1", "2", "3"]
        # The same event over the bus is not told twice.
        fresh = an_event(person, description="fresh")
        for event in (missed[-1], fresh):
            await stubs.tell(events.STORED, event, person.organization_id, event.id)
        assert (await stream.event())["description"] == "fresh"
    assert asked[0][1].user_id == person.user_id
    assert asked[0][0].order == "created_at desc"


async def test_an_id_that_is_gone_or_none_replays_what_is_newer(
    http: ClientSession, stubs: Stubs, person: Caller
) -> None:
    second = 1000 << 80
    gone = UUID(int=uuid7().int - second)
    older, newer = an_event(person, id=UUID(int=gone.int - second)), an_event(person)
    await stubs.answer(events.LIST, events.EventPage(events=[newer, older]))
    async with streaming(http, **{"Last-Event-ID": str(gone)}) as stream:
        assert (await stream.event())["id"] == str(newer.id)
        assert await stream.frame() == [": keep-alive"]
    async with streaming(http, **{"Last-Event-ID": "nonsense"}) as stream:
        assert await stream.frame() == [": following"]
        assert await stream.frame() == [": keep-alive"]


async def test_a_stream_stands_while_the_list_is_away(
    http: ClientSession, stubs: Stubs, person: Caller
) -> None:
    await stubs.answer(events.LIST, Unavailable("away"))
    async with streaming(http, **{"Last-Event-ID": str(uuid7())}) as stream:
        event = an_event(person)
        await stubs.tell(events.STORED, event, person.organization_id, event.id)
        assert (await stream.event())["id"] == str(event.id)


async def test_nobody_gets_json_and_no_stream(http: ClientSession, people: People) -> None:
    async with http.get(PATH, headers={"Authorization": "Bearer unknown"}) as response:
        assert response.status == 401
        assert (await response.json())["word"] == "unauthenticated"
    people.tokens["weak"] = people.caller(key_bits=LOCAL_BITS & ~bits_of((Key.VIEW_EVENTS,)))
    async with http.get(PATH, headers={"Authorization": "Bearer weak"}) as response:
        assert response.status == 403
        assert (await response.json())["code"] == "key_missing"


async def test_a_session_that_ends_ends_the_stream(http: ClientSession, people: People) -> None:
    async with streaming(http) as stream:
        del people.tokens[""]
        while await stream.frame():
            pass
        assert stream.response.content.at_eof()
