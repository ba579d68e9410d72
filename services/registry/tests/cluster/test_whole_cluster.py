"""A whole real cluster is registered over the bus, and its schemas tell good manifests from bad ones."""

from __future__ import annotations

import asyncio
import base64
import gzip
import time
from collections import defaultdict
from typing import Any
from uuid import uuid4

import jsonschema_rs
import orjson

from meshery_contracts import registry
from meshery_contracts.registry import KindName, ListComponents, RegisterOpenAPI, RegistrationReport
from meshery_kube import Client as KubeClient

#: What a cluster with its usual kinds and 300 CRDs may take, in seconds.
_BUDGET_SECONDS = 10.0
_CRDS = 300
#: Parts of an object that its schema leaves out.
_OUTSIDE = frozenset({"apiVersion", "kind", "metadata", "status"})

_WIDGETS = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "widgets.registry.example.io"},
    "spec": {
        "group": "registry.example.io",
        "names": {"kind": "Widget", "plural": "widgets", "singular": "widget"},
        "scope": "Namespaced",
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "schema": {
                    "openAPIV3Schema": {
                        "type": "object",
                        "required": ["spec"],
                        "properties": {
                            "spec": {
                                "type": "object",
                                "required": ["port"],
                                "properties": {
                                    "port": {"x-kubernetes-int-or-string": True},
                                    "note": {"type": "string", "nullable": True},
                                    "share": {"type": "number", "minimum": 0, "exclusiveMinimum": True},
                                    "values": {
                                        "type": "object",
                                        "x-kubernetes-preserve-unknown-fields": True,
                                    },
                                    "raw": {"x-kubernetes-preserve-unknown-fields": True},
                                },
                            }
                        },
                    }
                },
            }
        ],
    },
}


async def documents_of(kube: KubeClient) -> list[RegisterOpenAPI]:
    """One registration for each group version of a cluster, as connections sends them."""
    catalogue = await kube.discovery.refresh()
    scopes: defaultdict[str, dict[str, bool]] = defaultdict(dict)
    for kind in catalogue.kinds:
        scopes[kind.api_version][kind.kind] = kind.namespaced
    connection_id = uuid4()
    version = await kube.version()
    told = []
    for entry in await kube.openapi.index():
        group_version = entry.name.split("/", 1)[-1]
        if not scopes.get(group_version):
            continue
        kinds = scopes[group_version]
        document = await kube.openapi.document(entry)
        told.append(
            RegisterOpenAPI(
                connection_id=connection_id,
                cluster_name="sandbox",
                cluster_version=version.git_version,
                group_version=group_version,
                document_gzip=base64.b64encode(gzip.compress(document, 1)).decode(),
                namespaced_kinds=[kind for kind, namespaced in kinds.items() if namespaced],
                cluster_kinds=[kind for kind, namespaced in kinds.items() if not namespaced],
                custom="example.io" in group_version,
            )
        )
    return told


