"""The objects of a design."""

from __future__ import annotations

from uuid import UUID

import pytest

from meshery_common.documents import read_documents
from meshery_contracts.clusters import ObjectReference
from meshery_contracts.errors import Invalid
from meshery_designs.domain.items import Objects, items_in
from meshery_designs.domain.saving import exported
from meshery_testkit.builders import a_component, a_design_file


def test_items_come_in_order_and_without_annotations() -> None:
    note = {**a_component("Note", "note"), "metadata": {"isAnnotation": True}}
    role = a_component("ClusterRole", "reader", version="rbac.authorization.k8s.io/v1")
    role["metadata"] = {"isNamespaced": False}
    web = {**a_component("Deployment", "web", namespace="shop"), "modelReference": {"name": "kubernetes"}}
    items = items_in(a_design_file(note, web, role), None, 1)
    assert [(one.component_name, one.reference.namespace, one.wave, one.model) for one in items] == [
        ("reader", "", 2, ""),
        ("web", "shop", 5, "kubernetes"),
    ]
    assert items[1].component_id == UUID(web["id"])


def test_two_components_cannot_declare_one_object() -> None:
    first = a_component("Deployment", "web")
    second = {
        **a_component("Deployment", "web", version="apps/v1beta1", namespace="default"),
        "displayName": "b",
    }
    with pytest.raises(Invalid, match="'b' declares the same object as component 'web'") as caught:
        items_in(a_design_file(first, second), None, 1)
    assert caught.value.problem.code == "object_twice"
    other = a_component("Deployment", "web", namespace="other")
    assert len(items_in(a_design_file(first, other), None, 1)) == 2


def a_reference(**changes: str) -> ObjectReference:
    return ObjectReference(
        **{"api_version": "apps/v1", "kind": "Deployment", "namespace": "shop", "name": "web", **changes}
    )


@pytest.mark.parametrize(
    ("changes", "same"),
    [
        ({}, True),
        ({"api_version": "apps/v1beta1"}, True),
        ({"namespace": ""}, True),
        ({"api_version": "extensions/v1"}, False),
        ({"kind": "StatefulSet"}, False),
        ({"namespace": "other"}, False),
        ({"name": "api"}, False),
    ],
)
def test_references_to_one_object(changes: dict[str, str], same: bool) -> None:
    assert (a_reference(**changes) in Objects([a_reference()])) is same
    assert (a_reference() in Objects([a_reference(name="nobody"), a_reference(**changes)])) is same


def test_a_manifest_has_the_objects_in_order_and_no_marks_of_ours() -> None:
    note = {**a_component("Note", "note"), "metadata": {"isAnnotation": True}}
    web = a_component("Deployment", "web", namespace="shop")
    space = {**a_component("Namespace", "shop", version="v1"), "metadata": {"isNamespaced": False}}
    text, count = exported(a_design_file(note, web, space))
    first, second = read_documents(text)
    assert (count, first["kind"], second["kind"]) == (2, "Namespace", "Deployment")
    assert second == items_in(a_design_file(web), None, 0)[0].content
    assert "meshery" not in text
