"""Lists over the bus, as clients of all generations read them."""

from __future__ import annotations

import base64
import gzip
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson

from meshery_common.bus import Bus
from meshery_common.context import MESSAGE_BYTES
from meshery_contracts import registry
from meshery_contracts.paging import PageRequest
from meshery_contracts.registry import (
    ListCategories,
    ListComponents,
    ListModels,
    ListPolicies,
    ListRelationships,
    RegisterOpenAPI,
)
from meshery_testkit.nats import NATSForTests

APPS = (Path(__file__).parent.parent / "fixtures" / "apps_v1.json").read_text()
CLUSTER = UUID("22222222-2222-4222-8222-222222222222")


async def register(client: Any, *, kinds: tuple[str, ...] = ("Deployment",), **changes: str) -> None:
    await client.register(
        RegisterOpenAPI(
            connection_id=CLUSTER,
            cluster_name="sandbox",
            cluster_version="v1.36.3",
            group_version="apps/v1",
            **{"document": APPS, **changes},
            namespaced_kinds=list(kinds),
            cluster_kinds=[],
        )
    )


def packed(schemas: dict[str, Any]) -> str:
    """A document with these schemas, as it is sent when it is large."""
    document = orjson.dumps({"openapi": "3.0.0", "components": {"schemas": schemas}})
    return base64.b64encode(gzip.compress(document)).decode()


async def test_a_component_is_what_meshery_s_clients_expect(client: Any) -> None:
    await register(client)
    page = await client.ask(registry.LIST_COMPONENTS, ListComponents(name="Deployment", with_schemas=True))
    (component,) = page.components
    assert component["schemaVersion"] == component["schema_version"] == "components.meshery.io/v1beta3"
    assert component["displayName"] == component["display_name"] == "Deployment"
    assert (component["status"], component["format"], component["version"]) == ("enabled", "JSON", "v1.0.0")
    assert component["component"]["kind"] == "Deployment"
    assert component["component"]["version"] == "apps/v1"
    assert orjson.loads(component["component"]["schema"])["properties"].keys() == {"spec"}
    assert component["metadata"]["isNamespaced"] is True
    assert component["metadata"]["isCustomResource"] is False
    assert component["styles"]["primaryColor"] == "#326CE5"
    assert component["configuration"] == {}
    model, reference = component["model"], component["modelReference"]
    assert (model["name"], model["model"], model["componentsCount"]) == (
        "kubernetes",
        {"version": "v1.36.3"},
        1,
    )
    assert model["category"]["name"] == "Orchestration & Management"
    assert model["registrant"]["kind"] == "kubernetes"
    assert (reference["id"], reference["registrant"]) == (model["id"], {"kind": "kubernetes"})
    assert component["createdAt"].endswith("Z")


async def test_schemas_are_left_out_unless_wanted(client: Any) -> None:
    await register(client)
    page = await client.ask(registry.LIST_COMPONENTS, ListComponents())
    assert page.components[0]["component"]["schema"] == ""
    assert "schemaOmitted" not in page.components[0]["metadata"]


async def test_schemas_that_do_not_fit_are_told_and_can_be_asked_for(client: Any, nats: NATSForTests) -> None:
    text = "x" * 1_200_000
    kinds = tuple(f"Kind{letter}" for letter in "ABCDE")
    schemas = {
        kind: {
            "type": "object",
            "properties": {"spec": {"description": f"{kind} {text}"}},
            "x-kubernetes-group-version-kind": [{"group": "apps", "version": "v1", "kind": kind}],
        }
        for kind in kinds
    }
    await register(client, document="", document_gzip=packed(schemas), kinds=kinds)
    wish = ListComponents(with_schemas=True)
    page = await client.ask(registry.LIST_COMPONENTS, wish)
    assert all(one["component"]["schema"] for one in page.components)
    # Who takes no more than a message gets what fits into one.
    settings = nats.bus_settings("designs", max_large_bytes=MESSAGE_BYTES)
    async with Bus.connect(settings, service="designs") as modest:
        page = await modest.request(
            registry.LIST_COMPONENTS, wish, assertion=client.people.assertion(client.caller)
        )
    omitted = [one["component"]["schema"] == "" for one in page.components]
    assert omitted == [False, False, False, True, True]
    assert [one["metadata"].get("schemaOmitted", False) for one in page.components] == omitted
    hashes = [one["metadata"]["schemaHash"] for one in page.components]
    first = await client.ask(registry.GET_SCHEMAS, registry.GetSchemas(hashes=hashes))
    rest = await client.ask(registry.GET_SCHEMAS, registry.GetSchemas(hashes=first.omitted))
    assert first.schemas.keys() | rest.schemas.keys() == set(hashes)
    assert rest.omitted == []


