"""Imports over the bus, from every kind of source, each on a real server of localhost."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import json
import os
import tarfile
import zipfile
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from meshery_common.bus import Bus
from meshery_common.context import MESSAGE_BYTES
from meshery_contracts import imports, registry
from meshery_contracts.definitions import (
    GET_ICONS,
    LIST_CONNECTION_DEFINITIONS,
    GetIcons,
    ListConnectionDefinitions,
)
from meshery_contracts.errors import Conflict, Forbidden, Invalid, NotFound, TooLarge
from meshery_contracts.imports import (
    MAX_FILE_BYTES,
    ExportModel,
    Import,
    ImportDefinitions,
    ImportEntry,
    ImportId,
    ImportStatus,
    ListImportEntries,
    ListImports,
    ModelNaming,
    Outcome,
    PackageFile,
    PackageFormat,
    RepositoryChart,
    Sheets,
    SourceKind,
    UploadedFile,
)
from meshery_contracts.keys import LOCAL_BITS, Key, bits_of
from meshery_registry.clients.oci import CHART_LAYER
from meshery_registry.settings import FetchSettings, RegistrySettings
from meshery_testkit.facts import Facts, following
from meshery_testkit.nats import NATSForTests
from meshery_testkit.source_server import SourceServer


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[SourceServer]:
    """Where everything is fetched from."""
    async with SourceServer.open(tmp_path) as opened:
        yield opened


@pytest.fixture
def settings(settings: RegistrySettings, server: SourceServer) -> RegistrySettings:
    """A laptop's settings; GitHub and Artifact Hub are the test's server."""
    fetch = FetchSettings(
        allow_http=True,
        allow_loopback_addresses=True,
        ports=(),
        github_url=f"{server.url}/github",
        artifact_hub_url=server.url,
    )
    return settings.model_copy(update={"fetch": fetch})


@pytest.fixture
async def facts(nats: NATSForTests) -> AsyncIterator[Facts]:
    """What the service announces."""
    async with following(nats, "registry") as found:
        yield found


def a_crd(kind: str, group: str = "shop.example.com", **properties: Any) -> dict[str, Any]:
    """A CRD of one version."""
    schema = {"type": "object", "properties": {"spec": {"type": "object", "properties": properties}}}
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{kind.lower()}s.{group}"},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {"kind": kind, "plural": f"{kind.lower()}s"},
            "versions": [version],
        },
    }


def bundle(*documents: Mapping[str, Any]) -> bytes:
    """Documents in one YAML file: JSON is YAML."""
    return "\n---\n".join(json.dumps(one) for one in documents).encode()


def tarred(files: Mapping[str, bytes], *, packed: bool = True) -> bytes:
    """A tar.gz, or a plain tar."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz" if packed else "w") as archive:
        for name, body in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(body)
            archive.addfile(entry, io.BytesIO(body))
    return made.getvalue()


