"""CRDs and OpenAPI documents to components, and the bundles that they come in."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import jsonschema_rs
import orjson
import pytest
import yaml

from meshery_registry.domain.entities import Package, Readings
from meshery_registry.domain.openapi import learned_from, schema_text
from meshery_registry.domain.packages import Origin, read_folder, read_source

APPS = Path(__file__).parents[2] / "fixtures" / "apps_v1.json"
SPEC: dict[str, Any] = {
    "type": "object",
    "description": "What is wanted.",
    "required": ["secretName"],
    "properties": {
        "secretName": {"type": "string", "minLength": 1},
        "port": {"x-kubernetes-int-or-string": True},
        "duration": {"type": "string", "nullable": True, "default": "90d"},
        "values": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
        "share": {"type": "number", "minimum": 0, "exclusiveMinimum": True},
        "rules": {
            "type": "array",
            "maxItems": 16,
            "items": {"type": "object", "properties": {"host": {"type": "string"}}},
            "x-kubernetes-list-type": "atomic",
        },
    },
    "x-kubernetes-validations": [{"rule": "self.secretName != ''", "message": "must be named"}],
}
SCHEMA = {
    "type": "object",
    "description": "A thing of our own.",
    "required": ["spec"],
    "properties": {
        "apiVersion": {"type": "string"},
        "kind": {"type": "string"},
        "metadata": {"type": "object"},
        "spec": SPEC,
        "status": {"type": "object", "properties": {"ready": {"type": "boolean"}}},
    },
}


def a_version(name: str, *, served: bool = True, storage: bool = False, **more: Any) -> dict[str, Any]:
    return {"name": name, "served": served, "storage": storage, "schema": {"openAPIV3Schema": SCHEMA}, **more}


def a_crd(
    group: str,
    kind: str,
    *versions: dict[str, Any],
    scope: str = "Namespaced",
    labels: dict[str, str] | None = None,
    annotations: dict[str, str] | None = None,
) -> dict[str, Any]:
    plural = f"{kind.lower()}s"
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}", "labels": labels or {}, "annotations": annotations or {}},
        "spec": {
            "group": group,
            "names": {
                "kind": kind,
                "plural": plural,
                "singular": kind.lower(),
                "shortNames": [kind[:2].lower()],
                "listKind": f"{kind}List",
            },
            "scope": scope,
            "versions": list(versions) or [a_version("v1", storage=True)],
        },
    }


def read(*documents: dict[str, Any], **origin: str) -> Readings:
    return read_source("bundle.yaml", yaml.safe_dump_all(documents).encode(), origin=Origin(**origin))


def only(readings: Readings) -> Package:
    assert not readings.refused, readings.refused
    (package,) = readings.packages
    return package


def test_a_component_for_each_served_version() -> None:
    versions = (
        a_version("v1alpha1", served=False),
        a_version("v1beta1", deprecated=True, deprecationWarning="use v1"),
        a_version("v1", storage=True),
    )
    package = only(read(a_crd("example.io", "Widget", *versions, scope="Cluster")))
    assert [one.api_version for one in package.components] == ["example.io/v1", "example.io/v1beta1"]
    newest, older = package.components
    names = {"plural": "widgets", "singular": "widget", "shortNames": ["wi"], "listKind": "WidgetList"}
    assert newest.metadata == {"names": names, "isDefaultVersion": True}
    assert older.metadata["deprecationWarning"] == "use v1"
    assert not older.metadata["isDefaultVersion"]
    assert newest.custom
    assert not newest.namespaced
    assert newest.description == "A thing of our own."
    assert (package.model.name, package.model.version) == ("example-io", "v1.0.0")


def test_where_the_stored_version_is_not_served_the_newest_is_the_default() -> None:
    versions = (
        a_version("v1alpha1", served=False, storage=True),
        a_version("v1beta2"),
        a_version("v1beta10"),
    )
    package = only(read(a_crd("example.io", "Widget", *versions)))
    assert [one.api_version for one in package.components if one.metadata["isDefaultVersion"]] == [
        "example.io/v1beta10"
    ]


def test_the_schema_is_the_one_that_a_cluster_teaches() -> None:
    """Its text, and so its hash: the kind of a file and that of a cluster are one component's."""
    served = {
        **SCHEMA,
        "x-kubernetes-group-version-kind": [{"group": "g", "kind": "Widget", "version": "v1"}],
    }
    document = orjson.dumps({"openapi": "3.0.0", "components": {"schemas": {"g.v1.Widget": served}}})
    (learned,) = learned_from(document, "g/v1", {"Widget": True}).kinds
    (component,) = only(read(a_crd("g", "Widget"))).components
    assert component.schema == schema_text(learned.schema_body)
    assert hashlib.sha256(component.schema.encode()).hexdigest() == learned.schema_hash


