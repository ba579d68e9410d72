"""Manifests and OpenAPI documents, as far as they are read here."""

from __future__ import annotations

from typing import Any

import pytest

from meshery_connections.domain import documents, objects
from meshery_contracts.errors import Invalid

MANIFEST: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {"name": "a", "managedFields": [{}]},
    "status": {},
}


@pytest.mark.parametrize(
    "manifest",
    [
        {},
        {**MANIFEST, "metadata": None},
        {**MANIFEST, "kind": 3},
        {**MANIFEST, "metadata": {"generateName": "a-"}},
    ],
)
def test_an_object_without_identity_is_invalid(manifest: dict[str, Any]) -> None:
    with pytest.raises(Invalid) as caught:
        objects.reference_of(manifest)
    assert caught.value.problem.code == "object_incomplete"


def test_the_namespace_is_what_the_kind_demands() -> None:
    reference = objects.reference_of(MANIFEST)
    assert objects.placed(reference, namespaced=True).namespace == "default"
    elsewhere = reference.model_copy(update={"namespace": "shop"})
    assert objects.placed(elsewhere, namespaced=True).namespace == "shop"
    assert objects.placed(elsewhere, namespaced=False).namespace == ""


def test_what_only_a_server_writes_is_left_out() -> None:
    placed = objects.placed_manifest(MANIFEST, "shop")
    assert placed["metadata"] == {"name": "a", "namespace": "shop"}
    assert "status" not in placed
    assert objects.placed_manifest({**MANIFEST, "metadata": {"name": "a", "namespace": "x"}}, "")[
        "metadata"
    ] == {"name": "a"}
    assert "managedFields" in MANIFEST["metadata"]


def test_an_object_is_shown_without_managed_fields() -> None:
    assert objects.shown(MANIFEST)["metadata"] == {"name": "a"}
    assert objects.shown({"kind": "Status"}) == {"kind": "Status"}
    assert objects.uid_of({"metadata": {"uid": "u"}}) == "u"
    assert objects.uid_of({}) == ""


@pytest.mark.parametrize(
    ("name", "version"),
    [
        ("api/v1", "v1"),
        ("apis/apps/v1", "apps/v1"),
        ("api", None),
        ("version", None),
        (".well-known/x/y", None),
    ],
)
def test_documents_are_named_by_path(name: str, version: str | None) -> None:
    assert documents.group_version(name) == version


def test_only_what_changed_is_registered() -> None:
    hashes = {"v1": "a", "apps/v1": "b", "x/v1": ""}
    assert documents.changed(hashes, {"v1": "a", "apps/v1": "old", "x/v1": ""}) == ["apps/v1", "x/v1"]
    assert documents.vanished(hashes, {"v1": "a", "gone/v1": "c"}) == ["gone/v1"]


def test_custom_groups_are_those_of_crds() -> None:
    groups = {"example.org", "apps"}
    assert documents.is_custom("example.org/v1", groups)
    assert not documents.is_custom("apps/v1", groups)
    assert not documents.is_custom("v1", groups)
    assert not documents.is_custom("metrics.k8s.io/v1", groups)
