"""Learning a cluster's kinds over the bus."""

from __future__ import annotations

import asyncio
import base64
import gzip
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import jsonschema_rs
import orjson
import pytest

from meshery_contracts import registry
from meshery_contracts.errors import Forbidden, Invalid, ProblemError, TooLarge
from meshery_contracts.keys import LOCAL_BITS, Key, bits_of
from meshery_contracts.paging import PageRequest
from meshery_contracts.registry import KindName, ModelsRegistered, RegisterOpenAPI
from meshery_registry.settings import RegistrySettings
from meshery_testkit.postgres import PostgresForTests

APPS = (Path(__file__).parent.parent / "fixtures" / "apps_v1.json").read_text()
CLUSTER = UUID("11111111-1111-4111-8111-111111111111")
DEPLOYMENT = KindName(api_version="apps/v1", kind="Deployment")


def a_registration(**changes: Any) -> RegisterOpenAPI:
    """A cluster's `apps/v1`."""
    told = {
        "connection_id": CLUSTER,
        "cluster_name": "sandbox",
        "cluster_version": "v1.36.3",
        "group_version": "apps/v1",
        "document": APPS,
        "namespaced_kinds": ["Deployment"],
        "cluster_kinds": [],
    }
    return RegisterOpenAPI(**{**told, **changes})


def a_custom_group(group: str, *kinds: str, **properties: Any) -> RegisterOpenAPI:
    """A custom group version with kinds of one schema."""
    schemas = {
        f"{group}.{kind}": {
            "type": "object",
            "properties": {"spec": {"type": "object", "properties": properties}},
            "x-kubernetes-group-version-kind": [{"group": group, "version": "v1", "kind": kind}],
        }
        for kind in kinds
    }
    return a_registration(
        group_version=f"{group}/v1",
        document=orjson.dumps({"openapi": "3.0.0", "components": {"schemas": schemas}}).decode(),
        namespaced_kinds=list(kinds),
        custom=True,
    )


async def test_a_registered_kind_is_resolved_and_validates(client: Any) -> None:
    report = await client.register(a_registration())
    assert (report.added, report.unchanged, report.refused, report.generation) == (1, 0, [], 1)
    unknown = KindName(api_version="v1", kind="Nothing")
    resolved = await client.ask(registry.RESOLVE_KINDS, registry.ResolveKinds(kinds=[unknown, DEPLOYMENT]))
    assert resolved.kinds[0].component_id is None
    found = resolved.kinds[1]
    assert (found.display_name, found.namespaced, found.custom) == ("Deployment", True, False)
    assert found.model is not None
    assert (found.model.name, found.model.model) == ("kubernetes", {"version": "v1.36.3"})
    schemas = await client.ask(registry.GET_SCHEMAS, registry.GetSchemas(hashes=[found.schema_hash, "no"]))
    assert (list(schemas.schemas), schemas.omitted) == ([found.schema_hash], [])
    validator = jsonschema_rs.validator_for(orjson.loads(schemas.schemas[found.schema_hash]))
    container = {"name": "web", "image": "nginx", "resources": {"limits": {"cpu": 1, "memory": "1Gi"}}}
    spec = {
        "replicas": 2,
        "selector": {"matchLabels": {"app": "web"}},
        "strategy": {"maxSurge": "25%"},
        "template": {"spec": {"containers": [container]}},
    }
    assert validator.is_valid({"spec": spec})
    assert not validator.is_valid({"spec": {**spec, "replicas": "two"}})
    assert not validator.is_valid({"spec": {"selector": {}}})


async def test_the_same_again_changes_nothing(client: Any) -> None:
    await client.register(a_registration())
    again = await client.register(a_registration())
    assert (again.added, again.updated, again.unchanged, again.generation) == (0, 0, 1, 1)
    packed = base64.b64encode(gzip.compress(APPS.encode())).decode()
    as_gzip = await client.register(a_registration(document="", document_gzip=packed))
    assert (as_gzip.added, as_gzip.unchanged, as_gzip.generation) == (0, 1, 1)


async def test_a_second_cluster_with_the_same_kinds_adds_a_registrant_only(client: Any) -> None:
    await client.register(a_registration())
    report = await client.register(a_registration(connection_id=uuid4(), cluster_name="other"))
    assert (report.added, report.unchanged) == (0, 1)
    page = await client.ask(registry.LIST_REGISTRANTS, PageRequest())
    assert [(one["name"], one["summary"]["components"]) for one in page.registrants] == [
        ("other", 1),
        ("sandbox", 1),
    ]
    assert (await client.ask(registry.LIST_COMPONENTS, registry.ListComponents())).total_count == 1


