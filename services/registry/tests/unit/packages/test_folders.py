"""Which definition belongs to which model, and what becomes of the rest."""

from __future__ import annotations

import pickle
from typing import Any

import orjson
import pytest
import yaml

from meshery_registry.domain.entities import PolicyEntity, Readings
from meshery_registry.domain.packages import LIMITS, UNKNOWN, read_folder, read_source


def a_model(name: str, **changes: Any) -> dict[str, Any]:
    return {
        "schemaVersion": "models.meshery.io/v1beta2",
        "name": name,
        "registrant": {"kind": "github"},
        "model": {"version": "v1.0.0"},
        **changes,
    }


def a_component(kind: str, **changes: Any) -> dict[str, Any]:
    return {
        "schemaVersion": "components.meshery.io/v1beta2",
        "component": {"kind": kind, "version": "v1", "schema": '{"type":"object"}'},
        **changes,
    }


def a_relationship(kind: str, **changes: Any) -> dict[str, Any]:
    return {
        "schemaVersion": "relationships.meshery.io/v1beta2",
        "kind": "edge",
        "type": "non-binding",
        "subType": "network",
        "selectors": [{"allow": {"from": [{"kind": kind}], "to": [{"kind": "*"}]}}],
        **changes,
    }


def read(files: dict[str, Any]) -> Readings:
    """A folder of documents; what is bytes already stays so."""
    return read_folder(
        {path: one if isinstance(one, bytes) else orjson.dumps(one) for path, one in files.items()}
    )


def kinds(readings: Readings) -> dict[str, list[str]]:
    return {one.model.name: [component.kind for component in one.components] for one in readings.packages}


def test_everything_of_one_model() -> None:
    readings = read(
        {
            "cert/v1/model.yaml": yaml.safe_dump(a_model("cert")).encode(),
            "cert/v1/components/b.json": a_component("B"),
            "cert/v1/components/a.yml": yaml.safe_dump_all([a_component("A"), a_component("C")]).encode(),
            "cert/v1/relationships/r.json": a_relationship("A"),
            "cert/v1/policies/p.rego": b"package p\n",
            "cert/v1/policies/q.yaml": b"schemaVersion: policies.meshery.io/v1\nname: q\nlanguage: cel\n",
            "cert/v1/connections/c.json": {
                "schemaVersion": "connections.meshery.io/v1beta3",
                "kind": "prometheus",
            },
            "cert/README.md": b"# Cert",
        }
    )
    assert not readings.refused
    (package,) = readings.packages
    assert [one.kind for one in package.components] == ["A", "B", "C"]
    assert [one.sub_type for one in package.relationships] == ["network"]
    assert package.policies[0] == PolicyEntity("p", "rego", "package p\n")
    assert [one.name for one in package.policies] == ["p", "q"]
    assert [one.kind for one in package.connections] == ["prometheus"]


def test_several_models_each_with_the_nearest_folder() -> None:
    readings = read(
        {
            "model.json": a_model("outer"),
            "a.json": a_component("InOuter"),
            "deep/down/b.json": a_component("AlsoInOuter"),
            "inner/model.json": a_model("inner"),
            "inner/components/x/y/c.json": a_component("InInner"),
        }
    )
    assert not readings.refused
    assert kinds(readings) == {"outer": ["AlsoInOuter", "InOuter"], "inner": ["InInner"]}


def test_two_models_in_one_folder_are_refused_both() -> None:
    readings = read({"a.json": a_model("a"), "b.json": a_model("b"), "c.json": a_component("C")})
    assert not readings.packages
    assert [one.name for one in readings.refused] == ["a", "b"]
    assert "holds more than one model" in readings.refused[0].reason


def test_a_model_that_is_refused_takes_its_components_along_and_says_so() -> None:
    readings = read({"model.json": a_model("a", registrant=None), "c.json": a_component("C")})
    assert not readings.packages
    (refused,) = readings.refused
    assert refused.reason.startswith("`registrant.kind` is missing")
    assert refused.reason.endswith("With it 1 definitions were refused that belong to it.")