def test_the_schema_tells_good_from_bad() -> None:
    (component,) = only(read(a_crd("g", "Widget"))).components
    validator = jsonschema_rs.validator_for(orjson.loads(component.schema))
    good = {"secretName": "a", "port": "http", "duration": None, "values": {"any": [1]}, "share": 0.1}
    assert validator.is_valid({"spec": good})
    assert validator.is_valid({"spec": {**good, "port": 80}})
    for wrong in ({"secretName": ""}, {"port": 1.5}, {"share": 0}, {"rules": [1]}):
        assert not validator.is_valid({"spec": {**good, **wrong}})
    assert "status" not in component.schema


def test_older_crds() -> None:
    crd = a_crd("example.io", "Widget")
    crd["apiVersion"] = "apiextensions.k8s.io/v1beta1"
    crd["spec"] |= {"version": "v1alpha1", "validation": {"openAPIV3Schema": SCHEMA}}
    del crd["spec"]["versions"]
    (component,) = only(read(crd)).components
    assert component.api_version == "example.io/v1alpha1"
    assert '"secretName"' in component.schema
    crd["spec"]["versions"] = [{"name": "v1beta1", "served": True, "storage": True}]
    (component,) = only(read(crd)).components
    assert component.api_version == "example.io/v1beta1"
    assert '"secretName"' in component.schema


def test_a_crd_without_a_schema_allows_all() -> None:
    (component,) = only(
        read(a_crd("g", "Widget", {"name": "v1", "served": True, "storage": True}))
    ).components
    assert orjson.loads(component.schema) == {"type": "object"}


GATEWAY = {
    "gateway.networking.k8s.io/bundle-version": "v1.2.0",
    "gateway.networking.k8s.io/channel": "standard",
}
CERT = {"app.kubernetes.io/name": "cert-manager", "app.kubernetes.io/version": "v1.14.4"}


def a_bundle() -> list[dict[str, Any]]:
    """Twenty CRDs of four groups among the objects that bundles bring with them."""
    group = "gateway.networking.k8s.io"
    kinds = ("Gateway", "HTTPRoute", "GRPCRoute", "ReferenceGrant", "TLSRoute", "TCPRoute", "UDPRoute")
    crds = [
        a_crd(group, kind, a_version("v1", storage=True), a_version("v1beta1"), annotations=GATEWAY)
        for kind in kinds
    ]
    crds.append(a_crd(group, "GatewayClass", scope="Cluster", annotations=GATEWAY))
    for kind in ("Certificate", "CertificateRequest", "Issuer", "ClusterIssuer"):
        crds.append(a_crd("cert-manager.io", kind, labels=CERT))
    for kind in ("Challenge", "Order"):
        crds.append(a_crd("acme.cert-manager.io", kind, labels=CERT))
    for kind in ("Alertmanager", "PodMonitor", "Probe", "Prometheus", "PrometheusRule", "ServiceMonitor"):
        crds.append(
            a_crd("monitoring.coreos.com", kind, labels={"helm.sh/chart": "kube-prometheus-stack-58.1.0"})
        )
    others = [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "cert-manager"}},
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "controller"}},
        {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "controller"}},
    ]
    return [*crds, *others]


def test_a_bundle_is_a_model_for_each_group() -> None:
    readings = read(*a_bundle(), registrant_kind="github", source_uri="https://github.com/x/y")
    found = {
        one.model.name: (one.model.version, len(one.components), one.model.registrant_kind)
        for one in readings.packages
    }
    assert found == {
        "acme-cert-manager-io": ("v1.14.4", 2, "github"),
        "cert-manager-io": ("v1.14.4", 4, "github"),
        "gateway-networking-k8s-io": ("v1.2.0", 15, "github"),
        "monitoring-coreos-com": ("58.1.0", 6, "github"),
    }
    assert readings.packages[0].model.metadata == {"source_uri": "https://github.com/x/y"}
    (refused,) = readings.refused
    assert refused.reason.startswith("3 documents are no definitions")


def test_a_version_that_was_given_goes_first() -> None:
    readings = read(*a_bundle(), version="v9.9.9")
    assert {one.model.version for one in readings.packages} == {"v9.9.9"}


def test_the_version_that_most_crds_of_a_group_have() -> None:
    labels = [{"app.kubernetes.io/version": version} for version in ("v1.0.0", "v1.1.0", "v1.1.0", "v0.9.0")]
    crds = [a_crd("g.io", f"Kind{number}", labels=one) for number, one in enumerate(labels)]
    assert only(read(*crds)).model.version == "v1.1.0"


def test_crds_in_a_list_and_in_json() -> None:
    crds = [a_crd("g.io", "A"), a_crd("g.io", "B")]
    for kind, items in (
        ("List", crds),
        ("CustomResourceDefinitionList", [{key: one[key] for key in ("metadata", "spec")} for one in crds]),
    ):
        listed = {"apiVersion": "apiextensions.k8s.io/v1", "kind": kind, "items": items}
        readings = read_source("list.json", orjson.dumps(listed))
        assert [one.kind for one in only(readings).components] == ["A", "B"]


