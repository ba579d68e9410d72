"""The use cases of the events service. Each is a paragraph: authorise, read, decide, write, announce."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from uuid import UUID

import structlog

from meshery_common.bus import Bus
from meshery_common.clock import Clock, utc_now
from meshery_common.database import EVERY_ORGANIZATION, ConstraintViolated, Database, StatementFailed
from meshery_common.ids import uuid7
from meshery_contracts import events as contract
from meshery_contracts.caller import Caller
from meshery_contracts.errors import DeadlineExceeded, Invalid, NotFound, ProblemError, Unavailable
from meshery_contracts.events import (
    Event,
    EventIds,
    EventList,
    EventPage,
    EventStatus,
    EventTypes,
    ListEvents,
    RecordEvent,
    SetEventStatus,
)
from meshery_contracts.messages import Nothing
from meshery_events.domain.facts import NIL, Message, NewEvent, event_of, unreadable
from meshery_events.domain.redaction import safe_metadata, safe_text
from meshery_events.store import EventStore

_log = structlog.get_logger(__name__)


class EventsService:
    """Use cases of people."""

    def __init__(self, db: Database, bus: Bus, clock: Clock = utc_now) -> None:
        self._db = db
        self._store = EventStore()
        self._bus = bus
        self._clock = clock

    async def list(self, request: ListEvents, caller: Caller) -> EventPage:
        """A page of events, and how many are unread by severity."""
        queries = self._db.within(caller.organization_id)
        page, events = await self._store.page(queries, request, caller)
        return EventPage(
            **page.envelope,
            events=events,
            count_by_severity_level=await self._store.unread_by_severity(queries, caller, own=request.own),
        )

    async def record(self, request: RecordEvent, caller: Caller) -> Event:
        """Store an event that a client reports as the caller's own."""
        if request.acted_upon == NIL:
            raise Invalid(
                "The event does not say what it is about.",
                code="event_subject_missing",
                remedy="Send the id of the thing as `actedUpon`.",
            )
        new = NewEvent(
            event_id=uuid7(),
            organization_id=caller.organization_id,
            user_id=caller.user_id,
            actor=caller.actor,
            acted_upon=request.acted_upon,
            operation_id=request.operation_id or NIL,
            severity=request.severity,
            category=safe_text(request.category),
            action=safe_text(request.action),
            description=safe_text(request.description),
            metadata=safe_metadata(request.metadata),
            source="",
            created_at=self._clock(),
        )
        async with self._db.command(caller.organization_id) as tx:
            (event,) = await self._store.add(tx, [new])
            await tx.answer(event)
        await announce(self._bus, [event])
        return event

    async def types(self, _request: Nothing, caller: Caller) -> EventTypes:
        """The categories and actions that have occurred in the organisation."""
        return await self._store.types(self._db.within(caller.organization_id), caller.organization_id)

    async def set_status(self, request: SetEventStatus, caller: Caller) -> EventList:
        """Mark events as read or unread by the caller; ids that he may not see are left out."""
        async with self._db.command(caller.organization_id) as tx:
            read = request.status is EventStatus.READ
            marked = await self._store.mark_read(tx, request.event_ids, caller, read=read)
            if request.event_ids and not marked:
                raise _missing(request.event_ids)
            events = await self._store.get_many(tx, request.event_ids, caller)
            return await tx.answer(EventList(events=events))

    async def delete(self, request: EventIds, caller: Caller) -> Nothing:
        """Remove events from the caller's list. Others still see them, and the audit log keeps them."""
        async with self._db.command(caller.organization_id) as tx:
            await self._store.mark_removed(tx, request.event_ids, caller)
            return await tx.answer(Nothing())


class FactsService:
    """Takes in what other services announce."""

    def __init__(self, db: Database, bus: Bus, clock: Clock = utc_now) -> None:
        self._db = db
        self._store = EventStore()
        self._bus = bus
        self._clock = clock

    async def take_in(self, messages: Sequence[Message]) -> None:
        """Store a batch of messages as events; repeats are nothing. Raises Unavailable, and then nothing is stored.

        A message that cannot be stored is kept as an event that says so, and holds up no other.
        """
        now = self._clock()
        try:
            added = await self._stored([event_of(one, now) for one in messages])
        except (Invalid, ConstraintViolated, StatementFailed) as error:
            _log.warning("A batch of facts cannot be stored as it is", count=len(messages), error=repr(error))
            added = []
            for one in messages:
                added += await self._stored_singly(one)
        await announce(self._bus, added)

    async def _stored(self, events: Sequence[NewEvent]) -> list[Event]:
        try:
            return await self._store.add(self._db.within(EVERY_ORGANIZATION), events)
        except DeadlineExceeded as error:
            # The moment is bad, not the message: it must be offered again for as long as that takes.
            raise Unavailable(
                "The database was too slow to take in facts.", code=error.problem.code
            ) from None

    async def _stored_singly(self, message: Message) -> list[Event]:
        now = self._clock()
        try:
            return await self._stored([event_of(message, now)])
        except (Invalid, ConstraintViolated, StatementFailed) as error:
            _log.error("A fact was kept as unreadable", subject=message.subject, error=repr(error))
            return await self._stored([unreadable(message, now, "it cannot be stored")])


async def announce(bus: Bus, events: Iterable[Event]) -> None:
    """Tell whoever is watching; whoever is not reads the list.

    The last token of the subject is whose the event is, so that a watcher can listen to one person's and sees by the
    numbers when he missed some.
    """
    try:
        for event in events:
            await bus.publish_live(contract.STORED, event, event.organization_id, event.user_id or NIL)
    except ProblemError as error:
        _log.debug("Events were not announced", reason=error.problem.code)


def _missing(event_ids: Sequence[UUID]) -> NotFound:
    named = f"There is no event {event_ids[0]}." if len(event_ids) == 1 else "None of these events is there."
    return NotFound(
        named,
        code="event_unknown",
        cause="They are too old and were removed, or they are another person's.",
        remedy="List the events to see which there are.",
    )