def test_a_model_with_nothing_is_refused() -> None:
    (refused,) = read({"model.json": a_model("a")}).refused
    assert refused.reason == "Nothing belongs to it that could be taken."


def test_a_bad_component_leaves_the_others() -> None:
    bad = a_component("Bad")
    bad["component"]["schema"] = ""
    readings = read({"model.json": a_model("a"), "bad.json": bad, "good.json": a_component("Good")})
    assert kinds(readings) == {"a": ["Good"]}
    (refused,) = readings.packages[0].refused
    assert (refused.entity_type, refused.name, refused.where) == ("component", "Bad", "bad.json")


def test_what_stands_twice_is_taken_once() -> None:
    files = {
        "model.json": a_model("a"),
        "1.json": a_component("A"),
        "2.json": a_component("A", description="other"),
        "3.json": a_relationship("A", id="1"),
        "4.json": a_relationship("A", id="2"),
        "5.json": a_relationship("B"),
    }
    (package,) = read(files).packages
    assert len(package.components) == 1
    assert len(package.relationships) == 2
    assert [(one.entity_type, one.where) for one in package.refused] == [
        ("component", "2.json"),
        ("relationship", "4.json"),
    ]


def test_one_model_twice() -> None:
    readings = read(
        {
            "1/model.json": a_model("a"),
            "1/a.json": a_component("A"),
            "2/model.json": a_model("a"),
            "2/a.json": a_component("B"),
            "3/model.json": a_model("a", model={"version": "v2.0.0"}),
            "3/a.json": a_component("B"),
        }
    )
    assert [one.model.version for one in readings.packages] == ["v1.0.0", "v2.0.0"]
    assert readings.refused[0].reason == "Its version v1.0.0 stands twice."


def test_components_that_bring_their_model() -> None:
    """As a registrant or a person sends one file."""
    one = orjson.dumps(a_component("A", model=a_model("a")))
    assert kinds(read_source("A.json", one)) == {"a": ["A"]}
    many = [
        a_component("A", model=a_model("a")),
        a_component("B", model=a_model("a")),
        a_component("C", model=a_model("c")),
        a_relationship("A", model={"name": "a"}),
    ]
    readings = read_source("list.json", orjson.dumps(many))
    assert kinds(readings) == {"a": ["A", "B"], "c": ["C"]}
    assert len(readings.packages[0].relationships) == 1


def test_what_has_no_model_is_refused() -> None:
    readings = read({"c.json": a_component("C"), "r.json": a_relationship("A"), "p.rego": b"package p"})
    assert not readings.packages
    assert sorted(one.entity_type for one in readings.refused) == ["component", "policy", "relationship"]
    assert all("package" in one.remedy for one in readings.refused)


def test_a_model_as_an_api_answers_it() -> None:
    model = a_model("a", components=[a_component("A")], relationships=[a_relationship("A")], policies=None)
    (package,) = read({"answer.json": model}).packages
    assert (len(package.components), len(package.relationships)) == (1, 1)


def test_other_documents_are_counted() -> None:
    others = b"kind: Service\n---\nkind: Deployment\n---\n- 1\n- 2\n"
    readings = read({"model.json": a_model("a"), "a.json": a_component("A"), "others.yaml": others})
    assert len(readings.packages) == 1
    (refused,) = readings.refused
    assert (refused.name, refused.reason[:34]) == ("4 other documents", "4 documents are no definitions of ")


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("a.yaml", b"a: [", "no valid YAML or JSON: line 2"),
        ("a.json", b"\xff\xfe{", "no text in UTF-8"),
        ("a.json", b'{"a": "\\u0000"}', "NUL character"),
        ("a.yaml", b"1: 2", "which is no text"),
        ("a.yaml", b"a: !!python/object:os.system x", "no valid YAML or JSON"),
        ("a.json", b"[" * 200 + b"]" * 200, "nested more than 100 levels"),
        ("a.yaml", b"[" * 100_000, "nested more than 100 levels"),
        ("empty.yaml", b" \n", "The file is empty"),
        ("a.png", b"\x89PNG\r\n\x1a\n\0\0", "neither text nor an archive"),
    ],
)
def test_texts_that_are_refused(name: str, data: bytes, reason: str) -> None:
    readings = read_source(name, data)
    assert not readings.packages
    (refused,) = readings.refused
    assert reason in refused.reason
    assert refused.remedy


