"""A CRD read from its file has the schema that a real API server serves for it, to the byte.

One thing a server adds of its own: what metadata is, inside of embedded resources. Nothing here has one.
"""

from __future__ import annotations

import asyncio
from typing import Any

import yaml

from meshery_kube import Client as KubeClient
from meshery_registry.domain.openapi import learned_from, schema_text
from meshery_registry.domain.packages import read_source

GROUP = "files.registry.example.io"
SPEC: dict[str, Any] = {
    "type": "object",
    "description": "What is wanted.",
    "required": ["name"],
    "properties": {
        "name": {"type": "string", "minLength": 1, "maxLength": 63, "pattern": "^[a-z]+$"},
        "port": {"x-kubernetes-int-or-string": True},
        "many": {"type": "integer", "format": "int32", "minimum": 0, "maximum": 65535, "default": 8080},
        "share": {"type": "number", "minimum": 0, "exclusiveMinimum": True},
        "note": {"type": "string", "nullable": True, "default": None},
        "values": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
        "raw": {"x-kubernetes-preserve-unknown-fields": True},
        "labels": {"type": "object", "additionalProperties": {"type": "string"}},
        "mode": {"type": "string", "enum": ["a", "b"], "default": "a"},
        "rules": {
            "type": "array",
            "maxItems": 16,
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["host"],
            "items": {
                "type": "object",
                "required": ["host"],
                "properties": {"host": {"type": "string"}},
            },
        },
    },
    "x-kubernetes-validations": [{"rule": "self.name != 'root'", "message": "not root"}],
}


def a_crd() -> dict[str, Any]:
    schema = {
        "type": "object",
        "description": "A thing that came in a file.",
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": {"type": "object"},
            "spec": SPEC,
            "status": {"type": "object", "properties": {"ready": {"type": "boolean"}}},
        },
    }
    version = {"served": True, "schema": {"openAPIV3Schema": schema}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"gadgets.{GROUP}"},
        "spec": {
            "group": GROUP,
            "names": {"kind": "Gadget", "plural": "gadgets", "singular": "gadget"},
            "scope": "Namespaced",
            "versions": [
                {"name": "v1", "storage": True, **version},
                {"name": "v1beta1", "storage": False, **version},
            ],
        },
    }


async def served(kube: KubeClient) -> dict[str, bytes]:
    """The cluster's documents of the group, once it has both."""
    async with asyncio.timeout(60):
        while True:
            await kube.discovery.refresh()
            entries = {one.name.split("/", 1)[-1]: one for one in await kube.openapi.index()}
            wanted = [f"{GROUP}/v1", f"{GROUP}/v1beta1"]
            if all(name in entries for name in wanted):
                found = {name: await kube.openapi.document(entries[name]) for name in wanted}
                if all(b'"Gadget"' in document for document in found.values()):
                    return found
            await asyncio.sleep(0.2)


async def test_the_schema_of_a_file_is_that_of_the_cluster(kube: KubeClient) -> None:
    crds = await kube.discovery.find("apiextensions.k8s.io/v1", "CustomResourceDefinition")
    await kube.objects.create(crds, a_crd())
    try:
        documents = await served(kube)
    finally:
        await kube.objects.delete(crds, f"gadgets.{GROUP}")
    (package,) = read_source("gadgets.yaml", yaml.safe_dump(a_crd()).encode()).packages
    assert len(package.components) == 2
    for component in package.components:
        document = documents[component.api_version]
        (learned,) = learned_from(document, component.api_version, {"Gadget": True}).kinds
        assert component.schema == schema_text(learned.schema_body)
        assert component.description == learned.description
        # The document itself, sent as a file, teaches the same.
        (from_document,) = read_source("openapi.json", document).packages
        assert [one.schema for one in from_document.components] == [component.schema]
        assert (from_document.components[0].namespaced, from_document.components[0].custom) == (True, True)
        assert from_document.model.name == package.model.name