def crds_of(cluster: RegisterOpenAPI) -> list[RegisterOpenAPI]:
    """As many custom kinds as large clusters have, three in a group."""
    text = {"type": "string", "description": "A text that says at some length what the field is for. " * 3}
    deep = {"type": "object", "properties": {f"field{number}": text for number in range(40)}}
    spec = {"type": "object", "properties": {f"part{number}": deep for number in range(8)}}
    told = []
    for group in range(_CRDS // 3):
        name = f"group{group}.example.org"
        kinds = [f"Kind{group}{letter}" for letter in "ABC"]
        schemas = {
            f"org.example.{kind}": {
                "type": "object",
                "properties": {"spec": {**spec, "description": kind}},
                "x-kubernetes-group-version-kind": [{"group": name, "version": "v1", "kind": kind}],
            }
            for kind in kinds
        }
        document = orjson.dumps({"openapi": "3.0.0", "components": {"schemas": schemas}}).decode()
        changes = {
            "group_version": f"{name}/v1",
            "document": document,
            "document_gzip": "",
            "namespaced_kinds": kinds,
            "cluster_kinds": [],
            "custom": True,
        }
        told.append(cluster.model_copy(update=changes))
    return told


async def register_all(client: Any, told: list[RegisterOpenAPI]) -> list[RegistrationReport]:
    """Register some at a time, as connections does."""
    turn = asyncio.Semaphore(4)

    async def one(request: RegisterOpenAPI) -> RegistrationReport:
        async with turn:
            report: RegistrationReport = await client.register(request)
            return report

    return list(await asyncio.gather(*(one(request) for request in told)))


def without_nulls(value: Any) -> Any:
    """A value as Kubernetes reads it: what is null is not there. A schema says nothing of that."""
    if isinstance(value, dict):
        return {key: without_nulls(one) for key, one in value.items() if one is not None}
    return [without_nulls(one) for one in value] if isinstance(value, list) else value


async def schema_for(client: Any, api_version: str, kind: str) -> jsonschema_rs.Validator:
    name = KindName(api_version=api_version, kind=kind)
    resolved = await client.ask(registry.RESOLVE_KINDS, registry.ResolveKinds(kinds=[name]))
    schema_hash = resolved.kinds[0].schema_hash
    reply = await client.ask(registry.GET_SCHEMAS, registry.GetSchemas(hashes=[schema_hash]))
    return jsonschema_rs.validator_for(orjson.loads(reply.schemas[schema_hash]))


async def test_a_whole_cluster_is_registered_in_time_and_only_once(client: Any, kube: KubeClient) -> None:
    told = await documents_of(kube)
    told += crds_of(told[0])
    began = time.monotonic()
    reports = await register_all(client, told)
    seconds = time.monotonic() - began
    added = sum(one.added for one in reports)
    print(f"registered {added} kinds of {len(told)} group versions in {seconds:.1f} s")
    assert not [reason for one in reports for reason in one.refused]
    assert added >= _CRDS + 60
    assert seconds < _BUDGET_SECONDS
    generation = max(one.generation for one in reports)
    began = time.monotonic()
    again = await register_all(client, told)
    print(f"again in {time.monotonic() - began:.1f} s")
    assert sum(one.unchanged for one in again) == added
    assert sum(one.added + one.updated + one.removed for one in again) == 0
    assert max(one.generation for one in again) == generation
    page = await client.ask(registry.LIST_COMPONENTS, ListComponents(page_size=1000))
    assert page.total_count == added
    assert not [one["component"]["kind"] for one in page.components if one["metadata"]["hasInvalidSchema"]]


async def test_good_manifests_validate_and_bad_ones_do_not(client: Any, kube: KubeClient) -> None:
    await register_all(client, await documents_of(kube))
    deployment = await schema_for(client, "apps/v1", "Deployment")
    container = {
        "name": "web",
        "image": "nginx",
        "ports": [{"containerPort": 80, "protocol": "TCP"}],
        "resources": {"limits": {"cpu": 1, "memory": "1Gi"}, "requests": {"cpu": "100m"}},
        "readinessProbe": {"httpGet": {"path": "/", "port": "http"}},
        "env": [{"name": "A", "valueFrom": {"configMapKeyRef": {"name": "c", "key": "a"}}}],
    }
    good = {
        "replicas": 2,
        "selector": {"matchLabels": {"app": "web"}},
        "strategy": {"rollingUpdate": {"maxSurge": "25%", "maxUnavailable": 1}},
        "template": {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [container]}},
    }
    assert not [error.message for error in deployment.iter_errors({"spec": good})]
    nameless = {key: value for key, value in container.items() if key != "name"}
    bad_template = {**good["template"], "spec": {"containers": [nameless]}}  # type: ignore[dict-item]
    for bad in ({**good, "replicas": "two"}, {**good, "template": bad_template}, {"replicas": 1}):
        assert not deployment.is_valid({"spec": bad})


async def test_what_the_cluster_serves_back_validates(client: Any, kube: KubeClient) -> None:
    await register_all(client, await documents_of(kube))
    checked = 0
    for kind in (await kube.discovery.catalogue()).watchable():
        validator = await schema_for(client, kind.api_version, kind.kind)
        async for found in kube.objects.list(kind):
            own = without_nulls({key: value for key, value in found.items() if key not in _OUTSIDE})
            problems = [(list(error.instance_path), error.message) for error in validator.iter_errors(own)]
            assert not problems, (kind.kind, problems[:3])
            checked += 1
    assert checked > 50


async def test_a_crds_own_dialect_is_understood(client: Any, kube: KubeClient) -> None:
    crds = await kube.discovery.find("apiextensions.k8s.io/v1", "CustomResourceDefinition")
    await kube.objects.create(crds, _WIDGETS)
    try:
        async with asyncio.timeout(60):
            while True:
                told = [one for one in await documents_of(kube) if "registry.example" in one.group_version]
                if told:
                    break
                await asyncio.sleep(0.2)
        (report,) = await register_all(client, told)
        assert (report.added, report.refused) == (1, [])
        widget = await schema_for(client, "registry.example.io/v1", "Widget")
        anything = {"a": [1, {"b": None}]}
        good = {"port": "http", "note": None, "share": 0.5, "values": anything, "raw": anything}
        assert not [error.message for error in widget.iter_errors({"spec": good})]
        bads: list[dict[str, Any]] = [{}, {"port": []}, {"port": 1, "share": 0}, {"port": 1, "note": 2}]
        for bad in bads:
            assert not widget.is_valid({"spec": bad}), bad
        page = await client.ask(registry.LIST_MODELS, registry.ListModels(name="registry-example-io"))
        assert [(one["displayName"], one["componentsCount"]) for one in page.models] == [
            ("Registry Example Io", 1)
        ]
    finally:
        await kube.objects.delete(crds, "widgets.registry.example.io")