def test_an_alias_bomb_ends_soon() -> None:
    lines = [b"a0: &a0 [x,x,x,x,x,x,x,x,x,x]"]
    lines += [b"a%d: &a%d [%s]" % (n, n, b",".join([b"*a%d" % (n - 1)] * 10)) for n in range(1, 9)]
    (refused,) = read_source("bomb.yaml", b"\n".join(lines)).refused
    assert "holds more than 1,000,000 values" in refused.reason


def test_readings_cross_a_process_border() -> None:
    work = pickle.dumps(
        (read_source, ("A.json", orjson.dumps(a_component("A", model=a_model("a"))), LIMITS, UNKNOWN))
    )
    function, arguments = pickle.loads(work)
    readings = function(*arguments)
    assert pickle.loads(pickle.dumps(readings)) == readings


def test_definitions_from_before_they_told_what_they_are() -> None:
    model = {"name": "kubernetes", "displayName": "Kubernetes", "category": {"name": "Provisioning"}}
    edge = {
        "schemaVersion": "core.meshery.io/v1alpha2",
        "version": "v1.0.0",
        "kind": "Edge",
        "metadata": {"description": "An edge", "capabilities": {"designer": {"edit": {"style": True}}}},
        "model": {"schemaVersion": "core.meshery.io/v1beta1", **model, "model": {"version": "v1.25.2"}},
        "subType": "Network",
        "evaluationQuery": "edge_network_relationship",
        "selectors": [
            {
                "allow": {"from": [{"kind": "Service", "model": "kubernetes"}], "to": [{"kind": "Pod"}]},
                "deny": {"from": [], "to": []},
            }
        ],
    }
    oldest = {"apiVersion": "core.meshery.io/v1alpha1", "kind": "Hierarchical", "subType": "Inventory"}
    readings = read(
        {
            "Pod.json": {
                "kind": "Pod",
                "apiVersion": "v1",
                "schema": '{"type":"object"}',
                "metadata": {"isNamespaced": True, "primaryColor": "#14191f"},
                "model": {**model, "version": "v1.25.2", "metadata": {"source_uri": "https://x"}},
            },
            "edge.json": edge,
            "mount.json": {
                **edge,
                "schemaVersion": "relationships.meshery.io/v1alpha2",
                "subType": "Mount",
                "evaluationQuery": "edge_binding_relationship",
            },
            "inventory.json": {**edge, **oldest, "schemaVersion": None},
            "sibling.json": {**edge, "kind": "Sibling", "subType": "MatchLabels"},
            # A manifest is none, however it looks.
            "deployment.json": {"kind": "Deployment", "apiVersion": "apps/v1", "metadata": {"name": "a"}},
        }
    )
    [package] = readings.packages
    assert (package.model.name, package.model.version) == ("kubernetes", "v1.25.2")
    assert (package.model.registrant_kind, package.model.definition_version) == ("meshery", "v1.0.0")
    [pod] = package.components
    assert (pod.kind, pod.api_version, pod.schema) == ("Pod", "v1", '{"type":"object"}')
    assert {(one.kind, one.type, one.sub_type) for one in package.relationships} == {
        ("edge", "non-binding", "network"),
        ("edge", "binding", "mount"),
        ("hierarchical", "parent", "inventory"),
        ("sibling", "sibling", "matchlabels"),
    }
    assert package.relationships[0].definition["selectors"] == [
        {"allow": {"from": [{"kind": "Service", "model": {"name": "kubernetes"}}], "to": [{"kind": "Pod"}]}}
    ]
    [left] = readings.refused
    assert left.where == "deployment.json"
