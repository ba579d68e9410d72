"""Policies of the organisation over REST."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import orjson
from aiohttp import ClientSession

from meshery_contracts import designs
from meshery_contracts import policies as contract
from meshery_contracts.messages import Nothing
from meshery_contracts.policies import (
    Enforcement,
    Policy,
    PolicyLanguage,
    PolicyReport,
    PolicyState,
    PolicyVersionPage,
    TestedPolicy,
)
from meshery_testkit.stubs import Stubs

NOW = datetime(2026, 1, 2, tzinfo=UTC)
PATH = "/api/registry/policies"
DESIGN = {"name": "shop", "components": []}


def a_policy() -> Policy:
    return Policy(
        id=uuid4(), name="no-latest", language=PolicyLanguage.CEL, state=PolicyState.DRAFT,
        enforcement=Enforcement.ENFORCE, version=1, newest_version=1, user_id=uuid4(), created_at=NOW,
        updated_at=NOW,
    )  # fmt: skip


async def send(http: ClientSession, method: str, path: str, body: Any = None, *, status: int = 200) -> Any:
    async with http.request(method, f"{PATH}{path}", json=body) as reply:
        assert reply.status == status, await reply.text()
        return await reply.json()


async def test_the_life_of_a_policy(http: ClientSession, stubs: Stubs) -> None:
    policy = a_policy()
    saved = await stubs.answer(contract.SAVE_POLICY, policy)
    read = await stubs.answer(contract.GET_POLICY, policy)
    switched = await stubs.answer(contract.SET_POLICY_STATE, policy)
    deleted = await stubs.answer(contract.DELETE_POLICY, Nothing())
    await stubs.answer(contract.LIST_POLICY_VERSIONS, PolicyVersionPage(versions=[]))
    one = f"/{policy.id}"
    assert (await send(http, "POST", "", {"file": "name: x", "policyId": one}, status=201))[
        "name"
    ] == "no-latest"
    await send(http, "PUT", one, {"document": {"name": "x"}, "baseVersion": 1, "policyId": str(uuid4())})
    first, second = (request for request, _ in saved)
    assert (first.policy_id, first.file) == (None, "name: x")
    assert (second.policy_id, second.base_version, second.document) == (policy.id, 1, {"name": "x"})
    await send(http, "GET", f"{one}?version=3")
    assert read[0][0].version == 3
    await send(http, "GET", f"{one}?version=99999999999999999999", status=400)
    await send(http, "PUT", f"{one}/state", {"state": "enabled", "enforcement": "warn"})
    request = switched[0][0]
    assert (request.policy_id, request.state, request.enforcement) == (policy.id, "enabled", "warn")
    assert (await send(http, "GET", f"{one}/versions"))["versions"] == []
    assert await send(http, "DELETE", one) == {}
    assert deleted[0][0].policy_id == policy.id
    assert (await send(http, "PUT", f"{one}/state", {"state": "asleep"}, status=400))[
        "code"
    ] == "request_invalid"


async def test_a_policy_is_tested_and_designs_are_checked(http: ClientSession, stubs: Stubs) -> None:
    tested = await stubs.answer(contract.TEST_POLICY, TestedPolicy(can_enable=True))
    checked = await stubs.answer(contract.CHECK_DESIGN, PolicyReport(allowed=True))
    design = designs.Design(
        id=uuid4(), name="shop", pattern_file=orjson.dumps(DESIGN).decode(), user_id=uuid4(),
        organization_id=uuid4(), visibility=designs.Visibility.PRIVATE, version=1, created_at=NOW,
        type=designs.NullString(string="", valid=False),
        updated_at=NOW,
    )  # fmt: skip
    await stubs.answer(designs.GET, design)
    assert (await send(http, "POST", "/test", {"file": "name: x", "design": DESIGN}))["canEnable"]
    for body in (
        {"design": DESIGN},
        {"patternFile": orjson.dumps(DESIGN).decode()},
        {"designId": str(design.id)},
    ):
        assert (await send(http, "POST", "/check", body))["allowed"]
    files = [one.design for one, _ in tested] + [one.file for one, _ in checked]
    assert [orjson.loads(one) for one in files] == [DESIGN] * 4
    assert (await send(http, "POST", "/check", {}, status=400))["code"] == "design_missing"
