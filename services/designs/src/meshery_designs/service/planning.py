"""Plans: what a run would do in each cluster, as the API servers themselves say. Writes nothing."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from meshery_common.database import Database
from meshery_common.processes import WorkerProcess
from meshery_contracts.caller import Caller
from meshery_contracts.connections import Connection
from meshery_contracts.deployments import Action, Direction, Plan, PlanDesign
from meshery_contracts.errors import Conflict, FieldProblem, Invalid
from meshery_designs.clients import ClusterClient
from meshery_designs.domain import plans
from meshery_designs.domain.items import Item, Objects, items_in
from meshery_designs.domain.manifests import CRD, group_kind
from meshery_designs.domain.plans import Deployed, Planned
from meshery_designs.domain.steps import Step, step_of
from meshery_designs.domain.waves import brings
from meshery_designs.store import DeployedStore


@dataclass(frozen=True)
class Draft:
    """A plan with what is needed to carry it out."""

    plan: Plan
    objects: tuple[Planned, ...]
    clusters: tuple[Connection, ...]

    def steps(self) -> list[Step]:
        """What a run has to do, in order. Raises Conflict when the clusters refuse the plan."""
        refused = [one for one in self.plan.objects if one.problem is not None]
        if refused:
            fields = tuple(
                FieldProblem(path=f"{one.reference.kind} {one.reference.name}", message=one.problem.title)
                for one in refused[:100]
                if one.problem is not None
            )
            raise Conflict(
                f"The clusters refuse {len(refused)} of {len(self.plan.objects)} objects: {fields[0].message}",
                code="plan_refused",
                fields=fields,
                remedy="Mend the named objects; deploy with force to take over what others manage.",
            )
        names = {one.id: one.name for one in self.clusters}
        return [
            step_of(position, one, names[one.plan.connection_id]) for position, one in enumerate(self.objects)
        ]


class Planner:
    """Makes drafts of deployments and removals."""

    def __init__(self, db: Database, clusters: ClusterClient, beside: WorkerProcess) -> None:
        self._db = db
        self._deployed = DeployedStore()
        self._clusters = clusters
        self._beside = beside

    async def draft(self, request: PlanDesign, file: str, version: int, caller: Caller) -> Draft:
        """What becomes of each object of a design file (JSON) in each cluster.

        A cluster that cannot be asked fails its objects only.
        """
        deploys = request.direction is Direction.DEPLOY
        items = await self._items(request, file, version) if deploys else []
        clusters = await self._clusters_of(request)
        held = {one.id: await self._held(one.id, request, caller) for one in clusters}
        if not (deploys or request.connection_ids):
            clusters = [one for one in clusters if held[one.id]]
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(
                    self._deployment(connection_id, items, deployed, request)
                    if deploys
                    else self._removal(connection_id, deployed, request)
                )
                for connection_id, deployed in held.items()
            ]
        objects = sorted((one for task in tasks for one in task.result()), key=lambda one: one.plan.wave)
        if not objects:
            raise Invalid(
                "This design is not deployed in any of these clusters.",
                code="nothing_deployed",
                remedy="Connect the cluster that it was deployed to, or name the cluster.",
            )
        return Draft(_plan(request, file, version, objects), tuple(objects), tuple(clusters))

    async def _items(self, request: PlanDesign, file: str, version: int) -> list[Item]:
        found = await self._beside.run_if_long(len(file), items_in, file, request.design_id, version)
        items = [one for one in found if not _skipped(one, request)]
        if not items:
            raise Invalid(
                "The design holds nothing that can be deployed.",
                code="design_empty",
                remedy="Add components, or import a manifest; undeploy it to remove what was deployed.",
            )
        return items

    async def _clusters_of(self, request: PlanDesign) -> list[Connection]:
        """The clusters that are named, or all connected ones."""
        if request.connection_ids:
            return [await self._clusters.get(one) for one in dict.fromkeys(request.connection_ids)]
        connected = await self._clusters.connected()
        if not connected and request.direction is Direction.DEPLOY:
            raise Invalid(
                "No Kubernetes cluster is connected.",
                code="no_cluster",
                cause="A design is deployed to connected clusters, and there is none.",
                remedy="Upload a kubeconfig, or set a discovered connection to connected.",
            )
        return connected

    async def _held(self, connection_id: UUID, request: PlanDesign, caller: Caller) -> list[Deployed]:
        """What the design has in a cluster, as far as it may be removed."""
        if request.design_id is None:
            return []
        queries = self._db.within(caller.organization_id)
        deployed = await self._deployed.of(queries, request.design_id, connection_id)
        return [one for one in deployed if not _skipped(one, request)]

    async def _deployment(
        self, connection_id: UUID, items: Sequence[Item], deployed: Sequence[Deployed], request: PlanDesign
    ) -> list[Planned]:
        """Apply what the design declares, then remove what has left it since it was last deployed."""
        contents = [one.content for one in items]
        results = await self._clusters.apply(connection_id, contents, force=request.force, dry_run=True)
        brought = {what for content in contents for what in brings(content)}
        planned = []
        for item, result in zip(items, results, strict=True):
            # Comparing thousands of objects takes long: others have their turn in between.
            await asyncio.sleep(0)
            one = plans.apply_plan(
                item,
                result,
                connection_id=connection_id,
                design_id=request.design_id,
                brought=brought,
                force=request.force,
            )
            planned.append(one)
        declared = Objects(one.plan.reference for one in planned)
        left = [one for one in deployed if one.reference not in declared]
        last = max(one.wave for one in items)
        return planned + await self._removal(connection_id, left, request, after=last)

    async def _removal(
        self, connection_id: UUID, deployed: Sequence[Deployed], request: PlanDesign, *, after: int = -1
    ) -> list[Planned]:
        """Remove in the reverse of the order in which the objects went in."""
        if not deployed:
            return []
        results = await self._clusters.read(connection_id, [one.reference for one in deployed])
        last = max(one.wave for one in deployed)
        return [
            plans.removal_plan(one, result, design_id=request.design_id, wave=after + 1 + last - one.wave)
            for one, result in zip(deployed, results, strict=True)
        ]


def _skipped(one: Item | Deployed, request: PlanDesign) -> bool:
    """Definitions that are to be skipped are neither applied nor removed."""
    return request.skip_crds and group_kind(one.reference.api_version, one.reference.kind) == CRD


def _plan(request: PlanDesign, file: str, version: int, objects: Sequence[Planned]) -> Plan:
    shown = [one.plan for one in objects]
    # A file that is not saved has no version that stands for its content.
    unsaved = "" if version else hashlib.blake2b(file.encode(), digest_size=16).hexdigest()
    about = (request.design_id, version, unsaved, request.direction, request.force, request.skip_crds)
    return Plan(
        design_id=request.design_id,
        version=version,
        direction=request.direction,
        hash=plans.plan_hash(about, shown),
        objects=shown,
        valid=not any(one.action in (Action.CONFLICT, Action.FAILED) for one in shown),
    )
