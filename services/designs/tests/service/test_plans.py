"""Plans over the bus: what a deployment would do, as the API servers say."""

from __future__ import annotations

from typing import Any

import pytest

from meshery_common.processes import LONG
from meshery_contracts import deployments, designs
from meshery_contracts.deployments import Action, DeployDesign, Direction, FindDeployed, Plan, PlanDesign
from meshery_contracts.designs import CreateDesign, Design, UpdateDesign
from meshery_contracts.errors import Conflict, Invalid, NotFound
from meshery_designs.domain.manifests import DESIGN_LABEL
from meshery_testkit.asking import Client
from meshery_testkit.builders import a_component, a_definition, a_design_file
from meshery_testkit.stub_clusters import StubCluster, StubClusters

pytestmark = pytest.mark.usefixtures("service", "cluster")


async def saved(client: Client, *components: dict[str, Any]) -> Design:
    return await client.ask(designs.CREATE, CreateDesign(name="shop", file=a_design_file(*components)))


async def planned(client: Client, design: Design, **fields: Any) -> Plan:
    return await client.ask(deployments.PLAN, PlanDesign(**{"design_id": design.id, **fields}))


def actions(plan: Plan) -> dict[str, Action]:
    return {f"{one.reference.kind}/{one.reference.name}": one.action for one in plan.objects}


async def test_a_plan_changes_nothing_and_stays_the_same(client: Client, cluster: StubCluster) -> None:
    design = await saved(client, a_component("Deployment", "web"), a_component(name="settings"))
    cluster.put(
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings"}, "data": {"a": "1"}}
    )
    plan = await planned(client, design)
    assert actions(plan) == {"ConfigMap/settings": Action.UPDATE, "Deployment/web": Action.CREATE}
    assert [one.wave for one in plan.objects] == [2, 5]
    assert {one.path for one in plan.objects[0].changes} == {
        f"metadata.labels.{DESIGN_LABEL}",
        "metadata.annotations.component.meshery.io/id",
    }
    assert (plan.valid, plan.version) == (True, 1)
    assert (cluster.log, cluster.names) == ([], {"ConfigMap/settings"})
    assert (await planned(client, design)).hash == plan.hash
    assert (await planned(client, design, force=True)).hash != plan.hash


async def test_another_version_with_another_secret_has_another_hash(
    client: Client, cluster: StubCluster
) -> None:
    secret = a_component("Secret", "login", data={"password": "czNjcmV0"})
    design = await saved(client, secret)
    cluster.put(
        {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "login"}, "data": {"password": "b2xk"}}
    )
    first = await planned(client, design)
    secret["configuration"]["data"]["password"] = "b3RoZXI="
    await client.ask(designs.UPDATE, UpdateDesign(design_id=design.id, file=a_design_file(secret)))
    second = await planned(client, design)
    assert first.hash != second.hash
    for plan in (first, second):
        assert not {"czNjcmV0", "b2xk", "b3RoZXI="} & set(plan.model_dump_json().split('"'))
        assert "data.password" in [one.path for one in plan.objects[0].changes]


async def test_namespaces_and_kinds_of_the_plan_itself_are_waited_for(
    client: Client, cluster: StubCluster
) -> None:
    design = await saved(
        client,
        a_component("Gadget", "mine", version="example.com/v1"),
        a_definition(),
        a_component(name="settings", namespace="shop"),
        a_component("Namespace", "shop"),
        a_component(name="lost", namespace="elsewhere"),
    )
    plan = await planned(client, design)
    assert actions(plan) == {
        "Namespace/shop": Action.CREATE,
        "CustomResourceDefinition/gadgets.example.com": Action.CREATE,
        "ConfigMap/settings": Action.CREATE,
        "ConfigMap/lost": Action.FAILED,
        "Gadget/mine": Action.CREATE,
    }
    assert not plan.valid
    notes = {one.reference.name: one.warnings for one in plan.objects if one.warnings}
    assert set(notes) == {"settings", "mine"}


async def test_definitions_may_be_skipped(client: Client) -> None:
    design = await saved(client, a_component(name="a"), a_definition())
    assert set(actions(await planned(client, design, skip_crds=True))) == {"ConfigMap/a"}


