"""What a client may send without harm: every nonsense gets an answer that says what is wrong."""

from __future__ import annotations

import asyncio
import json
from typing import Any
from uuid import uuid4

import pytest
from aiohttp import ClientSession, FormData

from meshery_contracts import connections, designs, identity
from meshery_testkit.builders import a_design
from meshery_testkit.stubs import Stubs


async def problem_of(http: ClientSession, method: str, path: str, **sent: Any) -> tuple[int, dict[str, Any]]:
    """The status and the body of an answer that is a problem."""
    async with http.request(method, path, **sent) as reply:
        body: dict[str, Any] = await reply.json()
        assert body["error"], body
        return reply.status, body


@pytest.mark.parametrize(
    "file",
    ["[" * 200_000, "a: &a [1]\n" + "b: [" * 50_000, "name: shop\ncomponents: [", '{"name": "\\ud800"}'],
    ids=["deep", "deep, with an alias", "cut off", "half a surrogate"],
)
async def test_a_deployment_with_a_file_that_nobody_can_read(
    http: ClientSession, stubs: Stubs, file: str
) -> None:
    design = a_design()
    await stubs.answer(designs.GET, design)
    updated = await stubs.answer(designs.UPDATE, design)
    body = json.dumps({"patternId": str(design.id), "patternFile": file})
    status, problem = await problem_of(http, "POST", "/api/pattern/deploy", data=body)
    assert status == 400, problem
    assert updated == []
    async with http.get("/healthz/live") as reply:
        assert reply.status == 200


async def test_a_direction_that_is_none(http: ClientSession) -> None:
    status, problem = await problem_of(http, "GET", f"/api/pattern/{uuid4()}/plan?direction=sideways")
    assert (status, problem["fields"][0]["path"]) == (400, "direction")


async def test_json_that_is_nested_too_deeply(http: ClientSession, stubs: Stubs) -> None:
    saved = await stubs.answer(identity.SAVE_PREFERENCES, identity.Preferences())
    deep = '{"a":' * 400 + "1" + "}" * 400
    status, problem = await problem_of(
        http, "POST", "/api/user/prefs", data=f'{{"dashboardPreferences": {deep}}}'
    )
    assert (status, problem["code"]) == (400, "request_unwritable"), problem
    query = "mutation($i: UpdateDesignInput!) { updateDesign(input: $i) { id } }"
    changes = {"changed": [json.loads(deep)], "removed": []}
    variables = {"i": {"id": str(uuid4()), "changes": changes}}
    async with http.post("/api/system/graphql/query", json={"query": query, "variables": variables}) as reply:
        (error,) = (await reply.json())["errors"]
    assert error["extensions"]["code"] == "request_unwritable", error
    assert saved == []


@pytest.mark.parametrize(
    ("path", "allowed"), [("/api/pattern", "GET, HEAD, POST"), ("/healthz/live", "GET, HEAD")]
)
async def test_a_method_that_a_path_does_not_have(http: ClientSession, path: str, allowed: str) -> None:
    async with http.delete(path) as reply:
        assert (reply.status, reply.headers["Allow"]) == (405, allowed)
        assert (await reply.json())["code"] == "method_unknown"


async def test_probes_may_ask_for_the_head_alone(http: ClientSession) -> None:
    async with http.get("/healthz/live") as reply:
        whole = reply.headers
    async with http.head("/healthz/live") as reply:
        assert reply.status == 200
        assert await reply.read() == b""
        assert reply.headers["Content-Length"] == whole["Content-Length"]
        assert reply.headers["ETag"] == whole["ETag"]
    # A stream would have no end.
    async with http.head("/api/system/events/subscribe") as reply:
        assert reply.status == 405


@pytest.mark.parametrize("text", ["-1", "1e9", "²", "10000000000", "x"])
async def test_a_page_that_is_no_number(http: ClientSession, text: str) -> None:
    status, problem = await problem_of(http, "GET", "/api/pattern", params={"pagesize": text})
    assert (status, problem["fields"][0]["path"]) == (400, "pageSize")
    query = "query($p: String!) { fetchPatterns(selector: {page: $p, pageSize: $p}) { total_count } }"
    variables = {"p": text}
    async with http.post("/api/system/graphql/query", json={"query": query, "variables": variables}) as reply:
        (error,) = (await reply.json())["errors"]
    assert error["extensions"]["code"] == "parameter_invalid", error


@pytest.mark.parametrize(("parts", "size"), [(64, 1_000_000), (2_000, 1)])
async def test_a_form_with_more_than_a_kubeconfig(
    http: ClientSession, stubs: Stubs, parts: int, size: int
) -> None:
    form = FormData()
    for number in range(parts):
        form.add_field(f"part{number}", b"x" * size, filename="x")
    read = await stubs.answer(connections.READ_CONTEXTS, connections.ContextList(contexts=[], refused=[]))
    async with asyncio.timeout(30):
        status, problem = await problem_of(http, "POST", "/api/system/kubernetes/contexts", data=form)
    assert (status, problem["code"]) == (413, "form_too_large")
    assert read == []


async def test_a_kubeconfig_without_a_word(http: ClientSession) -> None:
    form = FormData()
    form.add_field("k8sfile", b"", filename="config")
    status, problem = await problem_of(http, "POST", "/api/system/kubernetes", data=form)
    assert (status, problem["error"]) == (400, "The file `k8sfile` is empty.")
