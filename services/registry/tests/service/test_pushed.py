"""Definitions that registrants push, and the quarantine of those that prove nothing about themselves."""

from __future__ import annotations

import base64
from importlib.resources import files
from typing import Any
from uuid import uuid4

import orjson
import pytest

from meshery_common.database import Database
from meshery_common.processes import WorkerProcess
from meshery_contracts import definitions, registrations, registry
from meshery_contracts.definitions import ValidateValues, ValidationItem
from meshery_contracts.errors import Conflict, Forbidden, Invalid, NotFound
from meshery_contracts.imports import Outcome
from meshery_contracts.keys import LOCAL_BITS, Key, bits_of
from meshery_contracts.paging import PageRequest
from meshery_contracts.registrations import (
    Judged,
    ListQuarantined,
    QuarantineId,
    RegisterDefinition,
    RegisterUnverified,
    Registrant,
)
from meshery_contracts.registry import KindName, ListComponents, ListModels, ListRelationships
from meshery_registry.service import PackageRegistrar, PushedDefinitionsService
from meshery_registry.settings import RegistrySettings

MIGRATIONS = files("meshery_registry") / "migrations"
MODEL = {
    "name": "mesh",
    "displayName": "Mesh",
    "version": "v1.0.0",
    "category": {"name": "Cloud Native Network"},
    "model": {"version": "v1.9.0"},
}
COMPONENT = {
    "schemaVersion": "components.meshery.io/v1beta1",
    "version": "v1.0.0",
    "displayName": "Virtual Route",
    "format": "JSON",
    "model": MODEL,
    "metadata": {"isNamespaced": True},
    "component": {"kind": "VirtualRoute", "version": "mesh.io/v1", "schema": '{"type": "object"}'},
}
RELATIONSHIP = {
    "schemaVersion": "relationships.meshery.io/v1alpha3",
    "version": "v1.0.0",
    "kind": "edge",
    "type": "non-binding",
    "subType": "network",
    "model": {"name": "mesh", "model": {"version": "v1.9.0"}},
    "selectors": [
        {
            "allow": {
                "from": [{"kind": "VirtualRoute", "model": {"name": "mesh"}}],
                "to": [{"kind": "Service", "model": {"name": "kubernetes"}}],
            }
        }
    ],
}


def pushed(document: Any, entity_type: str = "component", **connection: Any) -> RegisterDefinition:
    return RegisterDefinition(
        connection=Registrant(**{"kind": "mesh-adapter", "name": "Mesh adapter", **connection}),
        entity_type=entity_type,
        entity=base64.b64encode(orjson.dumps(document)).decode(),
    )


def unverified(client: Any, document: Any = COMPONENT, **changes: Any) -> RegisterUnverified:
    values = pushed(document).model_dump() | {
        "organization_id": client.caller.organization_id,
        "received_from": "10.1.2.3",
    }
    return RegisterUnverified(**{**values, **changes})


async def send(client: Any, request: RegisterUnverified) -> Any:
    """As the gateway does for somebody whom nobody knows."""
    return await client.gateway.request(
        registrations.REGISTER_UNVERIFIED, request, assertion="", idempotency_key=uuid4().hex
    )


async def test_a_registrant_pushes_a_component_and_a_relationship(client: Any) -> None:
    first = await client.ask(registrations.REGISTER_DEFINITION, pushed(COMPONENT))
    assert (first.outcome, first.name, first.model) == (Outcome.ADDED, "VirtualRoute", "mesh")
    again = await client.ask(registrations.REGISTER_DEFINITION, pushed(COMPONENT))
    assert (again.outcome, again.id, again.generation) == (Outcome.UNCHANGED, first.id, first.generation)
    changed = await client.ask(
        registrations.REGISTER_DEFINITION, pushed({**COMPONENT, "description": "Another."})
    )
    assert (changed.outcome, changed.id) == (Outcome.UPDATED, first.id)
    edge = await client.ask(registrations.REGISTER_DEFINITION, pushed(RELATIONSHIP, "relationship"))
    assert edge.outcome is Outcome.ADDED
    page = await client.ask(registry.LIST_COMPONENTS, ListComponents())
    assert [one["id"] for one in page.components] == [str(first.id)]
    model = page.components[0]["model"]
    # The relationship only names the model: it does not take away what the component told of it.
    assert (model["displayName"], model["category"]["name"]) == ("Mesh", "Cloud Native Network")
    assert model["registrant"]["kind"] == "mesh-adapter"
    found = await client.ask(registry.LIST_RELATIONSHIPS, ListRelationships(search="mesh network"))
    assert [one["id"] for one in found.relationships] == [str(edge.id)]
    registrants = await client.ask(registry.LIST_REGISTRANTS, PageRequest())
    (registrant,) = registrants.registrants
    assert (registrant["kind"], registrant["name"]) == ("mesh-adapter", "Mesh adapter")
    assert registrant["summary"] == {"models": 1, "components": 1, "relationships": 1, "policies": 0}
    whole = await client.ask(definitions.GET_MODEL, definitions.GetModel(name="mesh"))
    assert [one["component"]["kind"] for one in whole.entity["components"]] == ["VirtualRoute"]
    assert [one["subType"] for one in whole.entity["relationships"]] == ["network"]
    assert (await client.as_somebody().ask(registry.LIST_MODELS, ListModels())).total_count == 0


