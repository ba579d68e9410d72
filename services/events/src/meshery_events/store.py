"""Every SQL statement of the events service. Rows do not leave it.

Audience: a person sees his own events and those of nobody in particular; one who holds the key `View Audit` sees
all of the organisation. Marks (read, removed) are each person's own.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import LiteralString
from uuid import UUID

from meshery_common.database import EVERY_ORGANIZATION, Database, Queries, Row, Transaction
from meshery_common.paging import OrderBy, Page, Predicate, SelectBuilder, Sort, contains
from meshery_contracts.caller import Caller
from meshery_contracts.events import Event, EventStatus, EventTypes, ListEvents, SeverityCount
from meshery_contracts.keys import Key
from meshery_contracts.messages import Severity
from meshery_events.domain.facts import NewEvent

_COLUMNS: LiteralString = """
    e.id, e.organization_id, e.user_id, e.acted_upon, e.operation_id, e.severity, e.category, e.action,
    e.description, e.metadata, e.created_at, (select i.id from installations i) as system_id
"""
_ORDER = OrderBy(
    columns={
        "created_at": Sort("e.created_at"),
        # Events do not change: what Meshery's clients sort by is when it happened.
        "updated_at": Sort("e.created_at"),
        "severity": Sort("e.severity", str),
        "category": Sort("e.category", str),
        "action": Sort("e.action", str),
    },
    default="created_at desc",
    id_sql="e.id",
)


class EventStore:
    """Statements over events and marks."""

    async def add(self, queries: Queries, events: Sequence[NewEvent]) -> list[Event]:
        """Store events in one statement; those among them that were not there yet."""
        rows = await queries.fetch(
            f"""
            with added as (
                insert into events as e (id, organization_id, user_id, actor, acted_upon, operation_id, severity,
                    category, action, description, metadata, source, created_at)
                select * from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::uuid[], $6::uuid[],
                    $7::text[], $8::text[], $9::text[], $10::text[], $11::jsonb[], $12::text[], $13::timestamptz[])
                on conflict (id) do nothing
                returning {_COLUMNS}
            ), types as (
                -- In one order for all, so that two batches never wait for each other.
                insert into event_types (organization_id, category, action)
                select distinct organization_id, category, action from added order by 1, 2, 3
                on conflict do nothing
            )
            select * from added order by id
            """,  # noqa: S608 -- the columns are a constant of ours
            [one.event_id for one in events],
            [one.organization_id for one in events],
            [one.user_id for one in events],
            [one.actor for one in events],
            [one.acted_upon for one in events],
            [one.operation_id for one in events],
            [one.severity.value for one in events],
            [one.category for one in events],
            [one.action for one in events],
            [one.description for one in events],
            [one.metadata for one in events],
            [one.source for one in events],
            [one.created_at for one in events],
        )
        return [_event(row, EventStatus.UNREAD) for row in rows]

    async def page(self, queries: Queries, request: ListEvents, caller: Caller) -> tuple[Page, list[Event]]:
        """A page of the events that the caller may see and has not removed."""
        select = SelectBuilder("events", _COLUMNS, "events e")
        select.where("e.organization_id = {}", caller.organization_id)
        select.where(_audience(caller, own=request.own)).where(_unmarked("removed"), caller.user_id)
        if request.status is EventStatus.UNREAD:
            select.where(_unmarked("read"), caller.user_id)
        elif request.status is EventStatus.READ:
            select.where(_MARKED_READ, caller.user_id)
        if request.categories:
            select.where("e.category = any({}::text[])", request.categories)
        if request.actions:
            select.where("e.action = any({}::text[])", request.actions)
        if request.severities:
            select.where("e.severity = any({}::text[])", [one.value for one in request.severities])
        if request.acted_upon:
            select.where("e.acted_upon = any({}::uuid[])", request.acted_upon)
        if request.operation_ids:
            select.where("e.operation_id = any({}::uuid[])", request.operation_ids)
        if request.search:
            select.where("e.description ilike {}", contains(request.search))
        page = await select.page(queries, _ORDER, request)
        return page, await self._with_statuses(queries, page.rows, caller)

    async def unread_by_severity(self, queries: Queries, caller: Caller, *, own: bool) -> list[SeverityCount]:
        """How many events of each severity the caller has yet to read."""
        audience, values = _audience(caller, own=own).numbered(3)
        rows = await queries.fetch(
            f"""
            select e.severity, count(*) as count from events e
            where e.organization_id = $1 and ({audience}) and not exists (
                select from event_marks k where k.user_id = $2 and k.event_id = e.id and (k.read or k.removed)
            )
            group by e.severity order by e.severity
            """,  # noqa: S608 -- a text of ours
            caller.organization_id,
            caller.user_id,
            *values,
        )
        return [SeverityCount(severity=Severity(row["severity"]), count=row["count"]) for row in rows]

    async def get_many(self, queries: Queries, event_ids: Sequence[UUID], caller: Caller) -> list[Event]:
        """Those of the events that the caller may see, in the order of their ids."""
        audience, values = _audience(caller, own=False).numbered(3)
        rows = await queries.fetch(
            f"""
            select {_COLUMNS} from events e
            where e.organization_id = $1 and e.id = any($2::uuid[]) and ({audience}) order by e.id
            """,  # noqa: S608 -- texts of ours
            caller.organization_id,
            list(event_ids),
            *values,
        )
        return await self._with_statuses(queries, rows, caller)

    async def mark_read(
        self, tx: Transaction, event_ids: Sequence[UUID], caller: Caller, *, read: bool
    ) -> int:
        """Mark those of the events that the caller may see; how many they are."""
        audience, values = _audience(caller, own=False).numbered(5)
        return await tx.execute(
            f"""
            insert into event_marks (user_id, event_id, organization_id, read)
            select $1, e.id, $2, $3 from events e
            where e.organization_id = $2 and e.id = any($4::uuid[]) and ({audience}) order by e.id
            on conflict (user_id, event_id) do update set read = excluded.read, updated_at = now()
            """,  # noqa: S608 -- a text of ours
            caller.user_id,
            caller.organization_id,
            read,
            list(event_ids),
            *values,
        )

    async def mark_removed(self, tx: Transaction, event_ids: Sequence[UUID], caller: Caller) -> int:
        """Remove those of the events that the caller may see from his list; how many they are."""
        audience, values = _audience(caller, own=False).numbered(4)
        return await tx.execute(
            f"""
            insert into event_marks (user_id, event_id, organization_id, removed)
            select $1, e.id, $2, true from events e
            where e.organization_id = $2 and e.id = any($3::uuid[]) and ({audience}) order by e.id
            on conflict (user_id, event_id) do update set removed = true, updated_at = now()
            """,  # noqa: S608 -- a text of ours
            caller.user_id,
            caller.organization_id,
            list(event_ids),
            *values,
        )

    async def types(self, queries: Queries, organization_id: UUID) -> EventTypes:
        """The categories and actions that have occurred in an organisation."""
        row = await queries.fetchrow(
            """
            select array_agg(distinct category order by category) as categories,
                array_agg(distinct action order by action) as actions
            from event_types where organization_id = $1
            """,
            organization_id,
        )
        if row is None:
            return EventTypes(category=[], action=[])
        return EventTypes(category=row["categories"] or [], action=row["actions"] or [])

    async def _with_statuses(self, queries: Queries, rows: Sequence[Row], caller: Caller) -> list[Event]:
        """The events of these rows, each as read or unread by the caller."""
        if not rows:
            return []
        marks = await queries.fetch(
            "select event_id from event_marks where user_id = $1 and event_id = any($2::uuid[]) and read",
            caller.user_id,
            [row["id"] for row in rows],
        )
        read = {mark["event_id"] for mark in marks}
        return [_event(row, EventStatus.READ if row["id"] in read else EventStatus.UNREAD) for row in rows]


async def purge(db: Database, older_than: timedelta, *, at_once: int) -> int:
    """Remove a part of the events that came longer ago; how many they were."""
    return await db.execute(
        EVERY_ORGANIZATION,
        "delete from events where id in (select id from events where stored_at < now() - $1::interval limit $2)",
        older_than,
        at_once,
    )


def _audience(caller: Caller, *, own: bool) -> Predicate:
    if caller.holds(Key.VIEW_AUDIT) and not own:
        return Predicate("true")
    return Predicate("e.user_id = {} or e.user_id is null", (caller.user_id,))


def _unmarked(mark: LiteralString) -> LiteralString:
    return f"not exists (select from event_marks k where k.user_id = {{}} and k.event_id = e.id and k.{mark})"


_MARKED_READ: LiteralString = (
    "exists (select from event_marks k where k.user_id = {} and k.event_id = e.id and k.read)"
)


def _event(row: Row, status: EventStatus) -> Event:
    # The row is of our own making: checking it again would cost more than reading it.
    return Event.model_construct(
        id=row["id"],
        user_id=row["user_id"],
        owner=row["user_id"],
        organization_id=row["organization_id"],
        acted_upon=row["acted_upon"],
        operation_id=row["operation_id"],
        system_id=row["system_id"],
        severity=Severity(row["severity"]),
        status=status,
        category=row["category"],
        action=row["action"],
        description=row["description"],
        metadata=row["metadata"],
        created_at=row["created_at"],
        updated_at=row["created_at"],
        deleted_at=None,
    )
