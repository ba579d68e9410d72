"""Importing and checking over the bus."""

from __future__ import annotations

import base64
from typing import Any

import orjson
import pytest

from meshery_common.documents import read_documents
from meshery_contracts import designs
from meshery_contracts.designs import (
    CreateDesign,
    DesignType,
    ExportDesign,
    GetDesign,
    ImportDesign,
    ImportedDesign,
    ListDesigns,
    ValidateDesign,
)
from meshery_contracts.errors import Forbidden, Invalid, NotFound, Unavailable
from meshery_contracts.keys import Key, bits_of
from meshery_contracts.messages import Nothing
from meshery_testkit.asking import Client
from meshery_testkit.builders import a_component, a_design_file
from meshery_testkit.hosting import processes_beside
from meshery_testkit.stub_registry import StubRegistry

pytestmark = pytest.mark.usefixtures("service")

MANIFESTS = """
apiVersion: v1
kind: ConfigMap
metadata: {name: settings, uid: "123", creationTimestamp: 2026-11-23T10:00:00Z}
data: {since: 2026-11-23, at: 22:22}
---
apiVersion: example.com/v1
kind: Gadget
metadata: {name: mine}
spec: {size: 3}
"""


async def imported(client: Client, text: str, **fields: Any) -> ImportedDesign:
    file = base64.b64encode(text.encode()).decode()
    return await client.ask(designs.IMPORT, ImportDesign(**{"file": file, **fields}))


def components(outcome: ImportedDesign) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = orjson.loads(outcome.design.pattern_file)["components"]
    return found


async def test_manifests_become_a_design_and_nothing_is_dropped(client: Client, kinds: StubRegistry) -> None:
    kinds.teach("v1", "ConfigMap")
    outcome = await imported(client, MANIFESTS, file_name="my.shop.yaml")
    known, unknown = components(outcome)
    assert outcome.design.name == "my.shop"
    assert outcome.design.type.string == DesignType.KUBERNETES_MANIFEST
    assert known["configuration"] == {
        "metadata": {"name": "settings"},
        "data": {"since": "2026-11-23", "at": "22:22"},
    }
    assert (known["status"], known["modelReference"]["name"]) == ("enabled", "kubernetes")
    assert (unknown["status"], unknown["configuration"]["spec"]) == ("open", {"size": 3})
    assert [(one.document, one.reference) for one in outcome.notes] == [(2, "Gadget/mine")]


async def test_what_was_imported_is_kept_and_given_when_asked_for(
    client: Client, kinds: StubRegistry
) -> None:
    design = (await imported(client, MANIFESTS)).design
    assert design.source_content is None
    assert (await client.ask(designs.LIST, ListDesigns())).patterns[0].source_content is None
    read = await client.ask(designs.GET, GetDesign(design_id=design.id, with_source=True))
    assert base64.b64decode(read.source_content or "").decode() == MANIFESTS


async def test_a_design_file_keeps_its_name_unless_another_is_given(client: Client) -> None:
    file = a_design_file(a_component(name="a"), name="its own")
    outcome = await imported(client, file, file_name="file.yml")
    assert (outcome.design.name, outcome.design.type.string) == ("its own", DesignType.DESIGN)
    assert (await imported(client, file, name="given")).design.name == "given"
    nameless = orjson.dumps({"components": []}).decode()
    assert (await imported(client, nameless, file_name="file.yml")).design.name == "file"
    assert (await imported(client, nameless)).design.name == "Untitled Design"


async def test_a_design_may_only_be_shown(client: Client) -> None:
    outcome = await imported(client, a_design_file(a_component()), save=False)
    assert (outcome.design.version, len(components(outcome))) == (0, 1)
    assert (await client.ask(designs.LIST, ListDesigns())).total_count == 0


