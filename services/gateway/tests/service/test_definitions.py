"""Icons, kinds of connections, validation, forms, counts; evaluation."""

from __future__ import annotations

import hashlib
from base64 import b64decode
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import orjson
import pytest
from aiohttp import ClientSession

from meshery_contracts import definitions, evaluation, registrations
from meshery_contracts.definitions import (
    Icons,
    NameCount,
    RegistrySummary,
    ValidationResult,
    ValidationResults,
)
from meshery_contracts.evaluation import EvaluationResponse, EvaluationTrace
from meshery_contracts.registrations import DeletedDefinition, RegisteredDefinition
from meshery_contracts.registry import Document, EntityPage
from meshery_testkit.nats import People
from meshery_testkit.stubs import Stubs

PREFIXES = ("/api/registry", "/api/meshmodels")
SVG = '<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
HASH = hashlib.sha256(SVG.encode()).hexdigest()


async def test_an_icon_can_run_nothing(http: ClientSession, stubs: Stubs) -> None:
    asked = await stubs.answer(definitions.GET_ICONS, Icons(icons={HASH: SVG}))
    path = f"/api/registry/icons/{HASH}.svg"
    async with http.get(path) as reply:
        assert await reply.text() == SVG
        headers = reply.headers
    assert headers["Content-Type"].startswith("image/svg+xml")
    assert headers.getall("Content-Security-Policy") == [
        "sandbox; default-src 'none'; style-src 'unsafe-inline'"
    ]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert "immutable" in headers["Cache-Control"]
    async with http.get(path, headers={"If-None-Match": headers["ETag"]}) as reply:
        assert reply.status == 304
    assert len(asked) == 1, "what a hash stands for never changes"
    for unknown in ("0" * 64, "x", "..%2f" + HASH):
        async with http.get(f"/api/registry/icons/{unknown}.svg") as reply:
            assert (reply.status, (await reply.json())["code"]) == (404, "icon_unknown")


async def test_icons_are_for_who_may_see_the_registry(
    http: ClientSession, stubs: Stubs, people: People
) -> None:
    people.tokens[""] = people.caller(key_bits=0)
    async with http.get(f"/api/registry/icons/{HASH}.svg") as reply:
        assert reply.status == 403


async def test_kinds_of_connections(http: ClientSession, stubs: Stubs) -> None:
    one = {"id": str(uuid4()), "kind": "prometheus"}
    asked = await stubs.answer(
        definitions.LIST_CONNECTION_DEFINITIONS, EntityPage(total_count=1, connection_definitions=[one])
    )
    for prefix in PREFIXES:
        async with http.get(f"{prefix}/connections?kind=prometheus") as reply:
            assert (await reply.json())["connectionDefinitions"] == [one]
        async with http.get(f"{prefix}/connections/{one['id']}") as reply:
            assert await reply.json() == one
    assert (asked[0][0].kind, str(asked[1][0].definition_id)) == ("prometheus", one["id"])


async def test_no_kind_of_connections(http: ClientSession, stubs: Stubs) -> None:
    await stubs.answer(definitions.LIST_CONNECTION_DEFINITIONS, EntityPage(connection_definitions=[]))
    async with http.get(f"/api/registry/connections/{uuid4()}") as reply:
        assert reply.status == 404


@pytest.mark.parametrize("prefix", PREFIXES)
async def test_a_kind_of_connections_is_defined_and_replaced(
    http: ClientSession, stubs: Stubs, prefix: str
) -> None:
    known = {"id": str(uuid4()), "kind": "prometheus", "modelId": str(uuid4())}
    await stubs.answer(
        definitions.LIST_CONNECTION_DEFINITIONS, EntityPage(total_count=1, connection_definitions=[known])
    )
    model = {
        "name": "monitors",
        "model": {"version": "v2.0.0"},
        "registrant": {"kind": "github", "name": "GH"},
    }
    await stubs.answer(definitions.GET_MODEL, Document(entity=model))
    done = RegisteredDefinition(id=UUID(known["id"]), entity_type="connection", name="prometheus")
    asked = await stubs.answer(registrations.REGISTER_DEFINITION, done)
    body = {"kind": "prometheus", "sub_type": "metrics", "credentialSchema": {"type": "object"}, "id": "x"}
    async with http.post(f"{prefix}/connections", json=body) as reply:
        assert (reply.status, await reply.json()) == (201, known)
    named = {**body, "modelReference": model}
    async with http.post(f"{prefix}/connections", json=named) as reply:
        assert reply.status == 201
    async with http.put(f"{prefix}/connections/{known['id']}", json={"name": "Prometheus"}) as reply:
        assert (reply.status, await reply.json()) == (200, known)
    async with http.put(f"{prefix}/connections/{known['id']}", json={"kind": "grafana"}) as reply:
        assert (reply.status, (await reply.json())["code"]) == (400, "connection_kind")
    async with http.post(f"{prefix}/connections", json={"kind": "x", "modelReference": "m"}) as reply:
        assert (reply.status, (await reply.json())["code"]) == (400, "model_reference_invalid")
    sent = [(one.connection.kind, one.connection.name, b64decode(one.entity)) for one, _ in asked]
    assert [(kind, name) for kind, name, _ in sent] == [("meshery", ""), ("github", "GH"), ("github", "GH")]
    first, second, third = (orjson.loads(entity) for _, _, entity in sent)
    assert first == {
        "schemaVersion": "connections.meshery.io/v1beta3", "kind": "prometheus", "subType": "metrics",
        "credentialSchema": {"type": "object"},
        "model": {"name": "connections", "displayName": "Connections", "model": {"version": "v1.0.0"}},
    }  # fmt: skip
    assert second["model"] == third["model"] == model
    assert (third["kind"], third["name"]) == ("prometheus", "Prometheus")


