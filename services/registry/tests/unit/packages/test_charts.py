"""Helm charts: what Chart.yaml says, CRDs of the chart and of its subcharts, and what only Helm can tell."""

from __future__ import annotations

import gzip
import tarfile
from collections.abc import Mapping
from io import BytesIO
from typing import Any

import pytest
import yaml

from meshery_registry.domain.packages import Origin, chart_package, is_chart, read_folder, read_source

CHART: dict[str, Any] = {
    "apiVersion": "v2",
    "name": "cert-manager",
    "version": "1.14.4",
    "appVersion": "v1.14.4",
    "description": "Certificates in clusters.",
    "icon": "https://example.org/logo.svg",
    "home": "https://example.org",
    "keywords": ["tls", 7],
    "sources": ["https://github.com/x/y"],
    "annotations": {"artifacthub.io/category": "security"},
}


def a_crd(kind: str, group: str = "cert-manager.io") -> bytes:
    schema = {"openAPIV3Schema": {"type": "object", "properties": {"spec": {"type": "object"}}}}
    return yaml.safe_dump(
        {
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {"name": f"{kind.lower()}s.{group}"},
            "spec": {
                "group": group,
                "names": {"kind": kind, "plural": f"{kind.lower()}s"},
                "scope": "Namespaced",
                "versions": [{"name": "v1", "served": True, "storage": True, "schema": schema}],
            },
        }
    ).encode()


def a_chart(files: Mapping[str, bytes], folder: str = "cert-manager", **changes: Any) -> bytes:
    packed = BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for path, data in {"Chart.yaml": yaml.safe_dump({**CHART, **changes}).encode(), **files}.items():
            info = tarfile.TarInfo(f"{folder}/{path}")
            info.size = len(data)
            archive.addfile(info, BytesIO(data))
    return packed.getvalue()


TEMPLATE = b"{{- if .Values.installCRDs }}\nkind: CustomResourceDefinition\n{{- end }}\n"
WHOLE = a_chart(
    {
        "crds/certificate.yaml": a_crd("Certificate"),
        "crds/more/issuers.yml": a_crd("Issuer") + b"---\n" + a_crd("ClusterIssuer"),
        "charts/acme/Chart.yaml": b"name: acme\nversion: 1.0.0\n",
        "charts/acme/crds/order.yaml": a_crd("Order", "acme.cert-manager.io"),
        "charts/inner-0.1.0.tgz": a_chart({"crds/a.yaml": a_crd("Inner", "inner.io")}, "inner", name="inner"),
        "templates/deployment.yaml": b"{{ broken }}: [",
        "templates/crds.yaml": TEMPLATE,
        "values.yaml": b"installCRDs: false\n",
        "README.md": b"# cert-manager",
    }
)


def test_a_chart_is_one_model() -> None:
    readings = chart_package(WHOLE, None, origin=Origin("artifacthub", "jetstack", "", "https://charts.x"))
    (package,) = readings.packages
    model = package.model
    assert (model.name, model.version, model.display_name) == ("cert-manager", "1.14.4", "Cert Manager")
    assert (model.category, model.description) == ("Security & Compliance", "Certificates in clusters.")
    assert (model.registrant_kind, model.registrant_name) == ("artifacthub", "jetstack")
    assert model.metadata == {
        "svgColor": "https://example.org/logo.svg",
        "svgWhite": "https://example.org/logo.svg",
        "appVersion": "v1.14.4",
        "home": "https://example.org",
        "keywords": ["tls"],
        "sources": ["https://github.com/x/y"],
        "source_uri": "https://charts.x",
    }
    assert [one.kind for one in package.components] == [
        *("Order", "Certificate", "ClusterIssuer", "Issuer", "Inner"),
    ]
    (refused,) = readings.refused
    assert refused.reason.startswith("CRDs among the templates")
    assert refused.where == "cert-manager/templates/crds.yaml"


def test_what_helm_rendered() -> None:
    rendered = (
        "---\n# Source: x\nkind: Service\n---\n" + a_crd("Rendered").decode() + a_crd("Issuer").decode()
    )
    rendered = rendered.replace("apiVersion: apiextensions", "---\napiVersion: apiextensions")
    readings = chart_package(WHOLE, rendered)
    (package,) = readings.packages
    assert "Rendered" in [one.kind for one in package.components]
    assert [one.kind for one in package.components].count("Issuer") == 1
    assert not readings.refused
    assert package.model.registrant_kind == "helm"


def test_a_chart_whose_crds_are_all_templates() -> None:
    chart = a_chart({"templates/crds.yaml": TEMPLATE})
    readings = chart_package(chart, None)
    assert not readings.packages
    assert [one.entity_type for one in readings.refused] == ["file", "model"]
    assert chart_package(chart, a_crd("Issuer").decode()).packages


def test_a_chart_that_defines_nothing() -> None:
    (refused,) = chart_package(a_chart({}), "").refused
    assert refused.reason == "The chart defines no kinds of its own."


def test_charts_are_found_in_whatever_is_read() -> None:
    assert is_chart(WHOLE)
    (package,) = read_source("cert-manager-1.14.4.tgz", WHOLE).packages
    assert len(package.components) == 5
    files = {
        "deploy/chart/Chart.yaml": yaml.safe_dump(CHART).encode(),
        "deploy/chart/crds/a.yaml": a_crd("Certificate"),
        "deploy/chart/templates/x.yaml": b"{{ broken }}: [",
        "config/crd/b.yaml": a_crd("Other", "other.io"),
    }
    readings = read_folder(files)
    assert not readings.refused
    assert sorted(one.model.name for one in readings.packages) == ["cert-manager", "other-io"]
    assert not is_chart(gzip.compress(b"name: x"))
    assert not is_chart(b"name: x")


@pytest.mark.parametrize(
    ("chart", "reason"),
    [
        (a_chart({}, name=""), "`name` is missing"),
        (a_chart({}, version=None), "`version` is missing"),
        (a_chart({"Chart.yaml": b"- 1"}), "`name` is missing"),
        (a_chart({"Chart.yaml": b"a: ["}), "no valid YAML"),
        (a_chart({"Chart.yaml": b""}), "The file is empty"),
        (a_chart({})[:-9], "It is cut off"),
        (gzip.compress(b""), "It holds no chart"),
        (b"", "It holds no chart"),
    ],
)
def test_charts_that_are_refused(chart: bytes, reason: str) -> None:
    readings = chart_package(chart, None)
    assert not readings.packages
    assert any(reason in one.reason for one in readings.refused), readings.refused


def test_a_broken_crd_does_not_take_the_others_along() -> None:
    readings = chart_package(a_chart({"crds/a.yaml": b"a: [", "crds/b.yaml": a_crd("Issuer")}), None)
    assert [one.kind for one in readings.packages[0].components] == ["Issuer"]
    assert readings.refused[0].where == "cert-manager/crds/a.yaml"
