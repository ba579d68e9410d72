"""The registry over GraphQL: lists with facets, imports, evaluation, policies, and what is followed."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import orjson
from aiohttp import ClientSession

from meshery_contracts import definitions, evaluation, imports, policies, registrations, registry
from meshery_contracts.caller import Caller
from meshery_contracts.definitions import NameCount, RegistrySummary
from meshery_contracts.evaluation import EvaluationResponse
from meshery_contracts.imports import (
    Import,
    ImportEntryPage,
    ImportFact,
    ImportStage,
    ImportStatus,
    Outcome,
    OutcomeCounts,
    SourceKind,
)
from meshery_contracts.messages import Nothing
from meshery_contracts.policies import (
    Enforcement,
    Finding,
    Policy,
    PolicyFact,
    PolicyLanguage,
    PolicyReport,
    PolicyState,
    TestedPolicy,
)
from meshery_contracts.registrations import (
    DefinitionStatus,
    DeletedDefinition,
    DeletedModel,
    RegisteredDefinition,
    StatusReport,
    StatusType,
    Verdict,
)
from meshery_contracts.registry import Document, EntityPage, ModelsRegistered
from meshery_testkit.sockets import wired
from meshery_testkit.stubs import Stubs

PATH = "/api/system/graphql/query"
NOW = datetime(2026, 1, 2, tzinfo=UTC)
MODEL = {
    "id": str(uuid4()),
    "name": "istio",
    "displayName": "Istio",
    "version": "v1.0.0",
    "model": {"version": "1.20"},
    "category": {"name": "Networking"},
    "registrant": {"kind": "artifacthub"},
    "componentsCount": 1,
}
COMPONENT = {
    "id": str(uuid4()),
    "displayName": "Gateway",
    "component": {"kind": "Gateway", "version": "networking.istio.io/v1", "schema": "{}"},
    "model": MODEL,
}
RELATIONSHIP = {"id": str(uuid4()), "kind": "edge", "type": "binding", "subType": "mount", "model": MODEL}


async def ask(http: ClientSession, query: str, **variables: Any) -> Any:
    """The data of an answer without errors."""
    async with http.post(PATH, json={"query": query, "variables": variables}) as response:
        answer = orjson.loads(await response.read())
    assert "errors" not in answer, answer
    return answer["data"]


# --- reading ------------------------------------------------------------------------------------------------


async def test_models_with_what_belongs_to_them(http: ClientSession, stubs: Stubs) -> None:
    whole = {**MODEL, "components": [{**COMPONENT, "model": None}], "relationships": None}
    page = EntityPage(total_count=1, models=[whole], facets={"category": {"A": 1, "B": 2}})
    asked = await stubs.answer(registry.LIST_MODELS, page)
    query = """{ models(filter: {status: enabled, version: "1.20", registrant: null}, name: "istio") {
        models { name version category registrant status components { kind apiVersion } }
        facets { name values { name count } } } }"""
    told = (await ask(http, query))["models"]
    assert told["models"] == [
        {
            "name": "istio", "version": "1.20", "category": "Networking", "registrant": "artifacthub",
            "status": "enabled",
            "components": [{"kind": "Gateway", "apiVersion": "networking.istio.io/v1"}],
        }
    ]  # fmt: skip
    assert told["facets"] == [
        {"name": "category", "values": [{"name": "B", "count": 2}, {"name": "A", "count": 1}]}
    ]
    await ask(http, "{ models { totalCount } }")
    first, second = (request for request, _ in asked)
    assert (first.status, first.version, first.name, first.registrant) == ("enabled", "1.20", "istio", "")
    assert (first.with_components, first.with_relationships, first.with_schemas, first.facets) == (
        True, False, False, True,
    )  # fmt: skip
    assert (second.with_components, second.facets) == (False, False)


async def test_schemas_are_read_when_asked_for(http: ClientSession, stubs: Stubs) -> None:
    asked = await stubs.answer(registry.LIST_COMPONENTS, EntityPage(components=[COMPONENT]))
    query = """{ components(filter: {custom: true, apiVersion: "v1"}) {
        components { model modelVersion schema definition } } }"""
    (row,) = (await ask(http, query))["components"]["components"]
    assert row == {"model": "istio", "modelVersion": "1.20", "schema": "{}", "definition": COMPONENT}
    await ask(http, "{ components { components { id } } }")
    assert [(one.with_schemas, one.custom, one.status) for one, _ in asked] == [
        (True, True, "enabled"),
        (False, None, "enabled"),
    ]


async def test_by_ids_and_the_rest(http: ClientSession, stubs: Stubs) -> None:
    await stubs.answer(definitions.GET_MODEL, Document(entity=MODEL))
    await stubs.answer(definitions.GET_MODELS, EntityPage(models=[MODEL]))
    await stubs.answer(definitions.GET_COMPONENTS, EntityPage(components=[COMPONENT]))
    await stubs.answer(registry.LIST_RELATIONSHIPS, EntityPage(relationships=[RELATIONSHIP]))
    category = {"id": str(uuid4()), "name": "Networking"}
    await stubs.answer(registry.LIST_CATEGORIES, EntityPage(categories=[category]))
    registrant = {"id": str(uuid4()), "name": "", "kind": "artifacthub", "summary": {"models": 3}}
    await stubs.answer(registry.LIST_REGISTRANTS, EntityPage(registrants=[registrant]))
    connection = {"id": str(uuid4()), "kind": "prometheus"}
    await stubs.answer(
        definitions.LIST_CONNECTION_DEFINITIONS, EntityPage(connection_definitions=[connection])
    )
    summary = RegistrySummary(
        models=1, components=2, relationships=3, policies=4, registrants=5, categories=6,
        components_by_model=[NameCount(name="Istio", count=2)], relationships_by_model=[], generation=7,
    )  # fmt: skip
    await stubs.answer(definitions.SUMMARY, summary)
    query = """query ($ids: [UUID!]!) {
        model(name: "istio") { displayName } modelsById(ids: $ids) { id } componentsById(ids: $ids) { kind }
        relationships { relationships { kind type subType model } }
        categories { categories { name } } registrants { registrants { kind summary { name count } } }
        connectionDefinitions { connectionDefinitions { kind } }
        registrySummary { policies componentsByModel { name count } } }"""
    told = await ask(http, query, ids=[MODEL["id"]])
    assert told == {
        "model": {"displayName": "Istio"},
        "modelsById": [{"id": MODEL["id"]}],
        "componentsById": [{"kind": "Gateway"}],
        "relationships": {
            "relationships": [{"kind": "edge", "type": "binding", "subType": "mount", "model": "istio"}]
        },
        "categories": {"categories": [{"name": "Networking"}]},
        "registrants": {
            "registrants": [{"kind": "artifacthub", "summary": [{"name": "models", "count": 3}]}]
        },
        "connectionDefinitions": {"connectionDefinitions": [{"kind": "prometheus"}]},
        "registrySummary": {"policies": 4, "componentsByModel": [{"name": "Istio", "count": 2}]},
    }


# --- changing -----------------------------------------------------------------------------------------------


async def test_status_deletion_and_quarantine(http: ClientSession, stubs: Stubs) -> None:
    report = StatusReport(
        entity_type=StatusType.MODEL,
        id=uuid4(),
        status=DefinitionStatus.IGNORED,
        previous="enabled",
        generation=2,
    )
    switched = await stubs.answer(registrations.SET_STATUS, report)
    gone = DeletedModel(id=uuid4(), name="istio", version="1", components=2, relationships=1, generation=3)
    await stubs.answer(registrations.DELETE_MODEL, gone)
    dropped = DeletedDefinition(
        id=uuid4(), entity_type="connection", name="prometheus", model="m", generation=3
    )
    await stubs.answer(registrations.DELETE_CONNECTION_DEFINITION, dropped)
    registered = RegisteredDefinition(entity_type="component", name="Gateway", outcome=Outcome.ADDED)
    pushed = await stubs.answer(registrations.REGISTER_DEFINITION, registered)
    await stubs.answer(registrations.APPROVE, Verdict(definitions=[registered]))
    query = """mutation ($id: UUID!) {
        setDefinitionStatus(type: model, id: $id, status: ignored) { entityType status previous }
        deleteModel(id: $id) { name components }
        deleteConnectionDefinition(id: $id) { entityType name model }
        registerDefinition(input: {connection: {kind: "istio", metadata: {host_name: "x"}}, entityType: "component",
            entity: "e30="}) { name outcome quarantined }
        approveDefinitions(ids: [$id]) { definitions { outcome } } }"""
    assert await ask(http, query, id=str(report.id)) == {
        "setDefinitionStatus": {"entityType": "model", "status": "ignored", "previous": "enabled"},
        "deleteConnectionDefinition": {"entityType": "connection", "name": "prometheus", "model": "m"},
        "deleteModel": {"name": "istio", "components": 2},
        "registerDefinition": {"name": "Gateway", "outcome": "added", "quarantined": False},
        "approveDefinitions": {"definitions": [{"outcome": "added"}]},
    }
    assert switched[0][0].entity_type is StatusType.MODEL
    assert pushed[0][0].connection.metadata == {"host_name": "x"}


def an_import(status: ImportStatus) -> Import:
    return Import(
        id=UUID(int=1), source_kind=SourceKind.FILE, source="istio.tar.gz", dry_run=False, status=status,
        stage=ImportStage.REGISTER, components=OutcomeCounts(added=2, refused=1), files_refused=1,
        models_total=3, user_id=uuid4(), created_at=NOW, updated_at=NOW,
    )  # fmt: skip


async def test_imports(http: ClientSession, stubs: Stubs) -> None:
    asked = await stubs.answer(imports.IMPORT_DEFINITIONS, an_import(ImportStatus.PENDING))
    await stubs.answer(imports.GET_IMPORT, an_import(ImportStatus.SUCCEEDED))
    entry = imports.ImportEntry(position=0, entity_type="component", name="Gateway", outcome=Outcome.ADDED)
    await stubs.answer(imports.LIST_IMPORT_ENTRIES, ImportEntryPage(entries=[entry]))
    query = """mutation { importDefinitions(input: {file: {fileName: "a.zip", content: "e30="}, dryRun: true,
        model: {displayName: "A"}}) { id status sourceKind } }"""
    told = (await ask(http, query))["importDefinitions"]
    assert told == {"id": str(UUID(int=1)), "status": "pending", "sourceKind": "file"}
    request = asked[0][0]
    assert request.file is not None
    assert (request.file.file_name, request.dry_run, request.model.display_name) == ("a.zip", True, "A")
    query = """mutation { importDefinitions(input: {url: "https://example.com/a.yaml",
        credentials: {token: "of-mine"}}) { id } }"""
    await ask(http, query)
    credentials = asked[1][0].credentials
    assert credentials is not None
    assert credentials.token.get_secret_value() == "of-mine"
    query = """query ($id: UUID!) { import(id: $id) { components { added refused }
        entries(outcome: added) { entries { name outcome } } } }"""
    assert (await ask(http, query, id=str(UUID(int=1))))["import"] == {
        "components": {"added": 2, "refused": 1},
        "entries": {"entries": [{"name": "Gateway", "outcome": "added"}]},
    }


async def test_designs_are_evaluated(http: ClientSession, stubs: Stubs) -> None:
    response = EvaluationResponse(
        design={"components": []}, actions=[{"op": "add_component"}], evaluation_hash="abc", timestamp=NOW
    )
    asked = await stubs.answer(evaluation.EVALUATE, response)
    changed = await stubs.answer(evaluation.EVALUATE_CHANGE, response)
    query = """query ($design: JSON!) {
        evaluateDesign(input: {design: $design, returnDiffOnly: true}) { actions evaluationHash trace { warnings } }
        evaluateChange(input: {base: "abc", removedComponents: ["x"]}) { design } }"""
    design = {"schemaVersion": "v1", "components": [{"displayName": "x"}]}
    told = await ask(http, query, design=design)
    assert told["evaluateDesign"] == {
        "actions": [{"op": "add_component"}],
        "evaluationHash": "abc",
        "trace": {"warnings": []},
    }
    assert (asked[0][0].design, asked[0][0].options.return_diff_only) == (design, True)
    assert (changed[0][0].base, changed[0][0].removed_components) == ("abc", ["x"])


def a_policy() -> Policy:
    return Policy(
        id=UUID(int=2), name="no-latest", language=PolicyLanguage.CEL, state=PolicyState.ENABLED,
        enforcement=Enforcement.ENFORCE, version=1, newest_version=1, user_id=uuid4(), created_at=NOW,
        updated_at=NOW,
    )  # fmt: skip


async def test_policies(http: ClientSession, stubs: Stubs) -> None:
    saved = await stubs.answer(policies.SAVE_POLICY, a_policy())
    switched = await stubs.answer(policies.SET_POLICY_STATE, a_policy())
    await stubs.answer(policies.DELETE_POLICY, Nothing())
    await stubs.answer(policies.TEST_POLICY, TestedPolicy(can_enable=False, reason="no tests"))
    finding = Finding(
        policy_id=UUID(int=2), policy_name="no-latest", policy_version=1, rule="r",
        action=policies.Outcome.DENY, outcome=policies.Outcome.DENY, message="no",
    )  # fmt: skip
    checked = await stubs.answer(policies.CHECK_DESIGN, PolicyReport(allowed=False, findings=[finding]))
    own = {"id": str(UUID(int=2)), "name": "no-latest", "state": "draft", "language": "cel"}
    await stubs.answer(registry.LIST_POLICIES, EntityPage(policies=[own]))
    query = """mutation ($id: UUID!) {
        savePolicy(input: {id: $id, baseVersion: 1, document: {name: "x"}}) { name state language }
        setPolicyState(input: {id: $id, state: enabled, enforcement: warn}) { enforcement }
        deletePolicy(id: $id) }"""
    assert await ask(http, query, id=str(UUID(int=2))) == {
        "savePolicy": {"name": "no-latest", "state": "enabled", "language": "cel"},
        "setPolicyState": {"enforcement": "enforce"},
        "deletePolicy": str(UUID(int=2)),
    }
    assert (saved[0][0].policy_id, saved[0][0].document) == (UUID(int=2), {"name": "x"})
    assert (switched[0][0].state, switched[0][0].enforcement) == ("enabled", "warn")
    query = """{ policies { policies { name model state } } testPolicy(input: {file: "name: x"}) { canEnable reason }
        checkDesign(file: "{}") { allowed findings { outcome message proposal { path } } } }"""
    assert await ask(http, query) == {
        "policies": {"policies": [{"name": "no-latest", "model": "", "state": "draft"}]},
        "testPolicy": {"canEnable": False, "reason": "no tests"},
        "checkDesign": {
            "allowed": False,
            "findings": [{"outcome": "deny", "message": "no", "proposal": None}],
        },
    }
    assert checked[0][0].file == "{}"


# --- following ----------------------------------------------------------------------------------------------


def a_fact(person: Caller) -> dict[str, Any]:
    return {
        "organization_id": person.organization_id, "occurred_at": NOW, "category": "registry",
        "action": "x", "description": "x",
    }  # fmt: skip


async def test_an_import_is_followed_to_its_end(http: ClientSession, stubs: Stubs, person: Caller) -> None:
    await stubs.answer(imports.GET_IMPORT, an_import(ImportStatus.RUNNING))
    query = """subscription ($id: UUID!) { importProgress(importId: $id) {
        sequence resync status modelsDone modelsTotal added refused import { source } } }"""
    one = UUID(int=1)
    async with wired(http) as wire:
        await wire.init()
        await wire.send("subscribe", "1", {"query": query, "variables": {"id": str(one)}})
        assert (await wire.next())["importProgress"] == {
            "sequence": 1, "resync": False, "status": "running", "modelsDone": 0, "modelsTotal": 3,
            "added": 2, "refused": 2, "import": {"source": "istio.tar.gz"},
        }  # fmt: skip
        for import_id, status in ((uuid4(), "running"), (one, "running"), (one, "succeeded")):
            fact = ImportFact(
                **a_fact(person), import_id=import_id, status=ImportStatus(status), stage=ImportStage.DONE,
                models_done=3,
            )  # fmt: skip
            await stubs.tell(imports.IMPORT_PROGRESSED, fact, person.organization_id, import_id)
        told = [(await wire.next())["importProgress"] for _ in range(2)]
        assert [(each["sequence"], each["status"], each["modelsDone"]) for each in told] == [
            (2, "running", 3),
            (3, "succeeded", 3),
        ]
        assert await wire.get() == {"id": "1", "type": "complete"}


async def test_changes_are_followed(http: ClientSession, stubs: Stubs, person: Caller) -> None:
    await stubs.answer(policies.GET_POLICY, a_policy())
    async with wired(http) as wire:
        await wire.init()
        await wire.subscribe("subscription { registryChanges { sequence models generation } }")
        await wire.subscribe("subscription { policyChanges { sequence state policy { name } } }", "2")
        fact = ModelsRegistered(**a_fact(person), models=["istio"], generation=9, registered_at=NOW)
        await stubs.tell(registry.MODELS_REGISTERED, fact, person.organization_id, uuid4())
        assert (await wire.next())["registryChanges"] == {"sequence": 1, "models": ["istio"], "generation": 9}
        # What ships with us changes everybody's registry; only a list knows its generation then.
        shipped = fact.model_copy(update={"organization_id": UUID(int=0), "models": ["kubernetes"]})
        await stubs.tell(registry.MODELS_REGISTERED, shipped, UUID(int=0), uuid4())
        assert (await wire.next())["registryChanges"] == {
            "sequence": 2, "models": ["kubernetes"], "generation": None,
        }  # fmt: skip
        switched = PolicyFact(
            **a_fact(person), policy_id=UUID(int=2), name="no-latest", version=1, state=PolicyState.ENABLED,
            enforcement=Enforcement.WARN,
        )  # fmt: skip
        await stubs.tell(policies.POLICY_SWITCHED, switched, person.organization_id, UUID(int=2))
        assert (await wire.next("2"))["policyChanges"] == {
            "sequence": 1, "state": "enabled", "policy": {"name": "no-latest"},
        }  # fmt: skip
