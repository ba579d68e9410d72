"""Events in a real database: repeats, audiences, marks, many rows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from meshery_common.database import EVERY_ORGANIZATION, Database
from meshery_common.ids import uuid7
from meshery_contracts.caller import Caller
from meshery_contracts.events import EventStatus, ListEvents
from meshery_contracts.keys import Key, bits_of
from meshery_contracts.messages import Severity
from meshery_events.domain.facts import NIL, NewEvent
from meshery_events.store import EventStore, purge

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
OURS, THEIRS, ME, SOMEBODY = (uuid4() for _ in range(4))
STORE = EventStore()


def an_event(**changes: Any) -> NewEvent:
    fields: dict[str, Any] = {
        "event_id": uuid7(),
        "organization_id": OURS,
        "user_id": ME,
        "actor": "",
        "acted_upon": NIL,
        "operation_id": NIL,
        "severity": Severity.INFORMATIONAL,
        "category": "design",
        "action": "update",
        "description": "Something happened.",
        "metadata": {"a": [1, {"b": None}]},
        "source": "",
        "created_at": NOW,
    }
    return NewEvent(**{**fields, **changes})


def a_caller(user_id: UUID = ME, organization_id: UUID = OURS, *, auditor: bool = False) -> Caller:
    keys = (Key.VIEW_EVENTS, Key.VIEW_AUDIT) if auditor else (Key.VIEW_EVENTS,)
    return Caller(user_id=user_id, organization_id=organization_id, key_bits=bits_of(keys))


async def add(db: Database, *events: NewEvent) -> list[UUID]:
    return [one.id for one in await STORE.add(db.within(EVERY_ORGANIZATION), events)]


async def seen(db: Database, caller: Caller, **filters: Any) -> list[UUID]:
    page, events = await STORE.page(db.within(caller.organization_id), ListEvents(**filters), caller)
    assert page.total_count == len(events)
    return [one.id for one in events]


async def test_a_repeat_is_nothing_and_does_not_hold_up_the_rest(db: Database) -> None:
    first, second = an_event(), an_event()
    assert await add(db, first) == [first.event_id]
    assert await add(db, first, second, second) == [second.event_id]
    assert await add(db, first, second) == []


async def test_everybody_sees_his_own_and_nobodys_and_an_auditor_all(db: Database) -> None:
    mine, theirs, nobodys = an_event(), an_event(user_id=SOMEBODY), an_event(user_id=None)
    elsewhere = an_event(organization_id=THEIRS)
    await add(db, mine, theirs, nobodys, elsewhere)
    assert set(await seen(db, a_caller())) == {mine.event_id, nobodys.event_id}
    assert set(await seen(db, a_caller(SOMEBODY))) == {theirs.event_id, nobodys.event_id}
    auditor = a_caller(uuid4(), auditor=True)
    assert set(await seen(db, auditor)) == {mine.event_id, theirs.event_id, nobodys.event_id}
    assert await seen(db, auditor, own=True) == [nobodys.event_id]
    assert await seen(db, a_caller(ME, THEIRS)) == [elsewhere.event_id]
    assert await db.fetchval(THEIRS, "select count(*) from events") == 1


async def test_lists_filter_order_and_search(db: Database) -> None:
    thing, run = uuid4(), uuid4()
    old = an_event(created_at=NOW - timedelta(hours=1), category="connection", severity=Severity.ERROR)
    new = an_event(acted_upon=thing, operation_id=run, action="deploy", description="50% of 'shop' is up.")
    await add(db, old, new)
    me = a_caller()
    assert await seen(db, me) == [new.event_id, old.event_id]
    assert await seen(db, me, order="createdAt asc") == [old.event_id, new.event_id]
    assert await seen(db, me, order="updated_at desc") == [new.event_id, old.event_id]
    assert await seen(db, me, order="nonsense") == [new.event_id, old.event_id]
    assert await seen(db, me, search="50%") == [new.event_id]
    assert await seen(db, me, search="_") == []
    assert await seen(db, me, categories=["connection"]) == [old.event_id]
    assert await seen(db, me, actions=["deploy", "x"]) == [new.event_id]
    assert await seen(db, me, severities=[Severity.ERROR]) == [old.event_id]
    assert await seen(db, me, acted_upon=[thing]) == [new.event_id]
    assert await seen(db, me, operation_ids=[run]) == [new.event_id]
    types = await STORE.types(db.within(OURS), OURS)
    assert (types.category, types.action) == (["connection", "design"], ["deploy", "update"])
    assert (await STORE.types(db.within(THEIRS), THEIRS)).category == []


async def test_marks_are_each_persons_own(db: Database) -> None:
    nobodys = an_event(user_id=None, severity=Severity.WARNING)
    await add(db, nobodys, an_event(user_id=SOMEBODY))
    me, somebody = a_caller(), a_caller(SOMEBODY)
    async with db.transaction(OURS) as tx:
        assert await STORE.mark_read(tx, [nobodys.event_id], me, read=True) == 1
    assert await seen(db, me, status=EventStatus.UNREAD) == []
    assert await seen(db, me, status=EventStatus.READ) == [nobodys.event_id]
    assert nobodys.event_id in await seen(db, somebody, status=EventStatus.UNREAD)
    queries = db.within(OURS)
    assert await STORE.unread_by_severity(queries, me, own=False) == []
    counts = await STORE.unread_by_severity(queries, somebody, own=False)
    assert {one.severity: one.count for one in counts} == {Severity.WARNING: 1, Severity.INFORMATIONAL: 1}
    async with db.transaction(OURS) as tx:
        assert await STORE.mark_removed(tx, [nobodys.event_id], me) == 1
    assert await seen(db, me) == []
    assert len(await seen(db, somebody)) == 2
    assert len(await seen(db, a_caller(uuid4(), auditor=True))) == 2


async def test_nobody_marks_what_he_cannot_see(db: Database) -> None:
    theirs, elsewhere = an_event(user_id=SOMEBODY), an_event(organization_id=THEIRS)
    await add(db, theirs, elsewhere)
    ids = [theirs.event_id, elsewhere.event_id]
    async with db.transaction(OURS) as tx:
        assert await STORE.mark_read(tx, ids, a_caller(), read=True) == 0
        assert await STORE.mark_removed(tx, ids, a_caller()) == 0
        assert await STORE.get_many(tx, ids, a_caller()) == []


async def test_old_events_go_with_their_marks(db: Database) -> None:
    event = an_event()
    await add(db, event)
    async with db.transaction(OURS) as tx:
        await STORE.mark_read(tx, [event.event_id], a_caller(), read=True)
    assert await purge(db, timedelta(days=1), at_once=10) == 0
    await db.execute(EVERY_ORGANIZATION, "update events set stored_at = now() - interval '2 days'")
    assert await purge(db, timedelta(days=1), at_once=10) == 1
    assert await db.fetchval(OURS, "select count(*) from event_marks") == 0


async def test_the_installation_has_one_id(db: Database) -> None:
    first, second = await STORE.add(db.within(EVERY_ORGANIZATION), [an_event(), an_event()])
    assert first.system_id == second.system_id != NIL
