"""Policies of the organisation: saved, tested, switched, and asked what they say of a design."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from meshery_contracts import designs
from meshery_contracts import policies as contract
from meshery_contracts.errors import Invalid
from meshery_contracts.policies import (
    CheckDesign,
    GetPolicy,
    ListPolicyVersions,
    PolicyId,
    SavePolicy,
    SetPolicyState,
    TestPolicy,
)
from meshery_gateway.http.calls import Call
from meshery_gateway.http.designs import BIG_BODY_BYTES, text_of
from meshery_gateway.http.reading import both_read, message_from
from meshery_gateway.http.routes import PAGE_QUERY, Route
from meshery_gateway.http.shapes import TEXT, UUID_TEXT, Content, fields, without

_TAG = "Policies"


async def create_policy(call: Call) -> web.StreamResponse:
    """Save a new policy and run its tests; it has no say until it is switched on."""
    values = {**both_read(await call.body()), "policy_id": None}
    return await call.pass_on(contract.SAVE_POLICY, message_from(SavePolicy, values), status=201)


async def get_policy(call: Call) -> web.StreamResponse:
    """One policy, in its newest version or in the one that `version` names."""
    values = {"policy_id": call.id(), "version": call.text("version") or None}
    return await call.pass_on(contract.GET_POLICY, message_from(GetPolicy, values))


async def update_policy(call: Call) -> web.StreamResponse:
    """Save the next version of a policy; what is in force stays so until it is switched."""
    values = {**both_read(await call.body()), "policy_id": call.id()}
    return await call.pass_on(contract.SAVE_POLICY, message_from(SavePolicy, values))


async def delete_policy(call: Call) -> web.StreamResponse:
    """Delete a policy that is not enabled."""
    return await call.pass_on(contract.DELETE_POLICY, PolicyId(policy_id=call.id()))


async def list_versions(call: Call) -> web.StreamResponse:
    """The saved versions of a policy."""
    request = message_from(ListPolicyVersions, {**call.page(default_size=25), "policy_id": call.id()})
    return await call.pass_on(contract.LIST_POLICY_VERSIONS, request)


async def set_state(call: Call) -> web.StreamResponse:
    """Switch a policy on or off, or to another version; its tests must pass first."""
    values = {**both_read(await call.body()), "policy_id": call.id()}
    return await call.pass_on(contract.SET_POLICY_STATE, message_from(SetPolicyState, values))


async def test_policy(call: Call) -> web.StreamResponse:
    """Run a policy's tests, and judge a design with it; saves nothing."""
    values = both_read(await call.body(BIG_BODY_BYTES))
    if values.get("design"):
        values["design"] = text_of(values["design"])
    return await call.pass_on(contract.TEST_POLICY, message_from(TestPolicy, values))


async def check_design(call: Call) -> web.StreamResponse:
    """What the enabled policies say of a design: a saved one (`designId`) or a file (`design`)."""
    request = CheckDesign(file=await _file_of(call, both_read(await call.body(BIG_BODY_BYTES))))
    return await call.pass_on(contract.CHECK_DESIGN, request)


async def _file_of(call: Call, body: dict[str, Any]) -> str:
    for name in ("design", "file", "pattern_file"):
        if body.get(name):
            return message_from(CheckDesign, {"file": text_of(body[name])}).file
    if not body.get("design_id"):
        raise Invalid(
            "The request names no design.", code="design_missing", remedy="Send `designId` or `design`."
        )
    request = message_from(designs.GetDesign, {"design_id": body["design_id"]})
    return (await call.ask(designs.GET, request)).pattern_file


_POLICIES = "/api/registry/policies"

ROUTES = (
    Route(
        "POST",
        _POLICIES,
        create_policy,
        contract.SAVE_POLICY,
        "Save a policy",
        _TAG,
        body=Content(without(SavePolicy, "policyId", "baseVersion")),
        answer=Content(contract.SAVE_POLICY.reply, status=201),
    ),
    Route(
        "POST",
        f"{_POLICIES}/test",
        test_policy,
        contract.TEST_POLICY,
        "Test a policy",
        _TAG,
        max_body_bytes=BIG_BODY_BYTES,
        body=Content(TestPolicy),
    ),
    Route(
        "POST",
        f"{_POLICIES}/check",
        check_design,
        contract.CHECK_DESIGN,
        "What policies say of a design",
        _TAG,
        max_body_bytes=BIG_BODY_BYTES,
        body=Content(fields(designId=UUID_TEXT, design=TEXT)),
    ),
    Route("GET", f"{_POLICIES}/{{id}}", get_policy, contract.GET_POLICY, "A policy", _TAG, ("version",)),
    Route(
        "PUT",
        f"{_POLICIES}/{{id}}",
        update_policy,
        contract.SAVE_POLICY,
        "Its next version",
        _TAG,
        body=Content(without(SavePolicy, "policyId")),
    ),
    Route("DELETE", f"{_POLICIES}/{{id}}", delete_policy, contract.DELETE_POLICY, "Delete a policy", _TAG),
    Route(
        "GET",
        f"{_POLICIES}/{{id}}/versions",
        list_versions,
        contract.LIST_POLICY_VERSIONS,
        "Its versions",
        _TAG,
        PAGE_QUERY,
    ),
    Route(
        "PUT",
        f"{_POLICIES}/{{id}}/state",
        set_state,
        contract.SET_POLICY_STATE,
        "Switch it",
        _TAG,
        body=Content(without(SetPolicyState, "policyId")),
    ),
)