async def test_models_with_what_belongs_to_them(client: Any) -> None:
    await register(client)
    page = await client.ask(registry.LIST_MODELS, ListModels())
    assert page.models[0]["components"] is None
    wish = ListModels(search="KUBER", with_components=True, with_relationships=True, with_schemas=True)
    page = await client.ask(registry.LIST_MODELS, wish)
    (model,) = page.models
    assert (model["componentsCount"], model["components_count"], model["relationships"]) == (1, 1, [])
    assert model["components"][0]["component"]["schema"].startswith("{")
    assert model["components"][0]["model"] is None


async def test_categories_are_there_from_the_start(client: Any) -> None:
    page = await client.ask(registry.LIST_CATEGORIES, ListCategories(page_size=100))
    assert page.total_count == 15
    names = [one["name"] for one in page.categories]
    assert names == sorted(names)
    page = await client.ask(registry.LIST_CATEGORIES, ListCategories(name="data", greedy=True))
    assert [one["name"] for one in page.categories] == ["Database"]
    page = await client.ask(registry.LIST_CATEGORIES, ListCategories(name="Data"))
    assert page.categories == []


async def test_relationships_and_policies_are_listed_though_there_are_none(client: Any) -> None:
    page = await client.ask(registry.LIST_RELATIONSHIPS, ListRelationships(model="kubernetes", kind="edge"))
    assert (page.relationships, page.total_count) == ([], 0)
    page = await client.ask(registry.LIST_POLICIES, ListPolicies(model="kubernetes"))
    assert (page.policies, page.total_count) == ([], 0)


async def test_a_registrant_tells_what_it_registered(client: Any) -> None:
    await register(client)
    page = await client.ask(registry.LIST_REGISTRANTS, PageRequest(search="sand"))
    (registrant,) = page.registrants
    assert (registrant["id"], registrant["kind"], registrant["subType"]) == (str(CLUSTER), "kubernetes", "")
    assert registrant["summary"] == {"models": 1, "components": 1, "relationships": 0, "policies": 0}


async def test_the_envelope_has_both_spellings_and_the_generation(client: Any) -> None:
    await register(client)
    payload = await client.gateway.request_bytes(
        registry.LIST_MODELS, b"{}", assertion=client.people.assertion(client.caller)
    )
    page = orjson.loads(payload)
    assert (page["totalCount"], page["total_count"], page["pageSize"], page["page_size"]) == (1, 1, 25, 25)
    assert page["generation"] == 1


async def test_a_thousand_components_with_their_schemas_are_one_answer(client: Any) -> None:
    kinds = tuple(f"Kind{number}" for number in range(1000))
    schemas = {
        kind: {
            "type": "object",
            "description": "What it is for. " * 100,
            "properties": {"spec": {"description": f'"{kind}"' + "text " * 1000}},
            "x-kubernetes-group-version-kind": [{"group": "apps", "version": "v1", "kind": kind}],
        }
        for kind in kinds
    }
    await register(client, document="", document_gzip=packed(schemas), kinds=kinds)
    page = await client.ask(registry.LIST_COMPONENTS, ListComponents(page_size=1000, with_schemas=True))
    assert len(page.components) == 1000
    assert page.components[0]["component"]["schema"].startswith("{")
    assert page.components[-1]["component"]["schema"].startswith("{")
