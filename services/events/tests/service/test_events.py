"""The events service over the bus: facts in, lists and live events out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar
from uuid import UUID, uuid4

import orjson
import pytest

from meshery_common.bus import Bus
from meshery_common.database import DatabaseSettings
from meshery_contracts import designs, events
from meshery_contracts.caller import Caller
from meshery_contracts.designs import DesignSaved
from meshery_contracts.endpoints import Endpoint
from meshery_contracts.errors import Forbidden, Invalid, NotFound
from meshery_contracts.events import EventStatus, ListEvents, RecordEvent
from meshery_contracts.keys import Key, bits_of
from meshery_contracts.messages import Message, Nothing, Severity
from meshery_events.app import running
from meshery_events.settings import EventsSettings
from meshery_testkit.hosting import hosted
from meshery_testkit.nats import NATSForTests, People

RequestT = TypeVar("RequestT", bound=Message)
ReplyT = TypeVar("ReplyT", bound=Message)


@dataclass
class Client:
    """Asks as one person, and announces as designs does."""

    gateway: Bus
    designs: Bus
    people: People
    caller: Caller

    async def ask(self, endpoint: Endpoint[RequestT, ReplyT], request: RequestT) -> ReplyT:
        return await self.gateway.request(endpoint, request, assertion=self.people.assertion(self.caller))

    def as_somebody(self, **claims: Any) -> Client:
        return Client(self.gateway, self.designs, self.people, self.people.caller(**claims))

    async def list_until(self, count: int, **filters: Any) -> events.EventPage:
        """The list, once it has so many events."""
        async with asyncio.timeout(20):
            while True:
                page = await self.ask(events.LIST, ListEvents(page_size=1000, **filters))
                if page.total_count >= count:
                    return page
                await asyncio.sleep(0.02)

    async def announce(
        self, payload: bytes | None = None, *, message_id: UUID | None = None, **changes: Any
    ) -> UUID:
        """Publish a fact of designs in the caller's organisation; its message id."""
        fact = a_fact(self.caller, **changes)
        id_ = message_id or uuid4()
        await self.designs.streams.publish(
            designs.SAVED.subject_for(fact.organization_id, fact.design_id),
            fact.model_dump_json(by_alias=True).encode() if payload is None else payload,
            message_id=str(id_),
            headers={},
        )
        return id_


def a_fact(caller: Caller, **changes: Any) -> DesignSaved:
    design_id = uuid4()
    told: dict[str, Any] = {
        "organization_id": caller.organization_id,
        "user_id": caller.user_id,
        "occurred_at": datetime.now(UTC),
        "severity": Severity.SUCCESS,
        "category": "design",
        "action": "update",
        "description": "Design 'shop' was saved.",
        "acted_upon": design_id,
        "design_id": design_id,
        "name": "shop",
        "version": 2,
    }
    return DesignSaved(**{**told, **changes})


@pytest.fixture
def settings(nats: NATSForTests, database: DatabaseSettings) -> EventsSettings:
    """Settings of an events service on an empty database."""
    return EventsSettings(database=database, bus=nats.bus_settings("events"))


@pytest.fixture
async def client(nats: NATSForTests, people: People, settings: EventsSettings) -> AsyncIterator[Client]:
    """A running events service, a person, and a service that announces."""
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(people.serving(nats))
        await stack.enter_async_context(hosted(running(settings)))
        gateway = await stack.enter_async_context(
            Bus.connect(nats.bus_settings("gateway"), service="gateway")
        )
        announcing = await stack.enter_async_context(
            Bus.connect(nats.bus_settings("designs"), service="designs")
        )
        # Only now: the service has been waiting for the stream.
        await announcing.streams.ensure_own_stream()
        yield Client(gateway, announcing, people, people.caller())


async def test_a_fact_is_listed_marked_and_removed(client: Client) -> None:
    event_id = await client.announce()
    page = await client.list_until(1)
    (event,) = page.events
    assert (event.id, event.user_id, event.owner) == (event_id, client.caller.user_id, client.caller.user_id)
    assert (event.status, event.severity) == (EventStatus.UNREAD, Severity.SUCCESS)
    assert event.metadata["name"] == "shop"
    assert [(one.severity, one.count) for one in page.count_by_severity_level] == [(Severity.SUCCESS, 1)]
    marked = await client.ask(
        events.SET_STATUS, events.SetEventStatus(event_ids=[event_id], status=EventStatus.READ)
    )
    assert [one.status for one in marked.events] == [EventStatus.READ]
    assert (await client.ask(events.LIST, ListEvents())).count_by_severity_level == []
    types = await client.ask(events.TYPES, Nothing())
    assert (types.category, types.action) == (["design"], ["update"])
    await client.ask(events.DELETE, events.EventIds(event_ids=[event_id]))
    assert (await client.ask(events.LIST, ListEvents())).total_count == 0


async def test_both_spellings_are_on_the_wire(client: Client) -> None:
    await client.announce()
    await client.list_until(1)
    payload = await client.gateway.request_bytes(
        events.LIST, b"{}", assertion=client.people.assertion(client.caller)
    )
    for name in (
        b"actedUpon",
        b"acted_upon",
        b"countBySeverityLevel",
        b"count_by_severity_level",
        b"total_count",
    ):
        assert b'"' + name + b'"' in payload