async def test_what_cannot_be_imported_is_refused_with_its_place(client: Client) -> None:
    for text, code, where in [
        ("kind: ConfigMap", "manifest_invalid", "document 1"),
        (MANIFESTS + "---\nfoo: bar", "manifest_invalid", "document 3"),
        ("a: [", "document_unreadable", "line 2, column 1"),
        (MANIFESTS + "spec: {size: 4}", "document_key_twice", "line 11, column 1"),
        ("", "document_empty", None),
    ]:
        with pytest.raises(Invalid) as caught:
            await imported(client, text)
        problem = caught.value.problem
        assert (problem.code, problem.fields[0].path if problem.fields else None) == (code, where)
    archive = base64.b64encode(b"\x1f\x8b\xff\x00").decode()
    for file, what in (
        ("no base64!", "not in base64"),
        ("é", "not in base64"),
        (archive, "no text in UTF-8"),
    ):
        with pytest.raises(Invalid, match=what) as caught:
            await client.ask(designs.IMPORT, ImportDesign(file=file))
        assert caught.value.problem.code == "file_encoding"


async def test_an_import_is_repeated_though_the_registry_is_away(client: Client, kinds: StubRegistry) -> None:
    kinds.teach("v1", "ConfigMap")
    request = ImportDesign(file=base64.b64encode(MANIFESTS.encode()).decode())
    first = await client.ask(designs.IMPORT, request, key="k")
    kinds.away = True
    assert await client.ask(designs.IMPORT, request, key="k") == first
    with pytest.raises(Unavailable):
        await client.ask(designs.IMPORT, request, key="another")


async def test_a_large_file_is_read_beside_the_service(client: Client, kinds: StubRegistry) -> None:
    manifest = "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: settings-{}}}\ndata: {{key: value}}\n"
    assert processes_beside() == 0
    outcome = await imported(client, "".join(manifest.format(n) for n in range(1000)))
    assert len(components(outcome)) == 1000
    assert processes_beside() == 1


async def test_the_supported_types(client: Client) -> None:
    found = await client.ask(designs.TYPES, Nothing())
    assert {one.design_type for one in found.types} == {"Kubernetes Manifest", "Design"}


async def test_problems_are_located(client: Client, kinds: StubRegistry) -> None:
    schema = {"properties": {"spec": {"properties": {"replicas": {"type": "integer"}}}}}
    kinds.teach("apps/v1", "Deployment", schema=schema)
    kinds.teach("v1", "ConfigMap", schema={"properties": {"data": {"type": "object"}}})
    wrong = a_component("Deployment", "web", spec={"replicas": "3"})
    file = a_design_file(
        wrong,
        a_component("Deployment", "api", spec={"replicas": 3}),
        a_component("ConfigMap", "settings", data={}),
        a_component("Gadget", "mine", version="example.com/v1"),
        {**a_component("Note", "note"), "metadata": {"isAnnotation": True}},
    )
    saved = await client.ask(designs.CREATE, CreateDesign(file=file))
    for request in (ValidateDesign(file=file), ValidateDesign(design_id=saved.id)):
        report = await client.ask(designs.VALIDATE, request)
        assert (report.valid, report.checked) == (False, 4)
        web, gadget = report.components
        assert (str(web.component_id), web.known) == (wrong["id"], True)
        assert [one.path for one in web.problems] == ["configuration.spec.replicas"]
        assert (gadget.name, gadget.known, gadget.problems) == ("mine", False, [])
    with pytest.raises(Invalid) as caught:
        await client.ask(designs.VALIDATE, ValidateDesign())
    assert caught.value.problem.code == "design_missing"


async def test_an_imported_manifest_comes_out_again(client: Client, kinds: StubRegistry) -> None:
    kinds.teach("v1", "ConfigMap")
    design = (await imported(client, MANIFESTS)).design
    request = ExportDesign(design_id=design.id)
    out = await client.ask(designs.EXPORT, request)
    assert (out.name, out.objects) == (design.name, 2)
    settings, gadget = read_documents(out.manifest)
    assert settings == {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "settings"},
        "data": {"since": "2026-11-23", "at": "22:22"},
    }
    assert gadget["spec"] == {"size": 3}
    with pytest.raises(NotFound):
        await client.stranger().ask(designs.EXPORT, request)
    viewer = client.colleague(key_bits=bits_of((Key.VIEW_DESIGNS,)))
    with pytest.raises(Forbidden):
        await viewer.ask(designs.EXPORT, request)
