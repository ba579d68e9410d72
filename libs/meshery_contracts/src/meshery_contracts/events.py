"""Events' contract: what happened, for people to read and filter."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field

from meshery_contracts.endpoints import Endpoint, Topic
from meshery_contracts.errors import Word
from meshery_contracts.keys import Key
from meshery_contracts.messages import Message, Nothing, PublicMessage, Severity
from meshery_contracts.paging import PageReply, PageRequest


class EventStatus(StrEnum):
    """Whether somebody has seen it."""

    READ = "read"
    UNREAD = "unread"


class Event(PublicMessage):
    """An event as Meshery's clients read one."""

    id: UUID
    user_id: UUID | None = None
    owner: UUID | None = None
    organization_id: UUID
    acted_upon: UUID
    operation_id: UUID
    system_id: UUID
    severity: Severity
    status: EventStatus = EventStatus.UNREAD
    category: str
    action: str
    description: str
    metadata: dict[str, Any] = Field(default_factory=dict)
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None = None


class ListEvents(PageRequest):
    """A part of the events; an empty filter lets everything through."""

    status: EventStatus | None = None
    categories: list[str] = Field(default_factory=list)
    actions: list[str] = Field(default_factory=list)
    severities: list[Severity] = Field(default_factory=list)
    acted_upon: list[UUID] = Field(default_factory=list)
    operation_ids: list[UUID] = Field(default_factory=list)
    own: bool = Field(
        default=False,
        description="Only the caller's and those of nobody in particular, also for one who may see all.",
    )


class SeverityCount(PublicMessage):
    """How many events of one severity are unread."""

    severity: Severity
    count: int


class EventPage(PageReply):
    """Events, newest first unless ordered otherwise."""

    events: list[Event]
    count_by_severity_level: list[SeverityCount] = Field(default_factory=list)


class RecordEvent(Message):
    """An event that a client reports."""

    acted_upon: UUID
    action: Annotated[str, Field(min_length=1, max_length=100)]
    category: Annotated[str, Field(min_length=1, max_length=100)]
    severity: Severity
    description: Annotated[str, Field(max_length=10_000)] = ""
    operation_id: UUID | None = None
    metadata: dict[str, Any] = Field(default_factory=dict)


class EventTypes(Message):
    """The categories and actions that occur."""

    category: list[str]
    action: list[str]


class EventId(Message):
    """Which event."""

    event_id: UUID


class SetEventStatus(Message):
    """Mark events as read or unread."""

    event_ids: Annotated[list[UUID], Field(max_length=1000)]
    status: EventStatus


class EventIds(Message):
    """Which events."""

    event_ids: Annotated[list[UUID], Field(max_length=1000)]


class EventList(Message):
    """The events after the change."""

    events: list[Event]


LIST = Endpoint(
    "meshery.rpc.events.v1.list_events", ListEvents, EventPage, key=Key.VIEW_EVENTS, summary="What happened."
)
RECORD = Endpoint(
    "meshery.rpc.events.v1.record_event",
    RecordEvent,
    Event,
    key=Key.VIEW_EVENTS,
    command=True,
    summary="Report an event.",
)
TYPES = Endpoint(
    "meshery.rpc.events.v1.list_types",
    Nothing,
    EventTypes,
    key=Key.VIEW_EVENTS,
    summary="The categories and actions that occur.",
)
SET_STATUS = Endpoint(
    "meshery.rpc.events.v1.set_status",
    SetEventStatus,
    EventList,
    key=Key.VIEW_EVENTS,
    command=True,
    errors=frozenset({Word.NOT_FOUND}),
    summary="Mark events as read or unread.",
)
DELETE = Endpoint(
    "meshery.rpc.events.v1.delete_events",
    EventIds,
    Nothing,
    key=Key.VIEW_EVENTS,
    command=True,
    summary="Remove events from the caller's own list.",
)
#: Every stored event, at once, for whoever watches; the same event is in the list.
STORED = Topic("meshery.live.events.v1.{organization_id}.event_stored.{id}", Event)