@pytest.mark.parametrize("prefix", PREFIXES)
async def test_a_kind_of_connections_is_deleted(http: ClientSession, stubs: Stubs, prefix: str) -> None:
    one = uuid4()
    gone = DeletedDefinition(id=one, entity_type="connection", name="prometheus", model="m", generation=3)
    asked = await stubs.answer(registrations.DELETE_CONNECTION_DEFINITION, gone)
    async with http.delete(f"{prefix}/connections/{one}") as reply:
        assert (reply.status, (await reply.json())["name"]) == (200, "prometheus")
    assert asked[0][0].definition_id == one


@pytest.mark.parametrize("prefix", PREFIXES)
async def test_values_are_validated(http: ClientSession, stubs: Stubs, prefix: str) -> None:
    results = ValidationResults(result={"a": ValidationResult(is_valid=False, errors=["too small"])})
    asked = await stubs.answer(definitions.VALIDATE, results)
    item = {"schema": '{"minimum": 1}', "value": "0", "valueType": "JSON"}
    async with http.post(f"{prefix}/validate", json={"validationItems": {"a": item}}) as reply:
        assert await reply.json() == {
            "result": {"a": {"isValid": False, "is_valid": False, "errors": ["too small"]}}
        }
    # Values in place of their texts are taken, too.
    item = {"schema": {"minimum": 1}, "value": "0"}  # type: ignore[dict-item]
    async with http.post(f"{prefix}/validate", json={"validation_items": {"a": item}}) as reply:
        assert reply.status == 200, await reply.text()
    assert [one.validation_items["a"].json_schema for one, _ in asked] == ['{"minimum": 1}', '{"minimum":1}']
    mistakes: tuple[Any, ...] = ({"validationItems": []}, {"validationItems": {"a": 1}}, {})
    for wrong in mistakes:
        async with http.post(f"{prefix}/validate", json=wrong) as reply:
            assert reply.status == 400, await reply.text()


async def test_forms(http: ClientSession) -> None:
    for name in ("model", "design"):
        async with http.get(f"/api/schema/resource/{name}") as reply:
            form = await reply.json()
            assert form["rjsfSchema"]["type"] == "object"
            assert "uiSchema" in form
    async with http.get("/api/schema/resource/nothing") as reply:
        assert (reply.status, (await reply.json())["code"]) == (404, "form_unknown")


async def test_counts(http: ClientSession, stubs: Stubs) -> None:
    counts = RegistrySummary(
        models=1, components=2, relationships=3, policies=0, registrants=1, categories=1,
        components_by_model=[NameCount(name="Istio", count=2)], relationships_by_model=[], generation=7,
    )  # fmt: skip
    await stubs.answer(definitions.SUMMARY, counts)
    async with http.get("/api/registry/summary") as reply:
        assert (await reply.json())["components_by_model"] == [{"name": "Istio", "count": 2}]


# --- evaluation ---------------------------------------------------------------------------------------------


def an_evaluation() -> EvaluationResponse:
    component: dict[str, Any] = {"id": str(uuid4())}
    return EvaluationResponse(
        design={"components": [component]},
        actions=[{"op": "add_component", "value": {"item": component}}],
        trace=EvaluationTrace(components_added=[component]),
        evaluation_hash="abc",
        timestamp=datetime(2026, 1, 2, tzinfo=UTC),
    )


@pytest.mark.parametrize("prefix", PREFIXES)
async def test_a_design_is_evaluated(http: ClientSession, stubs: Stubs, prefix: str) -> None:
    asked = await stubs.answer(evaluation.EVALUATE, an_evaluation())
    body = {"design": {"components": [], "someKey": 1}, "options": {"returnDiffOnly": True}}
    async with http.post(f"{prefix}/relationships/evaluate", json=body) as reply:
        answer = await reply.json()
    assert answer["actions"][0]["op"] == "add_component"
    assert [one["id"] for one in answer["trace"]["componentsAdded"]]
    assert "components_added" not in answer["trace"], "it was camelCase in every generation, and is long"
    assert answer["schemaVersion"] == answer["schema_version"]
    assert asked[0][0].design == body["design"], "the design is not ours to change"
    assert asked[0][0].options.return_diff_only
    for wrong in (b"", b"{", b"[]", b'{"design": 7}'):
        async with http.post(f"{prefix}/relationships/evaluate", data=wrong) as reply:
            assert reply.status == 400, await reply.text()


async def test_a_change_is_evaluated(http: ClientSession, stubs: Stubs) -> None:
    asked = await stubs.answer(evaluation.EVALUATE_CHANGE, an_evaluation())
    body = {"base": "abc", "removedComponents": ["x"]}
    async with http.post("/api/registry/relationships/evaluate/change", json=body) as reply:
        assert (await reply.json())["evaluationHash"] == "abc"
    assert (asked[0][0].base, asked[0][0].removed_components) == ("abc", ["x"])
