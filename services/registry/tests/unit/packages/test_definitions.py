"""One definition of every generation, as people and their tools wrote it."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from meshery_registry.domain.entities import (
    ComponentEntity,
    ConnectionEntity,
    ModelEntity,
    PolicyEntity,
    Refusal,
    RelationshipEntity,
)
from meshery_registry.domain.packages.documents import GENERATIONS, embedded_model, entity_type, read_entity

MODEL = {
    "schemaVersion": "models.meshery.io/v1beta2",
    "version": "v1.0.0",
    "name": "cert-manager",
    "displayName": "Cert Manager",
    "description": "Certificates. ",
    "status": "enabled",
    "registrant": {"kind": "Artifacthub", "name": "Artifact Hub"},
    "category": {"name": "Security & Compliance"},
    "subCategory": "Key Management",
    "metadata": {"primaryColor": "#123456", "svgWhite": "", "isAnnotation": False, "source_uri": "https://x"},
    "model": {"version": "v1.14.4"},
}
COMPONENT: dict[str, Any] = {
    "schemaVersion": "components.meshery.io/v1beta3",
    "version": "v1.0.0",
    "displayName": "Certificate",
    "description": "",
    "format": "JSON",
    "model": MODEL,
    "styles": {"primaryColor": "#00B39F", "shape": "rectangle", "svgColor": "<svg/>", "svgWhite": ""},
    "capabilities": None,
    "status": "enabled",
    "metadata": {
        "isAnnotation": False,
        "isNamespaced": True,
        "isCustomResource": True,
        "published": False,
        "genealogy": "parent",
        "dependsOn": ["Issuer"],
    },
    "configuration": None,
    "component": {
        "version": "cert-manager.io/v1",
        "kind": "Certificate",
        "schema": '{"type":"object","properties":{"b":{},"a":{}}}',
    },
}
RELATIONSHIP: dict[str, Any] = {
    "id": "00000000-0000-0000-0000-000000000000",
    "schemaVersion": "relationships.meshery.io/v1alpha3",
    "version": "v1.0.0",
    "kind": "Edge",
    "type": "Non-Binding",
    "subType": "Network",
    "status": "enabled",
    "capabilities": None,
    "metadata": {"description": "talks to", "styles": None},
    "model": {"name": "kubernetes", "registrant": {"kind": "github"}},
    "evaluationQuery": "",
    "selectors": [
        {
            "allow": {
                "from": [
                    {
                        "id": None,
                        "kind": "Service",
                        "match": {},
                        "match_strategy_matrix": [["not_null", "to_contains_from"]],
                        "model": {
                            "id": "00000000-0000-0000-0000-000000000000",
                            "name": "kubernetes",
                            "display_name": "Kubernetes",
                            "model": {"version": ""},
                            "registrant": {"kind": "github", "credential_id": None},
                        },
                        "patch": {
                            "patchStrategy": "replace",
                            "mutatorRef": [["configuration", "spec", "selector"]],
                        },
                    }
                ],
                "to": [
                    {
                        "kind": "Deployment",
                        "patch": {"mutated_ref": ["configuration", "spec", 0, "labels"]},
                        "x-own": 1,
                    }
                ],
            },
            "deny": {"from": None, "to": None},
        }
    ],
}


def read(document: dict[str, Any], **changes: Any) -> Any:
    return read_entity({**document, **changes}, "here.json")


def refusal(document: dict[str, Any], **changes: Any) -> Refusal:
    refused = read(document, **changes)
    assert isinstance(refused, Refusal)
    assert refused.where == "here.json"
    assert refused.remedy
    return refused


def test_a_model() -> None:
    assert read(MODEL) == ModelEntity(
        name="cert-manager",
        version="v1.14.4",
        display_name="Cert Manager",
        description="Certificates. ",
        category="Security & Compliance",
        sub_category="Key Management",
        registrant_kind="artifacthub",
        registrant_name="Artifact Hub",
        metadata={"primaryColor": "#123456", "source_uri": "https://x"},
    )


def test_a_model_in_older_words() -> None:
    older = {
        "schemaVersion": "models.meshery.io/v1beta1",
        "name": "aws-lambda",
        "display_name": "",
        "sub_category": "Compute",
        "category": "Serverless",
        "connection_id": "00000000-0000-0000-0000-000000000000",
        "registrant": {"kind": "github", "credential_id": None},
        "metadata": None,
        "components": None,
        "model": {"version": "1.2.3"},
    }
    model = read(older)
    assert (model.display_name, model.sub_category, model.category) == ("Aws Lambda", "Compute", "Serverless")
    assert (model.status, model.definition_version, model.metadata) == ("enabled", "v1.0.0", {})


@pytest.mark.parametrize("generation", sorted(GENERATIONS["model"]))
def test_every_generation_of_models(generation: str) -> None:
    assert isinstance(read(MODEL, schemaVersion=f"models.meshery.io/{generation}"), ModelEntity)


@pytest.mark.parametrize("generation", sorted(GENERATIONS["component"]))
def test_every_generation_of_components(generation: str) -> None:
    assert isinstance(read(COMPONENT, schemaVersion=f"components.meshery.io/{generation}"), ComponentEntity)


@pytest.mark.parametrize("generation", sorted(GENERATIONS["relationship"]))
def test_every_generation_of_relationships(generation: str) -> None:
    document = {**RELATIONSHIP, "schemaVersion": f"relationships.meshery.io/{generation}"}
    assert isinstance(read(document), RelationshipEntity)


def test_a_component() -> None:
    assert read(COMPONENT) == ComponentEntity(
        kind="Certificate",
        api_version="cert-manager.io/v1",
        display_name="Certificate",
        schema='{"properties":{"a":{},"b":{}},"type":"object"}',
        custom=True,
        styles={"primaryColor": "#00B39F", "shape": "rectangle", "svgColor": "<svg/>"},
        metadata={"genealogy": "parent", "dependsOn": ["Issuer"]},
    )


def test_styles_of_old_definitions_have_hyphens() -> None:
    styles = {"background-image": "x", "text-valign": "top", "svgColor": "", "zIndex": 3}
    assert read(COMPONENT, styles=styles).styles == {"backgroundImage": "x", "textValign": "top", "zIndex": 3}


def test_a_component_from_before_it_was_apart() -> None:
    flat = {
        "schemaVersion": "components.meshery.io/v1alpha1",
        "kind": "HTTPRoute",
        "apiVersion": "gateway.networking.k8s.io/v1",
        "schema": {"type": "object"},
        "metadata": {"isNamespaced": "false"},
    }
    component = read(flat)
    assert (component.kind, component.api_version) == ("HTTPRoute", "gateway.networking.k8s.io/v1")
    assert (component.display_name, component.schema) == ("HTTP Route", '{"type":"object"}')
    assert not component.namespaced


def test_an_annotation_needs_no_schema() -> None:
    inner = {"kind": "Circle", "version": "", "schema": ""}
    component = read(COMPONENT, component=inner, metadata={"isAnnotation": True})
    assert (component.annotation, component.schema, component.api_version) == (True, "", "")


@pytest.mark.parametrize(
    ("inner", "reason"),
    [
        ({"kind": "A", "version": "v1", "schema": ""}, "`component.schema` is empty"),
        ({"kind": "A", "version": "v1", "schema": "null"}, "`component.schema` is empty"),
        ({"kind": "A", "version": "v1", "schema": "{"}, "`component.schema` is no JSON"),
        ({"kind": "A", "version": "v1", "schema": "[]"}, "`component.schema` is empty"),
        ({"kind": "A", "version": "v1", "schema": "[" * 2000}, "`component.schema` is no JSON"),
        ({"kind": "A", "version": "", "schema": "{}"}, "`component.version` is missing"),
        ({"version": "v1", "schema": "{}"}, "`component.kind` is missing"),
        ({"kind": "A\nB", "version": "v1", "schema": "{}"}, "`component.kind` is no name"),
        ({"kind": "A" * 300, "version": "v1", "schema": "{}"}, "`component.kind` is no name"),
    ],
)
def test_components_that_are_refused(inner: dict[str, Any], reason: str) -> None:
    refused = refusal(COMPONENT, component=inner)
    assert refused.entity_type == "component"
    assert refused.reason.startswith(reason)


def test_a_schema_that_is_too_long_is_refused() -> None:
    schema = orjson.dumps({"description": "x" * 1_600_000}).decode()
    refused = refusal(COMPONENT, component={"kind": "A", "version": "v1", "schema": schema})
    assert "1,500,000 are allowed" in refused.reason


def test_a_relationship_comes_out_in_the_newest_words() -> None:
    assert read(RELATIONSHIP) == RelationshipEntity(
        kind="edge",
        type="non-binding",
        sub_type="network",
        definition={
            "metadata": {"description": "talks to"},
            "capabilities": [],
            "evaluationQuery": "",
            "selectors": [
                {
                    "allow": {
                        "from": [
                            {
                                "kind": "Service",
                                "matchStrategyMatrix": [["not_null", "to_contains_from"]],
                                "model": {
                                    "name": "kubernetes",
                                    "displayName": "Kubernetes",
                                    "model": {"version": ""},
                                    "registrant": {"kind": "github"},
                                },
                                "patch": {
                                    "patchStrategy": "replace",
                                    "mutatorRef": [["configuration", "spec", "selector"]],
                                },
                            }
                        ],
                        "to": [
                            {
                                "kind": "Deployment",
                                "patch": {"mutatedRef": [["configuration", "spec", "0", "labels"]]},
                                "x-own": 1,
                            }
                        ],
                    }
                }
            ],
        },
    )


def test_both_halves_of_a_binding() -> None:
    role = {"kind": "self", "mutator_ref": [["displayName"]], "id": None}
    binding = {"kind": "RoleBinding", "mutatedRef": [["configuration", "roleRef", "name"]]}
    item = {"kind": "Role", "match": {"from": [role], "to": [binding]}}
    selectors = [{"allow": {"from": [item], "to": [{"kind": "ServiceAccount"}]}}]
    match = read(RELATIONSHIP, selectors=selectors).definition["selectors"][0]["allow"]["from"][0]["match"]
    assert match == {"from": [{"kind": "self", "mutatorRef": [["displayName"]]}], "to": [binding]}


def test_keys_that_no_schema_knows_are_kept() -> None:
    relationship = read(RELATIONSHIP, ourOwn={"a": 1}, version="v2.0.0")
    assert relationship.definition["ourOwn"] == {"a": 1}
    assert relationship.definition["version"] == "v2.0.0"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"kind": ""}, "`kind` is missing"),
        ({"type": None}, "`type` is missing"),
        ({"subType": 7}, "`subType` is missing"),
        ({"selectors": []}, "It has no selectors"),
        ({"selectors": [{"allow": {"from": [{"kind": "A"}]}}]}, "A selector allows nothing"),
        ({"selectors": [{"deny": {"from": [], "to": []}}]}, "A selector allows nothing"),
    ],
)
def test_relationships_that_are_refused(changes: dict[str, Any], reason: str) -> None:
    refused = refusal(RELATIONSHIP, **changes)
    assert refused.entity_type == "relationship"
    assert refused.reason.startswith(reason)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"name": ""}, "`name` is missing"),
        ({"name": "../etc"}, "'../etc' is no name of a model"),
        ({"model": {}}, "`model.version` is missing"),
        ({"model": None}, "`model.version` is missing"),
        ({"registrant": None}, "`registrant.kind` is missing"),
        ({"registrant": {"name": "x"}}, "`registrant.kind` is missing"),
        ({"schemaVersion": "models.meshery.io/v9"}, "Its schema version 'v9' is not known"),
    ],
)
def test_models_that_are_refused(changes: dict[str, Any], reason: str) -> None:
    refused = refusal(MODEL, **changes)
    assert refused.entity_type == "model"
    assert refused.reason.startswith(reason)


def test_an_ignored_model_stays_one() -> None:
    assert read(MODEL, status="Ignored").status == "ignored"
    assert read(MODEL, status="whatever").status == "enabled"


def test_policies_keep_their_document() -> None:
    document = {
        "schemaVersion": "policies.meshery.io/v1",
        "name": "no-latest",
        "language": "cel",
        "rules": [{"name": "tag", "expression": "true"}],
    }
    assert read(document) == PolicyEntity("no-latest", "cel", "", document)
    older = {"schemaVersion": "policies.meshery.io/v1beta1", "kind": "network", "expression": {"a": 1}}
    assert read(older) == PolicyEntity("network", "rego", "", older)
    rego = {**document, "language": "rego", "source": "package a\n"}
    assert read(rego) == PolicyEntity("no-latest", "rego", "package a\n", {**document, "language": "rego"})
    assert refusal(document, language="python").reason == "Its language 'python' is not known."


def test_a_connection_definition() -> None:
    document: dict[str, Any] = {
        "schemaVersion": "connections.meshery.io/v1beta3",
        "id": "00000000-0000-0000-0000-000000000000",
        "kind": "prometheus",
        "sub_type": "metrics",
        "transitionMap": {"discovered": []},
        "owner": None,
    }
    told = {"name": "prometheus", "type": "", "subType": "metrics", "status": "discovered"}
    assert read(document) == ConnectionEntity("prometheus", {**told, "transitionMap": {"discovered": []}})


@pytest.mark.parametrize("document", [None, [], "text", {}, {"schemaVersion": 3}, {"schemaVersion": "x/v1"}])
def test_what_is_no_definition(document: Any) -> None:
    assert entity_type(document) is None
    refused = read_entity(document, "here.json")
    assert isinstance(refused, Refusal)
    assert refused.entity_type == "file"


def test_the_model_that_a_component_brings() -> None:
    assert embedded_model(COMPONENT, "here") == read(MODEL)
    refused = embedded_model({**COMPONENT, "model": {"name": "cert-manager"}}, "here")
    assert isinstance(refused, Refusal)
    assert refused.reason.startswith("The model that it names: `registrant.kind` is missing")


def test_junk_in_every_place_is_refused_or_read_but_never_raises() -> None:
    junk: list[Any] = [None, 0, 1.5, True, "", "text", [], [[]], [None], {}, {"a": None}, {"kind": []}]
    for document in (MODEL, COMPONENT, RELATIONSHIP):
        for key in document:
            for value in junk:
                if key != "schemaVersion":
                    read(document, **{key: value})
    item = RELATIONSHIP["selectors"][0]["allow"]["from"][0]
    for key in item:
        for value in junk:
            selectors = [{"allow": {"from": [{**item, key: value}], "to": [{"kind": "A"}]}}]
            assert isinstance(read(RELATIONSHIP, selectors=selectors), RelationshipEntity)
