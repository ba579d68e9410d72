"""Imports in the shapes of Meshery's clients: what they send, how long they wait, what they read."""

from __future__ import annotations

import base64
import os
from datetime import UTC, datetime
from io import BytesIO
from typing import Any
from uuid import uuid4

import orjson
import pytest
from aiohttp import ClientSession

from meshery_contracts import imports as contract
from meshery_contracts.caller import Caller
from meshery_contracts.errors import Problem, Word
from meshery_contracts.imports import (
    MAX_FILE_BYTES,
    ExportedModel,
    Import,
    ImportDefinitions,
    ImportEntry,
    ImportEntryPage,
    ImportId,
    ImportStage,
    ImportStatus,
    Outcome,
    OutcomeCounts,
    SourceKind,
)
from meshery_gateway.settings import GatewaySettings
from meshery_testkit.nats import NATSForTests
from meshery_testkit.stubs import Stubs

NOW = datetime(2026, 1, 2, tzinfo=UTC)


def an_import(status: ImportStatus = ImportStatus.SUCCEEDED, **values: Any) -> Import:
    return Import.model_validate(
        {
            "id": uuid4(), "source_kind": SourceKind.FILE, "source": "istio.tar.gz", "dry_run": False,
            "status": status, "stage": ImportStage.DONE, "user_id": uuid4(), "created_at": NOW,
            "updated_at": NOW, **values,
        }
    )  # fmt: skip


def an_entry(position: int, entity_type: str, name: str, outcome: Outcome, **more: Any) -> ImportEntry:
    return ImportEntry(
        position=position,
        entity_type=entity_type,
        name=name,
        model="istio",
        model_version="1.20",
        outcome=outcome,
        **more,
    )


ENTRIES = [
    an_entry(0, "model", "istio", Outcome.ADDED),
    an_entry(
        1, "component", "Gateway", Outcome.ADDED, display_name="A Gateway", category="Cloud Native Network"
    ),
    an_entry(
        2, "component", "Broken", Outcome.REFUSED, reason="has no kind", where="b.json", remedy="add it"
    ),
    an_entry(
        3,
        "relationship",
        "edge non-binding network",
        Outcome.UNCHANGED,
        from_kinds=["Gateway"],
        to_kinds=["Pod", "Service"],
    ),
]


async def imported(
    stubs: Stubs, reply: Import, entries: list[ImportEntry] | None = None
) -> list[ImportDefinitions]:
    """Every import ends like this; gives what was asked for."""
    asked: list[ImportDefinitions] = []

    async def start(request: ImportDefinitions, _: Caller) -> Import:
        asked.append(request)
        return reply.model_copy(update={"status": ImportStatus.PENDING})

    async def get(_: ImportId, __: Caller) -> Import:
        return reply

    bus = await stubs.bus("registry")
    await bus.serve(contract.IMPORT_DEFINITIONS, start)
    await bus.serve(contract.GET_IMPORT, get)
    await stubs.answer(contract.LIST_IMPORT_ENTRIES, ImportEntryPage(entries=entries or []))
    return asked


async def send(http: ClientSession, body: Any, *, status: int = 200, path: str = "register") -> Any:
    async with http.post(f"/api/registry/{path}", data=BytesIO(orjson.dumps(body))) as reply:
        assert reply.status == status, await reply.text()
        return await reply.json()


async def test_credentials_of_a_private_source_are_passed_on(http: ClientSession, stubs: Stubs) -> None:
    asked = await imported(stubs, an_import(), ENTRIES)
    credentials = {"user": "ali", "password": "open-sesame"}
    body = {"url": "https://example.com/a.yaml", "credentials": credentials}
    answer = await send(http, {"uploadType": "urlImport", "register": True, "importBody": body})
    started = await send(http, {"url": body["url"], "credentials": credentials}, path="imports", status=201)
    for one in asked:
        assert one.credentials is not None
        assert (one.credentials.user, one.credentials.password.get_secret_value()) == ("ali", "open-sesame")
    assert len(asked) == 2
    assert "sesame" not in f"{answer} {started}"
    wrong = {"url": body["url"], "credentials": {"user": "ali", "password": ["open-sesame"]}}
    refused = await send(http, {"uploadType": "urlImport", "importBody": wrong}, status=400)
    assert "credentials.password" in str(refused)
    assert "sesame" not in str(refused)


