"""Lists over many rows, and whose rows they are."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Any
from uuid import UUID, uuid4

import pytest

from meshery_common.database import EVERY_ORGANIZATION, Database, Row
from meshery_contracts.errors import Invalid
from meshery_contracts.registry import KindName, ListComponents, ListModels
from meshery_registry.domain import names
from meshery_registry.domain.definitions import components_of, model_of
from meshery_registry.domain.openapi import LearnedKind
from meshery_registry.store import ComponentStore, ModelStore, RegistrationStore

OURS, THEIRS, SHIPPED = uuid4(), uuid4(), UUID(int=0)
STORE = ComponentStore()
MODELS = ModelStore()


def a_kind(kind: str, schema: bytes = b'{"type":"object"}') -> LearnedKind:
    return LearnedKind(
        kind=kind,
        namespaced=True,
        description="",
        schema_hash=f"hash of {schema.decode()}",
        schema_body=zlib.compress(schema),
        schema_bytes=len(schema),
        usable=True,
    )


async def register(
    db: Database, organization_id: UUID, *kinds: str, group: str = "example.io", version: str = "v1.36.3"
) -> UUID:
    """Components of a custom group, or of the built-in ones when `group` is empty; the id of their model."""
    store = RegistrationStore()
    group_version = f"{group}/v1" if group else "v1"
    model = model_of(group_version, version, custom=bool(group))
    components = components_of(model, group_version, [a_kind(kind) for kind in kinds])
    async with db.transaction(organization_id) as tx:
        await store.put_model(tx, organization_id, uuid4(), model)
        await store.put_components(tx, organization_id, model, group_version, components, custom=bool(group))
    return model.model_id


async def test_kinds_of_the_whole_cluster(db: Database) -> None:
    await register(db, SHIPPED, "Node", "Pod", group="")
    await register(db, OURS, "Oven", "Kitchen")
    await register(db, THEIRS, "Cave")
    wide = "update components set namespaced = false where kind = any($1::text[])"
    await db.execute(EVERY_ORGANIZATION, wide, ["Node", "Kitchen", "Cave"])
    assert await STORE.cluster_scoped(db.within(OURS), OURS) == {("v1", "Node"), ("example.io/v1", "Kitchen")}
    # Who could be in a namespace, is: a package that says otherwise does not take it out of one.
    await register(db, OURS, "Node", group="")
    assert await STORE.cluster_scoped(db.within(OURS), OURS) == {("example.io/v1", "Kitchen")}


async def many(db: Database, organization_id: UUID, count: int) -> None:
    """Many components in one model, made by the database."""
    await register(db, organization_id, "First")
    await db.execute(
        organization_id,
        """
        insert into components (organization_id, id, model_id, model_name, api_version, kind, display_name,
            namespaced, custom, schema_hash, schema_bytes, created_at, updated_at)
        select organization_id, gen_random_uuid(), model_id, model_name, api_version, 'Kind' || n, 'Kind ' || n,
            namespaced, custom, schema_hash, schema_bytes, now() + n * interval '1 s', now() + n * interval '1 s'
        from components, generate_series(2, $2) n where organization_id = $1
        """,
        organization_id,
        count,
    )


class Explained:
    """Queries that also note how PostgreSQL means to run each statement."""

    def __init__(self, db: Database, organization_id: UUID) -> None:
        self._queries = db.within(organization_id)
        self.plans: list[str] = []

    async def fetch(self, sql: Any, *args: Any) -> Sequence[Row]:
        plan = await self._queries.fetch(f"explain (analyze, costs off) {sql}", *args)
        self.plans.append("\n".join(row[0] for row in plan))
        return await self._queries.fetch(sql, *args)

    async def fetchrow(self, sql: Any, *args: Any) -> Row | None:
        return await self._queries.fetchrow(sql, *args)

    async def fetchval(self, sql: Any, *args: Any) -> Any:
        return await self._queries.fetchval(sql, *args)

    async def execute(self, sql: Any, *args: Any) -> int:
        return await self._queries.execute(sql, *args)


@pytest.mark.parametrize(
    "request_",
    [
        ListComponents(),
        ListComponents(page=3),
        ListComponents(order="created_at desc"),
        ListComponents(order="updatedAt desc"),
        ListComponents(model="example-io"),
        ListComponents(name="Kind17"),
    ],
)
async def test_a_page_of_twenty_thousand_sorts_nothing(
    db: Database, owner: Database, request_: ListComponents
) -> None:
    await many(db, OURS, 20_000)
    await many(db, THEIRS, 2_000)
    await register(db, SHIPPED, "Shipped", group="shipped.io")
    await owner.execute(EVERY_ORGANIZATION, "vacuum (analyze) components")
    queries = Explained(db, OURS)
    page, components = await STORE.page(queries, OURS, request_)
    assert page.total_count in (20_001, 20_000, 1)
    assert len(components) in (25, 1)
    # `c_1` is the count, which may well read all when nearly all are counted.
    assert "Seq Scan on components c " not in queries.plans[0]
    # One kind is found first and then sorted: that sort has one row.
    assert "Sort Key: c." not in queries.plans[0] or page.total_count == 1


async def test_pages_by_cursor_give_every_component_once(db: Database) -> None:
    await many(db, OURS, 120)
    await register(db, SHIPPED, "Shipped", group="shipped.io")
    await register(db, THEIRS, "Theirs", group="theirs.io")
    seen: list[str] = []
    cursor = None
    while True:
        request_ = ListComponents(page_size=50, cursor=cursor)
        page, components = await STORE.page(db.within(OURS), OURS, request_)
        seen += [one.kind for one in components]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert len(seen) == len(set(seen)) == page.total_count == 121
    assert "Shipped" in seen
    assert "Theirs" not in seen


async def test_a_cursor_of_another_list_is_refused(db: Database) -> None:
    await many(db, OURS, 30)
    page, _ = await STORE.page(db.within(OURS), OURS, ListComponents())
    with pytest.raises(Invalid):
        await MODELS.page(db.within(OURS), OURS, ListModels(cursor=page.next_cursor))


async def test_what_ships_with_us_is_read_by_everybody_and_changed_by_nobody(db: Database) -> None:
    await register(db, SHIPPED, "Shipped", group="shipped.io")
    _, models = await MODELS.page(db.within(OURS), OURS, ListModels())
    assert [(one.name, one.components) for one in models] == [("shipped-io", 1)]
    changed = await db.execute(
        OURS, "update models set status = 'ignored' where organization_id = $1", SHIPPED
    )
    assert changed == 0


async def test_row_level_security_holds_without_the_statements_conditions(db: Database) -> None:
    await register(db, OURS, "Ours")
    for table in ("models", "components", "schemas"):
        assert await db.fetchval(OURS, f"select count(*) from {table}") == 1
        assert await db.fetchval(THEIRS, f"select count(*) from {table}") == 0


async def test_kinds_are_resolved_built_in_first_and_newest_first(db: Database) -> None:
    kind = KindName(api_version="v1", kind="Pod")
    await register(db, OURS, "Pod", group="", version="v1.9.0")
    newest = await register(db, OURS, "Pod", group="", version="v1.36.3")
    await register(db, SHIPPED, "Pod", group="", version="v1.30.0")
    found = await STORE.resolve(db.within(OURS), OURS, [kind, KindName(api_version="v2", kind="Pod")])
    assert found[0] is not None
    assert found[0][1] == newest
    assert found[1] is None


async def test_lists_filter(db: Database) -> None:
    await register(db, OURS, "HTTPRoute", "Gateway", group="gateway.networking.k8s.io")
    await register(db, OURS, "Pod", "Service", group="")

    async def kinds(**filters: Any) -> list[str]:
        _, components = await STORE.page(db.within(OURS), OURS, ListComponents(**filters))
        return [one.kind for one in components]

    assert await kinds() == ["Gateway", "HTTPRoute", "Pod", "Service"]
    assert await kinds(search="http r") == ["HTTPRoute"]
    assert await kinds(search="%") == []
    assert await kinds(name="Pod") == ["Pod"]
    assert await kinds(name="o") == []
    assert await kinds(name="o", greedy=True) == ["HTTPRoute", "Pod"]
    assert await kinds(model="kubernetes", order="displayName desc") == ["Service", "Pod"]
    assert await kinds(api_version="gateway.networking.k8s.io/v1") == ["Gateway", "HTTPRoute"]
    assert await kinds(category="Orchestration & Management") == ["Pod", "Service"]
    assert await kinds(model_version="v1.0.0") == ["Gateway", "HTTPRoute"]
    assert await kinds(status="ignored") == []
    assert await kinds(annotations=True) == []
    _, models = await MODELS.page(db.within(OURS), OURS, ListModels(registrant="kubernetes", search="gate"))
    assert [(one.display_name, one.components) for one in models] == [("Gateway Networking K8s Io", 2)]


def test_category_ids_are_those_of_the_migration() -> None:
    assert str(names.category_id("Uncategorized")) == "51eff74e-67b8-5f2d-9ff4-7ad8c26a447c"


async def test_the_order_of_versions_is_that_of_numbers(db: Database) -> None:
    newest_first = ["v1.10.0", "v1.10.0-rc.1", "v1.9.0"]
    for version in ("v1.9.0", "v1.10.0-rc.1", "v1.10.0"):
        await register(db, OURS, "Pod", group="", version=version)
    queries = db.within(OURS)
    _, models = await MODELS.page(queries, OURS, ListModels(order="version desc"))
    assert [one.version for one in models] == newest_first
    by_id = {one.model_id: one.version for one in models}
    found: list[str] = []
    cursor: str | None = None
    while len(found) < 3:
        wish = ListComponents(name="Pod", order="version desc", page_size=1, cursor=cursor)
        page, components = await STORE.page(queries, OURS, wish)
        found += [by_id[one.model_id] for one in components]
        cursor = page.next_cursor
    assert found == newest_first
