"""Whole models in the database: once, whole, and each with its own ids."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import orjson
import pytest

from meshery_common.database import Database
from meshery_contracts.caller import Caller
from meshery_contracts.imports import ImportEntry
from meshery_contracts.paging import PageRequest
from meshery_contracts.registry import ListComponents, ListModels, ListRelationships
from meshery_registry.domain.entities import (
    ComponentEntity,
    ConnectionEntity,
    ModelEntity,
    Package,
    PolicyEntity,
    RelationshipEntity,
)
from meshery_registry.domain.prepared import PreparedPackage, prepared
from meshery_registry.service import PackageRegistrar
from meshery_registry.service.registrations.packages import Source
from meshery_registry.store import (
    ComponentStore,
    DefinitionStore,
    ModelStore,
    RegistrationStore,
    RelationshipStore,
)

OURS, THEIRS, SHIPPED = uuid4(), uuid4(), UUID(int=0)
MODEL = ModelEntity(
    name="mesh",
    version="v1.9.0",
    display_name="Mesh",
    category="Cloud Native Network",
    registrant_kind="github",
    metadata={"svgColor": "<svg><path d='M0'/></svg>", "primaryColor": "#fff"},
)


def a_component(kind: str, **changes: Any) -> ComponentEntity:
    values = {"api_version": "mesh.io/v1", "schema": orjson.dumps({"title": kind}).decode(), **changes}
    return ComponentEntity(kind=kind, **values)


def a_relationship(sub_type: str, to: str = "Service", **changes: Any) -> RelationshipEntity:
    selectors = [{"allow": {"from": [{"kind": "Route"}], "to": [{"kind": to}]}}]
    return RelationshipEntity("edge", "non-binding", sub_type, {"selectors": selectors, **changes})


PACKAGE = Package(
    model=MODEL,
    components=(a_component("Route"), a_component("Gateway", schema="", annotation=True)),
    relationships=(a_relationship("network"), a_relationship("mount")),
    policies=(PolicyEntity("no-host", "rego", "package no_host"),),
    connections=(ConnectionEntity("prometheus", {"name": "Prometheus"}),),
)


def made(package: Package, organization_id: UUID = OURS) -> PreparedPackage:
    found = prepared(package, organization_id)
    assert isinstance(found, PreparedPackage)
    return found


async def register(
    db: Database, package: Package, organization_id: UUID = OURS, **how: Any
) -> list[ImportEntry]:
    caller = Caller(user_id=uuid4(), organization_id=organization_id)
    async with db.transaction(organization_id) as tx:
        return await PackageRegistrar().register(tx, made(package, organization_id), caller, **how)


def told(entries: list[ImportEntry]) -> dict[str, int]:
    return dict(Counter(f"{one.entity_type} {one.outcome.value}" for one in entries))


async def ids(db: Database, organization_id: UUID = OURS) -> dict[str, set[UUID]]:
    queries = db.within(organization_id)
    _, models = await ModelStore().page(queries, organization_id, ListModels())
    _, components = await ComponentStore().page(queries, organization_id, ListComponents(status=""))
    _, relationships = await RelationshipStore().page(queries, organization_id, ListRelationships())
    return {
        "models": {one.model_id for one in models},
        "components": {one.component_id for one in components},
        "relationships": {one.relationship_id for one in relationships},
    }


async def generation(db: Database, organization_id: UUID = OURS) -> int:
    return await DefinitionStore().generation(db.within(organization_id), organization_id)


async def test_the_same_again_changes_nothing_and_says_so(db: Database) -> None:
    assert told(await register(db, PACKAGE)) == {
        "model added": 1,
        "component added": 2,
        "relationship added": 2,
        "policy added": 1,
        "connection added": 1,
    }
    before, at = await ids(db), await generation(db)
    assert told(await register(db, PACKAGE)) == {
        "model unchanged": 1,
        "component unchanged": 2,
        "relationship unchanged": 2,
        "policy unchanged": 1,
        "connection unchanged": 1,
    }
    assert (await ids(db), await generation(db)) == (before, at)


@pytest.mark.parametrize(
    ("filters", "count"),
    [
        ({"kind": "edge"}, 2),
        ({"kind": "Edge", "type": "Non-Binding", "sub_type": "NETWORK"}, 1),
        ({"kind": "ed"}, 0),
        ({"kind": "Ed", "greedy": True}, 2),
        ({"kind": "e_g", "greedy": True}, 0),
    ],
)
async def test_relationships_of_a_class(db: Database, filters: dict[str, Any], count: int) -> None:
    await register(db, PACKAGE)
    page, found = await RelationshipStore().page(db.within(OURS), OURS, ListRelationships(**filters))
    assert (page.total_count, len(found)) == (count, count)


async def test_the_generation_that_a_change_tells_is_that_of_lists(db: Database) -> None:
    # What ships with us counts, too: lists carry the sum, and caches compare it with what they are told.
    await register(db, replace(PACKAGE, model=replace(MODEL, name="shipped")), SHIPPED)
    store = RegistrationStore()
    async with db.transaction(OURS) as tx:
        before = await store.locked_generation(tx, OURS)
        changed = await store.next_generation(tx, OURS)
    assert (before, changed) == (1, 2)
    assert await generation(db) == changed


async def test_what_changed_keeps_its_id(db: Database) -> None:
    await register(db, PACKAGE)
    before = await ids(db)
    changed = replace(
        PACKAGE,
        components=(a_component("Route", schema='{"title": "New"}'), PACKAGE.components[1]),
        relationships=(a_relationship("network", metadata={"description": "New"}), a_relationship("mount")),
    )
    assert told(await register(db, changed)) == {
        "model unchanged": 1,
        "component updated": 1,
        "component unchanged": 1,
        "relationship updated": 1,
        "relationship unchanged": 1,
        "policy unchanged": 1,
        "connection unchanged": 1,
    }
    assert await ids(db) == before
    assert await db.fetchval(OURS, "select count(*) from schemas") == 1


async def test_a_part_of_a_model_leaves_the_rest_and_the_whole_replaces_it(db: Database) -> None:
    await register(db, PACKAGE)
    part = Package(model=MODEL, components=(a_component("Policy"),))
    assert told(await register(db, part)) == {"model unchanged": 1, "component added": 1}
    assert len((await ids(db))["components"]) == 3
    assert told(await register(db, part, complete=True))["component unchanged"] == 1
    left = await ids(db)
    assert (len(left["components"]), left["relationships"]) == (1, set())
    again = await register(db, PACKAGE)
    assert told(again)["relationship added"] == 2


async def test_others_see_nothing_and_have_their_own(db: Database) -> None:
    await register(db, PACKAGE)
    assert await ids(db, THEIRS) == {"models": set(), "components": set(), "relationships": set()}
    await register(db, PACKAGE, THEIRS)
    ours, theirs = await ids(db), await ids(db, THEIRS)
    assert not any(ours[key] & theirs[key] for key in ours)
    await register(db, PACKAGE, SHIPPED)
    assert len((await ids(db))["models"]) == 2
    _, models = await ModelStore().page(db.within(OURS), OURS, ListModels())
    assert [one.duplicates for one in models] == [1, 1]


async def test_two_at_once_make_no_duplicates(db: Database) -> None:
    reports = await asyncio.gather(*(register(db, PACKAGE) for _ in range(4)))
    assert sum(told(one).get("component added", 0) for one in reports) == 2
    assert {key: len(found) for key, found in (await ids(db)).items()} == {
        "models": 1,
        "components": 2,
        "relationships": 2,
    }


class Killed(Exception):
    """The end of the process, in the middle of a package."""


@pytest.mark.parametrize("statement", range(1, 14))
async def test_a_model_that_is_cut_off_leaves_nothing(db: Database, statement: int) -> None:
    caller, count = Caller(user_id=uuid4(), organization_id=OURS), 0

    class Dying:
        """The transaction, until so many statements have changed something."""

        def __init__(self, tx: Any) -> None:
            self._tx = tx

        def __getattr__(self, name: str) -> Any:
            return getattr(self._tx, name)

        async def execute(self, sql: Any, *args: Any) -> int:
            nonlocal count
            count += 1
            if count == statement:
                raise Killed
            changed: int = await self._tx.execute(sql, *args)
            return changed

    async def cut_off() -> None:
        async with db.transaction(OURS) as tx:
            dying: Any = Dying(tx)
            await PackageRegistrar().register(dying, made(PACKAGE), caller)
            raise Killed

    with pytest.raises(Killed):
        await cut_off()
    assert await ids(db) == {"models": set(), "components": set(), "relationships": set()}
    for table in ("schemas", "icons", "registrations", "registrants", "outbox"):
        assert await db.fetchval(OURS, f"select count(*) from {table}") == 0, table
    assert told(await register(db, PACKAGE))["component added"] == 2


async def test_what_another_registrant_changed_is_compared_anew(db: Database) -> None:
    first, second = (Source(uuid4(), "github", name) for name in ("first", "second"))
    await register(db, PACKAGE, source=first)
    changed = replace(PACKAGE, components=(a_component("Route", description="Changed."),))
    assert told(await register(db, changed, source=second))["component updated"] == 1
    assert told(await register(db, PACKAGE, source=first))["component updated"] == 1


async def test_lists_find_parts_of_words_and_count_facets(db: Database) -> None:
    await register(db, PACKAGE)
    shipped = replace(PACKAGE, model=replace(MODEL, name="other", category="Tools"))
    await register(db, shipped, SHIPPED)
    components, queries = ComponentStore(), db.within(OURS)

    async def found(**filters: Any) -> list[str]:
        _, page = await components.page(queries, OURS, ListComponents(**filters))
        return [one.kind for one in page]

    assert await found(search="out mes") == ["Route"]
    assert await found(search="MESH") == ["Gateway", "Route"]
    assert await found(search="mesh%") == []
    assert await found(model_version="v1.9.0", category="Tools") == ["Gateway", "Route"]
    assert await found(annotations=True, model="mesh") == ["Gateway"]
    assert await found(registrant="github", order="kind desc", model="mesh") == ["Route", "Gateway"]
    assert await components.facets(queries, OURS, ListComponents()) == {
        "category": {"Cloud Native Network": 2, "Tools": 2},
        "model": {"mesh": 2, "other": 2},
        "registrant": {"github": 4},
        "status": {"enabled": 4},
        "apiVersion": {"mesh.io/v1": 4},
    }
    models = ModelStore()
    assert (await models.facets(queries, OURS, ListModels(search="mes")))["category"] == {
        "Cloud Native Network": 1,
        "Tools": 1,
    }
    edges = await RelationshipStore().facets(queries, OURS, ListRelationships(search="edge serv"))
    assert edges == {"kind": {}, "type": {}, "subType": {}, "model": {}}
    edges = await RelationshipStore().facets(queries, OURS, ListRelationships(search="edge netw"))
    assert edges["subType"] == {"network": 2}


async def test_icons_are_kept_apart_and_go_with_the_last_who_names_them(db: Database) -> None:
    await register(db, PACKAGE)
    _, (model,) = await ModelStore().page(db.within(OURS), OURS, ListModels())
    address = model.metadata["svgColor"]
    icon_hash = address.rpartition("/")[2].removesuffix(".svg")
    icons = await DefinitionStore().icons(db.within(OURS), OURS, [icon_hash])
    assert icons[icon_hash].endswith('<path d="M0"/></svg>')
    assert await DefinitionStore().icons(db.within(THEIRS), THEIRS, [icon_hash]) == {}
    await register(db, replace(PACKAGE, model=replace(MODEL, metadata={})))
    assert await DefinitionStore().icons(db.within(OURS), OURS, [icon_hash]) == {}


async def test_who_registers_here_and_ships_with_us_is_one_registrant(db: Database) -> None:
    await register(db, PACKAGE, SHIPPED)
    await register(db, replace(PACKAGE, model=replace(MODEL, name="other")))
    await register(db, PACKAGE, THEIRS)
    queries = db.within(OURS)
    page, found = await RegistrationStore().registrants(queries, PageRequest(search="github"))
    assert [(one.name, one.models, one.components, one.relationships, one.policies) for one in found] == [
        ("github", 2, 4, 4, 2)
    ]
    assert page.total_count == 1
    assert (await DefinitionStore().summary(queries, OURS)).registrants == 1