async def test_a_file_of_every_generation_and_what_became_of_it(http: ClientSession, stubs: Stubs) -> None:
    done = an_import(
        models=OutcomeCounts(added=1),
        components=OutcomeCounts(added=1, refused=1),
        relationships=OutcomeCounts(unchanged=1),
    )
    asked = await imported(stubs, done, ENTRIES)
    content = b"\x1f\x8bpackage"
    encoded = base64.b64encode(content).decode()
    newest = {"fileName": "istio.tar.gz", "modelFile": encoded}
    oldest = {
        "file_name": "istio.tar.gz",
        "model_file": encoded,
        "url": "",
        "model_csv": "",
        "component_csv": "",
    }
    browser = {"fileName": "istio.tar.gz", "modelFile": list(content)}
    url = {"fileName": "istio.tar.gz", "modelFile": f"data:application/gzip;base64,{encoded}"}
    for body in (newest, oldest, browser, url):
        answer = await send(http, {"uploadType": "file", "register": True, "importBody": body})
    assert {(one.file.file_name, one.file.content, one.dry_run) for one in asked if one.file} == {
        ("istio.tar.gz", encoded, False)
    }
    counts = {
        "model_count": 1, "comp_count": 1, "rel_count": 1,
        "err_model_count": 0, "err_comp_count": 1, "err_rel_count": 0, "total_err_count": 1,
    }  # fmt: skip
    assert counts.items() <= answer["entity_count"].items()
    assert answer["entityCount"]["errCompCount"] == 1
    assert answer["model_name"] == answer["modelName"] == ["istio"]
    assert answer["err_msg"] == "Imported istio.tar.gz: 2 added, 1 unchanged, 1 refused."
    told = answer["entity_type_summary"]
    assert told["successful_components"] == [
        {
            "DisplayName": "A Gateway", "Model": "istio", "Category": "Cloud Native Network", "Version": "1.20",
            "Metadata": "added",
        }
    ]  # fmt: skip
    assert told["successfulRelationships"] == [
        {
            "Kind": "edge", "RelationshipType": "non-binding", "Subtype": "network", "Model": "istio",
            "Selectors": [{"allow": {"from": [{"kind": "Gateway"}], "to": [{"kind": "Pod"}, {"kind": "Service"}]}}],
        }
    ]  # fmt: skip
    assert told["unsuccessful_component_names"] == [
        {
            "name": ["Broken"],
            "entityType": ["component"],
            "error": {
                "ShortDescription": ["has no kind"],
                "LongDescription": ["has no kind", "b.json"],
                "SuggestedRemediation": ["add it"],
            },
        }
    ]


@pytest.mark.parametrize(
    ("counts", "sentence"),
    [
        (
            {"files_refused": 1},
            "Nothing of istio.tar.gz was imported: 1 refused. a.zip: It is cut off. Send it.",
        ),
        ({"models": OutcomeCounts(refused=1)}, "Nothing of istio.tar.gz was imported: 1 refused."),
        ({"dry_run": True, "files_refused": 1}, "Nothing of istio.tar.gz would be imported: 1 refused."),
        ({"connections": OutcomeCounts(added=2)}, "Imported istio.tar.gz: 2 added."),
        ({}, "Imported istio.tar.gz: there was nothing in it."),
    ],
)
async def test_what_a_shell_says(
    http: ClientSession, stubs: Stubs, counts: dict[str, Any], sentence: str
) -> None:
    refused = an_entry(0, "file", "a.zip", Outcome.REFUSED, reason="It is cut off.", remedy="Send it.")
    await imported(stubs, an_import(**counts), [refused] if "files_refused" in counts else [])
    file = {"fileName": "istio.tar.gz", "modelFile": base64.b64encode(b"x").decode()}
    answer = await send(http, {"uploadType": "file", "importBody": file})
    assert answer["err_msg"].startswith(sentence)


