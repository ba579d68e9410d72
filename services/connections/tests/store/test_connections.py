"""What may be stored, and who sees it."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import pytest

from meshery_common.access import Access, ActorKind, add_grant, add_membership
from meshery_common.database import EVERY_ORGANIZATION, Database
from meshery_connections.domain.connections import Health, HealthWord, StoredConnection
from meshery_connections.domain.contexts import ContextDescription
from meshery_connections.store import ConnectionStore, ObservationStore
from meshery_contracts.caller import Caller, CallerKind
from meshery_contracts.connections import ConnectionStatus
from meshery_contracts.errors import Conflict, Forbidden, NotFound
from meshery_contracts.paging import PageRequest
from meshery_testkit.nats import People

STORE = ConnectionStore()
SEEN = ObservationStore()
S = ConnectionStatus


async def a_connection(db: Database, owner: Caller, name: str = "prod", **changes: Any) -> StoredConnection:
    values: dict[str, Any] = {
        "organization_id": owner.organization_id,
        "owner_id": owner.user_id,
        "status": S.CONNECTED,
        "cluster_id": str(uuid4()),
        "credential_id": None,
        "own_context": None,
        "metadata": {},
        "meshsync_mode": "embedded",
        **changes,
    }
    async with db.transaction(owner.organization_id) as tx:
        return await STORE.insert(tx, uuid4(), ContextDescription(name, f"https://{name}"), **values)


async def ids(db: Database, caller: Caller, **more: Any) -> list[UUID]:
    queries = db.within(caller.organization_id)
    found, _ = await STORE.page(queries, PageRequest(**more), caller, kinds=[], statuses=[])
    return [one.id for one in found]


async def test_sharing_gives_what_was_granted_and_no_more(db: Database, people: People) -> None:
    owner = people.caller()
    workspace = uuid4()
    stored = await a_connection(db, owner)
    viewer, editor, operator, member, stranger = (
        people.caller(
            organization_id=owner.organization_id, workspace_ids=((workspace,) if number == 3 else ())
        )
        for number in range(5)
    )
    async with db.transaction(owner.organization_id) as tx:
        for person, access in ((viewer, Access.VIEWER), (editor, Access.EDITOR), (operator, Access.OPERATOR)):
            await add_grant(
                tx,
                owner,
                object_id=stored.id,
                object_kind="connection",
                actor_kind=ActorKind.USER,
                actor_id=person.user_id,
                access=access,
            )
        await add_membership(tx, owner, workspace_id=workspace, object_id=stored.id, object_kind="connection")
    allowed = {
        "owner": [a for a in Access if await may(db, owner, stored, a)],
        "viewer": [a for a in Access if await may(db, viewer, stored, a)],
        "editor": [a for a in Access if await may(db, editor, stored, a)],
        "operator": [a for a in Access if await may(db, operator, stored, a)],
        "member": [a for a in Access if await may(db, member, stored, a)],
        "stranger": [a for a in Access if await may(db, stranger, stored, a)],
    }
    assert allowed == {
        "owner": list(Access),
        "viewer": [Access.VIEWER],
        "editor": [Access.VIEWER, Access.EDITOR],
        "operator": list(Access),
        "member": list(Access),
        "stranger": [],
    }
    assert await ids(db, viewer) == [stored.id]
    assert await ids(db, stranger) == []


async def may(db: Database, caller: Caller, stored: StoredConnection, access: Access) -> bool:
    try:
        await STORE.get(db.within(caller.organization_id), stored.id, caller, access)
    except (NotFound, Forbidden):
        return False
    return True


async def test_rows_of_another_organization_do_not_exist(db: Database, people: People) -> None:
    owner, other = people.caller(), people.caller()
    stored = await a_connection(db, owner)
    # Whatever a statement asks for, row-level security answers with nothing.
    assert await db.fetchval(other.organization_id, "select count(*) from connections") == 0
    for table in ("data_keys", "credentials", "openapi_documents"):
        assert await db.fetchval(other.organization_id, f"select count(*) from {table}") == 0
    with pytest.raises(NotFound):
        await STORE.get(db.within(other.organization_id), stored.id, other)


async def test_a_service_on_its_own_sees_its_organizations_connections(db: Database, people: People) -> None:
    stored = await a_connection(db, people.caller())
    service = Caller(kind=CallerKind.SERVICE, user_id=UUID(int=0), organization_id=stored.organization_id)
    assert await ids(db, service) == [stored.id]


async def test_one_person_has_one_connection_to_a_cluster(db: Database, people: People) -> None:
    owner = people.caller()
    cluster_id = str(uuid4())
    first = await a_connection(db, owner, cluster_id=cluster_id)
    with pytest.raises(Conflict) as caught:
        await a_connection(db, owner, "again", cluster_id=cluster_id)
    assert caught.value.problem.code == "cluster_connected"
    async with db.transaction(owner.organization_id) as tx:
        found = await STORE.same_cluster(tx, cluster_id, owner)
        assert found is not None
        assert found.id == first.id
        other = people.caller(organization_id=owner.organization_id)
        assert await STORE.same_cluster(tx, cluster_id, other) is None
        await STORE.set_status(tx, first.id, S.DELETED)
    await a_connection(db, owner, "again", cluster_id=cluster_id)


async def test_lists_are_filtered_counted_and_paged(db: Database, people: People) -> None:
    owner = people.caller()
    for name in ("alpha", "beta", "gamma%"):
        await a_connection(db, owner, name, status=S.NOT_FOUND if name == "beta" else S.CONNECTED)
    queries = db.within(owner.organization_id)
    request = PageRequest(order="name asc", page_size=2)
    found, page = await STORE.page(queries, request, owner, kinds=["kubernetes"], statuses=[])
    assert ([one.name for one in found], page.total_count) == (["alpha", "beta"], 3)
    rest, _ = await STORE.page(
        queries, PageRequest(page_size=2, cursor=page.next_cursor), owner, kinds=["kubernetes"], statuses=[]
    )
    assert [one.name for one in rest] == ["gamma%"]
    assert await STORE.status_summary(queries, PageRequest(), owner, []) == {"connected": 2, "not found": 1}
    assert await STORE.status_summary(queries, PageRequest(search="%"), owner, []) == {"connected": 1}
    found, _ = await STORE.page(queries, PageRequest(), owner, kinds=[], statuses=["not found"])
    assert [one.name for one in found] == ["beta"]
    assert (await STORE.page(queries, PageRequest(), owner, kinds=["grafana"], statuses=[]))[0] == []


async def test_health_is_news_only_when_it_changes_and_only_while_connected(
    db: Database, people: People
) -> None:
    owner = people.caller()
    stored = await a_connection(db, owner)
    away = Health(False, HealthWord.UNREACHABLE, "away")
    async with db.transaction(EVERY_ORGANIZATION) as tx:
        assert await SEEN.set_health(tx, stored.id, away)
        assert not await SEEN.set_health(tx, stored.id, away)
        await STORE.set_status(tx, stored.id, S.DISCONNECTED)
        assert not await SEEN.set_health(tx, stored.id, Health(True, HealthWord.ANSWERS))


async def test_deleting_keeps_the_row_without_its_credential(db: Database, people: People) -> None:
    owner = people.caller()
    stored = await a_connection(db, owner)
    async with db.transaction(owner.organization_id) as tx:
        deleted = await STORE.set_status(tx, stored.id, S.DELETED)
    assert deleted.connection.deleted_at is not None
    assert await ids(db, owner) == []
    assert await STORE.connected(db.within(EVERY_ORGANIZATION)) == []
