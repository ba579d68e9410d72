"""Kubernetes documents to components and back."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import pytest

from meshery_contracts.errors import Invalid
from meshery_contracts.registry import KindName, ModelReference, ResolvedKind
from meshery_designs.domain.manifests import (
    COMPONENT_ANNOTATION,
    DESIGN_LABEL,
    VERSION_ANNOTATION,
    components_of,
    group_kind,
    is_deployable,
    manifests_of,
    object_of,
    reference_of,
)
from meshery_testkit.builders import a_component


def a_manifest(kind: str = "ConfigMap", name: str = "settings", **fields: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": name}, **fields}


def a_kind(kind: str = "ConfigMap", *, namespaced: bool = True) -> ResolvedKind:
    return ResolvedKind(
        kind=KindName(api_version="v1", kind=kind),
        component_id=uuid4(),
        namespaced=namespaced,
        model=ModelReference(id=uuid4(), name="kubernetes"),
    )


def test_lists_are_opened() -> None:
    documents = [
        {"apiVersion": "v1", "kind": "List", "items": [a_manifest(name="a"), a_manifest(name="b")]},
        {"apiVersion": "v1", "kind": "ConfigMapList", "items": [{"metadata": {"name": "c"}}]},
        [a_manifest(name="d")],
        a_manifest(name="e"),
    ]
    found = manifests_of(documents)
    assert [(one.position, one.name, one.kind) for one in found] == [
        (1, "a", ("v1", "ConfigMap")),
        (1, "b", ("v1", "ConfigMap")),
        (2, "c", ("v1", "ConfigMap")),
        (3, "d", ("v1", "ConfigMap")),
        (4, "e", ("v1", "ConfigMap")),
    ]


def test_an_empty_list_is_no_object() -> None:
    assert manifests_of([{"apiVersion": "v1", "kind": "List", "items": []}]) == []


def test_every_document_that_is_none_is_named() -> None:
    documents = [
        a_manifest(),
        "text",
        {"kind": "ConfigMap", "metadata": {"name": "a"}},
        {"apiVersion": "v1", "kind": 5},
        {"apiVersion": "v1", "kind": "ConfigMap"},
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": []},
        {"apiVersion": "v1", "kind": "List", "items": [None]},
    ]
    with pytest.raises(Invalid) as caught:
        manifests_of(documents)
    assert [(one.path, one.message) for one in caught.value.problem.fields] == [
        ("document 2", "it is no mapping"),
        ("document 3", "apiVersion is missing"),
        ("document 4", "kind is missing"),
        ("document 5", "metadata.name is missing (ConfigMap)"),
        ("document 6", "metadata is no mapping"),
        ("document 7", "it is no mapping"),
    ]


def test_too_many_objects_are_refused() -> None:
    with pytest.raises(Invalid, match="more than 5000 objects"):
        manifests_of([[a_manifest()] * 5001])


def test_known_kinds_become_components_of_their_model() -> None:
    known = a_kind(namespaced=False)
    component_id = uuid4()
    components, notes = components_of(
        manifests_of([a_manifest(data={"a": "b"})]), {("v1", "ConfigMap"): known}, lambda: component_id
    )
    (component,) = components
    assert notes == []
    assert component["id"] == str(component_id)
    assert component["displayName"] == "settings"
    assert component["status"] == "enabled"
    assert component["metadata"]["isNamespaced"] is False
    assert component["modelReference"]["name"] == "kubernetes"
    assert component["component"] == {"version": "v1", "kind": "ConfigMap", "schema": ""}
    assert component["configuration"] == {"metadata": {"name": "settings"}, "data": {"a": "b"}}


@pytest.mark.parametrize(
    "answer", [{}, {("v1", "Gadget"): ResolvedKind(kind=KindName(api_version="v1", kind="Gadget"))}]
)
def test_unknown_kinds_are_kept_and_said(answer: dict[tuple[str, str], ResolvedKind]) -> None:
    components, notes = components_of(manifests_of([a_manifest("Gadget", spec={"a": 1})]), answer, uuid4)
    assert components[0]["status"] == "open"
    assert components[0]["configuration"]["spec"] == {"a": 1}
    assert [(one.document, one.reference) for one in notes] == [(1, "Gadget/settings")]
    assert "does not know Gadget of v1" in notes[0].message


def test_what_a_cluster_wrote_is_left_out() -> None:
    manifest = a_manifest(status={"phase": "x"}, data={"a": "b"})
    manifest["metadata"] |= {
        "uid": "1",
        "resourceVersion": "2",
        "creationTimestamp": "3",
        "generation": 4,
        "managedFields": [],
        "ownerReferences": [{"uid": "5"}],
        "labels": {"app": "x"},
        "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{}", "mine": "y"},
    }
    components, _ = components_of(manifests_of([manifest]), {}, uuid4)
    assert components[0]["configuration"] == {
        "metadata": {"name": "settings", "labels": {"app": "x"}, "annotations": {"mine": "y"}},
        "data": {"a": "b"},
    }


def test_an_object_that_is_declared_twice_is_said() -> None:
    kinds = {("v1", "ConfigMap"): a_kind()}
    elsewhere = a_manifest()
    elsewhere["metadata"]["namespace"] = "elsewhere"
    documents = [a_manifest(), elsewhere, a_manifest(), a_manifest(name="other")]
    components, notes = components_of(manifests_of(documents), kinds, uuid4)
    assert len(components) == 4
    assert [(one.document, one.message) for one in notes] == [
        (3, "Document 1 declares the same object: remove one of them.")
    ]


def test_a_generated_name_becomes_the_same_name_in_every_run() -> None:
    manifest = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"generateName": "load-"}}
    components, notes = components_of(
        manifests_of([manifest, manifest]), {("batch/v1", "Job"): a_kind("Job")}, uuid4
    )
    assert [one.document for one in notes] == [1, 2]
    names = [object_of(one, design_id=None, version=1)["metadata"] for one in components * 2]
    assert names[0] == names[2] != names[1]
    assert names[0] == {"name": f"load-{components[0]['id'][:8]}"}


def test_an_object_bears_the_marks_of_its_design() -> None:
    component = a_component("Deployment", "web", labels={"app": "web"}, spec={"replicas": 2}, status={"a": 1})
    component["configuration"] |= {"kind": "Other", "apiVersion": "other/v1"}
    content = object_of(component, design_id=UUID(int=7), version=3)
    assert content == {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "spec": {"replicas": 2},
        "metadata": {
            "name": "web",
            "labels": {"app": "web", DESIGN_LABEL: str(UUID(int=7))},
            "annotations": {VERSION_ANNOTATION: "3", COMPONENT_ANNOTATION: component["id"]},
        },
    }
    assert (
        "labels" not in component["configuration"]["metadata"]
        or DESIGN_LABEL not in (component["configuration"]["metadata"]["labels"])
    )


def test_an_object_without_a_name_is_called_as_it_is_displayed() -> None:
    component = {"id": str(uuid4()), "displayName": "web", "component": {"kind": "Pod"}}
    assert object_of(component, design_id=None, version=1) == {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "web"},
    }


def test_references() -> None:
    content = a_manifest()
    assert reference_of(content).namespace == "default"
    assert reference_of(content, namespaced=False).namespace == ""
    content["metadata"]["namespace"] = "shop"
    assert reference_of(content).namespace == "shop"


def test_kinds_of_one_name_in_two_groups_differ() -> None:
    assert group_kind("v1", "Service") == "Service"
    assert group_kind("serving.knative.dev/v1", "Service") == "Service.serving.knative.dev"


@pytest.mark.parametrize(
    ("fields", "deployable"),
    [
        ({}, True),
        ({"status": "open"}, True),
        ({"status": "ignored"}, False),
        ({"metadata": {"isAnnotation": True}}, False),
        ({"metadata": None}, True),
    ],
)
def test_annotations_and_ignored_components_are_no_objects(fields: dict[str, Any], deployable: bool) -> None:
    assert is_deployable({**a_component(), **fields}) is deployable
