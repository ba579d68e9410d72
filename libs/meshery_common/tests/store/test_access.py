"""Who sees what, and pages of it."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from meshery_common import access
from meshery_common.access import Access, ActorKind, ObjectTable
from meshery_common.database import EVERY_ORGANIZATION, Database
from meshery_common.paging import OrderBy, Page, SelectBuilder, Sort, contains
from meshery_contracts.caller import Caller
from meshery_contracts.paging import PageRequest

ORGANIZATION, OTHER_ORGANIZATION = uuid4(), uuid4()
OWNER, TEAM, WORKSPACE = uuid4(), uuid4(), uuid4()
THINGS = ObjectTable(
    id="t.thing_id", owner="t.owner_id", organization="t.organization_id", visibility="t.visibility"
)
ORDER = OrderBy(
    columns={"name": Sort("t.name", str), "count": Sort("t.count", int), "updated_at": Sort("t.updated_at")},
    default="name asc",
    id_sql="t.thing_id",
)


def a_caller(**more: Any) -> Caller:
    return Caller(**{"user_id": uuid4(), "organization_id": ORGANIZATION, **more})


async def a_thing(
    db: Database, name: str, *, visibility: str = "private", organization: UUID = ORGANIZATION
) -> UUID:
    thing = uuid4()
    await db.execute(
        organization,
        "insert into things (thing_id, organization_id, owner_id, name, visibility) values ($1, $2, $3, $4, $5)",
        thing,
        organization,
        OWNER,
        name,
        visibility,
    )
    return thing


async def seen(db: Database, caller: Caller, rule: Any = access.visible_to) -> set[str]:
    builder = SelectBuilder("things", "t.name", "things t").where(rule(caller, THINGS))
    page = await builder.page(db.within(caller.organization_id), ORDER, PageRequest())
    assert page.total_count == len(page.rows)
    return {row["name"] for row in page.rows}


async def grant(db: Database, thing: UUID, kind: ActorKind, actor: UUID, **more: Any) -> None:
    async with db.transaction(ORGANIZATION) as tx:
        await access.add_grant(
            tx,
            a_caller(user_id=OWNER),
            **{
                "object_id": thing,
                "object_kind": "thing",
                "actor_kind": kind,
                "actor_id": actor,
                "access": Access.VIEWER,
                **more,
            },
        )


async def test_visibility_alone(db: Database) -> None:
    await a_thing(db, "private")
    await a_thing(db, "public", visibility="public")
    await a_thing(db, "published", visibility="published")
    await a_thing(db, "foreign public", visibility="public", organization=OTHER_ORGANIZATION)
    await a_thing(db, "foreign published", visibility="published", organization=OTHER_ORGANIZATION)
    assert await seen(db, a_caller(user_id=OWNER)) == {"private", "public", "published", "foreign published"}
    assert await seen(db, a_caller()) == {"public", "published", "foreign published"}
    assert await seen(db, a_caller(user_id=OWNER), access.can_edit) == {"private", "public", "published"}
    assert await seen(db, a_caller(), access.can_edit) == set()


async def test_grants_to_people_teams_and_organisations(db: Database) -> None:
    person = uuid4()
    await grant(db, await a_thing(db, "person's"), ActorKind.USER, person)
    await grant(db, await a_thing(db, "team's"), ActorKind.TEAM, TEAM, access=Access.EDITOR)
    await grant(
        db, await a_thing(db, "everybody's"), ActorKind.ORGANIZATION, ORGANIZATION, access=Access.OPERATOR
    )
    past, future = datetime.now(UTC) - timedelta(hours=1), datetime.now(UTC) + timedelta(hours=1)
    await grant(db, await a_thing(db, "expired"), ActorKind.USER, person, expires_at=past)
    await grant(db, await a_thing(db, "not yet expired"), ActorKind.USER, person, expires_at=future)
    await a_thing(db, "nobody's")
    caller = a_caller(user_id=person, team_ids=(TEAM,))
    assert await seen(db, caller) == {"person's", "team's", "everybody's", "not yet expired"}
    assert await seen(db, caller, access.can_edit) == {"team's", "everybody's"}
    assert await seen(db, caller, access.can_operate) == {"everybody's"}
    assert await seen(db, a_caller()) == {"everybody's"}
    assert await seen(db, a_caller(organization_id=OTHER_ORGANIZATION, team_ids=(TEAM,))) == set()


async def test_a_grant_can_be_changed_and_taken_back(db: Database) -> None:
    thing, person = await a_thing(db, "x"), uuid4()
    await grant(db, thing, ActorKind.USER, person)
    await grant(db, thing, ActorKind.USER, person, access=Access.OPERATOR)
    (only,) = await access.grants_of(db.within(ORGANIZATION), thing)
    assert (only.actor_id, only.access, only.granted_by) == (person, Access.OPERATOR, OWNER)
    async with db.transaction(ORGANIZATION) as tx:
        assert await access.remove_grant(tx, object_id=thing, actor_kind=ActorKind.USER, actor_id=person)
        assert not await access.remove_grant(tx, object_id=thing, actor_kind=ActorKind.USER, actor_id=person)
    assert await seen(db, a_caller(user_id=person)) == set()


async def test_workspaces_open_what_is_in_them(db: Database) -> None:
    thing, member = await a_thing(db, "x"), a_caller(workspace_ids=(uuid4(), WORKSPACE))
    async with db.transaction(ORGANIZATION) as tx:
        put = {"workspace_id": WORKSPACE, "object_id": thing}
        assert await access.add_membership(tx, member, **put, object_kind="thing")
        assert not await access.add_membership(tx, member, **put, object_kind="thing")
    assert await seen(db, member) == await seen(db, member, access.can_edit) == {"x"}
    assert await seen(db, a_caller(workspace_ids=(uuid4(),))) == set()
    assert await access.workspaces_of(db.within(ORGANIZATION), thing) == [WORKSPACE]
    async with db.transaction(ORGANIZATION) as tx:
        assert await access.remove_membership(tx, **put)
        await access.add_membership(tx, member, **put, object_kind="thing")
        assert await access.forget_workspace(tx, WORKSPACE) == 1
    assert await seen(db, member) == set()


async def test_a_deleted_object_leaves_nothing(db: Database) -> None:
    thing = await a_thing(db, "x")
    await grant(db, thing, ActorKind.USER, uuid4())
    async with db.transaction(ORGANIZATION) as tx:
        await access.add_membership(
            tx, a_caller(), workspace_id=WORKSPACE, object_id=thing, object_kind="thing"
        )
        await access.forget_object(tx, thing)
    assert await db.fetchval(EVERY_ORGANIZATION, "select count(*) from grants") == 0
    assert await db.fetchval(EVERY_ORGANIZATION, "select count(*) from memberships") == 0


@pytest.mark.parametrize("order", ["name asc", "name desc", "count asc", "updatedAt desc", "nonsense"])
async def test_walking_a_list_meets_every_row_once(db: Database, order: str) -> None:
    for number in range(23):
        await a_thing(db, f"n{number:02}")
    await db.execute(ORGANIZATION, "update things set count = length(name)")  # all the same: ties

    async def page(request: PageRequest) -> Page:
        builder = SelectBuilder("things", "t.name", "things t").where("t.organization_id = {}", ORGANIZATION)
        return await builder.page(db.within(ORGANIZATION), ORDER, request)

    names: list[str] = []
    request = PageRequest(page_size=5, order=order)
    for number in range(5):
        got = await page(request)
        assert (got.page, got.total_count) == (number, 23)
        by_number = await page(PageRequest(page_size=5, order=order, page=number))
        assert [r["name"] for r in by_number.rows] == [r["name"] for r in got.rows]
        names += [row["name"] for row in got.rows]
        if got.next_cursor is None:
            break
        request = PageRequest(page_size=5, cursor=got.next_cursor)
    assert len(names) == len(set(names)) == 23
    assert (await page(PageRequest(page=99))).total_count == 23


async def test_searching_takes_texts_as_they_are(db: Database) -> None:
    for name in ("50% off", "50 off", "a_b", "axb", r"back\slash"):
        await a_thing(db, name)
    for text, found in (
        ("0%", {"50% off"}),
        ("A_B", {"a_b"}),
        ("\\", {r"back\slash"}),
        ("off", {"50% off", "50 off"}),
    ):
        builder = SelectBuilder("things", "t.name", "things t").where("t.name ilike {}", contains(text))
        page = await builder.page(db.within(ORGANIZATION), ORDER, PageRequest())
        assert {row["name"] for row in page.rows} == found
