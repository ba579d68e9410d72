"""Designs and versions in PostgreSQL: who sees them, and that nothing is stored twice."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import orjson
import pytest

from meshery_common import access
from meshery_common.access import Access, ActorKind
from meshery_common.database import EVERY_ORGANIZATION, Database
from meshery_contracts.caller import Caller
from meshery_contracts.designs import Design, DesignPage, DesignType, ListDesigns, ListVersions, Visibility
from meshery_contracts.errors import Conflict, Forbidden, NotFound
from meshery_designs.domain.design_files import StoredFile, checked
from meshery_designs.store import DesignStore
from meshery_testkit.builders import a_component

STORE = DesignStore()
ORGANIZATION = uuid4()
OWNER = Caller(user_id=uuid4(), organization_id=ORGANIZATION)
STRANGER = Caller(user_id=uuid4(), organization_id=uuid4())
TABLES = ("designs", "design_versions", "component_bodies", "run_objects", "deployed_objects")


def a_colleague(**claims: Any) -> Caller:
    return Caller(**{"user_id": uuid4(), "organization_id": ORGANIZATION, **claims})


def a_file(*components: dict[str, Any], name: str = "shop", version: int = 1) -> StoredFile:
    return checked(
        {"components": list(components)}, design_id=UUID(int=1), name=name, version=version, new_id=uuid4
    )


async def inserted(
    db: Database,
    file: StoredFile | None = None,
    *,
    caller: Caller = OWNER,
    visibility: Visibility = Visibility.PRIVATE,
    source: bytes | None = None,
) -> Design:
    async with db.transaction(caller.organization_id) as tx:
        return await STORE.insert(
            tx,
            uuid4(),
            file or a_file(),
            caller,
            visibility=visibility,
            design_type=DesignType.DESIGN,
            source_content=source,
        )


async def updated(db: Database, design: Design, base_version: int, file: StoredFile) -> Design:
    async with db.transaction(ORGANIZATION) as tx:
        return await STORE.update(tx, design.id, base_version, file, OWNER, visibility=design.visibility)


async def page(db: Database, caller: Caller = OWNER, **request: Any) -> DesignPage:
    return await STORE.page(
        db.within(caller.organization_id), ListDesigns(**request), caller, most_bytes=10_000_000
    )


async def listed(db: Database, caller: Caller = OWNER, **request: Any) -> list[str]:
    return [one.name for one in (await page(db, caller, **request)).patterns]


async def sees(db: Database, caller: Caller, design: Design) -> bool:
    try:
        await STORE.get(db.within(caller.organization_id), design.id, caller)
    except NotFound:
        return False
    return True


# --- versions -----------------------------------------------------------------------------------------------


async def test_versions_are_kept_and_put_together_again(db: Database) -> None:
    kept, old, new = (a_component(name=one) for one in ("kept", "old", "new"))
    files = [a_file(kept, old), a_file(kept, new, name="store", version=2)]
    design = await inserted(db, files[0])
    newest = await updated(db, design, 1, files[1])
    assert (newest.version, newest.name, newest.pattern_file) == (2, "store", files[1].text)
    queries = db.within(ORGANIZATION)
    for version, file in enumerate(files, start=1):
        read = await STORE.in_version(queries, newest, version)
        assert (read.version, read.name, orjson.loads(read.pattern_file)) == (
            *(version, file.name),
            orjson.loads(file.text),
        )
    with pytest.raises(NotFound):
        await STORE.in_version(queries, newest, 3)
    page = await STORE.versions(queries, ListVersions(design_id=design.id, page=1, page_size=1))
    assert (page.total_count, [(one.version, one.components) for one in page.versions]) == (2, [(1, 2)])
    nothing = await STORE.versions(queries, ListVersions(design_id=uuid4()))
    assert (nothing.total_count, nothing.versions) == (0, [])


async def test_what_versions_and_designs_share_is_stored_once(db: Database) -> None:
    shared, other = a_component(name="shared"), a_component(name="other")
    design = await inserted(db, a_file(shared, other))
    await updated(db, design, 1, a_file(shared, name="renamed"))
    await inserted(db, a_file(shared))
    assert await db.fetchval(EVERY_ORGANIZATION, "select count(*) from component_bodies") == 2
    await inserted(db, a_file(shared), caller=STRANGER)
    assert await db.fetchval(EVERY_ORGANIZATION, "select count(*) from component_bodies") == 3


async def test_a_save_that_began_with_an_older_version_is_refused(db: Database) -> None:
    design = await inserted(db)
    await updated(db, design, 1, a_file())
    for base_version in (1, 3):
        with pytest.raises(Conflict) as caught:
            await updated(db, design, base_version, a_file())
        assert caught.value.problem.code == "design_stale"


async def test_of_two_saves_at_once_one_is_refused(db: Database) -> None:
    design = await inserted(db)
    saves = [updated(db, design, 1, a_file(name=name)) for name in ("mine", "yours")]
    results = await asyncio.gather(*saves, return_exceptions=True)
    assert sorted(type(one).__name__ for one in results) == ["Conflict", "Design"]
    assert await db.fetchval(EVERY_ORGANIZATION, "select count(*) from design_versions") == 2


async def test_a_deleted_design_is_gone_and_its_versions_are_not(db: Database) -> None:
    design = await inserted(db)
    async with db.transaction(ORGANIZATION) as tx:
        await STORE.delete(tx, design.id)
    assert not await sees(db, OWNER, design)
    assert await listed(db) == []
    with pytest.raises(Conflict):
        await updated(db, design, 1, a_file())
    assert await db.fetchval(ORGANIZATION, "select count(*) from design_versions") == 1


# --- lists --------------------------------------------------------------------------------------------------


async def test_lists_are_ordered_searched_and_cut_into_pages(db: Database) -> None:
    for name in ("b_1", "A", "c%", "B"):
        await inserted(db, a_file(name=name))
    assert await listed(db) == ["B", "c%", "A", "b_1"]
    assert await listed(db, order="name asc") == ["A", "B", "b_1", "c%"]
    assert await listed(db, order="createdAt asc") == ["b_1", "A", "c%", "B"]
    assert await listed(db, order="name desc; drop table designs") == ["B", "c%", "A", "b_1"]
    assert await listed(db, search="b") == ["B", "b_1"]
    assert await listed(db, search="%") == ["c%"]
    assert await listed(db, search="_1") == ["b_1"]
    first = await page(db, order="name asc", page_size=3)
    assert ([one.name for one in first.patterns], first.total_count) == (["A", "B", "b_1"], 4)
    last = await page(db, order="name asc", page_size=3, cursor=first.next_cursor)
    assert ([one.name for one in last.patterns], last.total_count, last.next_cursor) == (["c%"], 4, None)
    assert await listed(db, order="name asc", page_size=3, page=1) == ["c%"]
    assert (await page(db, page=9)).total_count == 4


async def test_lists_are_filtered(db: Database) -> None:
    older = await inserted(db, a_file(name="older"), visibility=Visibility.PUBLIC)
    await inserted(db, a_file(name="newer"))
    assert await listed(db, updated_after=older.updated_at) == ["newer"]
    assert await listed(db, updated_after=older.updated_at - timedelta(seconds=1)) == ["newer", "older"]
    assert await listed(db, visibility=[Visibility.PUBLIC, Visibility.PUBLISHED]) == ["older"]
    assert (await page(db)).patterns[0].pattern_file
    assert (await page(db, with_files=False)).patterns[0].pattern_file == ""


async def test_what_was_imported_comes_only_when_asked_for(db: Database) -> None:
    design = await inserted(db, source=b"kind: x")
    queries = db.within(ORGANIZATION)
    assert (await STORE.get(queries, design.id, OWNER)).source_content is None
    assert (await STORE.get(queries, design.id, OWNER, with_source=True)).source_content == "a2luZDogeA=="


# --- who sees, who changes ----------------------------------------------------------------------------------


async def test_visibility(db: Database) -> None:
    private, public, published = [
        await inserted(db, a_file(name=one.value), visibility=one)
        for one in (Visibility.PRIVATE, Visibility.PUBLIC, Visibility.PUBLISHED)
    ]
    for caller, seen in [
        (OWNER, [True, True, True]),
        (a_colleague(), [False, True, True]),
        (STRANGER, [False, False, True]),
    ]:
        assert [await sees(db, caller, one) for one in (private, public, published)] == seen
    assert await listed(db, a_colleague(), order="name asc") == ["public", "published"]
    # What others have published is in the catalog, not among one's own designs.
    assert await listed(db, STRANGER) == []
    # The same person in another organisation is somebody else.
    assert not await sees(db, Caller(user_id=OWNER.user_id, organization_id=uuid4()), private)


async def test_grants_and_workspaces_open_a_design(db: Database) -> None:
    design = await inserted(db)
    workspace, team = uuid4(), uuid4()
    viewer, editor = a_colleague(), a_colleague(team_ids=(team,))
    operator, member = a_colleague(), a_colleague(workspace_ids=(workspace,))
    everybody = [viewer, editor, operator, member]
    assert [await sees(db, one, design) for one in everybody] == [False] * 4
    async with db.transaction(ORGANIZATION) as tx:
        for kind, actor, allowed in [
            (ActorKind.USER, viewer.user_id, Access.VIEWER),
            (ActorKind.TEAM, team, Access.EDITOR),
            (ActorKind.USER, operator.user_id, Access.OPERATOR),
        ]:
            await access.add_grant(
                tx,
                OWNER,
                object_id=design.id,
                object_kind="design",
                actor_kind=kind,
                actor_id=actor,
                access=allowed,
            )
        await access.add_membership(
            tx, OWNER, workspace_id=workspace, object_id=design.id, object_kind="design"
        )
    queries = db.within(ORGANIZATION)
    assert [await sees(db, one, design) for one in everybody] == [True] * 4
    for require, allowed_for in [
        (STORE.require_edit, {OWNER, editor, operator, member}),
        (STORE.require_operate, {OWNER, operator, member}),
    ]:
        for caller in (OWNER, *everybody):
            if caller in allowed_for:
                await require(queries, design.id, caller)
            else:
                with pytest.raises(Forbidden):
                    await require(queries, design.id, caller)


async def test_another_organisation_sees_nothing_even_without_a_condition(db: Database) -> None:
    await inserted(db, a_file(a_component()))
    await inserted(db, a_file(name="published"), visibility=Visibility.PUBLISHED)
    for table in TABLES:
        row_level = await db.fetchrow(
            EVERY_ORGANIZATION,
            "select relrowsecurity, relforcerowsecurity from pg_class where oid = $1::text::regclass",
            table,
        )
        assert row_level is not None
        assert tuple(row_level) == (True, True), table
    strangers = STRANGER.organization_id
    names = await db.fetch(strangers, "select name from designs")
    assert [row["name"] for row in names] == ["published"]
    assert await db.fetchval(strangers, "select count(*) from design_versions") == 0
    assert await db.fetchval(strangers, "select count(*) from component_bodies") == 0
    assert await db.execute(strangers, "update designs set name = 'mine'") == 0
    assert await db.execute(strangers, "delete from designs") == 0
    assert await db.fetchval(ORGANIZATION, "select count(*) from designs") == 2


async def test_a_row_cannot_be_written_into_another_organisation(db: Database) -> None:
    with pytest.raises(Exception, match="SQLSTATE 42501"):
        await db.execute(
            STRANGER.organization_id,
            "insert into component_bodies (organization_id, hash, body) values ($1, 'a', 'b')",
            ORGANIZATION,
        )
