"""Switching definitions on and off, deleting models, and connections that are gone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from importlib.resources import files
from typing import Any
from uuid import UUID, uuid4

import orjson
import pytest

from meshery_common.clock import utc_now
from meshery_common.database import Database
from meshery_common.encoding import encode
from meshery_contracts import connections, definitions, registrations, registry
from meshery_contracts.connections import ConnectionFact, ConnectionStatus
from meshery_contracts.definitions import ListConnectionDefinitions
from meshery_contracts.errors import Conflict, Forbidden, NotFound
from meshery_contracts.keys import LOCAL_BITS, Key, bits_of
from meshery_contracts.messages import Nothing
from meshery_contracts.paging import PageRequest
from meshery_contracts.registrations import (
    DefinitionStatus,
    DeleteConnectionDefinition,
    DeleteModel,
    SetStatus,
    StatusType,
)
from meshery_contracts.registry import KindName, ListComponents, ListModels, ListRelationships
from meshery_registry.domain.entities import (
    ComponentEntity,
    ConnectionEntity,
    ModelEntity,
    Package,
    RelationshipEntity,
)
from meshery_registry.domain.prepared import PreparedPackage, prepared
from meshery_registry.service import PackageRegistrar
from meshery_registry.settings import RegistrySettings
from meshery_registry.store.visible import SHIPPED

MIGRATIONS = files("meshery_registry") / "migrations"
WIDGET = KindName(api_version="example.io/v1", kind="Widget")
RELATIONSHIP = RelationshipEntity(
    kind="edge",
    type="binding",
    sub_type="network",
    definition={"selectors": [{"allow": {"from": [{"kind": "Widget"}], "to": [{"kind": "Gadget"}]}}]},
)


def a_package(*kinds: str, name: str = "widgets", **changes: Any) -> Package:
    """A model with these kinds, and a relationship."""
    return Package(
        model=ModelEntity(name=name, version="v1.0.0", registrant_kind="github", registrant_name="Widgets"),
        components=tuple(
            ComponentEntity(
                kind=kind,
                api_version="example.io/v1",
                schema=orjson.dumps({"type": "object", "title": kind}).decode(),
                **changes,
            )
            for kind in kinds
        ),
        relationships=(RELATIONSHIP,),
    )


@pytest.fixture
async def db(settings: RegistrySettings) -> AsyncIterator[Database]:
    async with Database.open(settings.database, schema="registry", migrations=MIGRATIONS) as opened:
        yield opened


async def stored(db: Database, client: Any, package: Package, organization_id: UUID | None = None) -> UUID:
    """Store a package; the id of its model."""
    caller = client.caller
    if organization_id is not None:
        caller = caller.model_copy(update={"organization_id": organization_id})
    made = prepared(package, caller.organization_id)
    assert isinstance(made, PreparedPackage)
    async with db.transaction(caller.organization_id) as tx:
        await PackageRegistrar().register(tx, made, caller)
    return made.model.model_id


async def kinds(client: Any, **filters: Any) -> list[str]:
    page = await client.ask(registry.LIST_COMPONENTS, ListComponents(**filters))
    return [one["component"]["kind"] for one in page.components]


async def switch(client: Any, entity_type: StatusType, entity_id: Any, status: str) -> Any:
    request = SetStatus(entity_type=entity_type, id=UUID(str(entity_id)), status=DefinitionStatus(status))
    return await client.ask(registrations.SET_STATUS, request)


@pytest.mark.parametrize("owner", [None, SHIPPED])
async def test_a_hidden_model_hides_all_that_belongs_to_it(
    db: Database, client: Any, owner: UUID | None
) -> None:
    model_id = await stored(db, client, a_package("Widget", "Gadget"), owner)
    before = (await client.ask(registry.LIST_COMPONENTS, ListComponents())).generation
    report = await switch(client, StatusType.MODEL, model_id, "ignored")
    assert (report.previous, report.status) == ("enabled", DefinitionStatus.IGNORED)
    assert await kinds(client) == []
    assert (await client.ask(registry.LIST_COMPONENTS, ListComponents())).generation > before
    relationships = await client.ask(registry.LIST_RELATIONSHIPS, ListRelationships())
    assert relationships.total_count == 0
    resolved = await client.ask(registry.RESOLVE_KINDS, registry.ResolveKinds(kinds=[WIDGET]))
    assert resolved.kinds[0].component_id is None
    summary = await client.ask(definitions.SUMMARY, Nothing())
    assert (summary.models, summary.components, summary.relationships) == (1, 0, 0)
    models = await client.ask(registry.LIST_MODELS, ListModels(status="ignored", facets=True))
    assert [one["status"] for one in models.models] == ["ignored"]
    assert models.facets["status"] == {"ignored": 1}
    other = client.as_somebody()
    assert len(await kinds(other)) == (0 if owner is None else 2)
    await switch(client, StatusType.MODEL, model_id, "enabled")
    assert await kinds(client) == ["Gadget", "Widget"]


async def test_a_component_is_switched_off_and_stays_so_when_it_is_registered_anew(
    db: Database, client: Any
) -> None:
    await stored(db, client, a_package("Widget", "Gadget"))
    page = await client.ask(registry.LIST_COMPONENTS, ListComponents(name="Widget"))
    await switch(client, StatusType("components"), page.components[0]["id"], "disabled")
    assert await kinds(client) == ["Gadget"]
    assert await kinds(client, status="disabled") == ["Widget"]
    await stored(db, client, a_package("Widget", "Gadget", description="New."))
    assert await kinds(client) == ["Gadget"]
    resolved = await client.ask(registry.RESOLVE_KINDS, registry.ResolveKinds(kinds=[WIDGET]))
    assert resolved.kinds[0].component_id is None


async def test_a_relationship_is_switched_off(db: Database, client: Any) -> None:
    await stored(db, client, a_package("Widget"))
    page = await client.ask(registry.LIST_RELATIONSHIPS, ListRelationships())
    await switch(client, StatusType.RELATIONSHIP, page.relationships[0]["id"], "ignored")
    assert (await client.ask(registry.LIST_RELATIONSHIPS, ListRelationships())).total_count == 0
    assert (await client.ask(registry.LIST_RELATIONSHIPS, ListRelationships(status=""))).total_count == 1


async def test_what_nobody_sees_cannot_be_switched(db: Database, client: Any) -> None:
    model_id = await stored(db, client, a_package("Widget"))
    with pytest.raises(NotFound):
        await switch(client.as_somebody(), StatusType.MODEL, model_id, "ignored")
    with pytest.raises(NotFound):
        await switch(client, StatusType.COMPONENT, model_id, "ignored")
    reader = client.as_somebody(key_bits=LOCAL_BITS & ~bits_of((Key.MANAGE_REGISTRY,)))
    with pytest.raises(Forbidden):
        await switch(reader, StatusType.MODEL, model_id, "ignored")
    with pytest.raises(Forbidden):
        await reader.ask(registrations.DELETE_MODEL, DeleteModel(model_id=model_id))


async def test_a_model_is_deleted_with_all_that_belongs_to_it(db: Database, client: Any) -> None:
    package = a_package("Widget", "Gadget", styles={"svgColor": "<svg/>"})
    model_id = await stored(db, client, package)
    with pytest.raises(NotFound):
        await client.as_somebody().ask(registrations.DELETE_MODEL, DeleteModel(model_id=model_id))
    deleted = await client.ask(registrations.DELETE_MODEL, DeleteModel(model_id=model_id))
    assert (deleted.name, deleted.components, deleted.relationships) == ("widgets", 2, 1)
    assert await kinds(client) == []
    organization_id = client.caller.organization_id
    for statement in (
        "select count(*) from models",
        "select count(*) from schemas",
        "select count(*) from icons",
        "select count(*) from registrations",
        "select count(*) from registrants",
    ):
        assert await db.fetchval(organization_id, statement) == 0, statement
    assert await stored(db, client, package) == model_id
    assert await kinds(client) == ["Gadget", "Widget"]


async def test_what_ships_with_us_cannot_be_deleted(db: Database, client: Any) -> None:
    model_id = await stored(db, client, a_package("Widget"), SHIPPED)
    with pytest.raises(Conflict) as refused:
        await client.ask(registrations.DELETE_MODEL, DeleteModel(model_id=model_id))
    assert refused.value.problem.code == "model_shipped"


@pytest.mark.parametrize("owner", [None, SHIPPED])
async def test_a_kind_of_connections_is_deleted(db: Database, client: Any, owner: UUID | None) -> None:
    connections_ = (
        ConnectionEntity("grafana", {"styles": {"svgColor": "<svg/>"}}),
        ConnectionEntity("prometheus", {}),
    )
    package = replace(a_package(), relationships=(), connections=connections_)
    model_id = await stored(db, client, package, owner)

    async def left() -> dict[str, UUID]:
        page = await client.ask(definitions.LIST_CONNECTION_DEFINITIONS, ListConnectionDefinitions())
        return {one["kind"]: UUID(one["id"]) for one in page.connection_definitions}

    async def delete(somebody: Any, kind: str) -> Any:
        request = DeleteConnectionDefinition(definition_id=known[kind])
        return await somebody.ask(registrations.DELETE_CONNECTION_DEFINITION, request)

    known = await left()
    if owner is not None:
        with pytest.raises(Conflict) as refused:
            await delete(client, "grafana")
        assert refused.value.problem.code == "definition_shipped"
        return
    with pytest.raises(NotFound):
        await delete(client.as_somebody(), "grafana")
    with pytest.raises(Forbidden):
        await delete(client.as_somebody(key_bits=LOCAL_BITS & ~bits_of((Key.MANAGE_REGISTRY,))), "grafana")
    deleted = await delete(client, "grafana")
    assert (deleted.name, deleted.entity_type, deleted.model) == ("grafana", "connection", "widgets")
    assert set(await left()) == {"prometheus"}
    assert await db.fetchval(client.caller.organization_id, "select count(*) from icons") == 0
    # Whoever registers the same again has it again; with the last of it goes the model.
    assert await stored(db, client, package) == model_id
    assert await left() == known
    for kind in known:
        await delete(client, kind)
    assert (await client.ask(registry.LIST_MODELS, ListModels())).total_count == 0


async def test_changes_are_told_to_people_and_to_caches(db: Database, client: Any) -> None:
    told: asyncio.Queue[tuple[str, dict[str, Any]]] = asyncio.Queue()

    async def listen(message: Any) -> None:
        told.put_nowait((message.subject.split(".")[5], orjson.loads(message.data)))

    organization_id = client.caller.organization_id
    model_id = await stored(db, client, a_package("Widget"))
    for topic in (registrations.STATUS_SET, registrations.MODEL_DELETED, registry.MODELS_REGISTERED):
        await client.gateway.subscribe(topic.wildcard(organization_id), listen)
    await switch(client, StatusType.MODEL, model_id, "ignored")
    await client.ask(registrations.DELETE_MODEL, DeleteModel(model_id=model_id))
    facts: dict[str, list[dict[str, Any]]] = {}
    async with asyncio.timeout(20):
        while {name: len(found) for name, found in facts.items()} != {
            "status_set": 1,
            "model_deleted": 1,
            "models_registered": 3,
        }:
            name, fact = await told.get()
            facts.setdefault(name, []).append(fact)
    assert facts["status_set"][0]["description"] == "Model 'Widgets' was ignored."
    assert facts["status_set"][0]["userId"] == str(client.caller.user_id)
    assert [one["generation"] for one in facts["models_registered"]] == [1, 2, 3]
    assert {one["severity"] for one in facts["models_registered"]} == {"debug"}


def a_cluster(connection_id: UUID, *served: str) -> registry.RegisterOpenAPI:
    schemas = {
        kind: {
            "type": "object",
            "x-kubernetes-group-version-kind": [{"group": "example.io", "version": "v1", "kind": kind}],
        }
        for kind in served
    }
    return registry.RegisterOpenAPI(
        connection_id=connection_id,
        cluster_name=f"cluster {served[0]}",
        cluster_version="v1.36.3",
        group_version="example.io/v1",
        document=orjson.dumps({"openapi": "3.0.0", "components": {"schemas": schemas}}).decode(),
        namespaced_kinds=list(served),
        cluster_kinds=[],
        custom=True,
    )


def gone(organization_id: UUID, connection_id: UUID) -> ConnectionFact:
    return ConnectionFact(
        organization_id=organization_id,
        occurred_at=utc_now(),
        category="connection",
        action="delete",
        description="Gone.",
        connection_id=connection_id,
        name="sandbox",
        kind="kubernetes",
        status=ConnectionStatus.DELETED,
    )


async def test_with_a_connection_goes_what_it_alone_served(db: Database, client: Any) -> None:
    organization_id = client.caller.organization_id
    first, second = uuid4(), uuid4()
    await client.register(a_cluster(first, "Widget", "Gadget"))
    await client.register(a_cluster(second, "Widget"))
    await client.register(a_cluster(first, "Old").model_copy(update={"group_version": "v1", "custom": False}))
    other = client.as_somebody()
    await other.register(a_cluster(first, "Widget"))
    await client.connections.streams.ensure_own_stream()

    async def left(count: int) -> None:
        while len(await kinds(client)) != count:
            await asyncio.sleep(0.05)

    subject = connections.CHANGED.subject_for(organization_id, first)
    async with asyncio.timeout(20):
        for _ in range(2):
            await client.connections.streams.publish(
                subject, encode(gone(organization_id, first)), message_id=str(uuid4()), headers={}
            )
        await left(1)
    assert await kinds(client) == ["Widget"]
    page = await client.ask(registry.LIST_REGISTRANTS, PageRequest())
    assert [one["id"] for one in page.registrants] == [str(second)]
    models = await client.ask(registry.LIST_MODELS, ListModels())
    assert [one["registrantId"] for one in models.models] == [str(second)]
    assert await kinds(other) == ["Widget"]
    async with asyncio.timeout(20):
        await client.connections.streams.publish(
            connections.CHANGED.subject_for(organization_id, second),
            encode(gone(organization_id, second)),
            message_id=str(uuid4()),
            headers={},
        )
        await left(0)
    assert (await client.ask(registry.LIST_MODELS, ListModels())).total_count == 0
    assert await db.fetchval(organization_id, "select count(*) from schemas") == 0
