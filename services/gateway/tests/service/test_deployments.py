"""Which design a request to deploy or undeploy means: by id, or by a file as Meshery's older clients send it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest
from aiohttp import ClientSession

from meshery_contracts import deployments, designs
from meshery_contracts.deployments import (
    DeployDesign,
    DeployedDesign,
    DeployedDesigns,
    Direction,
    Run,
    RunStatus,
)
from meshery_contracts.designs import Design
from meshery_contracts.errors import NotFound
from meshery_testkit.builders import a_design
from meshery_testkit.stubs import Stubs

NOW = datetime(2026, 1, 2, tzinfo=UTC)


def a_design_with_its_id(name: str = "shop") -> Design:
    """As it is saved: its file has the same id."""
    design_id = uuid4()
    file = json.dumps({"id": str(design_id), "name": name, "components": []})
    return a_design(id=design_id, name=name, pattern_file=file)


class Designs:
    """Stands in for the service: stored designs, and what was asked."""

    def __init__(self) -> None:
        self.stored: dict[UUID, Design] = {}
        self.created: list[str] = []
        self.updated: list[UUID] = []
        self.started: list[tuple[Direction, UUID]] = []

    def add(self) -> Design:
        design = a_design_with_its_id()
        self.stored[design.id] = design
        return design

    async def serve(self, stubs: Stubs) -> None:
        bus = await stubs.bus("designs")

        async def get(request: designs.GetDesign, _: Any) -> Design:
            if request.design_id not in self.stored:
                raise NotFound("There is no such design.", code="design_unknown")
            return self.stored[request.design_id]

        async def create(request: designs.CreateDesign, _: Any) -> Design:
            self.created.append(request.file)
            return self.add()

        async def update(request: designs.UpdateDesign, _: Any) -> Design:
            self.updated.append(request.design_id)
            return self.stored[request.design_id]

        async def deploy(request: DeployDesign, _: Any) -> Run:
            return self._run(Direction.DEPLOY, request)

        async def undeploy(request: DeployDesign, _: Any) -> Run:
            return self._run(Direction.UNDEPLOY, request)

        await bus.serve(designs.GET, get)
        await bus.serve(designs.CREATE, create)
        await bus.serve(designs.UPDATE, update)
        await bus.serve(deployments.DEPLOY, deploy)
        await bus.serve(deployments.UNDEPLOY, undeploy)

    def _run(self, direction: Direction, request: DeployDesign) -> Run:
        self.started.append((direction, request.design_id))
        return Run(
            id=uuid4(),
            design_id=request.design_id,
            design_name="shop",
            version=1,
            direction=direction,
            status=RunStatus.SUCCEEDED,
            connection_ids=[],
            user_id=uuid4(),
            created_at=NOW,
            updated_at=NOW,
        )


@pytest.fixture
async def service(stubs: Stubs) -> Designs:
    """The designs of everybody."""
    found = Designs()
    await found.serve(stubs)
    return found


async def send(http: ClientSession, method: str, body: str | dict[str, Any]) -> tuple[int, dict[str, Any]]:
    content = body if isinstance(body, str) else json.dumps(body)
    async with http.request(method, "/api/pattern/deploy", data=content) as reply:
        return reply.status, await reply.json()


async def test_a_file_that_is_stored_as_it_is_saves_nothing(http: ClientSession, service: Designs) -> None:
    """As mesheryctl sends it: the design that it has just read, as YAML, beside the id."""
    design = service.add()
    for file, saves in (("components: []\nname: shop\n", 0), ("components: []\nname: shop2\n", 1)):
        status, answer = await send(http, "POST", {"patternId": str(design.id), "patternFile": file})
        assert status == 200, answer
        assert len(service.updated) == saves
    assert service.started == [(Direction.DEPLOY, design.id)] * 2
    assert service.created == []


async def test_a_number_in_place_of_a_truth_is_saved(http: ClientSession, service: Designs) -> None:
    design = service.add()
    service.stored[design.id] = design.model_copy(
        update={"pattern_file": '{"name": "shop", "components": [{"configuration": {"ready": true}}]}'}
    )
    for value, saves in (("true", 0), ("1", 1)):
        file = f"{{name: shop, components: [{{configuration: {{ready: {value}}}}}]}}"
        status, answer = await send(http, "POST", {"patternId": str(design.id), "patternFile": file})
        assert status == 200, answer
        assert len(service.updated) == saves


@pytest.mark.parametrize("shape", ["object", "text", "bare", "json"])
async def test_a_file_that_carries_the_id_of_a_stored_design_means_that(
    http: ClientSession, service: Designs, shape: str
) -> None:
    """As `mesheryctl design apply -f` sends what saving it gave."""
    design = service.add()
    file = f"id: {design.id}\nname: shop\ncomponents: []\n"
    body = {
        "object": json.dumps({"pattern_file": file}),
        "text": json.dumps(file),
        "bare": file,
        "json": design.pattern_file,
    }[shape]
    for method, direction in (("POST", Direction.DEPLOY), ("DELETE", Direction.UNDEPLOY)):
        status, answer = await send(http, method, body)
        assert status == 200, answer
        assert service.started[-1] == (direction, design.id)
    assert (service.created, service.updated) == ([], [])


@pytest.mark.parametrize("own_id", ["", f"id: {uuid4()}\n", "id: mine\n", "id: 7\n"])
async def test_another_file_is_saved_before_it_is_deployed(
    http: ClientSession, service: Designs, own_id: str
) -> None:
    file = f"{own_id}name: shop\ncomponents: []\n"
    status, answer = await send(http, "POST", {"patternFile": file})
    assert status == 200, answer
    assert service.created == [file]


async def test_undeploying_saves_nothing(http: ClientSession, service: Designs) -> None:
    design = service.add()
    body = {"patternId": str(design.id), "patternFile": "name: other\ncomponents: []\n"}
    status, answer = await send(http, "DELETE", body)
    assert status == 200, answer
    assert (service.created, service.updated) == ([], [])


def deployed(design: Design, named: int, objects: int) -> DeployedDesign:
    return DeployedDesign(design_id=design.id, name=design.name, named=named, objects=objects)


async def test_a_file_without_a_known_id_means_the_design_whose_objects_it_names(
    http: ClientSession, service: Designs, stubs: Stubs
) -> None:
    """As `mesheryctl design undeploy -f` sends a manifest that it had converted."""
    whole, larger = service.add(), service.add()
    found = DeployedDesigns(designs=[deployed(larger, 2, 5), deployed(whole, 2, 2)])
    asked = await stubs.answer(deployments.FIND_DEPLOYED, found)
    other_id = str(uuid4())
    for file in (f"id: {other_id}\nname: shop\ncomponents: []\n", f'{{"id":"{other_id}","components":[]}}'):
        status, answer = await send(http, "DELETE", file)
        assert status == 200, answer
        assert service.started.pop() == (Direction.UNDEPLOY, whole.id)
        assert asked.pop()[0].file == file
    assert service.created == []


@pytest.mark.parametrize(
    ("counts", "code"),
    [([], "nothing_deployed"), ([(2, 5)], "design_ambiguous"), ([(1, 1), (1, 1)], "design_ambiguous")],
)
async def test_a_file_that_means_no_single_design_undeploys_none(
    http: ClientSession, service: Designs, stubs: Stubs, counts: list[tuple[int, int]], code: str
) -> None:
    found = DeployedDesigns(designs=[deployed(service.add(), *one) for one in counts])
    await stubs.answer(deployments.FIND_DEPLOYED, found)
    status, answer = await send(http, "DELETE", {"pattern_file": "name: shop\ncomponents: []\n"})
    assert (status, answer["code"]) == (409 if counts else 400, code)
    assert {one["path"] for one in answer["fields"]} == {str(one) for one in service.stored}
    assert service.started == []