async def test_addresses_and_sheets(http: ClientSession, stubs: Stubs) -> None:
    asked = await imported(stubs, an_import())
    await send(
        http,
        {
            "uploadType": "url",
            "register": False,
            "importBody": {"url": "https://x.example/y", "model": {"displayName": "X", "subCategory": "s"}},
        },
    )
    columns = {"model": "y", "modelDisplayName": "Y", "registrant": "github"}
    await send(
        http, {"uploadType": "urlImport", "importBody": {"url": "oci://x.example/y:1", "model": columns}}
    )
    sheet = base64.b64encode(b"a,b\n1,2").decode()
    sheets = {"modelCsv": f"data:text/csv;base64,{sheet}", "component_csv": sheet, "relationshipCsv": "a,b"}
    await send(http, {"uploadType": "csv", "importBody": sheets})
    first, second, third = asked
    assert (first.url, first.dry_run) == ("https://x.example/y", True)
    assert (first.model.display_name, first.model.sub_category) == ("X", "s")
    assert (second.url, second.dry_run) == ("oci://x.example/y:1", False)
    assert (second.model.name, second.model.display_name) == ("y", "Y")
    assert third.sheets is not None
    assert (third.sheets.models, third.sheets.components, third.sheets.relationships) == (
        "a,b\n1,2", "a,b\n1,2", "a,b",
    )  # fmt: skip


async def test_a_large_file_arrives_whole_and_a_too_large_one_is_refused(
    http: ClientSession, stubs: Stubs
) -> None:
    asked = await imported(stubs, an_import())
    content = base64.b64encode(os.urandom(MAX_FILE_BYTES)).decode()
    body = {"uploadType": "file", "importBody": {"fileName": "big.tar", "modelFile": content}}
    await send(http, body)
    await send(http, {"file": {"fileName": "big.tar", "content": content}}, status=201, path="imports")
    for one in asked:
        assert one.file is not None
        assert one.file.content == content
    body["importBody"] = {"modelFile": base64.b64encode(bytes(MAX_FILE_BYTES + 1)).decode()}
    answer = await send(http, body, status=413)
    assert answer["code"] == "import_too_large"
    assert "urlImport" in answer["suggestedRemediation"][0]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "upload_type_unknown"),
        ({"uploadType": "file"}, "model_file_unreadable"),
        ({"uploadType": "file", "importBody": []}, "model_file_unreadable"),
        ({"uploadType": "file", "importBody": [1]}, "body_shape"),
        ({"uploadType": "file", "importBody": {"modelFile": ""}}, "model_file_empty"),
        ({"uploadType": "file", "importBody": {"modelFile": [256]}}, "model_file_unreadable"),
        ({"uploadType": "file", "importBody": {"modelFile": "ä"}}, "model_file_unreadable"),
        ({"uploadType": "csv", "importBody": {"modelCsv": 7}}, "sheet_unreadable"),
        ({"uploadType": "url", "importBody": {"url": [7]}}, "request_invalid"),
    ],
)
async def test_what_cannot_be_imported_is_explained(http: ClientSession, body: Any, code: str) -> None:
    assert (await send(http, body, status=400))["code"] == code


async def test_a_failed_import_says_why(http: ClientSession, stubs: Stubs) -> None:
    problem = Problem(word=Word.INVALID, code="archive_unsafe", title="The archive leads out of its folder.")
    await imported(stubs, an_import(ImportStatus.FAILED, problem=problem))
    body = {"uploadType": "urlImport", "importBody": {"url": "https://x.example/y.zip"}}
    assert (await send(http, body, status=400))["code"] == "archive_unsafe"


class TestImpatience:
    """A gateway that waits for nothing."""

    @pytest.fixture
    def settings(self, nats: NATSForTests) -> GatewaySettings:
        return GatewaySettings(bus=nats.bus_settings("gateway"), port=0, operation_wait_seconds=0.01)

    async def test_what_is_not_finished_is_told_with_its_id(self, http: ClientSession, stubs: Stubs) -> None:
        under_way = an_import(ImportStatus.RUNNING, models_done=3, models_total=10)
        await imported(stubs, under_way, ENTRIES[:2])
        body = {"uploadType": "urlImport", "importBody": {"url": "https://x.example/y.zip"}}
        answer = await send(http, body)
        assert answer["operationId"] == str(under_way.id)
        assert answer["status"] == "running"
        assert answer["err_msg"].startswith("Not finished yet: 3 of 10 models.")
        assert f"/api/registry/imports/{under_way.id}" in answer["err_msg"]


