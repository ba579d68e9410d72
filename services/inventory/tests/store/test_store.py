"""The statements on a real PostgreSQL: batches, sweeps, tombstones, and nobody else's rows."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from importlib.resources import files
from uuid import UUID, uuid4

import pytest

from meshery_common.database import EVERY_ORGANIZATION, Database, Transaction
from meshery_contracts.inventory import ListResources, Summarize
from meshery_inventory.domain.frames import Arrival, Frame, KindName
from meshery_inventory.domain.objects import meshery_id, resource_id, stored_object
from meshery_inventory.domain.plans import Cluster, Drop, KindWork, Touch, Write
from meshery_inventory.domain.resources import Wanted
from meshery_inventory.store import ClusterStore, PictureStore, RebuildStore, ResourceStore
from meshery_testkit.postgres import DatabaseFactory

MIGRATIONS = files("meshery_inventory") / "migrations"
KIND = KindName("v1", "ConfigMap", "configmaps", True)
LIGHT = Wanted(False, False, False, False)


@pytest.fixture
async def db(database_for: DatabaseFactory) -> AsyncIterator[Database]:
    settings = await database_for("inventory", MIGRATIONS)
    async with Database.open(settings, schema="inventory", migrations=MIGRATIONS) as opened:
        yield opened


def a_cluster(organization_id: UUID | None = None) -> Cluster:
    return Cluster(uuid4(), organization_id or uuid4(), "c1", 100, False)


def a_write(cluster: Cluster, name: str, position: int, *, uid: str = "", text: str = "x") -> Write:
    document = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": name,
            "namespace": "ns",
            "labels": {"app": text},
            "ownerReferences": [{"uid": "o"}],
        },
        "data": {"k": text},
    }
    found = stored_object(json.dumps(document).encode(), uid or name, str(position))
    key = resource_id(cluster.connection_id, "c1", "ConfigMap", "v1", "ns", name)
    return Write(key, cluster, found, position, position, True, False)


async def known(db: Database, cluster: Cluster) -> None:
    await ClusterStore().add(
        db.within(EVERY_ORGANIZATION), cluster.connection_id, cluster.organization_id, cluster.cluster_id
    )


async def write(db: Database, *writes: Write) -> list[Write]:
    async def work(tx: Transaction) -> list[Write]:
        return await ResourceStore().write(tx, writes)

    return await db.run(EVERY_ORGANIZATION, work)


async def rows(db: Database) -> list[tuple[str, str, int]]:
    found = await db.fetch(
        EVERY_ORGANIZATION,
        "select r.name, d.rest, r.position from resources r join documents d using (resource_id) order by 1",
    )
    return [(row[0], json.loads(row[1])["data"]["k"], row[2]) for row in found]


async def test_a_newer_write_replaces_and_an_older_one_is_passed_over(db: Database) -> None:
    cluster = a_cluster()
    assert len(await write(db, a_write(cluster, "a", 5), a_write(cluster, "b", 5))) == 2
    written = await write(db, a_write(cluster, "a", 4, text="old"), a_write(cluster, "b", 6, text="new"))
    assert [one.object.name for one in written] == ["b"]
    assert await rows(db) == [("a", "x", 5), ("b", "new", 6)]


async def test_an_object_without_spec_labels_or_owners_is_stored(db: Database) -> None:
    cluster = a_cluster()
    found = stored_object(b'{"apiVersion":"v1","kind":"X","metadata":{"name":"n"}}', "u", "1")
    await write(db, Write(uuid4(), cluster, found, -5, 1, True, False))
    row = await db.fetchrow(
        EVERY_ORGANIZATION, "select labels, owner_uids, digest, created_at from resources"
    )
    assert row is not None
    assert tuple(row) == ({}, [], -5, None)


async def test_drops_leave_tombstones_and_touch_only_the_older(db: Database) -> None:
    cluster, store = a_cluster(), ResourceStore()
    await write(db, a_write(cluster, "a", 5), a_write(cluster, "b", 7))
    async with db.transaction(EVERY_ORGANIZATION) as tx:
        gone = await store.drop(tx, [Drop(cluster, "a", 6), Drop(cluster, "b", 6), Drop(cluster, "c", 6)])
        stored, buried = await store.stored(tx, [(cluster.connection_id, uid) for uid in "abc"])
    assert [one.name for one in gone] == ["a"]
    assert {key[1] for key in stored} == {"b"}
    assert {key[1]: position for key, position in buried.items()} == {"a": 6, "b": 6, "c": 6}
    assert await db.fetchval(EVERY_ORGANIZATION, "select count(*) from documents") == 1
    assert await store.forget_tombstones(db.within(EVERY_ORGANIZATION)) == 0


async def test_a_touch_changes_the_version_alone(db: Database) -> None:
    cluster = a_cluster()
    await write(db, a_write(cluster, "a", 5))
    async with db.transaction(EVERY_ORGANIZATION) as tx:
        await ResourceStore().touch(tx, [Touch(cluster.connection_id, "a", "99", 77, 8)])
    row = await db.fetchrow(EVERY_ORGANIZATION, "select resource_version, digest, position from resources")
    assert row is not None
    assert tuple(row) == ("99", 77, 8)
    assert await rows(db) == [("a", "x", 8)]


async def test_a_sweep_takes_one_kind_of_one_cluster(db: Database) -> None:
    cluster, other = a_cluster(), a_cluster()
    await write(db, a_write(cluster, "old", 5), a_write(cluster, "new", 9), a_write(other, "other", 5))
    async with db.transaction(EVERY_ORGANIZATION) as tx:
        gone = await ResourceStore().sweep(tx, KindWork(cluster, KIND, 10, 8, sweep=True))
    assert [one.name for one in gone] == ["old"]
    assert [row[0] for row in await rows(db)] == ["new", "other"]


async def test_kinds_know_count_and_digest(db: Database) -> None:
    cluster, store = a_cluster(), ClusterStore()
    await known(db, cluster)
    frame = Frame(cluster.organization_id, "c1", 100, 101, KIND)
    arrival = Arrival(cluster.connection_id, "configmaps_v1_core", frame)
    async with db.transaction(EVERY_ORGANIZATION) as tx:
        clusters, states = await store.lock_for_frames(tx, [arrival])
        work = KindWork(cluster, KIND, 101, 100)
        await store.advance_kinds(tx, [((cluster.connection_id, "configmaps_v1_core"), work)])
    assert clusters[cluster.connection_id].organization_id == cluster.organization_id
    assert [tuple(one) for one in states.values()] == [(0, 0)]
    await write(db, a_write(cluster, "a", 5), a_write(cluster, "b", 9))
    (kind,) = await store.kinds(db.within(EVERY_ORGANIZATION), cluster.connection_id)
    assert (kind.position, kind.count, kind.digest) == (101, 2, 5 ^ 9)


async def test_sessions_grow_whatever_the_clock_says(db: Database) -> None:
    cluster, store = a_cluster(), ClusterStore()
    await known(db, cluster)
    await db.execute(EVERY_ORGANIZATION, "update clusters set session = 9000000000000000000")
    async with db.transaction(EVERY_ORGANIZATION) as tx:
        assert await store.open_session(tx, cluster.connection_id, "") == 9000000000000000001


async def test_the_picture_is_the_organisations_own(db: Database) -> None:
    cluster, other = a_cluster(), a_cluster()
    pictures = PictureStore()
    for one in (cluster, other):
        await known(db, one)
        await write(db, a_write(one, "a", 5))
    queries = db.within(cluster.organization_id)
    page, found = await pictures.page(queries, cluster.organization_id, ListResources(), LIGHT)
    assert (page.total_count, [one.name for one in found]) == (1, ["a"])
    assert await queries.fetchval("select count(*) from resources") == 1, (
        "row-level security is the second wall"
    )
    id_ = meshery_id("c1", "ConfigMap", "v1", "ns", "a")
    got = await pictures.get(queries, cluster.organization_id, id_)
    assert got is not None
    assert json.loads(got.rest or "") == {"data": {"k": "x"}}
    assert await pictures.get(queries, cluster.organization_id, "bm90aGluZw==") is None
    assert await pictures.get(queries, cluster.organization_id, "no base64!") is None
    for wanted, shown in ((["c1"], True), (None, True), (["c2"], False), ([], False)):
        connections = await pictures.connections_of(
            queries, cluster.organization_id, Summarize(cluster_ids=wanted)
        )
        assert connections == ([cluster.connection_id] if shown else [])


async def test_lists_are_found_by_indexes(db: Database) -> None:
    cluster = a_cluster()
    await known(db, cluster)
    await write(db, *(a_write(cluster, f"name-{number}", number + 1) for number in range(3000)))
    await db.execute(EVERY_ORGANIZATION, "set enable_seqscan = off")
    for condition, index in (
        ("name ilike '%ame-77%'", "resources_name_search"),
        ("""labels @> '{"app":"x"}'""", "resources_labels"),
        ("kind = 'ConfigMap' and namespace = 'ns'", "resources_list"),
        ("owner_uids @> '{o}' and owner_uids <> '{}'", "resources_owners"),
    ):
        plan = await db.fetch(
            cluster.organization_id,
            f"explain select name from resources where organization_id = '{cluster.organization_id}' and {condition}",
        )
        assert any("resources_" in row[0] for row in plan), (index, plan)


async def test_missing_tables_are_noticed(database_for: DatabaseFactory) -> None:
    settings = await database_for("inventory", MIGRATIONS)
    as_owner = settings.model_copy(update={"app_url": settings.owner_url})
    store = RebuildStore()
    async with Database.open(as_owner, schema="inventory", migrations=MIGRATIONS) as owner:
        assert not await store.is_broken(owner.within(EVERY_ORGANIZATION))
        await owner.execute(EVERY_ORGANIZATION, "drop table kinds")
        assert await store.is_broken(owner.within(EVERY_ORGANIZATION))
        async with owner.transaction(EVERY_ORGANIZATION) as tx:
            await store.forget(tx)
    async with Database.open(settings, schema="inventory", migrations=MIGRATIONS) as db:
        assert not await store.is_broken(db.within(EVERY_ORGANIZATION))
