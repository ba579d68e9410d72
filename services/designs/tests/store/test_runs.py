"""Runs, their steps, and what designs have put into clusters."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import pytest

from meshery_common import operations
from meshery_common.database import EVERY_ORGANIZATION, Database
from meshery_contracts.caller import Caller
from meshery_contracts.clusters import ObjectReference
from meshery_contracts.deployments import Action, Direction, ListRuns, ObjectState, RunStatus
from meshery_contracts.designs import Design, DesignType, Visibility
from meshery_contracts.errors import Conflict, Invalid, NotFound
from meshery_designs.domain.design_files import checked
from meshery_designs.domain.steps import Step
from meshery_designs.store import DeployedStore, DesignStore, RunStore
from meshery_designs.store.runs import RUN_KIND, RunOrder, run_of

RUNS, DEPLOYED = RunStore(), DeployedStore()
ORGANIZATION, CLUSTER = uuid4(), uuid4()
OWNER = Caller(user_id=uuid4(), organization_id=ORGANIZATION)


def a_step(position: int = 0, name: str = "web", **changes: Any) -> Step:
    step = Step(
        position=position,
        connection_id=CLUSTER,
        connection_name="cluster",
        component_id=uuid4(),
        component_name=name,
        model="kubernetes",
        reference=ObjectReference(api_version="apps/v1", kind="Deployment", namespace="shop", name=name),
        wave=position,
        action=Action.CREATE,
        content={"data": "s3cret"},
    )
    return replace(step, **changes)


async def a_design(db: Database, visibility: Visibility = Visibility.PRIVATE) -> Design:
    file = checked({}, design_id=uuid4(), name="shop", version=1, new_id=uuid4)
    async with db.transaction(ORGANIZATION) as tx:
        return await DesignStore().insert(
            tx, uuid4(), file, OWNER, visibility=visibility, design_type=DesignType.DESIGN
        )


async def a_run(db: Database, design_id: UUID, *steps: Step) -> UUID:
    order = RunOrder(
        design_name="shop", version=1, direction=Direction.DEPLOY, force=False, connection_ids=[CLUSTER]
    )
    async with db.transaction(ORGANIZATION) as tx:
        run_id = await operations.start(
            tx,
            RUN_KIND,
            organization_id=ORGANIZATION,
            user_id=OWNER.user_id,
            subject_id=design_id,
            input=order,
        )
        await RUNS.insert_steps(tx, run_id, ORGANIZATION, steps)
    return run_id


async def test_steps_are_kept_with_all_they_say(db: Database) -> None:
    design = await a_design(db)
    removal = a_step(1, "old", action=Action.DELETE, content=None, uid="u1")
    steps = [a_step(), removal]
    run_id = await a_run(db, design.id, *steps)
    queries = db.within(ORGANIZATION)
    assert await RUNS.steps(queries, run_id) == steps
    failed = replace(
        steps[0], state=ObjectState.FAILED, message="wrong", problem=Invalid("wrong").problem, uid="u2"
    )
    async with db.transaction(ORGANIZATION) as tx:
        await RUNS.record(tx, run_id, [failed])
    assert await RUNS.steps(queries, run_id) == [failed, removal]
    shown = await RUNS.objects(queries, run_id)
    assert [(one.state, one.action, one.component_name) for one in shown] == [
        (ObjectState.FAILED, Action.CREATE, "web"),
        (ObjectState.WAITING, Action.DELETE, "old"),
    ]
    assert "s3cret" not in "".join(one.model_dump_json() for one in shown)


async def test_a_closed_run_skips_what_waits_and_forgets_the_contents(db: Database) -> None:
    design = await a_design(db)
    done = a_step(0, state=ObjectState.HEALTHY, message="fine")
    run_id = await a_run(db, design.id, done, a_step(1), a_step(2, state=ObjectState.APPLIED))
    async with db.transaction(ORGANIZATION) as tx:
        closed = await RUNS.close(tx, run_id, "because")
    assert [(one.state, one.message, one.content) for one in closed] == [
        (ObjectState.HEALTHY, "fine", None),
        (ObjectState.SKIPPED, "because", None),
        (ObjectState.APPLIED, "", None),
    ]
    assert not await db.fetchval(
        EVERY_ORGANIZATION, "select bool_or(content::text like '%s3cret%') from run_objects"
    )


async def test_a_run_is_seen_by_its_starter_and_by_readers_of_the_design(db: Database) -> None:
    private, public = await a_design(db), await a_design(db, Visibility.PUBLIC)
    runs = [await a_run(db, one.id) for one in (private, public)]
    colleague = Caller(user_id=uuid4(), organization_id=ORGANIZATION)
    stranger = Caller(user_id=OWNER.user_id, organization_id=uuid4())
    for caller, seen in [(OWNER, runs), (colleague, runs[1:]), (stranger, [])]:
        queries = db.within(caller.organization_id)
        page = await RUNS.page(queries, ListRuns(), caller)
        assert ([one.id for one in page.runs], page.total_count) == (seen[::-1], len(seen))
        for run_id in runs:
            if run_id in seen:
                assert run_of(await RUNS.get(queries, run_id, caller)).status is RunStatus.PENDING
            else:
                with pytest.raises(NotFound):
                    await RUNS.get(queries, run_id, caller)
    of_one = await RUNS.page(db.within(ORGANIZATION), ListRuns(design_id=private.id), OWNER)
    assert [one.id for one in of_one.runs] == runs[:1]


async def test_operations_of_another_kind_are_no_runs(db: Database) -> None:
    async with db.transaction(ORGANIZATION) as tx:
        other = await operations.start(
            tx, "other", organization_id=ORGANIZATION, user_id=OWNER.user_id, input={}
        )
    with pytest.raises(NotFound):
        await RUNS.get(db.within(ORGANIZATION), other, OWNER)
    assert (await RUNS.page(db.within(ORGANIZATION), ListRuns(), OWNER)).runs == []


async def test_a_design_is_busy_while_a_run_is_under_way(db: Database) -> None:
    design = await a_design(db)
    async with db.transaction(ORGANIZATION) as tx:
        await RUNS.require_idle(tx, design.id)
    run_id = await a_run(db, design.id)
    async with db.transaction(ORGANIZATION) as tx:
        with pytest.raises(Conflict):
            await RUNS.require_idle(tx, design.id)
        await operations.request_cancel(tx, run_id)
        await RUNS.require_idle(tx, design.id)
        await DesignStore().delete(tx, design.id)
        with pytest.raises(NotFound):
            await RUNS.require_idle(tx, design.id)


# --- what is deployed ---------------------------------------------------------------------------------------


async def deployed(db: Database, design_id: UUID) -> dict[str, tuple[str, str]]:
    found = await DEPLOYED.of(db.within(ORGANIZATION), design_id, CLUSTER)
    return {one.reference.name: (one.reference.api_version, one.uid) for one in found}


async def add(db: Database, design_id: UUID, *steps: Step) -> None:
    async with db.transaction(ORGANIZATION) as tx:
        await DEPLOYED.add(tx, design_id, ORGANIZATION, 1, steps)


async def remove(db: Database, design_id: UUID, *steps: Step) -> None:
    async with db.transaction(ORGANIZATION) as tx:
        await DEPLOYED.remove(tx, design_id, steps)


async def test_what_is_about_to_be_deployed_is_noted_before_its_uid_is_known(db: Database) -> None:
    design = uuid4()
    await add(db, design, a_step(), a_step(1, "api"))
    assert await deployed(db, design) == {"web": ("apps/v1", ""), "api": ("apps/v1", "")}
    await add(db, design, a_step(uid="u1"))
    await add(db, design, a_step())
    assert (await deployed(db, design))["web"] == ("apps/v1", "u1")
    found = await DEPLOYED.of(db.within(ORGANIZATION), design, CLUSTER)
    assert [(one.component_name, one.wave) for one in found] == [("web", 0), ("api", 1)]
    assert await DEPLOYED.connections(db.within(ORGANIZATION), design) == {CLUSTER}


async def test_versions_of_a_kind_are_one_object(db: Database) -> None:
    design = uuid4()
    await add(db, design, a_step(uid="u1"))
    newer = a_step().reference.model_copy(update={"api_version": "apps/v2"})
    await add(db, design, a_step(uid="u1", reference=newer))
    assert await deployed(db, design) == {"web": ("apps/v2", "u1")}


async def test_only_the_very_object_is_forgotten(db: Database) -> None:
    design, other = uuid4(), uuid4()
    await add(db, design, a_step(uid="u2"), a_step(1, "api"))
    await add(db, other, a_step(1, "cache", uid="u3"))
    await remove(db, design, a_step(uid="u1"), a_step(uid=""), a_step(1, "cache", uid="u3"))
    assert await deployed(db, design) == {"web": ("apps/v1", "u2"), "api": ("apps/v1", "")}
    await remove(db, design, a_step(uid="u2"), a_step(1, "api", uid="u9"))
    assert await deployed(db, design) == {}
    assert set(await deployed(db, other)) == {"cache"}


async def test_an_object_belongs_to_the_design_that_deployed_it_last(db: Database) -> None:
    first, second = uuid4(), uuid4()
    await add(db, first, a_step(uid="u1"), a_step(1, "api", uid="u2"))
    await add(db, second, a_step())
    assert set(await deployed(db, first)) == {"web", "api"}
    await add(db, second, a_step(uid="u1"))
    assert set(await deployed(db, first)) == {"api"}
    assert await deployed(db, second) == {"web": ("apps/v1", "u1")}


async def test_a_cluster_that_is_gone_is_forgotten(db: Database) -> None:
    design, elsewhere = uuid4(), uuid4()
    await add(db, design, a_step(uid="u1"), a_step(1, uid="u2", connection_id=elsewhere))
    async with db.transaction(ORGANIZATION) as tx:
        assert await DEPLOYED.forget_cluster(tx, CLUSTER, ORGANIZATION) == 1
    assert await DEPLOYED.connections(db.within(ORGANIZATION), design) == {elsewhere}


async def test_nothing_is_noted_in_a_cluster_that_is_gone(db: Database) -> None:
    """A run was under way when its connection was deleted: the design could never be deleted again."""
    design, elsewhere = uuid4(), uuid4()
    async with db.transaction(ORGANIZATION) as tx:
        await DEPLOYED.forget_cluster(tx, CLUSTER, ORGANIZATION)
    await add(db, design, a_step(), a_step(connection_id=elsewhere))
    assert await DEPLOYED.connections(db.within(ORGANIZATION), design) == {elsewhere}


async def test_what_is_just_being_noted_is_forgotten_as_well(db: Database) -> None:
    design, other = uuid4(), uuid4()

    async def forget() -> None:
        async with db.transaction(ORGANIZATION) as tx:
            await DEPLOYED.forget_cluster(tx, CLUSTER, ORGANIZATION)

    async with asyncio.TaskGroup() as group, db.transaction(ORGANIZATION) as tx:
        await DEPLOYED.add(tx, design, ORGANIZATION, 1, [a_step()])
        # Runs do not wait for each other.
        await add(db, other, a_step(name="api"))
        forgetting = group.create_task(forget())
        await asyncio.wait([forgetting], timeout=0.3)
        assert not forgetting.done()
    for one in (design, other):
        assert await deployed(db, one) == {}
