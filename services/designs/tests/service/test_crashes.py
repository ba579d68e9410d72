"""Runs whose service is stopped or killed in the middle: each ends once, and nothing is lost on the way."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest

from meshery_common import operations
from meshery_common.database import Database
from meshery_contracts import deployments, designs
from meshery_contracts.clusters import ObjectReference
from meshery_contracts.deployments import Action, DeployDesign, Direction, ObjectState, Run, RunId, RunStatus
from meshery_contracts.designs import CreateDesign, Design
from meshery_designs.app import running
from meshery_designs.domain.steps import Step
from meshery_designs.settings import DesignsSettings
from meshery_designs.store.runs import RUN_KIND, RunOrder, RunStore
from meshery_testkit.asking import Client
from meshery_testkit.builders import a_component, a_design_file
from meshery_testkit.crashing import lose_leases, own_process
from meshery_testkit.facts import Facts
from meshery_testkit.hosting import hosted
from meshery_testkit.stub_clusters import StubCluster

pytestmark = pytest.mark.usefixtures("kinds")

WEB = "Deployment/web"


async def started(client: Client, *components: dict[str, Any], **fields: Any) -> tuple[Design, Run]:
    design = await client.ask(designs.CREATE, CreateDesign(file=a_design_file(*components)))
    return design, await client.ask(deployments.DEPLOY, DeployDesign(design_id=design.id, **fields))


async def ended(client: Client, facts: Facts, run: Run) -> Run:
    await facts.wait_for(deployments.RUN_FINISHED, lambda fact: fact.run_id == run.id)
    return await client.ask(deployments.GET_RUN, RunId(run_id=run.id))


async def ends_of(client: Client, facts: Facts, run: Run) -> int:
    """How many ends of a run were announced before the saving of another design."""
    last = await client.ask(designs.CREATE, CreateDesign(name="last"))
    await facts.wait_for(designs.SAVED, lambda fact: fact.design_id == last.id)
    return sum(fact.run_id == run.id for fact in facts.of(deployments.RUN_FINISHED))


async def written(cluster: StubCluster, name: str) -> None:
    async with asyncio.timeout(20):
        while cluster.find(name) is None:
            await asyncio.sleep(0.01)


async def test_a_run_whose_service_was_killed_is_finished_once(
    client: Client, cluster: StubCluster, settings: DesignsSettings, facts: Facts, database: Database
) -> None:
    cluster.answering.clear()
    async with own_process(settings) as child:
        components = [a_component(name="first"), a_component("Deployment", "web")]
        design, run = await started(client, *components)
        await written(cluster, "ConfigMap/first")
        child.kill()
        await child.wait()
    cluster.answering.set()
    await lose_leases(database)
    async with hosted(running(settings)):
        run = await ended(client, facts, run)
        assert (run.status, {one.state for one in run.objects}) == (
            *(RunStatus.SUCCEEDED,),
            {ObjectState.HEALTHY},
        )
        # Applied twice, which changes nothing; what was recorded is not done again.
        assert cluster.log == ["apply ConfigMap/first", "apply ConfigMap/first", f"apply {WEB}"]
        assert await ends_of(client, facts, run) == 1
        undone = await client.ask(deployments.UNDEPLOY, DeployDesign(design_id=design.id))
        assert (await ended(client, facts, undone)).status is RunStatus.SUCCEEDED
        assert cluster.names == set()


async def test_what_a_killed_service_was_about_to_apply_can_still_be_removed(
    client: Client, cluster: StubCluster, settings: DesignsSettings, facts: Facts, database: Database
) -> None:
    cluster.answering.clear()
    async with own_process(settings) as child:
        design, run = await started(client, a_component(name="first"))
        await written(cluster, "ConfigMap/first")
        await client.ask(deployments.CANCEL_RUN, RunId(run_id=run.id))
        child.kill()
        await child.wait()
    cluster.answering.set()
    await lose_leases(database)
    async with hosted(running(settings)):
        run = await ended(client, facts, run)
        assert (run.status, run.objects[0].state) == (RunStatus.CANCELLED, ObjectState.SKIPPED)
        assert await ends_of(client, facts, run) == 1
        undone = await client.ask(deployments.UNDEPLOY, DeployDesign(design_id=design.id))
        assert (await ended(client, facts, undone)).status is RunStatus.SUCCEEDED
        assert cluster.names == set()


async def test_a_service_that_is_stopped_hands_its_runs_over(
    client: Client, cluster: StubCluster, settings: DesignsSettings, facts: Facts
) -> None:
    cluster.looks_until_healthy[WEB] = -1
    patient = settings.model_copy(update={"health_timeout_seconds": 60.0})
    async with hosted(running(patient)):
        _, run = await started(client, a_component("Deployment", "web"))
        await facts.wait_for(deployments.RUN_PROGRESSED, lambda fact: fact.run_id == run.id)
    cluster.looks_until_healthy[WEB] = 0
    async with hosted(running(patient)):
        run = await ended(client, facts, run)
        assert (run.status, cluster.log) == (RunStatus.SUCCEEDED, [f"apply {WEB}"])
        assert await ends_of(client, facts, run) == 1


async def test_a_run_that_nobody_has_begun_is_cancelled_at_once(
    client: Client, cluster: StubCluster, settings: DesignsSettings, facts: Facts
) -> None:
    cluster.looks_until_healthy[WEB] = -1
    busy = settings.model_copy(update={"runs_at_once": 1, "health_timeout_seconds": 60.0})
    async with hosted(running(busy)):
        _, first = await started(client, a_component("Deployment", "web"))
        await facts.wait_for(deployments.RUN_PROGRESSED, lambda fact: fact.run_id == first.id)
        _, second = await started(client, a_component(name="settings"))
        cancels = [client.ask(deployments.CANCEL_RUN, RunId(run_id=second.id)) for _ in range(3)]
        told = await asyncio.gather(*cancels, return_exceptions=True)
        (run,) = [one for one in told if isinstance(one, Run)]
        assert (run.status, run.objects[0].state) == (RunStatus.CANCELLED, ObjectState.SKIPPED)
        assert (await ended(client, facts, second)).status is RunStatus.CANCELLED
        assert await ends_of(client, facts, second) == 1
        assert cluster.log == [f"apply {WEB}"]
        await client.ask(deployments.CANCEL_RUN, RunId(run_id=first.id))
        await ended(client, facts, first)


async def test_a_run_that_had_failed_before_its_worker_was_lost_does_not_go_on(
    client: Client, cluster: StubCluster, settings: DesignsSettings, facts: Facts, database: Database
) -> None:
    failed = Step(
        position=0,
        connection_id=cluster.connection_id,
        connection_name=cluster.name,
        component_id=None,
        component_name="first",
        model="",
        reference=ObjectReference(api_version="v1", kind="ConfigMap", namespace="default", name="first"),
        wave=0,
        action=Action.CREATE,
        content={},
        state=ObjectState.FAILED,
        message="refused",
    )
    waiting = replace(failed, position=1, wave=1, state=ObjectState.WAITING)
    organization_id = client.caller.organization_id
    order = RunOrder(
        design_name="shop", version=1, direction=Direction.DEPLOY, force=False, connection_ids=[]
    )
    async with database.transaction(organization_id) as tx:
        run_id = await operations.start(
            tx,
            RUN_KIND,
            organization_id=organization_id,
            user_id=client.caller.user_id,
            subject_id=uuid4(),
            input=order,
        )
        await RunStore().insert_steps(tx, run_id, organization_id, [failed, waiting])
    async with hosted(running(settings)):
        await facts.wait_for(deployments.RUN_FINISHED, lambda fact: fact.status is RunStatus.FAILED)
        run = await client.ask(deployments.GET_RUN, RunId(run_id=run_id))
        assert [one.state for one in run.objects] == [ObjectState.FAILED, ObjectState.SKIPPED]
        assert cluster.log == []
