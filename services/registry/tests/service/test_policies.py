"""Policies over the bus: saved, tried, switched on and off, and asked about designs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID, uuid4

import orjson
import pytest

from meshery_contracts import policies, registry
from meshery_contracts.endpoints import Endpoint
from meshery_contracts.errors import Conflict, Forbidden, Invalid, NotFound, Unavailable
from meshery_contracts.keys import Key, bits_of
from meshery_contracts.messages import Message
from meshery_contracts.policies import (
    CheckDesign,
    Enforcement,
    GetPolicy,
    ListPolicyVersions,
    Outcome,
    Policy,
    PolicyId,
    PolicyReport,
    PolicyState,
    SavePolicy,
    SetPolicyState,
    TestPolicy,
)
from meshery_contracts.registry import ListPolicies
from meshery_registry.app import running
from meshery_registry.settings import RegistrySettings
from meshery_testkit.asking import Client, person
from meshery_testkit.builders import a_component, a_design_file
from meshery_testkit.facts import following
from meshery_testkit.hosting import hosted
from meshery_testkit.nats import NATSForTests, People

FEW = """
schemaVersion: policies.meshery.io/v1
name: few-replicas
description: Nobody needs that many.
match:
  kinds: [Deployment]
params: {most: 5}
rules:
- name: few
  expression: "!has(object.spec.replicas) || object.spec.replicas <= params.most"
  action: deny
  messageExpression: "'asks for ' + string(object.spec.replicas) + ' replicas'"
  path: spec.replicas
  remedy: Ask for fewer.
tests:
- name: three are few
  object: {apiVersion: apps/v1, kind: Deployment, metadata: {name: web}, spec: {replicas: 3}}
  expect: pass
- name: nine are not
  object: {apiVersion: apps/v1, kind: Deployment, metadata: {name: web}, spec: {replicas: 9}}
  expect: deny
  rules: [few]