def test_one_crd_in_several_files() -> None:
    crd = orjson.dumps(a_crd("g.io", "A"))
    assert len(only(read_folder({"a.yaml": crd, "b.yaml": crd})).components) == 1
    other = a_crd("g.io", "A", scope="Cluster")
    package = only(read_folder({"a.yaml": crd, "b.yaml": orjson.dumps(other)}))
    assert package.components[0].namespaced
    assert package.refused[0].reason == "Another CRD defines g.io/v1 of it differently."


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        ({"names": {}}, "`spec.names.kind` is missing."),
        ({"group": ""}, "`spec.group` is missing."),
        ({"scope": "Global"}, "`spec.scope` is neither Namespaced nor Cluster."),
        ({"versions": []}, "It serves no version."),
        ({"versions": [a_version("v1", served=False)]}, "It serves no version."),
        ({"versions": "v1"}, "It serves no version."),
    ],
)
def test_crds_that_are_refused(spec: dict[str, Any], reason: str) -> None:
    crd = a_crd("g.io", "Widget")
    crd["spec"] |= spec
    readings = read(crd, a_crd("other.io", "Good"))
    assert len(readings.packages) == 1
    (refused,) = readings.refused
    assert (refused.reason, refused.where) == (reason, "bundle.yaml, document 1")
    assert refused.remedy


def test_a_crd_that_is_too_large_is_refused_and_the_others_are_not() -> None:
    properties = {f"field{number}": {"type": "string"} for number in range(90_000)}
    large = a_version("v1", storage=True)
    large["schema"] = {"openAPIV3Schema": {"type": "object", "properties": properties}}
    documents = orjson.dumps([a_crd("g.io", "Large", large), a_crd("g.io", "Small")])
    (package,) = read_source("crds.json", documents).packages
    assert [one.kind for one in package.components] == ["Small"]
    assert "holds more than 150,000 values" in package.refused[0].reason


def test_an_openapi_document() -> None:
    document = orjson.loads(APPS.read_bytes())
    told = {"x-kubernetes-group-version-kind": {"group": "apps", "kind": "Deployment", "version": "v1"}}
    document["paths"] = {"/apis/apps/v1/namespaces/{namespace}/deployments": {"get": told}}
    package = only(read_source("apps_v1.json", orjson.dumps(document)))
    assert package.model.name == "kubernetes"
    kinds = {one.kind: one for one in package.components}
    assert kinds["Deployment"].namespaced
    assert all(one.api_version == "apps/v1" and not one.custom for one in package.components)
    (learned,) = learned_from(APPS.read_bytes(), "apps/v1", {"Deployment": True}).kinds
    assert kinds["Deployment"].schema == schema_text(learned.schema_body)


def test_what_the_addresses_tell_of_kinds() -> None:
    def told(kind: str, group: str = "g.io", version: str = "v1") -> dict[str, Any]:
        return {
            "get": {"x-kubernetes-group-version-kind": {"group": group, "kind": kind, "version": version}}
        }

    def schema(kind: str) -> dict[str, Any]:
        marked = [{"group": "g.io", "kind": kind, "version": "v1"}]
        return {**SCHEMA, "x-kubernetes-group-version-kind": marked}

    paths = {
        "/apis/g.io/v1/": {"get": {"description": "resources"}},
        "/apis/g.io/v1/widgets": told("Widget"),
        "/apis/g.io/v1/namespaces/{namespace}/widgets": told("Widget"),
        "/apis/g.io/v1/namespaces/{namespace}/widgets/{name}": told("Widget"),
        "/apis/g.io/v1/namespaces/{namespace}/widgets/{name}/scale": told("Scale", "autoscaling"),
        "/apis/g.io/v1/fleets/{name}": {**told("Fleet"), "parameters": []},
        "/apis/g.io/v1/lost/{name}": told("Lost"),
    }
    document = {
        "openapi": "3.0.0",
        "info": {"version": "v1.30.0"},
        "paths": paths,
        "components": {"schemas": {"a": schema("Widget"), "b": schema("Fleet"), "c": schema("WidgetList")}},
    }
    (package,) = read_source("g.json", orjson.dumps(document)).packages
    assert [(one.kind, one.namespaced) for one in package.components] == [("Fleet", False), ("Widget", True)]
    assert (package.model.name, package.model.version) == ("g-io", "v1.0.0")
    assert [(one.name, one.reason) for one in package.refused] == [
        ("Lost", "Its schema was not taken: the document has none for it.")
    ]
    paths["/apis/g.io/v2/widgets"] = told("Widget", version="v2")
    (refused,) = read_source("g.json", orjson.dumps(document)).refused
    assert refused.reason == "It holds 2 API group versions of Kubernetes, one is wanted."


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        ({"openapi": "3.0.0", "paths": {"/users": {}}}, "It describes no API of Kubernetes."),
        ({"openapi": "3.1.0", "components": None}, "It describes no API of Kubernetes."),
        ({"openapi": "3.0.0", "paths": [1]}, "It describes no API of Kubernetes."),
    ],
)
def test_openapi_documents_of_something_else(document: dict[str, Any], reason: str) -> None:
    (refused,) = read_source("openapi.json", orjson.dumps(document)).refused
    assert refused.reason == reason
