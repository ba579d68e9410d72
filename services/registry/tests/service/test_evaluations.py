"""Evaluating designs over the bus, with the definitions that ship and with an organisation's own."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from meshery_common.database import Database
from meshery_contracts import evaluation
from meshery_contracts.caller import Caller
from meshery_contracts.errors import Conflict, Forbidden, Invalid, TooLarge
from meshery_contracts.evaluation import (
    STATE_UNKNOWN,
    EvaluateChange,
    EvaluateDesign,
    EvaluationOptions,
    EvaluationResponse,
)
from meshery_contracts.keys import Key
from meshery_registry.domain.entities import ModelEntity, Package, RelationshipEntity
from meshery_registry.domain.prepared import PreparedPackage, prepare
from meshery_registry.service import Contents, PackageRegistrar
from meshery_registry.settings import RegistrySettings

MIGRATIONS = files("meshery_registry") / "migrations"


def component(number: int, kind: str, name: str, configuration: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": str(UUID(int=number)),
        "displayName": name,
        "component": {"kind": kind, "version": "v1"},
        "modelReference": {"name": "kubernetes"},
        "configuration": configuration,
    }


def a_design() -> dict[str, Any]:
    metadata = {"namespace": "shop"}
    volumes = [{"name": "files", "configMap": {"name": "settings"}}]
    template = {"metadata": {"labels": {"app": "web"}}, "spec": {"volumes": volumes}}
    return {
        "id": str(uuid4()),
        "name": "shop",
        "schemaVersion": "designs.meshery.io/v1beta3",
        "version": "0.0.4",
        "components": [
            component(1, "Deployment", "web", {"metadata": metadata, "spec": {"template": template}}),
            component(2, "ConfigMap", "settings", {"metadata": metadata}),
            component(3, "Service", "web", {"metadata": metadata, "spec": {"selector": {"app": "web"}}}),
        ],
        "relationships": [],
    }


def ops(response: EvaluationResponse) -> list[str]:
    return [one["op"] for one in response.actions]


@pytest.fixture
async def shipped(settings: RegistrySettings) -> None:
    """A Kubernetes model with a few relationships, as ours are stored."""
    async with Database.open(settings.database, schema="registry", migrations=MIGRATIONS) as db:
        await Contents(db, PackageRegistrar(), Path(str(files("meshery_registry") / "content"))).store()


async def evaluate(client: Any, design: dict[str, Any], **options: bool) -> EvaluationResponse:
    request = EvaluateDesign(design=design, options=EvaluationOptions(**options))
    answer: EvaluationResponse = await client.ask(evaluation.EVALUATE, request)
    return answer


async def test_a_design_and_its_changes(client: Any, shipped: None) -> None:
    first = await evaluate(client, a_design())
    assert first.schema_version == evaluation.RESPONSE_VERSION
    assert first.design["version"] == "0.0.5"
    (namespace,) = (one for one in first.design["components"] if one["component"]["kind"] == "Namespace")
    assert namespace["displayName"] == "shop"
    # It is a copy of its definition, without what the registry keeps.
    assert namespace["modelReference"]["name"] == "kubernetes"
    assert namespace["styles"]["svgColor"].startswith("/api/registry/icons/")
    assert namespace["component"] == {"kind": "Namespace", "version": "v1", "schema": ""}
    classes = {(one["type"], one["subType"]) for one in first.design["relationships"]}
    assert {("parent", "inventory"), ("non-binding", "mount"), ("non-binding", "network")} <= classes
    assert {one["status"] for one in first.design["relationships"]} == {"approved"}
    assert len(first.trace.components_added) == 1
    again = await evaluate(client, first.design)
    assert again.actions == []

    renamed = {**first.design["components"][1], "displayName": "settings-v2"}
    change = EvaluateChange(base=first.evaluation_hash, components=[renamed])
    second = await client.ask(evaluation.EVALUATE_CHANGE, change)
    (action,) = second.actions
    assert action["op"] == "update_component_configuration"
    assert action["value"]["path"][-3:] == ["0", "configMap", "name"]
    assert action["value"]["value"] == "settings-v2"
    assert [one["displayName"] for one in second.design["components"]] == ["web"]
    assert second.evaluation_hash != first.evaluation_hash

    # That state is gone: the next change has to begin with the newest one.
    with pytest.raises(Conflict) as stale:
        await client.ask(evaluation.EVALUATE_CHANGE, change)
    assert stale.value.problem.code == STATE_UNKNOWN
    nothing = await client.ask(evaluation.EVALUATE_CHANGE, EvaluateChange(base=second.evaluation_hash))
    assert nothing.actions == []


async def test_only_the_difference(client: Any, shipped: None) -> None:
    answer = await evaluate(client, a_design(), return_diff_only=True, enable_trace=False)
    assert [one["component"]["kind"] for one in answer.design["components"]] == ["Namespace"]
    assert len(answer.design["relationships"]) == ops(answer).count("add_relationship")
    assert answer.trace.relationships_added == []
    assert answer.trace.policy_actions


async def test_a_state_is_its_owner_s_and_of_one_generation(
    client: Any, shipped: None, settings: RegistrySettings
) -> None:
    answer = await evaluate(client, a_design())
    nothing = EvaluateChange(base=answer.evaluation_hash)
    with pytest.raises(Conflict):
        await client.as_somebody().ask(evaluation.EVALUATE_CHANGE, nothing)
    await add_definition(settings, client.caller)
    with pytest.raises(Conflict):
        await client.ask(evaluation.EVALUATE_CHANGE, nothing)


async def add_definition(settings: RegistrySettings, caller: Caller) -> None:
    """A relationship of an organisation's own."""
    item = {"kind": "Deployment", "patch": {"mutatorRef": [["displayName"]]}}
    other = {"kind": "Service", "patch": {"mutatedRef": [["displayName"]]}}
    selectors = [{"allow": {"from": [item], "to": [other]}}]
    package = Package(
        ModelEntity(name="ours", version="v1.0.0", registrant_kind="people"),
        relationships=(RelationshipEntity("edge", "non-binding", "own", {"selectors": selectors}),),
    )
    (made,) = prepare([package], caller.organization_id)
    assert isinstance(made, PreparedPackage)
    async with (
        Database.open(settings.database, schema="registry", migrations=MIGRATIONS) as db,
        db.transaction(caller.organization_id) as tx,
    ):
        await PackageRegistrar().register(tx, made, caller)


