"""The registry through REST on a running installation: import, look, relate, judge, export, and import again."""

from __future__ import annotations

import base64
import io
import json
import os
import tarfile
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4

import aiohttp
import pytest
from tests.system import guides
from tests.system.attacker import attacked
from tests.system.clients import GraphQL, Rest
from tests.system.guides import Link, Shell
from tests.system.waiting import until

from meshery_testkit.source_server import SourceServer

API = "/api/registry"
OLD_API = "/api/meshmodels"


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """One installation for all tests: each imports kinds of a group of its own."""
    with attacked(tmp_path_factory.mktemp("registry") / "home") as one:
        yield one


@pytest.fixture
async def rest(url: str) -> AsyncIterator[Rest]:
    """REST as the machine's own person, as soon as what ships with us is stored."""
    async with aiohttp.ClientSession() as http:
        rest = Rest(http, url)
        await until(
            "what ships with us is stored",
            lambda: rest.get(f"{API}/summary"),
            lambda summary: summary["components"] > 200,
        )
        yield rest


@pytest.fixture
async def sources(tmp_path: Path) -> AsyncIterator[SourceServer]:
    async with SourceServer.open(tmp_path / "sources") as one:
        yield one


def crd(kind: str, group: str) -> dict[str, Any]:
    """A CRD as its authors ship it."""
    schema = {
        "type": "object",
        "properties": {
            "spec": {
                "type": "object",
                "required": ["loaves"],
                "properties": {"loaves": {"type": "integer", "minimum": 1}, "note": {"type": "string"}},
            }
        },
    }
    plural = f"{kind.lower()}s"
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {"kind": kind, "plural": plural, "singular": kind.lower()},
            "versions": [
                {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
            ],
        },
    }


def bundle(group: str, *kinds: str) -> bytes:
    """CRDs of a group in one file."""
    return "\n---\n".join(json.dumps(crd(kind, group)) for kind in kinds).encode()


