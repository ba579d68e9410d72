"""Saving and importing designs in the ways that Meshery's clients have."""

from __future__ import annotations

import base64
import json
from typing import Any
from uuid import uuid4

import pytest
from aiohttp import ClientSession

from meshery_contracts import designs
from meshery_testkit.builders import a_design
from meshery_testkit.hosting import processes_beside
from meshery_testkit.stubs import Stubs

FILE = base64.b64encode(b"kind: ConfigMap").decode()


async def refused(http: ClientSession, method: str, path: str, **sent: Any) -> tuple[int, str]:
    async with http.request(method, path, **sent) as reply:
        return reply.status, (await reply.json())["code"]


@pytest.mark.parametrize("path", ["/api/pattern", "/api/pattern/import", "/api/pattern/Design"])
async def test_an_address_is_not_fetched_and_nothing_is_saved_in_its_place(
    http: ClientSession, stubs: Stubs, path: str
) -> None:
    """As `mesheryctl design apply -f https://github.com/…` sends it."""
    saved = await stubs.answer(designs.CREATE, RuntimeError("nothing was to be saved"))
    body = {"url": "https://github.com/shop/design", "path": "shop.yaml", "save": True}
    assert await refused(http, "POST", path, json=body) == (400, "import_url")
    assert saved == []


@pytest.mark.parametrize("body", ["", "{}", '{"save": true, "pattern_data": {}}'])
async def test_a_request_without_a_design(http: ClientSession, stubs: Stubs, body: str) -> None:
    saved = await stubs.answer(designs.CREATE, RuntimeError("nothing was to be saved"))
    assert await refused(http, "POST", "/api/pattern", data=body) == (400, "design_missing")
    assert saved == []


@pytest.mark.parametrize("method", ["POST", "PUT"])
@pytest.mark.parametrize("kind", ["deplyo", "Helm Chart", "Docker Compose"])
async def test_a_kind_of_document_that_cannot_be_imported(
    http: ClientSession, stubs: Stubs, method: str, kind: str
) -> None:
    supported = [designs.SupportedType(design_type=designs.DesignType.DESIGN, supported_extensions=[".yml"])]
    await stubs.answer(designs.TYPES, designs.SupportedTypes(types=supported))
    imported = await stubs.answer(designs.IMPORT, RuntimeError("nothing was to be imported"))
    body = {"pattern_data": {"name": "shop", "source_content": FILE}}
    path = f"/api/pattern/{kind.replace(' ', '%20')}"
    assert await refused(http, method, path, json=body) == (404, "design_type_unknown")
    assert imported == []


@pytest.mark.parametrize("query", ["oci=true", "pkg=true", "export=Helm%20Chart"])
async def test_a_format_that_is_not_made_is_not_something_else(http: ClientSession, query: str) -> None:
    path = f"/api/pattern/download/{uuid4()}?{query}"
    assert await refused(http, "GET", path) == (400, "download_format")


async def test_a_design_is_downloaded_as_a_file(http: ClientSession, stubs: Stubs) -> None:
    await stubs.answer(
        designs.GET, a_design(name="my shöp", pattern_file='{"name": "shop", "commit": "12e3"}')
    )
    async with http.get(f"/api/pattern/download/{uuid4()}?oci=false") as reply:
        assert (reply.status, reply.content_type) == (200, "application/yaml")
        assert reply.headers["Content-Disposition"] == "attachment;filename=my_sh_p.yml"
        # Without the quotes Kubernetes would read a number.
        assert await reply.text() == "name: shop\ncommit: '12e3'\n"


async def test_a_large_design_is_written_beside_the_gateway(http: ClientSession, stubs: Stubs) -> None:
    """A deep one becomes twenty times as long, which takes seconds: in threads, half of them were nobody else's."""
    file = json.dumps({"name": "shop", "components": ["x" * 100] * 1000})
    await stubs.answer(designs.GET, a_design(pattern_file=file))
    assert processes_beside() == 0
    async with http.get(f"/api/pattern/download/{uuid4()}") as reply:
        assert (await reply.text()).startswith("name: shop\ncomponents:\n- xxx")
    assert processes_beside() == 1


async def test_a_design_is_downloaded_as_a_manifest(http: ClientSession, stubs: Stubs) -> None:
    asked = await stubs.answer(
        designs.EXPORT, designs.DesignManifest(name="shop", manifest="kind: Pod\n", objects=1)
    )
    design_id = uuid4()
    for word in ("Kubernetes%20Manifest", "kubernetes%20manifest"):
        async with http.get(f"/api/pattern/download/{design_id}?export={word}") as reply:
            assert (reply.status, reply.content_type) == (200, "application/yaml")
            assert reply.headers["Content-Disposition"] == "attachment;filename=shop.yml"
            assert await reply.text() == "kind: Pod\n"
    query = f'{{ designManifest(id: "{design_id}") }}'
    async with http.post("/api/system/graphql/query", json={"query": query}) as reply:
        assert await reply.json() == {"data": {"designManifest": "kind: Pod\n"}}
    assert [request.design_id for request, _ in asked] == [design_id] * 3


async def test_an_original_is_downloaded(http: ClientSession, stubs: Stubs) -> None:
    design = a_design(
        name="shop",
        type=designs.NullString(string="Kubernetes Manifest", valid=True),
        source_content=base64.b64encode(b"# mine\nkind: Pod\n").decode(),
    )
    asked = await stubs.answer(designs.GET, design)
    path = f"/api/pattern/download/{design.id}"
    async with http.get(f"{path}/Kubernetes%20Manifest") as reply:
        assert (reply.status, reply.content_type) == (200, "application/x-yaml")
        assert reply.headers["Content-Disposition"] == "attachment;filename=shop.yml"
        assert await reply.read() == b"# mine\nkind: Pod\n"
    assert [request.with_source for request, _ in asked] == [True]
    assert await refused(http, "GET", f"{path}/Design") == (404, "design_type_differs")


async def test_a_chart_is_downloaded_as_it_came(http: ClientSession, stubs: Stubs) -> None:
    chart = a_design(
        type=designs.NullString(string="Helm Chart", valid=True),
        source_content=base64.b64encode(b"\x1f\x8b").decode(),
    )
    await stubs.answer(designs.GET, chart)
    async with http.get(f"/api/pattern/download/{chart.id}/Helm%20Chart") as reply:
        assert (reply.content_type, await reply.read()) == ("application/x-tar", b"\x1f\x8b")


async def test_a_design_that_nobody_imported_has_no_original(http: ClientSession, stubs: Stubs) -> None:
    await stubs.answer(designs.GET, a_design(type=designs.NullString(string="Design", valid=True)))
    assert await refused(http, "GET", f"/api/pattern/download/{uuid4()}/Design") == (404, "original_missing")
