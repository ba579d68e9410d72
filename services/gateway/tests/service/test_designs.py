"""Saving and importing designs in the ways that Meshery's clients have."""

from __future__ import annotations

import base64
from typing import Any
from uuid import uuid4

import pytest
from aiohttp import ClientSession

from meshery_contracts import designs
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


@pytest.mark.parametrize("query", ["oci=true", "pkg=true", "export=Kubernetes%20Manifest"])
async def test_a_format_that_is_not_made_is_not_something_else(http: ClientSession, query: str) -> None:
    path = f"/api/pattern/download/{uuid4()}?{query}"
    assert await refused(http, "GET", path) == (400, "download_format")
