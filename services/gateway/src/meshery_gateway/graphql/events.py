"""Events: what happened, read, marked and followed."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any
from uuid import UUID

from ariadne import MutationType, ObjectType, QueryType, SubscriptionType

from meshery_contracts import events as contract
from meshery_contracts.events import (
    Event,
    EventIds,
    EventPage,
    EventStatus,
    EventTypes,
    ListEvents,
    RecordEvent,
    SetEventStatus,
)
from meshery_contracts.keys import Key
from meshery_contracts.messages import Nothing, Severity
from meshery_gateway.graphql.context import Context, Info, page_of
from meshery_gateway.http.live import concerns
from meshery_gateway.http.reading import message_from

_query = QueryType()
_mutation = MutationType()
_subscription = SubscriptionType()
_event = ObjectType("Event")

BINDABLES = (_query, _mutation, _subscription, _event)
_NOBODY = UUID(int=0)


@_query.field("events")
async def list_events(
    _: object,
    info: Info,
    page: int,
    page_size: int,
    filter: dict[str, Any] | None = None,
    cursor: str | None = None,
) -> EventPage:
    """A page of events."""
    values = page_of(page, page_size, cursor=cursor, **(filter or {}))
    return await info.context.ask(contract.LIST, message_from(ListEvents, values))


@_query.field("eventTypes")
async def list_types(_: object, info: Info) -> EventTypes:
    """The categories and actions that occur."""
    return await info.context.ask(contract.TYPES, Nothing())


@_mutation.field("setEventStatus")
async def set_status(_: object, info: Info, ids: list[UUID], status: str) -> list[Event]:
    """Mark events."""
    request = message_from(SetEventStatus, {"event_ids": ids, "status": EventStatus(status)})
    return (await info.context.ask(contract.SET_STATUS, request)).events


@_mutation.field("recordEvent")
async def record_event(_: object, info: Info, input: dict[str, Any]) -> Event:
    """Report an event."""
    return await info.context.ask(contract.RECORD, message_from(RecordEvent, input))


@_mutation.field("deleteEvents")
async def delete_events(_: object, info: Info, ids: list[UUID]) -> list[UUID]:
    """Delete events."""
    await info.context.ask(contract.DELETE, message_from(EventIds, {"event_ids": ids}))
    return ids


@_event.field("severity")
def severity_of_event(event: Event, _: Info) -> str:
    """Meshery's enum of 2024 does not know success."""
    return Severity.INFORMATIONAL if event.severity is Severity.SUCCESS else event.severity


@_event.field("exactSeverity")
def exact_severity_of_event(event: Event, _: Info) -> str:
    """The severity as it is."""
    return event.severity


@_event.field("userID")
def user_of_event(event: Event, _: Info) -> UUID:
    """Whose event it is; the schema has no word for nobody."""
    return event.user_id or _NOBODY


async def _deliveries(context: Context, wanted: ListEvents) -> AsyncGenerator[dict[str, Any], None]:
    with context.live.follow(context.session, Key.VIEW_EVENTS, contract.STORED) as following:
        sequence = 0
        async for delivery in following:
            event = delivery.happened.event if delivery.happened else None
            if isinstance(event, Event):
                mine = concerns(event.user_id, context.session)
                own = event.user_id in (None, context.session.user_id)
                if not mine or (wanted.own and not own) or not _passes(event, wanted):
                    continue
            sequence += 1
            yield {"sequence": sequence, "resync": delivery.resync, "event": event}


def _passes(event: Event, wanted: ListEvents) -> bool:
    """Whether a list with this filter would have the event."""
    return (
        (wanted.status is None or event.status == wanted.status)
        and (not wanted.categories or event.category in wanted.categories)
        and (not wanted.actions or event.action in wanted.actions)
        and (not wanted.severities or event.severity in wanted.severities)
        and (not wanted.acted_upon or event.acted_upon in wanted.acted_upon)
        and (not wanted.operation_ids or event.operation_id in wanted.operation_ids)
        and (not wanted.search or wanted.search.lower() in event.description.lower())
    )


@_subscription.source("events")
async def follow_events(
    _: object,
    info: Info,
    filter: dict[str, Any] | None = None,
) -> AsyncGenerator[dict[str, Any], None]:
    """Events that concern the caller, as they are stored."""
    wanted = message_from(ListEvents, filter or {})
    async with aclosing(_deliveries(info.context, wanted)) as deliveries:
        async for told in deliveries:
            yield told


@_subscription.source("subscribeEvents")
async def follow_plain_events(_: object, info: Info) -> AsyncGenerator[Event, None]:
    """As `events`, for clients of Meshery: nothing but events."""
    async with aclosing(_deliveries(info.context, ListEvents())) as deliveries:
        async for told in deliveries:
            if told["event"] is not None:
                yield told["event"]