async def test_an_old_adapter_writes_less(client: Any) -> None:
    old = {
        "kind": "VirtualRoute",
        "apiVersion": "mesh.io/v1",
        "displayName": "Virtual Route",
        "format": "JSON",
        "model": {"name": "mesh", "version": "1.9.0", "displayName": "Mesh"},
        "metadata": {},
        "schema": '{"type": "object"}',
    }
    registered = await client.ask(registrations.REGISTER_DEFINITION, pushed(old))
    assert registered.outcome is Outcome.ADDED
    kind = KindName(api_version="mesh.io/v1", kind="VirtualRoute")
    resolved = await client.ask(registry.RESOLVE_KINDS, registry.ResolveKinds(kinds=[kind]))
    assert resolved.kinds[0].component_id == registered.id


BROKEN = [
    (pushed(COMPONENT).model_copy(update={"entity": "!"}), "definition_encoding"),
    (pushed([COMPONENT]), "definition_unreadable"),
    (pushed(COMPONENT, "relationship"), "definition_type"),
    (pushed(COMPONENT, "nonsense"), "definition_type"),
    (pushed({**COMPONENT, "model": {}}), "definition_refused"),
    (
        pushed({**COMPONENT, "component": {"kind": "X", "version": "v1", "schema": "{"}}),
        "definition_refused",
    ),
    (pushed({**COMPONENT, "schemaVersion": "components.meshery.io/v9"}), "definition_refused"),
]


async def test_what_is_no_definition_is_refused(client: Any) -> None:
    for request, code in BROKEN:
        with pytest.raises(Invalid) as refused:
            await client.ask(registrations.REGISTER_DEFINITION, request)
        assert refused.value.problem.code == code
    with pytest.raises(Invalid):
        await client.ask(
            registrations.REGISTER_DEFINITION, pushed(COMPONENT).model_copy(update={"entity": "Ww=="})
        )
    assert (await client.ask(registry.LIST_MODELS, ListModels())).total_count == 0


async def test_nobody_takes_another_registrant_s_place(client: Any) -> None:
    connection_id = uuid4()
    await client.ask(registrations.REGISTER_DEFINITION, pushed(COMPONENT, id=connection_id))
    with pytest.raises(Conflict) as refused:
        await client.ask(
            registrations.REGISTER_DEFINITION, pushed(COMPONENT, id=connection_id, kind="kubernetes")
        )
    assert refused.value.problem.code == "registrant_kind"


async def test_keys_are_needed(client: Any) -> None:
    without = client.as_somebody(
        key_bits=LOCAL_BITS & ~bits_of((Key.REGISTER_DEFINITIONS, Key.APPROVE_DEFINITIONS))
    )
    for endpoint, request in (
        (registrations.REGISTER_DEFINITION, pushed(COMPONENT)),
        (registrations.LIST_QUARANTINED, ListQuarantined()),
        (registrations.GET_QUARANTINED, QuarantineId(id=uuid4())),
        (registrations.APPROVE, Judged(ids=[uuid4()])),
        (registrations.REJECT, Judged(ids=[uuid4()])),
    ):
        with pytest.raises(Forbidden):
            await without.ask(endpoint, request)
    with pytest.raises(Forbidden):
        await client.connections.request(
            registrations.REGISTER_UNVERIFIED, unverified(client), assertion="", timeout_seconds=0.5
        )