async def test_a_repeated_command_gets_the_first_answer(client: Any) -> None:
    first = await client.register(a_registration(), key="one")
    assert await client.register(a_registration(), key="one") == first
    assert first.added == 1


async def test_two_at_once_make_no_duplicates(client: Any) -> None:
    reports = await asyncio.gather(
        *(client.register(a_registration(connection_id=uuid4())) for _ in range(4)),
        *(client.register(a_custom_group(f"g{number}.example.io", "Thing")) for number in range(8)),
    )
    assert sum(one.added for one in reports) == 9
    assert (await client.ask(registry.LIST_COMPONENTS, registry.ListComponents())).total_count == 9
    assert (await client.ask(registry.LIST_MODELS, registry.ListModels())).total_count == 9


async def test_a_changed_schema_takes_the_place_of_the_old_one(client: Any) -> None:
    kind = KindName(api_version="example.io/v1", kind="Widget")
    await client.register(a_custom_group("example.io", "Widget", "Gadget", size={"type": "integer"}))
    before = (await client.ask(registry.RESOLVE_KINDS, registry.ResolveKinds(kinds=[kind]))).kinds[0]
    report = await client.register(a_custom_group("example.io", "Widget", size={"type": "string"}))
    assert (report.added, report.updated, report.removed) == (0, 1, 1)
    after = (await client.ask(registry.RESOLVE_KINDS, registry.ResolveKinds(kinds=[kind]))).kinds[0]
    assert after.component_id != before.component_id
    assert (await client.ask(registry.LIST_COMPONENTS, registry.ListComponents())).total_count == 1
    schemas = await client.ask(registry.GET_SCHEMAS, registry.GetSchemas(hashes=[before.schema_hash]))
    assert schemas.schemas == {}


async def test_what_another_cluster_still_serves_stays(client: Any) -> None:
    old = a_custom_group("example.io", "Widget", size={"type": "integer"})
    await client.register(old)
    await client.register(old.model_copy(update={"connection_id": uuid4()}))
    report = await client.register(a_custom_group("example.io", "Widget", size={"type": "string"}))
    assert (report.updated, report.removed) == (1, 0)
    assert (await client.ask(registry.LIST_COMPONENTS, registry.ListComponents())).total_count == 2


async def test_an_upgraded_cluster_resolves_to_the_newest_and_keeps_the_old(client: Any) -> None:
    await client.register(a_registration(cluster_version="v1.9.0"))
    await client.register(a_registration(cluster_version="v1.36.3"))
    await client.register(a_registration(cluster_version="v1.35.0", connection_id=uuid4()))
    found = await client.ask(registry.RESOLVE_KINDS, registry.ResolveKinds(kinds=[DEPLOYMENT]))
    assert found.kinds[0].model.model == {"version": "v1.36.3"}
    models = await client.ask(registry.LIST_MODELS, registry.ListModels(name="kubernetes"))
    assert sorted(one["model"]["version"] for one in models.models) == ["v1.35.0", "v1.36.3", "v1.9.0"]


async def test_another_organisation_sees_nothing(client: Any) -> None:
    await client.register(a_registration())
    found = (await client.ask(registry.RESOLVE_KINDS, registry.ResolveKinds(kinds=[DEPLOYMENT]))).kinds[0]
    other = client.as_somebody()
    for endpoint, request in (
        (registry.LIST_COMPONENTS, registry.ListComponents()),
        (registry.LIST_MODELS, registry.ListModels()),
        (registry.LIST_REGISTRANTS, PageRequest()),
    ):
        page = await other.ask(endpoint, request)
        assert (page.total_count, page.generation) == (0, 0)
    theirs = await other.ask(registry.RESOLVE_KINDS, registry.ResolveKinds(kinds=[DEPLOYMENT]))
    assert theirs.kinds[0].component_id is None
    schemas = await other.ask(registry.GET_SCHEMAS, registry.GetSchemas(hashes=[found.schema_hash]))
    assert schemas.schemas == {}
    assert (await other.register(a_registration())).added == 1