async def test_a_stored_event_is_published_live_once(client: Client) -> None:
    heard: asyncio.Queue[str] = asyncio.Queue()

    async def listen(message: Any) -> None:
        heard.put_nowait(message.subject)

    await client.gateway.subscribe(events.STORED.wildcard(client.caller.organization_id), listen)
    event_id = await client.announce()
    async with asyncio.timeout(20):
        first = await heard.get()
    assert first == events.STORED.subject_for(client.caller.organization_id, client.caller.user_id)
    # The same message again, past the window in which the broker itself drops repeats.
    await client.designs.streams.ensure_stream(
        "EVT_DESIGNS", ["meshery.evt.designs.>"], duplicate_window_seconds=0.1
    )
    await asyncio.sleep(0.3)
    await client.announce(message_id=event_id)
    await client.announce()
    await client.list_until(2)
    async with asyncio.timeout(20):
        await heard.get()
    assert heard.empty()


async def test_what_cannot_be_read_is_kept_and_holds_up_nothing(client: Client) -> None:
    await client.announce(b"{not a fact")
    await client.announce()
    page = await client.list_until(2)
    by_severity = {one.severity: one for one in page.events}
    assert by_severity.keys() == {Severity.ERROR, Severity.SUCCESS}
    assert by_severity[Severity.ERROR].metadata["stream"] == "EVT_DESIGNS"


async def test_what_cannot_be_stored_is_kept_as_an_error_and_holds_up_nothing(client: Client) -> None:
    # A fact in every respect, but this time is before PostgreSQL's and Python's first day once it is UTC.
    first_day = a_fact(client.caller).model_dump(mode="json", by_alias=True)
    first_day["occurredAt"] = "0001-01-01T00:00:00+14:00"
    payloads = [orjson.dumps(first_day), None, None]
    await asyncio.gather(*(client.announce(payload) for payload in payloads))
    page = await client.list_until(3)
    assert sorted(one.severity for one in page.events) == [Severity.ERROR, Severity.SUCCESS, Severity.SUCCESS]


async def test_a_reported_event_is_the_callers_own(client: Client) -> None:
    report = RecordEvent(
        acted_upon=uuid4(),
        action="import",
        category="design",
        severity=Severity.INFORMATIONAL,
        description="imported with token",
        metadata={"token": "abc"},
    )
    event = await client.ask(events.RECORD, report)
    assert (event.user_id, event.metadata) == (client.caller.user_id, {"token": "[hidden]"})
    assert [one.id for one in (await client.ask(events.LIST, ListEvents())).events] == [event.id]
    with pytest.raises(Invalid):
        await client.ask(events.RECORD, report.model_copy(update={"acted_upon": UUID(int=0)}))


async def test_others_see_nothing_of_it(client: Client) -> None:
    event_id = await client.announce()
    await client.list_until(1)
    organization_id = client.caller.organization_id
    colleague = client.as_somebody(organization_id=organization_id, key_bits=bits_of((Key.VIEW_EVENTS,)))
    stranger = client.as_somebody(key_bits=bits_of((Key.VIEW_EVENTS, Key.VIEW_AUDIT)))
    for other in (colleague, stranger):
        assert (await other.ask(events.LIST, ListEvents())).total_count == 0
        with pytest.raises(NotFound):
            await other.ask(
                events.SET_STATUS, events.SetEventStatus(event_ids=[event_id], status=EventStatus.READ)
            )
        await other.ask(events.DELETE, events.EventIds(event_ids=[event_id]))
    assert (await stranger.ask(events.TYPES, Nothing())).category == []
    auditor = client.as_somebody(
        organization_id=organization_id, key_bits=bits_of((Key.VIEW_EVENTS, Key.VIEW_AUDIT))
    )
    assert (await auditor.ask(events.LIST, ListEvents())).total_count == 1
    assert (await client.ask(events.LIST, ListEvents())).total_count == 1


async def test_callers_without_the_key_are_refused(client: Client) -> None:
    nobody = client.as_somebody(key_bits=0)
    asked: list[Callable[[], Any]] = [
        lambda: nobody.ask(events.LIST, ListEvents()),
        lambda: nobody.ask(events.TYPES, Nothing()),
        lambda: nobody.ask(events.DELETE, events.EventIds(event_ids=[uuid4()])),
        lambda: nobody.ask(
            events.SET_STATUS, events.SetEventStatus(event_ids=[uuid4()], status=EventStatus.READ)
        ),
        lambda: nobody.ask(
            events.RECORD,
            RecordEvent(acted_upon=uuid4(), action="a", category="b", severity=Severity.DEBUG),
        ),
    ]
    for ask in asked:
        with pytest.raises(Forbidden):
            await ask()


async def test_thousands_of_facts_are_all_stored_over_a_restart(
    nats: NATSForTests, people: People, settings: EventsSettings
) -> None:
    caller = people.caller()
    async with (
        people.serving(nats),
        Bus.connect(nats.bus_settings("designs"), service="designs") as announcing,
    ):
        await announcing.streams.ensure_own_stream()
        gateway = Bus.connect(nats.bus_settings("gateway"), service="gateway")
        async with gateway as asking:
            client = Client(asking, announcing, people, caller)
            async with hosted(running(settings)):
                await asyncio.gather(*(client.announce() for _ in range(1500)))
                await client.list_until(200)
            # Stopped in the middle: what was stored and not acknowledged comes again.
            await asyncio.gather(*(client.announce() for _ in range(500)))
            async with hosted(running(settings)):
                page = await client.list_until(2000)
    assert page.total_count == 2000