async def test_packages_are_generated(http: ClientSession, stubs: Stubs) -> None:
    asked = await imported(stubs, an_import(), ENTRIES)
    answer = await send(http, {"data": [{"name": "istio", "register": True}, {"name": "x"}]}, path="generate")
    assert [(one.artifact_hub, one.dry_run) for one in asked] == [("istio", False), ("x", True)]
    assert [one["name"] for one in answer] == ["istio", "x"]
    assert [one["displayName"] for one in answer[0]["components"]] == ["A Gateway"]
    assert answer[0]["errors"] == ["component Broken: has no kind"]


async def test_a_model_is_downloaded(http: ClientSession, stubs: Stubs) -> None:
    package = ExportedModel(
        file_name='istio "1".tar', media_type="application/x-tar", content=base64.b64encode(b"tar").decode()
    )
    asked = await stubs.answer(contract.EXPORT_MODEL, package)
    for query in (
        "name=istio&output_format=yaml&file_type=tar&components=false&pagesize=all",
        "name=istio&outputFormat=yaml&fileType=tar&components=false",
    ):
        async with http.get(f"/api/registry/export?{query}") as reply:
            assert await reply.read() == b"tar"
            assert reply.headers["Content-Type"] == "application/x-tar"
            assert reply.headers["Content-Disposition"] == 'attachment; filename="istio__1_.tar"'
    assert asked[0][0] == asked[1][0]
    request = asked[0][0]
    assert (request.format, request.file_type, request.components, request.relationships) == (
        "yaml", "tar", False, True,
    )  # fmt: skip
    assert not request.older
    async with http.get("/api/registry/export?name=istio&older=true") as reply:
        assert reply.status == 200
    assert asked[2][0].older
    for query, said in (
        ("id=x", "'x' is no id."),
        ("name=x&outputFormat=xml", "`outputFormat` is one of json, yaml."),
        ("name=x&file_type=zip", "`fileType` is one of oci, tar."),
    ):
        async with http.get(f"/api/registry/export?{query}") as reply:
            assert (reply.status, (await reply.json())["error"]) == (400, said)


async def test_a_large_model_is_downloaded(http: ClientSession, stubs: Stubs) -> None:
    content = os.urandom(40_000_000)
    package = ExportedModel(
        file_name="large.tar", media_type="application/x-tar", content=base64.b64encode(content).decode()
    )
    await stubs.answer(contract.EXPORT_MODEL, package)
    async with http.get("/api/registry/export?name=large") as reply:
        assert await reply.read() == content
        assert reply.headers["X-Content-Type-Options"] == "nosniff"


async def test_operations_of_our_own(http: ClientSession, stubs: Stubs) -> None:
    done = an_import()
    asked = await imported(stubs, done, ENTRIES)
    cancelled = await stubs.answer(contract.CANCEL_IMPORT, an_import(ImportStatus.CANCELLED))
    path = f"/api/registry/imports/{done.id}"
    async with http.post(
        "/api/registry/imports", json={"url": "https://x.example/y", "dryRun": True}
    ) as reply:
        assert reply.status == 201
        assert (await reply.json())["id"] == str(done.id)
    assert asked[0].dry_run
    async with http.get(path) as reply:
        assert (await reply.json())["status"] == "succeeded"
    async with http.get(f"{path}/entries?outcome=refused") as reply:
        assert len((await reply.json())["entries"]) == len(ENTRIES)
    async with http.get(f"{path}/entries?outcome=eaten") as reply:
        assert reply.status == 400
    async with http.post(f"{path}/cancel") as reply:
        assert (await reply.json())["status"] == "cancelled"
    assert cancelled[0][0].import_id == done.id