"""
UNTESTED = {"name": "plain", "rules": [{"name": "no", "expression": "false", "action": "deny"}]}


@pytest.fixture
async def client(nats: NATSForTests, people: People, settings: RegistrySettings) -> AsyncIterator[Client]:
    """A running registry whose policies must be quick, and a person who asks it."""
    hurried = settings.model_copy(update={"policy_seconds": 1.0})
    async with person(nats, people) as one, hosted(running(hurried)):
        yield one


async def saved(client: Client, **fields: Any) -> Policy:
    return await client.ask(policies.SAVE_POLICY, SavePolicy(**fields), key=uuid4().hex)


async def switched(client: Client, policy: Policy, state: PolicyState, **fields: Any) -> Policy:
    request = SetPolicyState(policy_id=policy.id, state=state, **fields)
    return await client.ask(policies.SET_POLICY_STATE, request, key=uuid4().hex)


async def own(client: Client, **fields: Any) -> list[dict[str, Any]]:
    page = await client.ask(registry.LIST_POLICIES, ListPolicies(page_size=100, **fields))
    return [one for one in page.policies or [] if one["state"] != "definition"]


async def checked(client: Client, *components: dict[str, Any]) -> PolicyReport:
    return await client.ask(policies.CHECK_DESIGN, CheckDesign(file=a_design_file(*components)))


def deployment(name: str = "web", **fields: Any) -> dict[str, Any]:
    return a_component("Deployment", name, **{"spec": {"replicas": 9}, **fields})


async def test_the_life_of_a_policy(client: Client) -> None:
    policy = await saved(client, file=FEW)
    assert (policy.state, policy.version, policy.active_version) == (PolicyState.DRAFT, 1, None)
    assert (policy.name, policy.evaluated_by, policy.description) == (
        "few-replicas",
        "cel",
        "Nobody needs that many.",
    )
    assert [(one.name, one.passed) for one in policy.tests] == [
        ("three are few", True),
        ("nine are not", True),
    ]
    assert (await checked(client, deployment())).allowed

    on = await switched(client, policy, PolicyState.ENABLED)
    assert (on.state, on.enforcement, on.active_version) == (PolicyState.ENABLED, Enforcement.ENFORCE, 1)
    web = deployment(id="11111111-1111-4111-8111-111111111111")
    report = await checked(client, a_component(), web)
    (finding,) = report.findings
    assert (report.allowed, report.policies, report.omitted) == (False, 1, 0)
    assert (finding.policy_name, finding.policy_version, finding.rule) == ("few-replicas", 1, "few")
    assert (finding.component_id, finding.component_name, finding.path) == (
        UUID(web["id"]),
        "web",
        "spec.replicas",
    )
    assert (finding.message, finding.remedy) == ("asks for 9 replicas", "Ask for fewer.")
    assert (await checked(client, a_component(), web)) == report

    await switched(client, policy, PolicyState.ENABLED, enforcement=Enforcement.WARN)
    (warned,) = (dry := await checked(client, web)).findings
    assert (dry.allowed, warned.action, warned.outcome) == (True, Outcome.DENY, Outcome.WARN)

    # A save is not in force until it is switched to; and one can go back.
    looser = FEW.replace("most: 5", "most: 10").replace("replicas: 9}", "replicas: 11}")
    second = await saved(client, policy_id=policy.id, base_version=1, file=looser)
    assert (second.version, second.active_version) == (2, 1)
    assert (await checked(client, web)).findings
    kept = await switched(client, policy, PolicyState.ENABLED, enforcement=Enforcement.ENFORCE)
    assert (kept.version, kept.active_version, kept.newest_version) == (1, 1, 2)
    await switched(client, policy, PolicyState.ENABLED, version=2)
    assert (await checked(client, web)).findings == []
    await switched(client, policy, PolicyState.ENABLED, version=1)
    assert not (await checked(client, web)).allowed
    page = await client.ask(policies.LIST_POLICY_VERSIONS, ListPolicyVersions(policy_id=policy.id))
    assert [(one.version, one.active) for one in page.versions] == [(2, False), (1, True)]

    with pytest.raises(Conflict) as caught:
        await client.ask(policies.DELETE_POLICY, PolicyId(policy_id=policy.id), key="a")
    assert caught.value.problem.code == "policy_enabled"
    off = await switched(client, policy, PolicyState.DISABLED)
    assert (off.state, off.active_version) == (PolicyState.DISABLED, None)
    assert (await checked(client, web)).allowed
    await client.ask(policies.DELETE_POLICY, PolicyId(policy_id=policy.id), key="b")
    with pytest.raises(NotFound):
        await client.ask(policies.GET_POLICY, GetPolicy(policy_id=policy.id))


async def test_a_policy_is_switched_on_only_when_its_tests_allow_it(client: Client) -> None:
    plain = await saved(client, document=UNTESTED)
    with pytest.raises(Conflict) as caught:
        await switched(client, plain, PolicyState.ENABLED)
    assert caught.value.problem.code == "policy_untested"
    assert caught.value.problem.title == (
        "Policy 'plain' cannot be switched on in version 1: "
        "it has no test that shows what it denies, warns of or proposes."
    )
    wrong = await saved(client, file=FEW.replace("replicas: 3}", "replicas: 8}"))
    assert [one.passed for one in wrong.tests] == [False, True]
    with pytest.raises(Conflict) as caught:
        await switched(client, wrong, PolicyState.ENABLED)
    (field,) = caught.value.problem.fields
    assert field.path == "tests.three are few"
    assert field.message == "expected pass, but it is deny (few: asks for 8 replicas)"
    assert caught.value.problem.remediation
    with pytest.raises(Invalid):
        await switched(client, wrong, PolicyState.DRAFT)
    tested = await client.ask(
        policies.TEST_POLICY, TestPolicy(policy_id=wrong.id, design=a_design_file(deployment()))
    )
    assert not tested.can_enable
    assert tested.reason.startswith("1 of its 2 tests fail")
    assert [one.message for one in tested.findings] == ["asks for 9 replicas"]
    good = await client.ask(policies.TEST_POLICY, TestPolicy(file=FEW))
    assert (good.can_enable, good.reason) == (True, "")


async def test_a_policy_too_many_is_not_switched_on(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("meshery_registry.service.policies.policies.MAX_ENABLED", 1)
    first = await saved(client, file=FEW)
    second = await saved(client, file=FEW.replace("few-replicas", "fewer"))
    await switched(client, first, PolicyState.ENABLED)
    await switched(client, first, PolicyState.ENABLED, enforcement=Enforcement.WARN)
    with pytest.raises(Conflict) as caught:
        await switched(client, second, PolicyState.ENABLED)
    assert caught.value.problem.code == "policies_too_many"


async def test_what_is_wrong_with_a_policy_is_told_before_it_is_saved(client: Client) -> None:
    bad: list[tuple[dict[str, Any], str, str]] = [
        ({}, "policy_missing", ""),
        ({"file": "a: [1"}, "document_yaml", ""),
        ({"file": "- 1"}, "policy_documents", ""),
        ({"document": {"name": "a", "rules": []}}, "policy_invalid", "rules"),
        (
            {"document": {**UNTESTED, "rules": [{"name": "x", "expression": "a b", "action": "deny"}]}},
            "policy_expression",
            "rules.0.expression (x)",
        ),
    ]
    for fields, code, path in bad:
        with pytest.raises(Invalid) as caught:
            await saved(client, **fields)
        problem = caught.value.problem
        assert problem.remediation, code
        if path:
            assert (problem.code, problem.fields[0].path) == (code, path)
    assert await own(client) == []


async def test_names_versions_and_organisations(client: Client) -> None:
    policy = await saved(client, file=FEW)
    taken: dict[str, Any] = {"file": FEW}
    stale: dict[str, Any] = {"policy_id": policy.id, "base_version": 7, "file": FEW}
    for fields, code in [(taken, "policy_name_taken"), (stale, "policy_stale")]:
        with pytest.raises(Conflict) as caught:
            await saved(client, **fields)
        assert caught.value.problem.code == code
    other = await saved(client, document=UNTESTED)
    with pytest.raises(Conflict):
        await saved(client, policy_id=other.id, file=FEW)
    stranger = client.stranger()
    asked: list[tuple[Endpoint[Any, Any], Message]] = [
        (policies.GET_POLICY, GetPolicy(policy_id=policy.id)),
        (policies.SAVE_POLICY, SavePolicy(policy_id=policy.id, file=FEW)),
        (policies.SET_POLICY_STATE, SetPolicyState(policy_id=policy.id, state=PolicyState.DISABLED)),
        (policies.DELETE_POLICY, PolicyId(policy_id=policy.id)),
        (policies.TEST_POLICY, TestPolicy(policy_id=policy.id)),
        (policies.GET_POLICY, GetPolicy(policy_id=policy.id, version=1)),
        (policies.LIST_POLICY_VERSIONS, ListPolicyVersions(policy_id=policy.id)),
    ]
    for endpoint, request in asked:
        with pytest.raises(NotFound):
            await stranger.ask(endpoint, request, key=uuid4().hex)
    assert (await saved(stranger, file=FEW)).id != policy.id
    await switched(stranger, await saved(stranger, file=FEW.replace("few-", "fewer-")), PolicyState.ENABLED)
    assert (await checked(client, deployment())).policies == 0
    with pytest.raises(NotFound):
        await client.ask(policies.GET_POLICY, GetPolicy(policy_id=policy.id, version=9))


async def test_who_may_not_manage_policies_may_ask_them(client: Client) -> None:
    await switched(client, await saved(client, file=FEW), PolicyState.ENABLED)
    reader = client.colleague(key_bits=bits_of((Key.VIEW_REGISTRY,)))
    assert not (await checked(reader, deployment())).allowed
    with pytest.raises(Forbidden):
        await saved(reader, file=FEW)
    with pytest.raises(Forbidden):
        await reader.ask(policies.TEST_POLICY, TestPolicy(file=FEW))
    nobody = client.colleague(key_bits=0)
    with pytest.raises(Forbidden):
        await checked(nobody, deployment())


async def test_a_list_shows_policies_as_meshery_s_clients_expect(client: Client) -> None:
    policy = await saved(client, file=FEW)
    (listed,) = await own(client, search="FEW")
    assert (listed["id"], listed["kind"], listed["version"], listed["subType"]) == (
        str(policy.id),
        "few-replicas",
        "v0.0.1",
        "cel",
    )
    assert listed["expression"]["rules"][0]["name"] == "few"
    assert (listed["state"], listed["evaluatedBy"], listed["notEvaluatedBecause"]) == ("draft", "cel", "")
    before = await client.ask(registry.LIST_POLICIES, ListPolicies())
    await switched(client, policy, PolicyState.ENABLED)
    after = await client.ask(registry.LIST_POLICIES, ListPolicies())
    assert after.generation > before.generation
    assert [one["activeVersion"] for one in await own(client, name="few-replicas")] == [1]


async def test_a_policy_that_takes_too_long_costs_its_time_and_no_more(client: Client) -> None:
    product = "params.n.map(a, params.n.map(b, params.n.map(c, a * b * c))).size() > 1"
    rules = [
        {"name": "product", "action": "deny", "expression": f"object.kind == 'ConfigMap' || {product}"},
        {"name": "no-settings", "action": "warn", "expression": "object.kind != 'ConfigMap'"},
    ]
    settings = {"name": "settings", "object": {"apiVersion": "v1", "kind": "ConfigMap"}, "expect": "warn"}
    other = {"name": "other", "object": {"apiVersion": "v1", "kind": "Other"}, "expect": "deny"}
    slow = {"name": "slow", "params": {"n": list(range(400))}, "rules": rules, "tests": [settings, other]}
    with pytest.raises(Unavailable) as caught:
        await saved(client, document=slow)
    assert caught.value.problem.title == "Running the tests took longer than 1 s."
    slow["tests"] = [settings, {"name": "nothing", "objects": [], "expect": "pass"}]
    await switched(client, await saved(client, document=slow), PolicyState.ENABLED)
    await switched(client, await saved(client, file=FEW), PolicyState.ENABLED)
    report = await checked(client, deployment())
    assert [(one.policy_name, one.failed) for one in report.findings] == [
        ("few-replicas", False),
        ("slow", True),
    ]
    assert report.findings[1].message == "The policy could not be evaluated: it took longer than 1 s."
    assert not report.allowed


async def test_a_design_that_is_none_is_refused(client: Client) -> None:
    await switched(client, await saved(client, file=FEW), PolicyState.ENABLED)
    for file in ("x", "[]", '{"components": 1}'):
        with pytest.raises(Invalid) as caught:
            await client.ask(policies.CHECK_DESIGN, CheckDesign(file=file))
        assert caught.value.problem.code == "design_shape"


async def test_a_large_design_is_judged_and_its_findings_are_bounded(client: Client) -> None:
    await switched(client, await saved(client, file=FEW), PolicyState.ENABLED)
    design = orjson.loads(a_design_file(*(deployment(f"web-{number}") for number in range(1500))))
    report = await client.ask(policies.CHECK_DESIGN, CheckDesign(file=orjson.dumps(design).decode()))
    assert (report.allowed, len(report.findings), report.omitted) == (False, 500, 1000)
    assert report.findings[7].component_name == "web-7"


async def test_a_claim_of_a_design_keeps_no_policy_away(client: Client) -> None:
    policy = await saved(client, file=FEW.replace("kinds: [Deployment]", "namespaces: [prod]"))
    # Its own tests name no namespace.
    tests = policies.TestPolicy(policy_id=policy.id, design=a_design_file(claiming("prod")))
    found = (await client.ask(policies.TEST_POLICY, tests)).findings
    assert [one.rule for one in found] == ["few"]


def claiming(namespace: str) -> dict[str, Any]:
    """A Deployment that says of itself that it is in no namespace."""
    return {**deployment(namespace=namespace), "metadata": {"isNamespaced": False}}


async def test_what_happens_to_policies_is_told(client: Client, nats: NATSForTests) -> None:
    policy = await saved(client, file=FEW)
    await switched(client, policy, PolicyState.ENABLED)
    await switched(client, policy, PolicyState.DISABLED)
    await client.ask(policies.DELETE_POLICY, PolicyId(policy_id=policy.id), key="d")
    async with following(nats, "registry") as facts:
        deleted = await facts.wait_for(policies.POLICY_DELETED, lambda one: one.policy_id == policy.id)
        assert deleted.description == "Policy 'few-replicas' was deleted."
        assert deleted.generation == facts.of(policies.POLICY_SAVED)[0].generation + 3
        assert [one.description for one in facts.of(policies.POLICY_SAVED)] == [
            "Policy 'few-replicas' was saved in version 1."
        ]
        assert [one.description for one in facts.of(policies.POLICY_SWITCHED)] == [
            "Policy 'few-replicas' was switched on in version 1: it refuses.",
            "Policy 'few-replicas' was switched off.",
        ]
