"""Reading the registry under both of Meshery's prefixes, in the dialects of its three generations."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from aiohttp import ClientSession

from meshery_contracts import registry as contract
from meshery_contracts.caller import Caller
from meshery_contracts.registry import EntityPage, ListComponents, ListModels
from meshery_testkit.stubs import Stubs

PREFIXES = ("/api/registry", "/api/meshmodels")


def a_page(plural: str = "components", **values: Any) -> EntityPage:
    rows = [{"id": str(uuid4()), "displayName": "Deployment"}]
    return EntityPage.model_validate({"total_count": 1, plural: rows, "generation": 7, **values})


async def read(http: ClientSession, path: str) -> Any:
    async with http.get(path) as reply:
        assert reply.status == 200, await reply.text()
        return await reply.json()


@pytest.mark.parametrize("prefix", PREFIXES)
async def test_both_prefixes_and_both_spellings(http: ClientSession, stubs: Stubs, prefix: str) -> None:
    asked = await stubs.answer(contract.LIST_COMPONENTS, a_page())
    for query in ("pagesize=5&page=2", "page_size=5&page=2", "pageSize=5&page=2"):
        answer = await read(http, f"{prefix}/components?{query}&search=dep&order=name&sort=asc")
        assert answer["pageSize"] == answer["page_size"] == 25
        assert answer["totalCount"] == answer["total_count"] == 1
        assert "models" not in answer
    wanted = ListComponents(page=2, page_size=5, search="dep", order="name asc", with_schemas=False)
    assert [request for request, _ in asked] == [wanted] * 3


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        ("/components?search=x", {"search": "x", "greedy": False, "name": "", "with_schemas": False}),
        ("/components?trim=false", {"with_schemas": True}),
        ("/components/Pod", {"name": "Pod", "greedy": False, "with_schemas": True}),
        ("/components/Pod?search=true&trim=true", {"name": "Pod", "greedy": True, "with_schemas": False}),
        (
            "/categories/c/models/m/components/Pod?apiVersion=v1&version=v1.2&status=all&annotations=false",
            {
                "category": "c",
                "model": "m",
                "name": "Pod",
                "api_version": "v1",
                "model_version": "v1.2",
                "status": "",
                "annotations": False,
            },
        ),
    ],
)
async def test_parameters_of_components(
    http: ClientSession, stubs: Stubs, path: str, wanted: dict[str, Any]
) -> None:
    asked = await stubs.answer(contract.LIST_COMPONENTS, a_page())
    await read(http, f"/api/registry{path}")
    assert wanted.items() <= asked[0][0].model_dump(by_alias=False).items()


async def test_parameters_of_models(http: ClientSession, stubs: Stubs) -> None:
    asked = await stubs.answer(contract.LIST_MODELS, a_page("models"))
    model_id = uuid4()
    await read(
        http,
        f"/api/meshmodels/models?id={model_id}&version=v1&registrant=meshery&status=enabled&annotations=true"
        "&components=true&relationships=true&trim=false",
    )
    await read(http, "/api/registry/models/istio?search=true")
    first, second = (request.model_dump(by_alias=False, exclude_unset=True) for request, _ in asked)
    assert first == {
        "page": 0, "page_size": 25, "search": "", "order": "", "model_id": model_id, "version": "v1",
        "registrant": "meshery", "status": "enabled", "annotations": True, "name": "", "category": "",
        "with_components": True, "with_relationships": True, "with_schemas": True, "trim": False,
        "facets": False,
    }  # fmt: skip
    assert (second["name"], second["greedy"], second["with_schemas"]) == ("istio", True, False)


async def test_the_newest_version_of_a_name_comes_first(http: ClientSession, stubs: Stubs) -> None:
    components = await stubs.answer(contract.LIST_COMPONENTS, a_page())
    models = await stubs.answer(contract.LIST_MODELS, a_page("models"))
    for query in ("", "?order=kind&sort=asc", "?search=true"):
        await read(http, f"/api/registry/components/Pod{query}")
        await read(http, f"/api/registry/models/kubernetes{query}")
    await read(http, "/api/registry/components")
    wanted = ["version desc", "kind asc", ""]
    assert [one.order for one, _ in components] == [*wanted, ""]
    assert [one.order for one, _ in models] == wanted


async def test_relationships_by_a_part_of_their_kind(http: ClientSession, stubs: Stubs) -> None:
    asked = await stubs.answer(contract.LIST_RELATIONSHIPS, a_page("relationships"))
    await read(http, "/api/meshmodels/models/kubernetes/relationships/hier?search=true")
    assert (asked[0][0].kind, asked[0][0].greedy, asked[0][0].search) == ("hier", True, "")


@pytest.mark.parametrize(
    ("path", "name"),
    [("models?id=x", "id"), ("components?model_id=x", "modelId"), ("relationships?id=x", "id")],
)
async def test_a_wrong_id_is_told_by_the_name_of_the_parameter(
    http: ClientSession, path: str, name: str
) -> None:
    async with http.get(f"/api/registry/{path}") as reply:
        problem = await reply.json()
    assert (reply.status, problem["code"], problem["fields"][0]["path"]) == (400, "id_invalid", name)


async def test_policies_as_meshery_spells_their_path(http: ClientSession, stubs: Stubs) -> None:
    asked = await stubs.answer(contract.LIST_POLICIES, a_page("policies"))
    for path in ("policies", "policies/core", "policiescore"):
        await read(http, f"/api/meshmodels/models/kubernetes/{path}")
    assert [(one.model, one.name) for one, _ in asked] == [
        ("kubernetes", ""),
        ("kubernetes", "core"),
        ("kubernetes", "core"),
    ]


async def test_all_rows_are_walked_to(http: ClientSession, stubs: Stubs) -> None:
    pages = {
        None: a_page("models", total_count=3, next_cursor="2"),
        "2": a_page("models", total_count=3, next_cursor="3"),
        "3": a_page("models", total_count=3),
    }
    cursors: list[str | None] = []

    async def handle(request: ListModels, _: Caller) -> EntityPage:
        cursors.append(request.cursor)
        return pages[request.cursor]

    await (await stubs.bus("registry")).serve(contract.LIST_MODELS, handle)
    answer = await read(http, "/api/registry/models?pagesize=all")
    assert cursors == [None, "2", "3"]
    assert len(answer["models"]) == answer["page_size"] == answer["pageSize"] == 3
    assert answer["nextCursor"] is None


async def test_an_answer_that_the_client_has_is_not_sent_again(http: ClientSession, stubs: Stubs) -> None:
    await stubs.answer(contract.LIST_COMPONENTS, a_page())
    async with http.get("/api/registry/components") as reply:
        tag = reply.headers["ETag"]
    async with http.get("/api/registry/components", headers={"If-None-Match": tag}) as reply:
        assert reply.status == 304


async def test_long_answers_are_compressed(http: ClientSession, stubs: Stubs) -> None:
    lengths = {"categories": 10, "models": 10_000, "components": 300_000}
    endpoints = (contract.LIST_CATEGORIES, contract.LIST_MODELS, contract.LIST_COMPONENTS)
    for (plural, length), endpoint in zip(lengths.items(), endpoints, strict=True):
        await stubs.answer(endpoint, a_page(plural, **{plural: [{"name": "x" * length}]}))  # type: ignore[arg-type]
    for plural, length in lengths.items():
        path = f"/api/registry/{plural}"
        async with http.get(path) as reply:
            assert (await reply.json())[plural] == [{"name": "x" * length}]
            assert ("Content-Encoding" in reply.headers) == (length > 10)
        async with http.get(path, headers={"Accept-Encoding": "identity"}) as reply:
            assert "Content-Encoding" not in reply.headers
