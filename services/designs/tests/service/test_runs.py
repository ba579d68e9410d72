"""Deployment runs over the bus, on a cluster that behaves like an API server."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID, uuid4

import pytest

from meshery_common.database import EVERY_ORGANIZATION, Database
from meshery_contracts import connections, deployments, designs
from meshery_contracts.connections import ConnectionFact, ConnectionStatus
from meshery_contracts.deployments import (
    Action,
    DeployDesign,
    Direction,
    FindDeployed,
    ListRuns,
    ObjectState,
    PlanDesign,
    Run,
    RunId,
    RunStatus,
)
from meshery_contracts.designs import CreateDesign, Design, DesignId, GetDesign, UpdateDesign
from meshery_contracts.errors import Conflict, Forbidden, Invalid, NotFound
from meshery_contracts.messages import Severity
from meshery_testkit.asking import Client
from meshery_testkit.builders import a_component, a_definition, a_design_file
from meshery_testkit.facts import Facts
from meshery_testkit.stub_clusters import StubCluster, StubClusters
from meshery_testkit.stubs import Stubs

pytestmark = pytest.mark.usefixtures("service", "cluster")

WEB = "Deployment/web"


def a_shop() -> list[dict[str, Any]]:
    return [
        a_component("Namespace", "shop"),
        a_component("Secret", "login", namespace="shop", data={"password": "czNjcmV0"}),
        a_component("Deployment", "web", namespace="shop"),
    ]


async def saved(client: Client, *components: dict[str, Any]) -> Design:
    return await client.ask(designs.CREATE, CreateDesign(name="shop", file=a_design_file(*components)))


async def changed(client: Client, design: Design, *components: dict[str, Any]) -> Design:
    return await client.ask(
        designs.UPDATE, UpdateDesign(design_id=design.id, file=a_design_file(*components))
    )


async def started(client: Client, design: Design, *, undeploy: bool = False, **fields: Any) -> Run:
    endpoint = deployments.UNDEPLOY if undeploy else deployments.DEPLOY
    return await client.ask(endpoint, DeployDesign(design_id=design.id, **fields))


async def ended(client: Client, facts: Facts, run: Run) -> Run:
    await facts.wait_for(deployments.RUN_FINISHED, lambda fact: fact.run_id == run.id)
    return await client.ask(deployments.GET_RUN, RunId(run_id=run.id))


async def done(client: Client, facts: Facts, design: Design, **fields: Any) -> Run:
    return await ended(client, facts, await started(client, design, **fields))


def states(run: Run) -> dict[str, ObjectState]:
    return {f"{one.reference.kind}/{one.reference.name}": one.state for one in run.objects}


# --- the main story -----------------------------------------------------------------------------------------


async def test_a_design_is_deployed_wave_by_wave(
    client: Client, cluster: StubCluster, facts: Facts, database: Database
) -> None:
    cluster.looks_until_healthy[WEB] = 3
    design = await saved(client, *a_shop(), a_component(name="last", namespace="shop", depends_on=["web"]))
    run = await started(client, design)
    assert (run.status, run.version, run.direction) == (RunStatus.PENDING, 1, Direction.DEPLOY)
    assert set(states(run).values()) == {ObjectState.WAITING}
    run = await ended(client, facts, run)
    assert run.status is RunStatus.SUCCEEDED
    assert set(states(run).values()) == {ObjectState.HEALTHY}
    assert cluster.log == [
        f"apply {one}" for one in ("Namespace/shop", "Secret/login", WEB, "ConfigMap/last")
    ]
    assert {one.action for one in run.objects} == {Action.CREATE}
    assert (await client.ask(designs.GET, GetDesign(design_id=design.id))).deployment_count == 1
    page = await client.ask(deployments.LIST_RUNS, ListRuns(design_id=design.id))
    assert [one.id for one in page.runs] == [run.id]
    actors = {(one.user_id, one.actor) for one in cluster.callers if one.actor}
    assert actors == {(client.caller.user_id, "designs")}
    contents = await database.fetchval(
        EVERY_ORGANIZATION, "select count(*) from run_objects where content is not null"
    )
    assert contents == 0


async def test_facts_are_told_as_the_contract_says(
    client: Client, cluster: StubCluster, facts: Facts
) -> None:
    design = await saved(client, *a_shop())
    run = await done(client, facts, design)
    (saving,) = facts.of(designs.SAVED)
    assert (saving.design_id, saving.version, saving.action) == (design.id, 1, "create")
    assert saving.description == "Design 'shop' was created in version 1."
    (start,) = facts.of(deployments.RUN_STARTED)
    (end,) = facts.of(deployments.RUN_FINISHED)
    progress = facts.of(deployments.RUN_PROGRESSED)
    assert (start.status, start.done, start.total) == (RunStatus.PENDING, 0, 3)
    assert (end.status, end.done, end.total, end.failed) == (RunStatus.SUCCEEDED, 3, 3, 0)
    assert [one.done for one in progress] == [1, 2, 3]
    for fact in (start, *progress, end):
        assert (fact.run_id, fact.operation_id, fact.acted_upon) == (run.id, run.id, design.id)
        assert (fact.user_id, fact.organization_id) == (client.caller.user_id, client.caller.organization_id)
        assert (fact.category, fact.action) == ("pattern", "deploy")
    assert [one.severity for one in (start, end)] == [Severity.INFORMATIONAL, Severity.SUCCESS]
    assert [one.subject.split(".")[5] for one in facts.received] == [
        *("design_saved", "run_started"),
        *["run_progressed"] * 3,
        "run_finished",
    ]


async def test_secrets_are_in_no_reply_fact_or_log(
    client: Client, cluster: StubCluster, facts: Facts, capfd: pytest.CaptureFixture[str]
) -> None:
    cluster.refused.add("Gadget/x")
    cluster.looks_until_healthy[WEB] = 2
    design = await saved(client, *a_shop())
    run = await started(client, design)
    seen = [run.model_dump_json(), (await ended(client, facts, run)).model_dump_json()]
    seen += [(await client.ask(deployments.LIST_RUNS, ListRuns())).model_dump_json()]
    seen += [one.payload.decode() for one in facts.received]
    seen += list(capfd.readouterr())
    assert not any("czNjcmV0" in one for one in seen)


async def test_a_second_deployment_applies_what_is_unchanged_and_removes_what_left(
    client: Client, cluster: StubCluster, facts: Facts
) -> None:
    kept, gone = a_component(name="kept"), a_component(name="gone")
    design = await saved(client, kept, gone)
    await done(client, facts, design)
    design = await changed(client, design, kept, a_component("Deployment", "web"))
    cluster.log.clear()
    run = await done(client, facts, design)
    assert {f"{one.reference.kind}/{one.reference.name}": one.action for one in run.objects} == {
        "ConfigMap/kept": Action.UNCHANGED,
        WEB: Action.CREATE,
        "ConfigMap/gone": Action.DELETE,
    }
    assert cluster.log == ["apply ConfigMap/kept", f"apply {WEB}", "delete ConfigMap/gone"]
    assert states(run)["ConfigMap/gone"] is ObjectState.DELETED
    annotations = (cluster.find("ConfigMap/kept") or {})["metadata"]["annotations"]
    assert annotations["design.meshery.io/version"] == "2"


async def test_undeploying_goes_the_other_way_round(
    client: Client, cluster: StubCluster, facts: Facts
) -> None:
    design = await saved(client, *a_shop())
    await done(client, facts, design)
    with pytest.raises(Conflict) as caught:
        await client.ask(designs.DELETE, DesignId(design_id=design.id))
    assert caught.value.problem.code == "design_deployed"
    # What the design says by now does not matter.
    await changed(client, design)
    cluster.log.clear()
    run = await done(client, facts, design, undeploy=True)
    assert (run.status, run.direction) == (RunStatus.SUCCEEDED, Direction.UNDEPLOY)
    assert cluster.log == [f"delete {one}" for one in (WEB, "Secret/login", "Namespace/shop")]
    assert {one.component_name for one in run.objects} == {"web", "login", "shop"}
    assert cluster.names == set()
    with pytest.raises(Invalid) as nothing:
        await started(client, design, undeploy=True)
    assert nothing.value.problem.code == "nothing_deployed"
    assert (await client.ask(designs.GET, GetDesign(design_id=design.id))).deployment_count == 1
    await client.ask(designs.DELETE, DesignId(design_id=design.id))
    run = await client.ask(deployments.GET_RUN, RunId(run_id=run.id))
    assert run.design_name == "shop"


async def test_an_older_version_can_be_deployed_again(
    client: Client, cluster: StubCluster, facts: Facts
) -> None:
    design = await saved(client, a_component(name="old"))
    await changed(client, design, a_component(name="new"))
    await done(client, facts, design)
    assert cluster.names == {"ConfigMap/new"}
    run = await done(client, facts, design, version=1)
    assert (run.version, cluster.names) == (1, {"ConfigMap/old"})


async def test_several_clusters_are_worked_on_side_by_side(
    client: Client, clusters: StubClusters, facts: Facts
) -> None:
    second = StubCluster("second")
    second.looks_until_healthy[WEB] = -1
    clusters.connected.append(second)
    design = await saved(
        client, a_component("Deployment", "web"), a_component(name="last", depends_on=["web"])
    )
    run = await started(client, design)
    assert {one.connection_name for one in run.objects} == {"stub", "second"}
    second.looks_until_healthy[WEB] = 3
    assert (await ended(client, facts, run)).status is RunStatus.SUCCEEDED
    assert [one.log for one in clusters.connected] == [[f"apply {WEB}", "apply ConfigMap/last"]] * 2
    run = await done(client, facts, design, undeploy=True, connection_ids=[second.connection_id])
    assert [one.names for one in clusters.connected] == [{WEB, "ConfigMap/last"}, set()]


async def test_a_custom_resource_of_a_new_kind_finds_its_place(
    client: Client, cluster: StubCluster, facts: Facts, database: Database
) -> None:
    gadget = a_component("Gadget", "mine", version="example.com/v1")
    definition = a_definition()
    design = await saved(client, gadget, definition)
    cluster.looks_until_healthy["CustomResourceDefinition/gadgets.example.com"] = 2
    run = await done(client, facts, design)
    assert run.status is RunStatus.SUCCEEDED
    assert {one.reference.namespace for one in run.objects} == {""}
    rows = await database.fetch(
        EVERY_ORGANIZATION, "select kind, namespace, uid <> '' as known from deployed_objects"
    )
    assert sorted((row["kind"], row["namespace"], row["known"]) for row in rows) == [
        ("CustomResourceDefinition", "", True),
        ("Gadget", "", True),
    ]
    # Skipped definitions are left where they are.
    run = await done(client, facts, design, skip_crds=True)
    assert set(states(run)) == {"Gadget/mine"}
    run = await done(client, facts, design, undeploy=True, skip_crds=True)
    assert cluster.names == {"CustomResourceDefinition/gadgets.example.com"}


# --- what is agreed, and by whom ----------------------------------------------------------------------------


async def test_only_the_plan_that_was_agreed_to_is_run(
    client: Client, cluster: StubCluster, facts: Facts
) -> None:
    design = await saved(client, a_component(name="settings"))
    plan = await client.ask(deployments.PLAN, PlanDesign(design_id=design.id))
    cluster.put({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings"}})
    with pytest.raises(Conflict) as caught:
        await started(client, design, plan_hash=plan.hash)
    assert caught.value.problem.code == "plan_stale"
    plan = await client.ask(deployments.PLAN, PlanDesign(design_id=design.id))
    await changed(client, design, a_component(name="settings"))
    with pytest.raises(Conflict):
        await started(client, design, plan_hash=plan.hash)
    plan = await client.ask(deployments.PLAN, PlanDesign(design_id=design.id))
    request = DeployDesign(design_id=design.id, plan_hash=plan.hash)
    run = await client.ask(deployments.DEPLOY, request, key="k")
    finished = await ended(client, facts, run)
    assert finished.status is RunStatus.SUCCEEDED
    # A repeat gets the first answer, though the plan would be another one by now.
    assert await client.ask(deployments.DEPLOY, request, key="k") == run
    assert (await client.ask(deployments.LIST_RUNS, ListRuns())).total_count == 1


async def test_one_run_at_a_time(client: Client, cluster: StubCluster, facts: Facts) -> None:
    cluster.looks_until_healthy[WEB] = -1
    design = await saved(client, a_component("Deployment", "web"))
    at_once = await asyncio.gather(*(started(client, design) for _ in range(3)), return_exceptions=True)
    (run,) = [one for one in at_once if isinstance(one, Run)]
    refused = [one for one in at_once if isinstance(one, Conflict)]
    assert {one.problem.code for one in refused} == {"run_under_way"}
    assert len(refused) == 2
    with pytest.raises(Conflict):
        await client.ask(designs.DELETE, DesignId(design_id=design.id))
    cluster.looks_until_healthy[WEB] = 0
    await ended(client, facts, run)
    assert (await done(client, facts, design)).status is RunStatus.SUCCEEDED


async def test_the_same_key_at_once_starts_one_run(client: Client, facts: Facts) -> None:
    design = await saved(client, a_component(name="settings"))
    request = DeployDesign(design_id=design.id)
    runs = await asyncio.gather(*(client.ask(deployments.DEPLOY, request, key="k") for _ in range(4)))
    assert len({one.model_dump_json() for one in runs}) == 1
    await ended(client, facts, runs[0])
    assert len(facts.of(deployments.RUN_STARTED)) == len(facts.of(deployments.RUN_FINISHED)) == 1


async def test_runs_are_seen_by_those_who_see_the_design(client: Client, facts: Facts) -> None:
    design = await saved(client, a_component(name="settings"))
    run = await done(client, facts, design)
    for other in (client.colleague(), client.stranger()):
        with pytest.raises(NotFound) as caught:
            await other.ask(deployments.GET_RUN, RunId(run_id=run.id))
        assert caught.value.problem.code == "run_unknown"
        with pytest.raises(NotFound):
            await other.ask(deployments.CANCEL_RUN, RunId(run_id=run.id))
        assert (await other.ask(deployments.LIST_RUNS, ListRuns())).total_count == 0
    await client.ask(designs.UPDATE, UpdateDesign(design_id=design.id, visibility=designs.Visibility.PUBLIC))
    assert (await client.colleague().ask(deployments.GET_RUN, RunId(run_id=run.id))).id == run.id
    with pytest.raises(Forbidden):
        await client.colleague().ask(deployments.CANCEL_RUN, RunId(run_id=run.id))
    with pytest.raises(NotFound):
        await client.ask(deployments.GET_RUN, RunId(run_id=uuid4()))


# --- what goes wrong ----------------------------------------------------------------------------------------


async def test_a_failed_wave_leaves_the_rest_alone(
    client: Client, cluster: StubCluster, facts: Facts
) -> None:
    design = await saved(client, *a_shop(), a_component(name="settings"))
    run = await started(client, design)
    cluster.refused.add("Secret/login")
    run = await ended(client, facts, run)
    assert run.status is RunStatus.FAILED
    assert states(run) == {
        "Namespace/shop": ObjectState.HEALTHY,
        "Secret/login": ObjectState.FAILED,
        "ConfigMap/settings": ObjectState.HEALTHY,
        WEB: ObjectState.SKIPPED,
    }
    assert run.problem is not None
    assert run.problem.code == "run_failed"
    assert "1 of 4 objects failed, first Secret login" in run.problem.title
    (end,) = facts.of(deployments.RUN_FINISHED)
    assert (end.status, end.done, end.failed, end.severity) == (RunStatus.FAILED, 3, 1, Severity.ERROR)
    # What the cluster has certainly refused is not taken for deployed.
    cluster.log.clear()
    await done(client, facts, design, undeploy=True)
    assert cluster.log == ["delete ConfigMap/settings", "delete Namespace/shop"]


async def test_a_workload_that_does_not_become_healthy_fails_in_time(
    client: Client, cluster: StubCluster, facts: Facts
) -> None:
    cluster.looks_until_healthy[WEB] = -1
    design = await saved(
        client, a_component("Deployment", "web"), a_component(name="last", depends_on=["web"])
    )
    run = await done(client, facts, design)
    assert states(run) == {WEB: ObjectState.FAILED, "ConfigMap/last": ObjectState.SKIPPED}
    assert "0 of 1 replicas are available" in run.objects[0].message
    # It is there all the same, and can be removed.
    await done(client, facts, design, undeploy=True)
    assert cluster.names == set()


async def test_a_cluster_that_is_away_for_a_while_only_delays(
    client: Client, cluster: StubCluster, facts: Facts
) -> None:
    cluster.looks_until_healthy[WEB] = 2
    design = await saved(client, *a_shop())
    run = await started(client, design)
    cluster.away = 5
    assert (await ended(client, facts, run)).status is RunStatus.SUCCEEDED
    cluster.kept.add(WEB)
    run = await started(client, design, undeploy=True)
    cluster.away = 3
    cluster.kept.clear()
    assert (await ended(client, facts, run)).status is RunStatus.SUCCEEDED


async def test_a_finalizer_that_keeps_an_object_fails_the_removal(
    client: Client, cluster: StubCluster, facts: Facts
) -> None:
    design = await saved(client, *a_shop())
    await done(client, facts, design)
    cluster.kept.add(WEB)
    run = await done(client, facts, design, undeploy=True)
    assert (run.status, states(run)[WEB]) == (RunStatus.FAILED, ObjectState.FAILED)
    assert "finalizer" in run.objects[0].message
    cluster.kept.clear()
    assert (await done(client, facts, design, undeploy=True)).status is RunStatus.SUCCEEDED


async def test_only_the_very_objects_are_removed(client: Client, cluster: StubCluster, facts: Facts) -> None:
    design = await saved(client, *(a_component(name=one) for one in ("ours", "gone", "another", "taken")))
    await done(client, facts, design)
    cluster.remove("ConfigMap/gone")
    cluster.remove("ConfigMap/another")
    cluster.put({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "another"}})
    thief = await saved(client, a_component(name="taken"))
    await done(client, facts, thief, force=True)
    cluster.log.clear()
    run = await done(client, facts, design, undeploy=True)
    assert run.status is RunStatus.SUCCEEDED
    assert cluster.log == ["delete ConfigMap/ours"]
    assert cluster.names == {"ConfigMap/another", "ConfigMap/taken"}
    # What was taken over is no longer this design's to remove.
    assert states(run) == {
        "ConfigMap/ours": ObjectState.DELETED,
        "ConfigMap/gone": ObjectState.UNCHANGED,
        "ConfigMap/another": ObjectState.UNCHANGED,
    }
    await client.ask(designs.DELETE, DesignId(design_id=design.id))


async def test_a_newer_version_of_a_kind_is_the_same_object(
    client: Client, cluster: StubCluster, facts: Facts
) -> None:
    design = await saved(client, a_component("Deployment", "web", version="apps/v1beta1"))
    await done(client, facts, design)
    await changed(client, design, a_component("Deployment", "web", version="apps/v1"))
    run = await done(client, facts, design)
    assert states(run) == {WEB: ObjectState.HEALTHY}
    assert cluster.names == {WEB}
    await done(client, facts, design, undeploy=True)
    assert cluster.names == set()


async def test_revoked_rights_stop_a_run(client: Client, cluster: StubCluster, facts: Facts) -> None:
    cluster.looks_until_healthy[WEB] = -1
    design = await saved(
        client, a_component("Deployment", "web"), a_component(name="last", depends_on=["web"])
    )
    run = await started(client, design)
    await facts.wait_for(deployments.RUN_PROGRESSED, lambda fact: fact.run_id == run.id)
    client.people.revoked.add(client.caller.user_id)
    run = await ended(client, facts, run)
    assert (run.status, run.problem and run.problem.code) == (RunStatus.FAILED, "user_unknown")
    assert states(run) == {WEB: ObjectState.APPLIED, "ConfigMap/last": ObjectState.SKIPPED}
    assert cluster.log == [f"apply {WEB}"]
    assert len(facts.of(deployments.RUN_FINISHED)) == 1


async def test_a_run_can_be_cancelled(client: Client, cluster: StubCluster, facts: Facts) -> None:
    cluster.looks_until_healthy[WEB] = -1
    design = await saved(
        client, a_component("Deployment", "web"), a_component(name="last", depends_on=["web"])
    )
    run = await started(client, design)
    await facts.wait_for(deployments.RUN_PROGRESSED, lambda fact: fact.run_id == run.id)
    told = await client.ask(deployments.CANCEL_RUN, RunId(run_id=run.id))
    assert told.status in (RunStatus.RUNNING, RunStatus.CANCELLED)
    run = await ended(client, facts, run)
    assert run.status is RunStatus.CANCELLED
    assert states(run) == {WEB: ObjectState.APPLIED, "ConfigMap/last": ObjectState.SKIPPED}
    (end,) = facts.of(deployments.RUN_FINISHED)
    assert (end.status, end.severity) == (RunStatus.CANCELLED, Severity.WARNING)
    with pytest.raises(Conflict) as caught:
        await client.ask(deployments.CANCEL_RUN, RunId(run_id=run.id))
    assert caught.value.problem.code == "run_finished"
    await done(client, facts, design, undeploy=True)
    assert cluster.names == set()


async def test_a_connection_that_is_deleted_in_the_middle(
    client: Client, clusters: StubClusters, cluster: StubCluster, facts: Facts
) -> None:
    cluster.looks_until_healthy[WEB] = -1
    design = await saved(
        client, a_component("Deployment", "web"), a_component(name="last", depends_on=["web"])
    )
    run = await started(client, design)
    await facts.wait_for(deployments.RUN_PROGRESSED, lambda fact: fact.run_id == run.id)
    clusters.connected.clear()
    run = await ended(client, facts, run)
    assert (run.status, states(run)[WEB]) == (RunStatus.FAILED, ObjectState.FAILED)


async def test_what_a_deleted_connection_held_is_forgotten(
    client: Client, cluster: StubCluster, facts: Facts, stubs: Stubs, database: Database
) -> None:
    design = await saved(client, a_component(name="settings"))
    await done(client, facts, design)
    told = ConnectionFact(
        organization_id=client.caller.organization_id,
        occurred_at=design.created_at,
        category="connection",
        action="delete",
        description="Gone.",
        connection_id=cluster.connection_id,
        name=cluster.name,
        kind="kubernetes",
        status=ConnectionStatus.DELETED,
    )
    for status in (ConnectionStatus.MAINTENANCE, ConnectionStatus.DELETED):
        fact = told.model_copy(update={"status": status})
        await stubs.store(connections.CHANGED, fact, cluster.connection_id)
    async with asyncio.timeout(10):
        while await database.fetchval(EVERY_ORGANIZATION, "select count(*) from deployed_objects"):
            await asyncio.sleep(0.02)
    await client.ask(designs.DELETE, DesignId(design_id=design.id))


async def test_who_has_deployed_what_a_file_names(client: Client, facts: Facts) -> None:
    """What a client means that undeploys a file, and has no id."""
    shop = await saved(client, *a_shop())
    other = await saved(client, a_component(name="other", namespace="shop"))

    async def found(*components: dict[str, Any], asker: Client = client) -> list[tuple[UUID, int, int]]:
        request = FindDeployed(file=a_design_file(*components))
        reply = await asker.ask(deployments.FIND_DEPLOYED, request)
        return [(one.design_id, one.named, one.objects) for one in reply.designs]

    assert await found(*a_shop()) == []
    for design in (shop, other):
        await done(client, facts, design)
    everything = [*a_shop(), a_component(name="other", namespace="shop")]
    assert await found(*a_shop()) == [(shop.id, 3, 3)]
    assert await found(*everything) == [(shop.id, 3, 3), (other.id, 1, 1)]
    assert await found(*a_shop()[:1]) == [(shop.id, 1, 3)]
    assert await found(a_component("Secret", "login", namespace="elsewhere")) == []
    assert await found(a_component("Gadget", "login", namespace="shop")) == []
    assert await found(*a_shop(), asker=client.colleague()) == []
    with pytest.raises(Forbidden):
        await found(*a_shop(), asker=client.stranger(key_bits=0))