async def test_what_an_unproven_registrant_sends_is_seen_by_nobody_until_approved(client: Any) -> None:
    kept = await send(client, unverified(client))
    assert (kept.quarantined, kept.id, kept.outcome) == (True, None, None)
    assert (await send(client, unverified(client))).quarantine_id == kept.quarantine_id
    assert (await client.ask(registry.LIST_COMPONENTS, ListComponents(status=""))).total_count == 0
    assert (await client.ask(registry.LIST_MODELS, ListModels())).total_count == 0
    assert (await client.ask(registry.LIST_REGISTRANTS, PageRequest())).total_count == 0
    kind = KindName(api_version="mesh.io/v1", kind="VirtualRoute")
    resolved = await client.ask(registry.RESOLVE_KINDS, registry.ResolveKinds(kinds=[kind]))
    assert resolved.kinds[0].component_id is None
    page = await client.ask(registrations.LIST_QUARANTINED, ListQuarantined(search="virtual"))
    (waiting,) = page.quarantined
    assert (waiting.id, waiting.times, waiting.received_from) == (kept.quarantine_id, 2, "10.1.2.3")
    assert (waiting.kind, waiting.api_version, waiting.model) == ("VirtualRoute", "mesh.io/v1", "mesh")
    document = await client.ask(registrations.GET_QUARANTINED, QuarantineId(id=waiting.id))
    assert document.entity == COMPONENT
    other = client.as_somebody()
    with pytest.raises(NotFound):
        await other.ask(registrations.GET_QUARANTINED, QuarantineId(id=waiting.id))
    assert (await other.ask(registrations.APPROVE, Judged(ids=[waiting.id]))).definitions == []
    verdict = await client.ask(registrations.APPROVE, Judged(ids=[waiting.id, uuid4()]))
    assert [(one.outcome, one.quarantine_id) for one in verdict.definitions] == [(Outcome.ADDED, waiting.id)]
    resolved = await client.ask(registry.RESOLVE_KINDS, registry.ResolveKinds(kinds=[kind]))
    assert resolved.kinds[0].component_id == verdict.definitions[0].id
    assert (await client.ask(registrations.LIST_QUARANTINED, ListQuarantined())).total_count == 0


async def test_what_is_rejected_is_gone(client: Any) -> None:
    kept = await send(client, unverified(client))
    verdict = await client.ask(registrations.REJECT, Judged(ids=[kept.quarantine_id]))
    assert [one.name for one in verdict.definitions] == ["VirtualRoute"]
    assert (await client.ask(registrations.LIST_QUARANTINED, ListQuarantined())).total_count == 0
    assert (await client.ask(registry.LIST_COMPONENTS, ListComponents(status=""))).total_count == 0


async def test_an_unproven_registrant_cannot_claim_a_connection(client: Any) -> None:
    claimed = Registrant(id=uuid4(), kind="mesh-adapter", name="Mesh adapter")
    first = await send(client, unverified(client, connection=claimed))
    verdict = await client.ask(registrations.APPROVE, Judged(ids=[first.quarantine_id]))
    assert verdict.definitions[0].outcome is Outcome.ADDED
    page = await client.ask(registry.LIST_REGISTRANTS, PageRequest())
    assert page.registrants[0]["id"] != str(claimed.id)


async def test_the_quarantine_holds_so_many_and_no_more(client: Any, settings: RegistrySettings) -> None:
    async with (
        Database.open(settings.database, schema="registry", migrations=MIGRATIONS) as db,
        WorkerProcess.open() as worker,
    ):
        service = PushedDefinitionsService(db, worker, PackageRegistrar(), most_quarantined=1)
        await service.quarantine(unverified(client), client.caller)
        await service.quarantine(unverified(client), client.caller)
        with pytest.raises(Conflict) as refused:
            await service.quarantine(unverified(client, {**COMPONENT, "description": "2"}), client.caller)
    assert refused.value.problem.code == "quarantine_full"


async def test_values_are_validated_against_schemas(client: Any) -> None:
    schema = '{"type": "object", "properties": {"size": {"type": "integer"}}, "required": ["size"]}'
    items = {
        "good": ValidationItem(json_schema=schema, value='{"size": 1}'),
        "bad": ValidationItem(json_schema=schema, value='{"size": "big"}'),
        "yaml": ValidationItem(json_schema=schema, value="size: 1", value_type="yaml"),
        "schema": ValidationItem(json_schema="{}", value='{"type": "nonsense"}', value_type="JSONSCHEMA"),
        "cue": ValidationItem(json_schema="{}", value="a: int", value_type="CUE"),
        "fetched": ValidationItem(json_schema='{"$ref": "http://127.0.0.1:9/x.json"}', value="1"),
        "file": ValidationItem(json_schema='{"$ref": "file:///etc/hostname"}', value="1"),
        "slow": ValidationItem(json_schema='{"pattern": "^(a+)+$"}', value=f'"{"a" * 5000}!"'),
    }
    reply = await client.ask(definitions.VALIDATE, ValidateValues(validation_items=items))
    assert {key for key, one in reply.result.items() if one.is_valid} == {"good", "yaml"}
    assert reply.result["bad"].errors[0].startswith("size:")
    assert "JSON Schema" in reply.result["schema"].errors[0]
    for key in ("fetched", "file"):
        assert "Retrieval is disabled" in reply.result[key].errors[0]