def archive(files: Mapping[str, bytes]) -> bytes:
    """A tar.gz of these files."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return packed.getvalue()


def chart() -> bytes:
    """A Helm chart with a CRD."""
    return archive(
        {
            "mill/Chart.yaml": b"apiVersion: v2\nname: mill\nversion: 1.2.3\nappVersion: 4.5.6\n",
            "mill/values.yaml": b"{}\n",
            "mill/crds/mills.yaml": json.dumps(crd("Mill", "mill.example.com")).encode(),
        }
    )


async def imported(rest: Rest, url: str, *, status: int = 200) -> Any:
    """What `register` says of an address."""
    body = {"uploadType": "urlImport", "register": True, "importBody": {"url": url}}
    return await rest.call("POST", f"{OLD_API}/register", body=body, status=status)


async def test_crds_and_charts_are_imported_listed_and_searched(rest: Rest, sources: SourceServer) -> None:
    sources.files["/crds.yaml"] = bundle("bakery.example.com", "Kiln", "Loaf", "Baker")
    sources.files["/mill-1.2.3.tgz"] = chart()

    answer = await imported(rest, f"{sources.url}/crds.yaml")
    assert answer["status"] == "succeeded", answer
    assert (answer["entity_count"]["comp_count"], answer["entityCount"]["totalErrCount"]) == (3, 0), answer
    [name] = answer["model_name"]
    again = await imported(rest, f"{sources.url}/crds.yaml")
    assert "unchanged" in again["err_msg"], again
    assert "added" not in again["err_msg"], again
    mill = await imported(rest, f"{sources.url}/mill-1.2.3.tgz")
    assert mill["entity_count"]["comp_count"] == 1, mill

    for api in (API, OLD_API):
        found = await rest.get(f"{api}/models/{name}/components", pagesize="all")
        assert {one["component"]["kind"] for one in found["components"]} == {"Kiln", "Loaf", "Baker"}
        assert {one["component"]["schema"] for one in found["components"]} == {""}, "lists carry no schemas"
    searched = await rest.get(f"{API}/components", search="bak", custom="true")
    assert "Baker" in {one["component"]["kind"] for one in searched["components"]}, searched
    one = (await rest.get(f"{API}/components/Kiln"))["components"][0]
    schema = json.loads(one["component"]["schema"])
    assert schema["properties"]["spec"]["required"] == ["loaves"]

    operation = await rest.get(f"{API}/imports/{answer['operationId']}")
    assert operation["status"] == "succeeded"
    entries = await rest.get(f"{API}/imports/{answer['operationId']}/entries")
    assert {one["outcome"] for one in entries["entries"]} == {"added"}

    gone = await imported(rest, f"{sources.url}/nothing.yaml", status=400)
    assert gone["word"] == "invalid", gone


async def test_every_list_has_the_same_answer_under_both_prefixes(rest: Rest) -> None:
    for path in (
        "/models",
        "/models/kubernetes",
        "/components",
        "/components/Deployment",
        "/models/kubernetes/components/Deployment",
        "/relationships",
        "/models/kubernetes/relationships",
        "/models/kubernetes/policies",
        "/categories",
        "/registrants",
        "/connections",
    ):
        new, old = await rest.get(f"{API}{path}"), await rest.get(f"{OLD_API}{path}")
        assert new == old, path
        assert new["totalCount"] == new["total_count"], path
    everything = await rest.get(f"{API}/components", pagesize="all")
    assert len(everything["components"]) == everything["total_count"] == everything["page_size"] > 200

    model = (await rest.get(f"{API}/models/kubernetes"))["models"][0]
    async with rest.http.get(rest.url + model["metadata"]["svgColor"]) as icon:
        assert icon.status == 200
        assert icon.content_type == "image/svg+xml"
        assert "sandbox" in icon.headers["Content-Security-Policy"]
        assert "<svg" in await icon.text()
    checks = {"port": {"schema": '{"type": "integer"}', "value": '"web"', "valueType": "JSON"}}
    checked = await rest.call("POST", f"{API}/validate", body={"validationItems": checks})
    assert checked["result"]["port"]["isValid"] is False, checked


async def test_what_mesheryctl_reads_is_there(rest: Rest) -> None:
    [model] = (await rest.get(f"{OLD_API}/models", search="kubernetes", page_size=1))["models"]
    assert all((model["name"], model["displayName"], model["version"], model["category"]["name"])), model
    [one] = (await rest.get(f"{OLD_API}/components", search="deployment", pagesize=1))["components"]
    assert all((one["displayName"], one["model"]["name"], one["component"]["kind"])), one
    assert one["component"]["version"] == "apps/v1"
    [one] = (await rest.get(f"{OLD_API}/relationships", kind="edge", pagesize=1))["relationships"]
    assert all(one[name] for name in ("id", "kind", "type", "subType", "schemaVersion", "version")), one
    assert "evaluationQuery" in one
    assert all((one["model"]["name"], one["model"]["displayName"])), one
    [one] = (await rest.get(f"{OLD_API}/registrants", pagesize=1))["registrants"]
    assert set(one["summary"]) == {"models", "components", "relationships", "policies"}, one


async def test_a_model_is_exported_deleted_and_imported_again(rest: Rest, sources: SourceServer) -> None:
    sources.files["/crds.yaml"] = bundle("export.example.com", "Spade", "Rake")
    [name] = (await imported(rest, f"{sources.url}/crds.yaml"))["model_name"]
    [model] = (await rest.get(f"{API}/models/{name}"))["models"]
    for file_type in ("oci", "tar"):
        query = {"name": name, "output_format": "json", "file_type": file_type}
        async with rest.http.get(f"{rest.url}{API}/export", params=query) as reply:
            assert reply.status == 200, await reply.text()
            assert "attachment" in reply.headers["Content-Disposition"]
            package = await reply.read()
        sources.files[f"/{file_type}"] = package
        again = await imported(rest, f"{sources.url}/{file_type}")
        assert again["status"] == "succeeded", again
        assert "added" not in again["err_msg"], again
        assert "updated" not in again["err_msg"], again

    hidden = {"id": model["id"], "status": "ignored"}
    assert (await rest.call("POST", f"{OLD_API}/models/status", body=hidden))["previous"] == "enabled"
    assert (await rest.get(f"{API}/components/Spade"))["total_count"] == 0
    deleted = await rest.call("DELETE", f"{OLD_API}/models/{model['id']}")
    assert (deleted["name"], deleted["components"]) == (name, 2)
    assert (await rest.get(f"{API}/models/{name}"))["total_count"] == 0
    back = await imported(rest, f"{sources.url}/oci")
    assert back["entity_count"]["comp_count"] == 2, back


async def test_graphql_follows_an_import(rest: Rest, sources: SourceServer) -> None:
    graphql = GraphQL(rest)
    sources.files["/crds.yaml"] = bundle("followed.example.com", "Kite", "Balloon")
    async with graphql.following(
        "subscription { registryChanges { sequence models generation } }"
    ) as changes:
        start = "mutation ($url: String!) { importDefinitions(input: {url: $url}) { id } }"
        one = (await graphql.ask(start, url=f"{sources.url}/crds.yaml"))["importDefinitions"]
        follow = """subscription ($id: UUID!) {
            importProgress(importId: $id) { status added import { components { added } } } }"""
        async with graphql.following(follow, id=one["id"]) as progress:
            told = await progress.next(
                "the end of the import", lambda told: told["importProgress"]["status"] == "succeeded"
            )
            assert told["importProgress"]["import"]["components"]["added"] == 2, told
        # What ships may be told meanwhile, too: it has no generation of the organisation.
        change = await changes.next("the new model", lambda told: told["registryChanges"]["generation"])
    [name] = change["registryChanges"]["models"]
    query = "query ($name: String!) { models(name: $name) { models { components { kind schema } } } }"
    [model] = (await graphql.ask(query, name=name))["models"]["models"]
    assert {one["kind"] for one in model["components"]} == {"Kite", "Balloon"}
    assert all("loaves" in one["schema"] for one in model["components"])


async def test_registrants_need_a_token_and_say_what_they_register(rest: Rest) -> None:
    component = {
        "schemaVersion": "components.meshery.io/v1beta1",
        "displayName": "Scale",
        "component": {"kind": "Scale", "version": "kitchen.example.com/v1", "schema": '{"type": "object"}'},
        "model": {
            "schemaVersion": "models.meshery.io/v1beta1",
            "name": "kitchen",
            "displayName": "Kitchen",
            "model": {"version": "v1.0.0"},
            "category": {"name": "Food"},
            "registrant": {"kind": "kitchen"},
        },
    }
    entity = base64.b64encode(json.dumps(component).encode()).decode()
    body = {
        "connection": {"kind": "kitchen", "name": "home"},
        "entityType": "component",
        "entity": entity,
    }
    for path in (f"{API}/components", "/api/meshmodel/components/register"):
        registered = await rest.call("POST", path, body=body)
        assert registered["quarantined"] is False, registered
    found = await rest.get(f"{API}/components/Scale")
    assert found["total_count"] == 1, found
    nobody = Rest(rest.http, rest.url, "unknown")
    assert (await nobody.call("POST", f"{API}/components", body=body, status=401))[
        "word"
    ] == "unauthenticated"


# --- relationships and policies -----------------------------------------------------------------------------


def component(kind: str, version: str, name: str, **configuration: Any) -> dict[str, Any]:
    """A component of a design."""
    return {
        "id": str(uuid4()),
        "schemaVersion": "components.meshery.io/v1beta1",
        "version": "v1.0.0",
        "displayName": name,
        "component": {"kind": kind, "version": version, "schema": ""},
        "model": {"name": "kubernetes", "version": "v1.0.0", "model": {"version": "v1.36.0"}},
        "configuration": {"metadata": {"name": name, "namespace": "shop"}, **configuration},
    }


def shop() -> dict[str, Any]:
    """A Service and the Deployment that it leads to."""
    labels = {"app": "shop"}
    pod = {"containers": [{"name": "web", "image": "nginx:latest", "ports": [{"containerPort": 80}]}]}
    deployment = {
        "selector": {"matchLabels": labels},
        "template": {"metadata": {"labels": labels}, "spec": pod},
    }
    return {
        "id": str(uuid4()),
        "name": "shop",
        "schemaVersion": "designs.meshery.io/v1beta1",
        "version": "0.0.1",
        "components": [
            component("Deployment", "apps/v1", "shop", spec=deployment),
            component("Service", "v1", "shop", spec={"selector": labels, "ports": [{"port": 80}]}),
        ],
        "relationships": [],
    }


async def test_a_design_is_evaluated(rest: Rest) -> None:
    design = shop()
    deployment, service = (one["id"] for one in design["components"])
    body = {"design": design, "options": {"returnDiffOnly": False, "enableTrace": True}}
    answers = [await rest.call("POST", f"{api}/relationships/evaluate", body=body) for api in (API, OLD_API)]
    for answer in answers:
        added = [one["value"]["item"] for one in answer["actions"] if one["op"] == "add_relationship"]
        assert {one["id"] for one in added} == {one["id"] for one in answer["trace"]["relationshipsAdded"]}
        sides = [one["selectors"][0]["allow"] for one in added]
        assert (service, deployment) in {(one["from"][0]["id"], one["to"][0]["id"]) for one in sides}, added
    evaluated = answers[0]
    again = await rest.call(
        "POST", f"{API}/relationships/evaluate", body={**body, "design": evaluated["design"]}
    )
    assert again["actions"] == [], "a second evaluation finds nothing to do"
    change = {"base": evaluated["evaluationHash"], "removedComponents": [service]}
    changed = await rest.call("POST", f"{API}/relationships/evaluate/change", body=change)
    assert {one["op"] for one in changed["actions"]} >= {"delete_relationship"}, changed["actions"]


POLICY = """
schemaVersion: policies.meshery.io/v1
name: no-latest
description: Images name their version.
match:
  kinds: [Deployment]