async def test_an_organisation_s_own_definitions_count_for_it_alone(
    client: Any, settings: RegistrySettings
) -> None:
    assert (await evaluate(client, a_design())).actions == []
    await add_definition(settings, client.caller)
    ours = await evaluate(client, a_design())
    assert [one["subType"] for one in ours.design["relationships"]] == ["own"]
    assert ours.design["relationships"][0]["model"]["name"] == "ours"
    theirs = await evaluate(client.as_somebody(organization_id=uuid4()), a_design())
    assert theirs.actions == []


async def test_without_the_key_nothing_is_evaluated(client: Any) -> None:
    bits = client.caller.key_bits & ~(1 << Key.EVALUATE_RELATIONSHIPS.position)
    nobody = client.as_somebody(key_bits=bits)
    with pytest.raises(Forbidden):
        await evaluate(nobody, a_design())
    with pytest.raises(Forbidden):
        await nobody.ask(evaluation.EVALUATE_CHANGE, EvaluateChange(base="x"))


async def test_what_cannot_be_read_is_told_with_its_place(client: Any) -> None:
    design = a_design()
    design["components"].append({"id": 7})
    design["components"].append(design["components"][0])
    with pytest.raises(Invalid) as refused:
        await evaluate(client, design)
    assert [one.path for one in refused.value.problem.fields] == [
        "design.components.3.id",
        "design.components.4.id",
    ]
    with pytest.raises(TooLarge):
        await evaluate(client, {"components": [component(n, "X", "", {}) for n in range(5001)]})


async def test_answers_that_are_larger_than_a_message(client: Any, shipped: None) -> None:
    inside = {"metadata": {"namespace": "shop"}}
    design = {
        "components": [
            component(1, "Namespace", "shop", {"metadata": {"name": "shop"}}),
            *(component(number, "ConfigMap", f"settings-{number}", inside) for number in range(2, 4800)),
        ]
    }
    answer = await evaluate(client, design)
    assert len(answer.model_dump_json()) > 12 * 1024 * 1024
    added = answer.trace.relationships_added
    assert len(added) == len(answer.design["relationships"]) == 4798
    assert answer.trace.warnings == []
    # The design as it came out is a large request, too.
    again = await evaluate(client, answer.design)
    assert (again.actions, len(again.design["relationships"])) == ([], 4798)