async def test_conflicts_are_in_the_plan_and_stop_a_deployment(client: Client, cluster: StubCluster) -> None:
    theirs, ours = [await saved(client, a_component(name="settings")) for _ in range(2)]
    cluster.put(
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "settings", "labels": {DESIGN_LABEL: str(theirs.id)}},
        }
    )
    plan = await planned(client, ours)
    assert (plan.valid, actions(plan)) == (False, {"ConfigMap/settings": Action.CONFLICT})
    with pytest.raises(Conflict) as caught:
        await client.ask(deployments.DEPLOY, DeployDesign(design_id=ours.id))
    assert caught.value.problem.code == "plan_refused"
    assert str(theirs.id) in caught.value.problem.title
    forced = await planned(client, ours, force=True)
    assert (forced.valid, actions(forced)) == (True, {"ConfigMap/settings": Action.UPDATE})
    assert forced.objects[0].warnings == [f"It is taken over from design {theirs.id}."]
    cluster.managed_by_others.add("ConfigMap/settings")
    assert actions(await planned(client, theirs)) == {"ConfigMap/settings": Action.CONFLICT}
    assert actions(await planned(client, theirs, force=True)) == {"ConfigMap/settings": Action.UPDATE}


async def test_a_cluster_that_is_away_fails_its_objects_only(client: Client, clusters: StubClusters) -> None:
    away = StubCluster("away", away=5)
    clusters.connected.append(away)
    design = await saved(client, a_component(name="a"), a_component(name="b"))
    plan = await planned(client, design)
    by_cluster = {
        one.connection_id: one.action for one in sorted(plan.objects, key=lambda one: one.reference.name)
    }
    assert by_cluster == {
        clusters.connected[0].connection_id: Action.CREATE,
        away.connection_id: Action.FAILED,
    }
    (first,) = {one.problem.code for one in plan.objects if one.problem}
    assert (first, plan.valid) == ("cluster_unreachable", False)
    named = await planned(client, design, connection_ids=[clusters.connected[0].connection_id])
    assert named.valid


async def test_files_that_are_not_saved_can_be_planned(client: Client, cluster: StubCluster) -> None:
    file = a_design_file(a_component(name="a"))
    plan = await client.ask(deployments.PLAN, PlanDesign(file=file))
    assert (plan.design_id, plan.version, actions(plan)) == (None, 0, {"ConfigMap/a": Action.CREATE})
    design = await saved(client, a_component(name="a"))
    edit = await planned(client, design, file=a_design_file(a_component(name="b")))
    assert (edit.version, actions(edit)) == (0, {"ConfigMap/b": Action.CREATE})
    with pytest.raises(NotFound):
        await planned(client.stranger(), design, file=file)


async def test_a_large_design_is_planned_beside_the_service(client: Client, cluster: StubCluster) -> None:
    parts = [a_component(name=f"part-{number}", data={"key": "x" * 1000}) for number in range(100)]
    for part in parts[:50]:
        cluster.put({"apiVersion": "v1", "kind": "ConfigMap", "metadata": part["configuration"]["metadata"]})
    file = a_design_file(*parts)
    assert len(file) > LONG
    plan = await client.ask(deployments.PLAN, PlanDesign(file=file))
    assert [one.action for one in plan.objects] == [Action.UPDATE] * 50 + [Action.CREATE] * 50
    found = await client.ask(deployments.FIND_DEPLOYED, FindDeployed(file=file))
    assert found.designs == []


async def test_what_cannot_be_planned(client: Client, clusters: StubClusters) -> None:
    empty = await saved(client)
    twice = await saved(client, a_component(name="a"), a_component(name="a"))
    circle = await saved(
        client, a_component(name="a", depends_on=["b"]), a_component(name="b", depends_on=["a"])
    )
    good = await saved(client, a_component(name="a"))
    for design, fields, code in [
        (empty, {}, "design_empty"),
        (twice, {}, "object_twice"),
        (circle, {}, "depends_on_circle"),
        (good, {"direction": Direction.UNDEPLOY}, "nothing_deployed"),
    ]:
        with pytest.raises(Invalid) as caught:
            await planned(client, design, **fields)
        assert caught.value.problem.code == code
    with pytest.raises(NotFound):
        await planned(client, good, connection_ids=[good.id])
    with pytest.raises(NotFound):
        await planned(client, good, version=9)
    clusters.connected.clear()
    with pytest.raises(Invalid) as caught:
        await planned(client, good)
    assert caught.value.problem.code == "no_cluster"