async def test_callers_without_keys_are_refused(client: Any) -> None:
    nobody = client.as_somebody(key_bits=0)
    for endpoint, request in (
        (registry.LIST_COMPONENTS, registry.ListComponents()),
        (registry.LIST_MODELS, registry.ListModels()),
        (registry.LIST_RELATIONSHIPS, registry.ListRelationships()),
        (registry.LIST_POLICIES, registry.ListPolicies()),
        (registry.LIST_CATEGORIES, registry.ListCategories()),
        (registry.LIST_REGISTRANTS, PageRequest()),
        (registry.RESOLVE_KINDS, registry.ResolveKinds(kinds=[])),
        (registry.GET_SCHEMAS, registry.GetSchemas(hashes=[])),
    ):
        with pytest.raises(Forbidden):
            await nobody.ask(endpoint, request)
    reader = client.as_somebody(key_bits=LOCAL_BITS & ~bits_of((Key.ADD_CLUSTER,)))
    with pytest.raises(Forbidden):
        await reader.register(a_registration())


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"document": "{"}, "openapi_unreadable"),
        ({"document": '{"swagger": "2.0"}'}, "openapi_unknown"),
        ({"document": "[]"}, "openapi_unknown"),
        ({"document_gzip": "!"}, "openapi_encoding"),
        ({"document_gzip": base64.b64encode(b"plain").decode()}, "openapi_encoding"),
        ({"document_gzip": base64.b64encode(gzip.compress(b"{}" * 99)[:-9]).decode()}, "openapi_encoding"),
    ],
)
async def test_what_is_no_document_is_refused(client: Any, changes: dict[str, Any], code: str) -> None:
    with pytest.raises(Invalid) as refused:
        await client.register(a_registration(**changes))
    assert refused.value.problem.code == code


async def test_a_packed_document_that_unpacks_to_too_much_is_refused(client: Any) -> None:
    bomb = base64.b64encode(gzip.compress(b" " * (65 * 1024 * 1024), 1)).decode()
    with pytest.raises(TooLarge):
        await client.register(a_registration(document="", document_gzip=bomb))


async def test_what_changed_is_told_once_with_the_generation(client: Any) -> None:
    told: asyncio.Queue[ModelsRegistered] = asyncio.Queue()

    async def listen(message: Any) -> None:
        told.put_nowait(ModelsRegistered.model_validate_json(message.data))

    await client.gateway.subscribe(registry.MODELS_REGISTERED.wildcard(client.caller.organization_id), listen)
    await client.register(a_registration())
    await client.register(a_registration())
    await client.register(a_custom_group("example.io", "Widget"))
    async with asyncio.timeout(20):
        facts = [await told.get(), await told.get()]
    assert [(one.generation, one.models) for one in facts] == [(1, ["kubernetes"]), (2, ["example-io"])]
    assert facts[0].connection_id == facts[0].acted_upon == CLUSTER
    assert told.empty()


async def test_a_group_that_is_gone_takes_its_model_along(client: Any) -> None:
    await client.register(a_custom_group("example.io", "Widget", "Gadget"))
    gone = a_custom_group("example.io").model_copy(update={"document": '{"openapi": "3.0.0"}'})
    report = await client.register(gone)
    assert (report.removed, report.added) == (2, 0)
    assert (await client.ask(registry.LIST_MODELS, registry.ListModels())).total_count == 0


async def test_a_registration_that_dies_in_the_middle_leaves_nothing(
    client: Any, postgres_server: PostgresForTests, settings: RegistrySettings
) -> None:
    name = settings.database.app_url.get_secret_value().rsplit("/", 1)[1]
    admin = await asyncpg.connect(postgres_server.admin_url(name))
    try:
        async with asyncio.TaskGroup() as group, admin.transaction():
            # It has written model, schemas and components when it comes to this table, and waits.
            await admin.execute("lock table registry.registrations in exclusive mode")
            registering = group.create_task(failing(client, a_registration(), key="one"))
            async with asyncio.timeout(20):
                while not await admin.fetchval(_KILL_WAITING):
                    pass
            await registering
        for table in ("models", "components", "schemas", "registrants", "registrations", "outbox"):
            assert await admin.fetchval(f"select count(*) from registry.{table}") == 0, table
    finally:
        await admin.close()
    assert (await client.register(a_registration(), key="one")).added == 1


_KILL_WAITING = """
    select pg_terminate_backend(pid) from pg_stat_activity
    where datname = current_database() and wait_event_type = 'Lock' and usename = 'registry_app'
"""


async def failing(client: Any, request: RegisterOpenAPI, *, key: str) -> None:
    with pytest.raises(ProblemError):
        await client.register(request, key=key)


async def test_a_kind_without_a_schema_is_named(client: Any) -> None:
    report = await client.register(a_registration(namespaced_kinds=["Deployment", "Ghost"]))
    assert (report.added, len(report.refused)) == (1, 1)
    assert report.refused[0].startswith("Ghost")