rules:
- name: tagged
  expression: "object.spec.template.spec.containers.all(one, !one.image.endsWith(':latest'))"
  action: deny
  message: an image is `latest`
  remedy: Name a version.
tests:
- name: a version is named
  object:
    apiVersion: apps/v1
    kind: Deployment
    metadata: {name: web}
    spec: {template: {spec: {containers: [{name: web, image: "nginx:1"}]}}}
  expect: pass
- name: none is
  object:
    apiVersion: apps/v1
    kind: Deployment
    metadata: {name: web}
    spec: {template: {spec: {containers: [{name: web, image: "nginx:latest"}]}}}
  expect: deny
"""


async def test_a_policy_denies_a_deployment(rest: Rest) -> None:
    policy = await rest.call("POST", f"{API}/policies", body={"file": POLICY}, status=201)
    assert policy["state"] == "draft"
    [design] = await rest.command(
        "POST", "/api/pattern", body={"name": "shop", "pattern_data": {"pattern_file": json.dumps(shop())}}
    )
    report = await rest.call("POST", f"{API}/policies/check", body={"designId": design["id"]})
    assert report["allowed"], "a draft has no say"
    await rest.call("PUT", f"{API}/policies/{policy['id']}/state", body={"state": "enabled"})
    report = await rest.call("POST", f"{API}/policies/check", body={"designId": design["id"]})
    assert not report["allowed"], report
    refused = await rest.call("POST", "/api/pattern/deploy", body={"patternId": design["id"]}, status=409)
    assert refused["code"] == "policy_denied", refused
    assert "latest" in refused["error"], refused
    listed = await rest.get(f"{API}/policies")
    assert "no-latest" in {one["name"] for one in listed["policies"]}, listed
    await rest.call("PUT", f"{API}/policies/{policy['id']}/state", body={"state": "disabled"})
    await rest.call("DELETE", f"{API}/policies/{policy['id']}")


# --- the guide ----------------------------------------------------------------------------------------------


async def test_the_guide_does_what_it_says(rest: Rest, tmp_path: Path) -> None:
    graphql = GraphQL(rest)
    async with Shell.opened(tmp_path, os.environ) as shell:
        for block in guides.read("registry.md"):
            if isinstance(block, Link):
                continue
            code = block.code.replace("http://localhost:9081", rest.url)
            if block.kind == "graphql":
                guides.check(block, json.dumps(await graphql.ask(code), indent=2))
            else:
                assert block.kind == "sh", f"nobody knows how to run {block}"
                guides.check(block, await shell.type(block, code))


@pytest.mark.parametrize(
    "plural", ["models", "components", "relationships", "policies", "categories", "registrants"]
)
@pytest.mark.parametrize("prefix", [API, OLD_API])
async def test_a_list_is_under_the_name_of_its_route_and_no_other(
    rest: Rest, prefix: str, plural: str
) -> None:
    """Clients written in other languages take a list that is null for an error."""
    page = await rest.get(f"{prefix}/{plural}?pagesize=1")
    lists = {
        "models", "components", "relationships", "policies", "categories", "registrants", "connection_definitions",
    }  # fmt: skip
    assert lists & {*page} == {plural}
    assert isinstance(page[plural], list)
