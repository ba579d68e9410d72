"""Planning deployments, starting runs and telling how they go. The runs themselves are done by the workers."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from meshery_common import operations, outbox
from meshery_common.clock import Clock, utc_now
from meshery_common.database import Database, Queries
from meshery_common.operations import Operation
from meshery_contracts import deployments as contract
from meshery_contracts.caller import Caller
from meshery_contracts.clusters import ObjectReference
from meshery_contracts.connections import Connection
from meshery_contracts.deployments import (
    Action,
    DeployDesign,
    Direction,
    ListRuns,
    ObjectPlan,
    ObjectState,
    Plan,
    PlanDesign,
    Run,
    RunFact,
    RunId,
    RunPage,
    RunStatus,
)
from meshery_contracts.designs import GetDesign
from meshery_contracts.errors import Conflict, FieldProblem, Invalid, NotFound
from meshery_designs.clients import ClusterClient
from meshery_designs.domain import manifests, plans
from meshery_designs.domain.plans import Item
from meshery_designs.service.designs import DesignsService
from meshery_designs.store import DesignStore, RunStore
from meshery_designs.store.runs import RUN_KIND, Deployed, Step, run_of


class DeploymentsService:
    """Use cases over plans and runs."""

    def __init__(
        self, db: Database, designs: DesignsService, clusters: ClusterClient, clock: Clock = utc_now
    ) -> None:
        self._db = db
        self._store = RunStore()
        self._design_store = DesignStore()
        self._designs = designs
        self._clusters = clusters
        self._clock = clock

    async def plan(self, request: PlanDesign, caller: Caller) -> Plan:
        """What a run would do, object by object, as the API servers themselves say."""
        document = await self._designs.document(request.design_id, request.file, request.version, caller)
        version = int(str(document.get("version", "0.0.1")).rpartition(".")[2] or 1)
        items = _items(document, request.design_id, version, skip_crds=request.skip_crds)
        targets = await self._targets(request.connection_ids, request.design_id, request.direction, caller)
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(self._plan_cluster(target.id, items, request, caller)) for target in targets
            ]
        objects = [one for task in tasks for one in task.result()]
        return Plan(
            design_id=request.design_id,
            version=version,
            direction=request.direction,
            hash=plans.plan_hash(objects),
            objects=objects,
            valid=not any(one.action in (Action.CONFLICT, Action.FAILED) for one in objects),
        )

    async def _plan_cluster(
        self, connection_id: UUID, items: Sequence[Item], request: PlanDesign, caller: Caller
    ) -> list[ObjectPlan]:
        queries = self._db.within(caller.organization_id)
        deployed = (
            await self._store.deployed(queries, request.design_id, connection_id) if request.design_id else []
        )
        if request.direction is Direction.UNDEPLOY:
            return await self._plan_removal(connection_id, deployed)
        contents = [one.content for one in items]
        results = await self._clusters.apply(connection_id, contents, force=request.force, dry_run=True)
        created_here = plans.created_by(contents)
        planned = [
            plans.deploy_plan(
                item,
                result,
                connection_id=connection_id,
                design_id=request.design_id,
                created_here=created_here,
                force=request.force,
            )
            for item, result in zip(items, results, strict=True)
        ]
        kept = {one.reference for one in planned}
        left = [one for one in deployed if one.reference not in kept]
        return planned + await self._plan_removal(connection_id, left, after=_last_wave(planned))

    async def _plan_removal(
        self, connection_id: UUID, deployed: Sequence[Deployed], *, after: int = -1
    ) -> list[ObjectPlan]:
        """Remove in the reverse of the order in which the objects went in."""
        if not deployed:
            return []
        results = await self._clusters.read(connection_id, [one.reference for one in deployed])
        last = max(one.wave for one in deployed)
        return [
            plans.undeploy_plan(
                one.component_id,
                one.reference,
                result,
                connection_id=connection_id,
                wave=after + 1 + last - one.wave,
            )
            for one, result in zip(deployed, results, strict=True)
        ]

    async def deploy(self, request: DeployDesign, caller: Caller) -> Run:
        """Start a run that brings a design into clusters."""
        return await self._start(request, Direction.DEPLOY, caller)

    async def undeploy(self, request: DeployDesign, caller: Caller) -> Run:
        """Start a run that removes what a design has deployed."""
        return await self._start(request, Direction.UNDEPLOY, caller)

    async def _start(self, request: DeployDesign, direction: Direction, caller: Caller) -> Run:
        asked = GetDesign(design_id=request.design_id, version=request.version)
        design = await self._designs.get(asked, caller)
        plan = await self.plan(
            PlanDesign(
                design_id=design.id,
                version=request.version,
                connection_ids=request.connection_ids,
                direction=direction,
                force=request.force,
                skip_crds=request.skip_crds,
            ),
            caller,
        )
        _check_plan(plan, request.plan_hash)
        document = await self._designs.document(design.id, None, request.version, caller)
        items = {
            one.component_id: one
            for one in _items(document, design.id, design.version, skip_crds=request.skip_crds)
        }
        names = await self._names({one.connection_id for one in plan.objects})
        steps = [
            _step(
                position,
                one,
                items.get(one.component_id) if one.component_id else None,
                names.get(one.connection_id, ""),
            )
            for position, one in enumerate(sorted(plan.objects, key=lambda one: one.wave))
        ]
        async with self._db.command(caller.organization_id) as tx:
            await self._design_store.require_operate(tx, design.id, caller)
            await self._store.lock_design(tx, design.id)
            run_id = await operations.start(
                tx,
                RUN_KIND,
                organization_id=caller.organization_id,
                user_id=caller.user_id,
                subject_id=design.id,
                input={
                    "design_name": design.name,
                    "version": design.version,
                    "direction": direction.value,
                    "force": request.force,
                    "connection_ids": sorted(str(one) for one in names),
                },
            )
            await self._store.insert_steps(tx, run_id, caller.organization_id, steps)
            fact = RunFact(
                organization_id=caller.organization_id,
                user_id=caller.user_id,
                actor=caller.actor,
                occurred_at=self._clock(),
                category="pattern",
                action=direction.value,
                description=f"A run to {direction.value} design '{design.name}' was started.",
                acted_upon=design.id,
                operation_id=run_id,
                run_id=run_id,
                design_id=design.id,
                status=RunStatus.PENDING,
                done=0,
                total=len(steps),
            )
            await outbox.add(tx, contract.RUN_STARTED, fact, subject_id=run_id)
            return await tx.answer(await self._run(tx, await operations.get(tx, run_id)))

    async def run(self, request: RunId, caller: Caller) -> Run:
        """A run with its objects."""
        queries = self._db.within(caller.organization_id)
        operation = await self._operation(queries, request.run_id, caller)
        return await self._run(queries, operation)

    async def runs(self, request: ListRuns, caller: Caller) -> RunPage:
        """Runs of the organisation, newest first, without their objects."""
        return await self._store.page(self._db.within(caller.organization_id), request, caller)

    async def cancel(self, request: RunId, caller: Caller) -> Run:
        """Stop a run after the wave it is in; what it has applied stays."""
        async with self._db.command(caller.organization_id) as tx:
            operation = await self._operation(tx, request.run_id, caller)
            await operations.request_cancel(tx, operation.operation_id)
            return await tx.answer(await self._run(tx, operation))

    async def _operation(self, queries: Queries, run_id: UUID, caller: Caller) -> Operation:
        operation = await operations.get(queries, run_id)
        if operation.kind != RUN_KIND or operation.organization_id != caller.organization_id:
            raise NotFound(f"There is no run {run_id}.", code="run_unknown")
        return operation

    async def _run(self, queries: Queries, operation: Operation) -> Run:
        objects = await self._store.objects(queries, operation.operation_id)
        return run_of(operation).model_copy(update={"objects": objects})

    async def _targets(
        self, wanted: Sequence[UUID], design_id: UUID | None, direction: Direction, caller: Caller
    ) -> list[Connection]:
        """The clusters a plan is for. Raises NotFound for an unknown one, Invalid when there is none."""
        if wanted:
            return [await self._clusters.get(one) for one in dict.fromkeys(wanted)]
        connected = await self._clusters.connected()
        if direction is Direction.UNDEPLOY and design_id is not None:
            queries = self._db.within(caller.organization_id)
            holding: set[UUID] = set(await self._store.deployed_connections(queries, design_id))
            connected = [one for one in connected if one.id in holding]
            if not connected:
                raise Invalid(
                    "This design is not deployed in any connected cluster.",
                    code="nothing_deployed",
                    remedy="Connect the cluster that it was deployed to, or name the cluster.",
                )
        if not connected:
            raise Invalid(
                "No Kubernetes cluster is connected.",
                code="no_cluster",
                cause="A design is deployed to connected clusters, and there is none.",
                remedy="Upload a kubeconfig, or set a discovered connection to connected.",
            )
        return connected

    async def _names(self, connection_ids: set[UUID]) -> dict[UUID, str]:
        return {one: (await self._clusters.get(one)).name for one in connection_ids}


def _items(document: dict[str, Any], design_id: UUID | None, version: int, *, skip_crds: bool) -> list[Item]:
    """The objects of a design in the order they go in."""
    components = [one for one in document.get("components") or [] if manifests.is_deployable(one)]
    if skip_crds:
        components = [one for one in components if one["component"]["kind"] != "CustomResourceDefinition"]
    if not components:
        raise Invalid(
            "The design holds nothing that can be deployed.",
            code="design_empty",
            remedy="Add components, or import a manifest.",
        )
    waves = plans.waves_of(components)
    items = []
    for one in components:
        content = manifests.object_of(one, design_id=design_id, version=version)
        namespaced = bool((one.get("metadata") or {}).get("isNamespaced", True))
        items.append(
            Item(
                component_id=UUID(str(one["id"])),
                component_name=str(one.get("displayName") or content["metadata"]["name"]),
                model=str((one.get("modelReference") or {}).get("name") or ""),
                content=content,
                reference=manifests.reference_of(content, namespaced=namespaced),
                wave=waves[str(one["id"])],
            )
        )
    return sorted(items, key=lambda item: item.wave)


def _last_wave(planned: Sequence[ObjectPlan]) -> int:
    return max((one.wave for one in planned), default=-1)


def _check_plan(plan: Plan, wanted_hash: str) -> None:
    """Raise Conflict when the plan cannot be run, or is not the one that was agreed to."""
    if wanted_hash and wanted_hash != plan.hash:
        raise Conflict(
            "The plan has changed since it was made.",
            code="plan_stale",
            cause="The design or the clusters changed in between.",
            remedy="Look at the new plan and deploy with its hash.",
        )
    refused = [one for one in plan.objects if one.problem is not None]
    if refused:
        fields = tuple(
            FieldProblem(path=_title(one.reference), message=one.problem.title)
            for one in refused[:100]
            if one.problem is not None
        )
        raise Conflict(
            f"The clusters refuse {len(refused)} of {len(plan.objects)} objects: {fields[0].message}",
            code="plan_refused",
            fields=fields,
            remedy="Mend the named objects; deploy with force to take over fields that others manage.",
        )


def _title(reference: ObjectReference) -> str:
    where = f"{reference.namespace}/" if reference.namespace else ""
    return f"{reference.kind} {where}{reference.name}"


def _step(position: int, plan: ObjectPlan, item: Item | None, connection_name: str) -> Step:
    deletes = plan.action is Action.DELETE
    gone = plan.action is Action.UNCHANGED and item is None
    return Step(
        position=position,
        connection_id=plan.connection_id,
        connection_name=connection_name,
        component_id=plan.component_id,
        component_name=item.component_name if item else plan.reference.name,
        model=item.model if item else "",
        reference=plan.reference,
        wave=plan.wave,
        content=None if deletes or gone or item is None else item.content,
        state=ObjectState.WAITING,
    )
