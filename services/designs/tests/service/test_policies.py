"""What the organisation's policies say of a design: shown in plans, kept with runs, and a deployment heeds a deny.

That the registry says the right thing is told in its own tests and, with both services, in `tests/system`.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import orjson
import pytest

from meshery_contracts import deployments, designs
from meshery_contracts.deployments import (
    DeployDesign,
    Direction,
    ListRuns,
    Plan,
    PlanDesign,
    Run,
    RunId,
    RunStatus,
)
from meshery_contracts.designs import CreateDesign, Design, ValidateDesign
from meshery_contracts.errors import Conflict, Unavailable, Word
from meshery_contracts.policies import Finding, Outcome, Proposal
from meshery_testkit.asking import Client
from meshery_testkit.builders import a_component, a_design_file
from meshery_testkit.facts import Facts
from meshery_testkit.stub_clusters import StubCluster
from meshery_testkit.stub_registry import StubRegistry

pytestmark = pytest.mark.usefixtures("service", "cluster")


def said(outcome: Outcome, **fields: Any) -> Finding:
    told: dict[str, Any] = {
        "policy_id": UUID(int=1),
        "policy_name": "no-latest",
        "policy_version": 2,
        "rule": "tagged",
        "action": outcome,
        "outcome": outcome,
        "component_name": "web",
        "kind": "Deployment",
        "path": "spec.template",
        "message": "the image has no tag",
        "remedy": "Name a version.",
        **fields,
    }
    return Finding(**told)


async def saved(client: Client) -> Design:
    file = a_design_file(a_component("Deployment", "web"), a_component("Secret", "login", data={"a": "czNj"}))
    return await client.ask(designs.CREATE, CreateDesign(name="shop", file=file))


async def planned(client: Client, design: Design, **fields: Any) -> Plan:
    return await client.ask(deployments.PLAN, PlanDesign(design_id=design.id, **fields))


async def deployed(client: Client, design: Design) -> Run:
    request = DeployDesign(design_id=design.id)
    return await client.ask(deployments.DEPLOY, request, key=uuid4().hex)


async def finished(facts: Facts, run: Run) -> RunStatus:
    fact = await facts.wait_for(deployments.RUN_FINISHED, lambda one: one.run_id == run.id)
    return fact.status


async def test_a_deny_stops_a_deployment_and_says_everything(
    client: Client, kinds: StubRegistry, cluster: StubCluster
) -> None:
    design = await saved(client)
    kinds.findings = [
        said(Outcome.DENY),
        said(Outcome.DENY, rule="", component_name="", path="", message="no budget", remedy=""),
        said(Outcome.WARN),
    ]
    plan = await planned(client, design)
    assert (plan.valid, plan.policies, plan.policy_problem) == (False, kinds.findings, None)
    assert [one.problem for one in plan.objects] == [None, None]
    with pytest.raises(Conflict) as caught:
        await deployed(client, design)
    problem = caught.value.problem
    assert problem.code == "policy_denied"
    assert problem.title == (
        "Policy 'no-latest' (rule 'tagged') refuses Deployment 'web' and 1 more: the image has no tag"
    )
    assert [(one.path, one.message) for one in problem.fields] == [
        ("web.spec.template", "'no-latest' (rule 'tagged'): the image has no tag"),
        ("design", "'no-latest': no budget"),
    ]
    assert problem.remediation == (
        "Name a version.",
        "Mend the design, or have the policy changed or switched off.",
    )
    page = await client.ask(deployments.LIST_RUNS, ListRuns(design_id=design.id))
    assert (page.runs, cluster.log) == ([], [])
    assert orjson.loads(kinds.checked[-1]) == orjson.loads(design.pattern_file)


async def test_warnings_and_proposals_are_kept_with_the_run(
    client: Client, kinds: StubRegistry, cluster: StubCluster, facts: Facts
) -> None:
    design = await saved(client)
    proposal = Proposal(path="spec.replicas", value=2)
    kinds.findings = [said(Outcome.WARN), said(Outcome.MUTATE, proposal=proposal)]
    plan = await planned(client, design)
    assert (plan.valid, plan.policies) == (True, kinds.findings)
    run = await deployed(client, design)
    assert run.policies == kinds.findings
    kinds.findings = []
    assert await finished(facts, run) is RunStatus.SUCCEEDED
    shown = await client.ask(deployments.GET_RUN, RunId(run_id=run.id))
    assert [one.outcome for one in shown.policies] == [Outcome.WARN, Outcome.MUTATE]
    page = await client.ask(deployments.LIST_RUNS, ListRuns(design_id=design.id))
    assert page.runs[0].policies == []
    assert "replicas" not in str(cluster.find("Deployment/web")), "nobody makes a proposal but a person"


async def test_a_run_under_way_is_not_asked_again(
    client: Client, kinds: StubRegistry, cluster: StubCluster, facts: Facts
) -> None:
    design = await saved(client)
    cluster.looks_until_healthy["Deployment/web"] = 3
    run = await deployed(client, design)
    asked = len(kinds.checked)
    kinds.findings = [said(Outcome.DENY)]
    assert await finished(facts, run) is RunStatus.SUCCEEDED
    assert len(kinds.checked) == asked
    with pytest.raises(Conflict):
        await deployed(client, design)


async def test_what_is_deployed_can_be_removed_whatever_policies_say(
    client: Client, kinds: StubRegistry, facts: Facts
) -> None:
    design = await saved(client)
    await finished(facts, await deployed(client, design))
    kinds.findings, kinds.away = [said(Outcome.DENY)], True
    plan = await planned(client, design, direction=Direction.UNDEPLOY)
    assert (plan.valid, plan.policies, plan.policy_problem) == (True, [], None)
    run = await client.ask(deployments.UNDEPLOY, DeployDesign(design_id=design.id), key="u")
    assert await finished(facts, run) is RunStatus.SUCCEEDED


async def test_nothing_is_deployed_while_nobody_can_say(client: Client, kinds: StubRegistry) -> None:
    design = await saved(client)
    kinds.away = True
    plan = await planned(client, design)
    assert (plan.valid, plan.policies) == (False, [])
    assert plan.policy_problem is not None
    assert (plan.policy_problem.word, plan.policy_problem.code) == (Word.UNAVAILABLE, "policies_not_asked")
    with pytest.raises(Unavailable) as caught:
        await deployed(client, design)
    assert caught.value.problem.title == (
        "The organisation's policies could not be asked, so nothing is deployed."
    )
    assert caught.value.problem.detail == "The registry is away."
    assert caught.value.problem.remediation


async def test_a_validation_shows_them(client: Client, kinds: StubRegistry) -> None:
    design = await saved(client)
    report = await client.ask(designs.VALIDATE, ValidateDesign(design_id=design.id))
    assert (report.valid, report.policies) == (True, [])
    kinds.findings = [said(Outcome.DENY)]
    report = await client.ask(designs.VALIDATE, ValidateDesign(file=design.pattern_file))
    assert (report.valid, report.policies) == (False, kinds.findings)