def zipped(files: Mapping[str, bytes]) -> bytes:
    """A zip archive."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, body in files.items():
            archive.writestr(name, body)
    return made.getvalue()


def a_chart(version: str = "1.2.3") -> bytes:
    """A chart with one CRD in `crds` and one among its templates."""
    in_template = bundle(a_crd("Basket")).decode()
    return tarred(
        {
            "shop/Chart.yaml": f"apiVersion: v2\nname: shop\nversion: {version}\n".encode(),
            "shop/values.yaml": b"crds: {install: true}\n",
            "shop/crds/order.yaml": bundle(a_crd("Order")),
            "shop/templates/crds.yaml": f"{{{{- if .Values.crds.install }}}}\n{in_template}\n{{{{- end }}}}\n".encode(),
        }
    )


def upload(name: str, body: bytes, **fields: Any) -> ImportDefinitions:
    """An import of an uploaded file."""
    return ImportDefinitions(
        file=UploadedFile(file_name=name, content=base64.b64encode(body).decode()), **fields
    )


async def done(client: Any, facts: Facts, request: ImportDefinitions) -> Import:
    """An import that was started, as it is when it has ended."""
    started: Import = await client.ask(imports.IMPORT_DEFINITIONS, request)
    await facts.wait_for(imports.IMPORT_FINISHED, lambda fact: fact.import_id == started.id)
    ended: Import = await client.ask(imports.GET_IMPORT, ImportId(import_id=started.id))
    return ended


async def entries(client: Any, imported: Import, **filters: Any) -> list[ImportEntry]:
    page = await client.ask(
        imports.LIST_IMPORT_ENTRIES, ListImportEntries(import_id=imported.id, page_size=1000, **filters)
    )
    found: list[ImportEntry] = page.entries
    return found


async def kinds(client: Any, imported: Import) -> set[str]:
    """The components that an import took."""
    assert imported.status is ImportStatus.SUCCEEDED, imported.problem
    found = await entries(client, imported, entity_type="component")
    return {one.name for one in found if one.outcome is not Outcome.REFUSED}


async def registered(client: Any, model: str) -> set[str]:
    """The components of a model that a person finds."""
    page = await client.ask(
        registry.LIST_COMPONENTS, registry.ListComponents(model=model, with_schemas=False)
    )
    return {one["component"]["kind"] for one in page.components}


async def test_a_crd_bundle_from_the_web(client: Any, facts: Facts, server: SourceServer) -> None:
    server.files["/crds.yaml"] = bundle(a_crd("Order"), a_crd("Basket"), {"kind": "Nonsense"})
    imported = await done(client, facts, ImportDefinitions(url=f"{server.url}/crds.yaml?token=hush"))
    assert await kinds(client, imported) == {"Order", "Basket"}
    assert (imported.source_kind, imported.source) == (SourceKind.WEB, f"{server.url}/crds.yaml")
    assert (imported.components.added, imported.models.added, imported.models_done) == (2, 1, 1)
    [model] = await entries(client, imported, entity_type="model")
    assert await registered(client, model.name) == {"Order", "Basket"}
    told = [one.description for one in facts.of(imports.IMPORT_FINISHED)]
    assert "hush" not in str(told)
    # The same again changes nothing and says so; a changed kind is updated.
    again = await done(client, facts, ImportDefinitions(url=f"{server.url}/crds.yaml"))
    assert (again.components.unchanged, again.components.added) == (2, 0)
    server.files["/crds.yaml"] = bundle(a_crd("Order", size={"type": "integer"}), a_crd("Basket"))
    changed = await done(client, facts, ImportDefinitions(url=f"{server.url}/crds.yaml"))
    assert (changed.components.updated, changed.components.unchanged) == (1, 1)


@pytest.mark.parametrize(
    "way", ["repository", "registry", "registry chart", "archive", "upload", "artifact hub"]
)
async def test_a_chart(client: Any, facts: Facts, server: SourceServer, way: str) -> None:
    server.publish_charts("/charts", {("shop", "1.2.3"): a_chart(), ("shop", "1.0.0"): a_chart("1.0.0")})
    server.push("charts/shop", {"shop.tgz": a_chart()}, media_type=CHART_LAYER, tag="1.2.3")
    package = {"name": "shop", "version": "1.2.3", "repository": {"url": f"{server.url}/charts"}}
    server.files["/api/v1/packages/search"] = json.dumps({"packages": [package]}).encode()
    request = {
        "repository": ImportDefinitions(
            chart=RepositoryChart(repository=f"{server.url}/charts", name="shop")
        ),
        "registry": ImportDefinitions(url=f"oci://{server.host}/charts/shop:1.2.3"),
        "registry chart": ImportDefinitions(
            chart=RepositoryChart(repository=f"oci://{server.host}/charts", name="shop", version="1.2.3")
        ),
        "archive": ImportDefinitions(url=f"{server.url}/charts/shop-1.2.3.tgz"),
        "upload": upload("shop.tgz", a_chart()),
        "artifact hub": ImportDefinitions(artifact_hub="shop"),
    }[way]
    imported = await done(client, facts, request)
    # The one in `crds`, and the one that only exists once its template is rendered.
    assert await kinds(client, imported) == {"Order", "Basket"}
    [model] = await entries(client, imported, entity_type="model")
    assert (model.name, model.model_version) == ("shop", "1.2.3")
    assert imported.notes == []
    # By whichever address it comes, it is one chart; Artifact Hub vouches for its own.
    [stored] = (await client.ask(registry.LIST_MODELS, registry.ListModels(name="shop"))).models
    assert stored["registrant"]["kind"] == ("artifacthub" if way == "artifact hub" else "helm")


async def test_a_chart_that_cannot_be_rendered(client: Any, facts: Facts) -> None:
    chart = tarred(
        {
            "shop/Chart.yaml": b"apiVersion: v2\nname: shop\nversion: 1.2.3\n",
            "shop/crds/order.yaml": bundle(a_crd("Order")),
            "shop/templates/broken.yaml": b"{{ fail .Values.password }}",
        }
    )
    imported = await done(client, facts, upload("shop.tgz", chart))
    assert await kinds(client, imported) == {"Order"}
    assert "not rendered" in imported.notes[0]


@pytest.mark.parametrize("way", ["git", "tree", "browser"])
async def test_a_git_repository(client: Any, facts: Facts, server: SourceServer, way: str) -> None:
    server.commit(
        "github/acme/shop", {"deploy/crds/order.yaml": bundle(a_crd("Order")), "main.go": "package main"}
    )
    server.commit("github/acme/shop", {"deploy/crds/basket.yaml": bundle(a_crd("Basket"))}, tag="v2.0.0")
    server.commit("github/acme/shop", {"deploy/crds/bill.yaml": bundle(a_crd("Bill"))})
    base = f"{server.url}/github/acme/shop"
    url, expected = {
        "git": (f"git+{base}.git//deploy/crds?ref=v2.0.0", {"Order", "Basket"}),
        "tree": (f"{base}/tree/v2.0.0/deploy", {"Order", "Basket"}),
        "browser": (base, {"Order", "Basket", "Bill"}),
    }[way]
    imported = await done(client, facts, ImportDefinitions(url=url))
    assert await kinds(client, imported) == expected
    assert imported.source_kind is SourceKind.GIT
    if way != "browser":
        [model] = await entries(client, imported, entity_type="model")
        assert model.model_version == "v2.0.0"


@pytest.mark.parametrize("form", ["folder", "zip", "tar.gz", "tar", "image", "registry", "yaml"])
async def test_a_model_package_comes_back_as_it_went(
    client: Any, facts: Facts, server: SourceServer, form: str
) -> None:
    first = await done(client, facts, upload("crds.yaml", bundle(a_crd("Order"), a_crd("Basket"))))
    [model] = await entries(client, first, entity_type="model")
    export = ExportModel(
        name=model.name,
        format=PackageFormat.YAML if form == "yaml" else PackageFormat.JSON,
        file_type=PackageFile.OCI if form in ("image", "registry") else PackageFile.TAR,
    )
    exported = await client.ask(imports.EXPORT_MODEL, export)
    content = base64.b64decode(exported.content)
    assert exported.file_name.startswith(f"{model.name}-")
    somebody = client.as_somebody()
    if form in ("zip", "tar", "registry"):
        files = {}
        if form != "registry":
            with tarfile.open(fileobj=io.BytesIO(content)) as archive:
                for member in archive.getmembers():
                    opened = archive.extractfile(member) if member.isfile() else None
                    if opened is not None:
                        files[member.name] = opened.read()
        if form == "zip":
            content = zipped(files)
        elif form == "tar":
            content = tarred(files, packed=False)
    if form == "registry":
        server.push("models/shop", {"shop.tar": content}, media_type="application/x-tar")
        request = ImportDefinitions(url=f"oci://{server.host}/models/shop")
    else:
        request = upload(f"model.{'tar' if form == 'image' else form}", content)
    imported = await done(somebody, facts, request)
    assert await kinds(somebody, imported) == {"Order", "Basket"}
    assert await registered(somebody, model.name) == {"Order", "Basket"}
    again = await somebody.ask(imports.EXPORT_MODEL, export)
    assert base64.b64decode(again.content) == base64.b64decode(exported.content)


#: As Meshery's own packages are: pictures inside, words that its newer schemas do not know, and one bad picture.
PICTURE = (
    '<?xml version="1.0"?><!DOCTYPE svg><svg xmlns="http://www.w3.org/2000/svg"><path d="M0 0h2"/></svg>'
)
WITH_PICTURES: dict[str, Any] = {
    "m/model.json": {
        "schemaVersion": "models.meshery.io/v1beta1",
        "name": "Old Bakery",
        "displayName": "Old Bakery",
        "subCategory": "Baking & Frying",
        "category": {"name": "Provisioning"},
        "metadata": {"svgColor": PICTURE, "svgWhite": "<html/>", "shape": "circle"},
        "model": {"version": "0.5.0"},
        "registrant": {"kind": "artifacthub", "name": "Artifact Hub"},
    },
    "m/components/Oven.json": {
        "schemaVersion": "components.meshery.io/v1beta1",
        "styles": {"svgColor": PICTURE, "svgComplete": "", "background-image": "none", "shape": "circle"},
        "capabilities": [{"kind": "mutate", "metadata": None}],
        "configuration": None,
        "component": {"kind": "Oven", "version": "bakery.example.com/v1", "schema": "{}"},
    },
    "m/components/Fryer.json": {
        "schemaVersion": "components.meshery.io/v1beta1",
        "component": {"kind": "Fryer", "version": "bakery.example.com/v1", "schema": '{"type": 5}'},
    },
    "m/relationships/edge.json": {
        "schemaVersion": "relationships.meshery.io/v1alpha3",
        "kind": "edge",
        "type": "non-binding",
        "subType": "network",
        "metadata": {"styles": {"svgColor": PICTURE}},
        "selectors": [{"allow": {"from": [{"kind": "Oven"}], "to": [{"kind": "Fryer"}]}}],
    },
    "m/connections/Bakery.json": {
        "schemaVersion": "connections.meshery.io/v1beta3",
        "kind": "bakery",
        "styles": {"svgColor": f"<svg xmlns='http://www.w3.org/2000/svg' onload='x()'>{PICTURE[43:]}"},
    },
}


@pytest.mark.parametrize("file_type", list(PackageFile))
async def test_what_was_exported_is_unchanged_when_it_comes_back(
    client: Any, facts: Facts, file_type: PackageFile
) -> None:
    files = {name: json.dumps(one).encode() for name, one in WITH_PICTURES.items()}
    first = await done(client, facts, upload("m.zip", zipped(files)))
    assert (first.models.added, first.components.added, first.connections.added) == (1, 2, 1)
    export = ExportModel(name="Old Bakery", file_type=file_type)
    exported = await client.ask(imports.EXPORT_MODEL, export)
    again = await done(client, facts, upload("again", base64.b64decode(exported.content)))
    told = [one for one in await entries(client, again) if one.outcome is not Outcome.UNCHANGED]
    assert told == []
    assert (await client.ask(imports.EXPORT_MODEL, export)).content == exported.content
    models = await client.ask(registry.LIST_MODELS, registry.ListModels(name="Old Bakery"))
    assert models.models[0]["subCategory"] == "Baking & Frying"
    assert models.models[0]["metadata"]["shape"] == "circle"
    # Nothing that runs is kept, and pictures are addresses.
    definitions = await client.ask(LIST_CONNECTION_DEFINITIONS, ListConnectionDefinitions())
    [connection] = definitions.connection_definitions
    picture = connection["styles"]["svgColor"]
    assert picture.startswith("/api/registry/icons/")
    wanted = GetIcons(hashes=[picture.rpartition("/")[2].removesuffix(".svg")])
    [icon] = (await client.ask(GET_ICONS, wanted)).icons.values()
    assert "onload" not in icon


async def test_sheets(client: Any, facts: Facts) -> None:
    models = "a,,,\nregistrant,modelDisplayName,model,category,publishToRegistry\nmeshery,Shop,shop,Database,true\n"
    components = "a,,,\nregistrant,model,component,schema,version\nmeshery,shop,Order,{},v1\n"
    request = ImportDefinitions(sheets=Sheets(models=models, components=components))
    imported = await done(client, facts, request)
    assert imported.source_kind is SourceKind.SHEETS
    assert [(one.name, one.outcome) for one in await entries(client, imported, entity_type="model")] == [
        ("shop", Outcome.ADDED)
    ]


async def test_a_file_that_is_larger_than_a_message_comes_packed(client: Any, facts: Facts) -> None:
    crds = bundle(
        *(a_crd(f"Kind{n}", text={"type": "string", "description": "x" * 5000}) for n in range(1000))
    )
    assert len(crds) > 5_000_000
    packed = base64.b64encode(gzip.compress(crds)).decode()
    request = ImportDefinitions(file=UploadedFile(file_name="crds.yaml", content_gzip=packed))
    imported = await done(client, facts, request)
    assert imported.components.added == 1000


async def test_a_trial_changes_nothing(client: Any, facts: Facts) -> None:
    trial = await done(client, facts, upload("crds.yaml", bundle(a_crd("Order")), dry_run=True))
    assert (trial.dry_run, trial.components.added) == (True, 1)
    [model] = await entries(client, trial, entity_type="model")
    assert await registered(client, model.name) == set()
    assert not facts.of(registry.MODELS_REGISTERED)
    real = await done(client, facts, upload("crds.yaml", bundle(a_crd("Order"))))
    assert real.components.added == 1
    assert await registered(client, model.name) == {"Order"}


async def test_the_importer_may_name_the_model(client: Any, facts: Facts) -> None:
    naming = ModelNaming(name="my-shop", version="9.9.9", display_name="My Shop", category="Database")
    imported = await done(client, facts, upload("crds.yaml", bundle(a_crd("Order")), model=naming))
    [model] = await entries(client, imported, entity_type="model")
    assert (model.name, model.model_version) == ("my-shop", "9.9.9")
    assert await registered(client, "my-shop") == {"Order"}


async def test_what_a_report_tells_of_an_entity(client: Any, facts: Facts) -> None:
    crd = a_crd("SaleOrder")
    crd["spec"]["versions"].append({**crd["spec"]["versions"][0], "name": "v2", "storage": False})
    naming = ModelNaming(display_name="A Shop", category="Database")
    imported = await done(client, facts, upload("crds.yaml", bundle(crd), model=naming))
    model, *components = await entries(client, imported)
    assert (model.display_name, model.category) == ("A Shop", "Database")
    assert [(one.display_name, one.api_version, one.category) for one in components] == [
        ("Sale Order", "shop.example.com/v1", "Database"),
        ("Sale Order", "shop.example.com/v2", "Database"),
    ]
    relationship = {
        "schemaVersion": "relationships.meshery.io/v1alpha3",
        "kind": "edge",
        "type": "non-binding",
        "subType": "network",
        "selectors": [
            {"allow": {"from": [{"kind": "SaleOrder"}], "to": [{"kind": "Service"}, {"kind": "Pod"}]}}
        ],
    }
    package = {
        "m/model.json": {
            "schemaVersion": "models.meshery.io/v1beta1",
            "name": "m",
            "model": {"version": "v1.0.0"},
            "registrant": {"kind": "github"},
        },
        "m/edge.json": relationship,
    }
    files = {name: json.dumps(one).encode() for name, one in package.items()}
    imported = await done(client, facts, upload("m.zip", zipped(files)))
    [edge] = await entries(client, imported, entity_type="relationship")
    assert (edge.from_kinds, edge.to_kinds) == (["SaleOrder"], ["Pod", "Service"])


async def test_imports_are_listed_and_belong_to_their_organisation(client: Any, facts: Facts) -> None:
    first = await done(client, facts, upload("one.yaml", bundle(a_crd("Order"))))
    second = await done(client, facts, upload("two.yaml", bundle(a_crd("Basket"))))
    page = await client.ask(imports.LIST_IMPORTS, ListImports())
    assert [one.id for one in page.imports] == [second.id, first.id]
    stranger = client.as_somebody()
    assert (await stranger.ask(imports.LIST_IMPORTS, ListImports())).imports == []
    for endpoint in (imports.GET_IMPORT, imports.CANCEL_IMPORT):
        with pytest.raises(NotFound):
            await stranger.ask(endpoint, ImportId(import_id=first.id))
    with pytest.raises(NotFound):
        await stranger.ask(imports.LIST_IMPORT_ENTRIES, ListImportEntries(import_id=first.id))
    with pytest.raises(Conflict):
        await client.ask(imports.CANCEL_IMPORT, ImportId(import_id=first.id))
    two = await client.ask(imports.LIST_IMPORT_ENTRIES, ListImportEntries(import_id=first.id, page_size=1))
    rest = await client.ask(
        imports.LIST_IMPORT_ENTRIES,
        ListImportEntries(import_id=first.id, page_size=1, cursor=two.next_cursor),
    )
    assert [one.position for one in (*two.entries, *rest.entries)] == [0, 1]


@pytest.mark.parametrize(
    "request_",
    [
        ImportDefinitions(),
        ImportDefinitions(url="https://example.com/x", artifact_hub="shop"),
        ImportDefinitions(url="nonsense"),
        ImportDefinitions(url="file:///etc/passwd"),
        ImportDefinitions(file=UploadedFile(file_name="x", content="!!")),
        ImportDefinitions(file=UploadedFile(file_name="x")),
        ImportDefinitions(file=UploadedFile(file_name="x", content_gzip="eHg=")),
        ImportDefinitions(chart=RepositoryChart(repository="ftp://x", name="shop")),
        upload("x", b"x", model=ModelNaming(name="../shop")),
        upload("x", b"x", model=ModelNaming(name="shop ")),
        upload("x", b"x", model=ModelNaming(version="1\n2")),
    ],
)
async def test_orders_that_mean_nothing_are_refused_at_once(client: Any, request_: ImportDefinitions) -> None:
    with pytest.raises(Invalid) as caught:
        await client.ask(imports.IMPORT_DEFINITIONS, request_)
    assert caught.value.problem.remediation


async def test_who_may_import_and_export(client: Any) -> None:
    for key, endpoint, request in (
        (Key.IMPORT_MODELS, imports.IMPORT_DEFINITIONS, upload("x", b"x")),
        (Key.IMPORT_MODELS, imports.LIST_IMPORTS, ListImports()),
        (Key.EXPORT_MODELS, imports.EXPORT_MODEL, ExportModel(name="x")),
    ):
        stranger = client.as_somebody(key_bits=LOCAL_BITS & ~bits_of((key,)))
        with pytest.raises(Forbidden):
            await stranger.ask(endpoint, request)


async def test_exports_that_are_not(client: Any) -> None:
    with pytest.raises(NotFound):
        await client.ask(imports.EXPORT_MODEL, ExportModel(name="nothing"))
    with pytest.raises(Invalid):
        await client.ask(imports.EXPORT_MODEL, ExportModel())


async def test_a_file_of_fifty_megabytes_is_imported(client: Any, facts: Facts) -> None:
    # Nothing of it can be packed; what is no definition is passed over.
    pictures = {f"shop/{number}.png": os.urandom(9_900_000) for number in range(5)}
    body = tarred({"shop/crds.yaml": bundle(a_crd("Shelf")), **pictures}, packed=False)
    assert 49_000_000 < len(body) < MAX_FILE_BYTES
    request, key = upload("shop.tar", body), uuid4().hex
    assertion = client.people.assertion(client.caller)
    once, again = [
        await client.gateway.request(
            imports.IMPORT_DEFINITIONS, request, assertion=assertion, idempotency_key=key
        )
        for _ in range(2)
    ]
    assert once.id == again.id
    await facts.wait_for(imports.IMPORT_FINISHED, lambda fact: fact.import_id == once.id)
    imported = await client.ask(imports.GET_IMPORT, ImportId(import_id=once.id))
    assert (imported.status, imported.components.added) == (ImportStatus.SUCCEEDED, 1)


async def test_a_model_that_is_larger_than_a_message(client: Any, facts: Facts, nats: NATSForTests) -> None:
    def incompressible(number: int) -> dict[str, Any]:
        text = "".join(hashlib.sha512(f"{number} {n}".encode()).hexdigest() for n in range(800))
        return {"type": "string", "description": text}

    parts = [
        bundle(*(a_crd(f"Kind{n}", text=incompressible(n)) for n in range(at, at + 15)))
        for at in range(0, 60, 15)
    ]
    naming = ModelNaming(name="large", version="1.0.0")
    for part in parts:
        await done(client, facts, upload("crds.yaml", part, model=naming))
    export = ExportModel(name="large")
    exported = await client.ask(imports.EXPORT_MODEL, export)
    assert len(exported.content) > MESSAGE_BYTES
    # Who takes no more than a message is told so.
    settings = nats.bus_settings("gateway", max_large_bytes=MESSAGE_BYTES)
    async with Bus.connect(settings, service="gateway") as modest:
        with pytest.raises(TooLarge) as caught:
            await modest.request(
                imports.EXPORT_MODEL, export, assertion=client.people.assertion(client.caller)
            )
    assert caught.value.problem.code == "export_too_large"
