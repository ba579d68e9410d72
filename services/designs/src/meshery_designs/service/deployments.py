"""Planning deployments, starting runs and telling how they go. The runs themselves are done by the workers."""

from __future__ import annotations

from meshery_common import operations, outbox
from meshery_common.clock import Clock, utc_now
from meshery_common.database import Database, Queries
from meshery_common.operations import Operation, OperationStatus
from meshery_common.processes import WorkerProcess
from meshery_contracts import deployments as contract
from meshery_contracts.caller import Caller
from meshery_contracts.deployments import (
    DeployDesign,
    DeployedDesign,
    DeployedDesigns,
    Direction,
    FindDeployed,
    ListRuns,
    Plan,
    PlanDesign,
    Run,
    RunId,
    RunPage,
    RunStatus,
)
from meshery_contracts.designs import Design, GetDesign
from meshery_contracts.errors import Conflict, ProblemError, error_from
from meshery_contracts.policies import Finding
from meshery_designs.clients import RegistryClient
from meshery_designs.domain import policies
from meshery_designs.domain.items import Objects, references_in
from meshery_designs.service.designs import DesignsService
from meshery_designs.service.endings import close_run
from meshery_designs.service.facts import run_fact
from meshery_designs.service.planning import Draft, Planner
from meshery_designs.store import DeployedStore, DesignStore, RunStore
from meshery_designs.store.runs import RUN_KIND, RunOrder, design_of, order_of, run_of


class DeploymentsService:
    """Use cases over plans and runs."""

    def __init__(
        self,
        db: Database,
        designs: DesignsService,
        planner: Planner,
        registry: RegistryClient,
        beside: WorkerProcess,
        clock: Clock = utc_now,
    ) -> None:
        self._db = db
        self._store = RunStore()
        self._deployed = DeployedStore()
        self._design_store = DesignStore()
        self._designs = designs
        self._planner = planner
        self._registry = registry
        self._beside = beside
        self._clock = clock

    async def plan(self, request: PlanDesign, caller: Caller) -> Plan:
        """What a run would do, object by object, as the API servers themselves say."""
        file, version = await self._designs.file_of(request.design_id, request.file, request.version, caller)
        plan = (await self._planner.draft(request, file, version, caller)).plan
        if request.direction is Direction.UNDEPLOY:
            return plan
        try:
            report = await self._registry.check(file)
        except ProblemError as error:
            return plan.model_copy(
                update={"valid": False, "policy_problem": policies.not_asked(error.problem)}
            )
        return plan.model_copy(update={"valid": plan.valid and report.allowed, "policies": report.findings})

    async def deploy(self, request: DeployDesign, caller: Caller) -> Run:
        """Start a run that brings a design into clusters."""
        return await self._start(request, Direction.DEPLOY, caller)

    async def undeploy(self, request: DeployDesign, caller: Caller) -> Run:
        """Start a run that removes what a design has deployed."""
        return await self._start(request, Direction.UNDEPLOY, caller)

    async def _start(self, request: DeployDesign, direction: Direction, caller: Caller) -> Run:
        await self._db.recall(caller.organization_id)
        asked = GetDesign(design_id=request.design_id, version=request.version)
        design = await self._designs.get(asked, caller)
        queries = self._db.within(caller.organization_id)
        await self._design_store.require_operate(queries, design.id, caller)
        # What is to be removed needs nobody's permission; what is under way was permitted when it began.
        findings = await self._permitted(design) if direction is Direction.DEPLOY else []
        draft = await self._draft(design, request, direction, caller)
        async with self._db.command(caller.organization_id) as tx:
            _check_agreed(draft, request.plan_hash)
            steps = draft.steps()
            await self._store.require_idle(tx, design.id)
            order = RunOrder(
                design_name=design.name,
                version=design.version,
                direction=direction,
                force=request.force,
                connection_ids=[one.id for one in draft.clusters],
                policies=findings,
            )
            run_id = await operations.start(
                tx,
                RUN_KIND,
                organization_id=caller.organization_id,
                user_id=caller.user_id,
                subject_id=design.id,
                input=order,
            )
            await self._store.insert_steps(tx, run_id, caller.organization_id, steps)
            # What needs no removing is no longer this design's.
            await self._deployed.remove(tx, design.id, [one for one in steps if one.done])
            run = await operations.get(tx, run_id)
            fact = run_fact(run, steps, RunStatus.PENDING, self._clock(), actor=caller.actor)
            await outbox.add(tx, contract.RUN_STARTED, fact, subject_id=run_id)
            return await tx.answer(await self._shown(tx, run))

    async def _permitted(self, design: Design) -> list[Finding]:
        """What policies have to say of a design that none refuses. Raises Conflict, or Unavailable when unsure."""
        try:
            report = await self._registry.check(design.pattern_file)
        except ProblemError as error:
            raise error_from(policies.not_asked(error.problem)) from None
        if refusal := policies.refusal(report):
            raise refusal
        return policies.remembered(report.findings)

    async def _draft(
        self, design: Design, request: DeployDesign, direction: Direction, caller: Caller
    ) -> Draft:
        wanted = PlanDesign(
            design_id=design.id,
            version=request.version,
            connection_ids=request.connection_ids,
            direction=direction,
            force=request.force,
            skip_crds=request.skip_crds,
        )
        return await self._planner.draft(wanted, design.pattern_file, design.version, caller)

    async def find(self, request: FindDeployed, caller: Caller) -> DeployedDesigns:
        """The designs that the caller may read and that have put objects into clusters which a file names."""
        file, _ = await self._designs.file_of(None, request.file, None, caller)
        named = await self._beside.run_if_long(len(file), references_in, file)
        meant = Objects(named)
        queries = self._db.within(caller.organization_id)
        deployed = await self._deployed.beside(queries, named)
        names = await self._design_store.names(queries, list(deployed), caller)
        found = [
            DeployedDesign(
                design_id=design_id,
                name=name,
                objects=len(deployed[design_id]),
                named=sum(one in meant for one in deployed[design_id]),
            )
            for design_id, name in names.items()
        ]
        return DeployedDesigns(
            designs=sorted((one for one in found if one.named), key=lambda one: -one.named)
        )

    async def run(self, request: RunId, caller: Caller) -> Run:
        """A run with its objects and what policies said at its start."""
        queries = self._db.within(caller.organization_id)
        return await self._shown(queries, await self._store.get(queries, request.run_id, caller))

    async def runs(self, request: ListRuns, caller: Caller) -> RunPage:
        """Runs that the caller may see, newest first, without their objects."""
        return await self._store.page(self._db.within(caller.organization_id), request, caller)

    async def cancel(self, request: RunId, caller: Caller) -> Run:
        """Stop a run; what it has applied stays. One that no worker has begun ends at once."""
        async with self._db.command(caller.organization_id) as tx:
            run = await self._store.get(tx, request.run_id, caller, lock=True)
            await self._design_store.require_operate(tx, design_of(run), caller)
            if run.finished_at is not None:
                raise Conflict(
                    f"Run {request.run_id} has ended already: {run.status.value}.",
                    code="run_finished",
                    remedy="Start another run to change what is deployed.",
                )
            run = await operations.request_cancel(tx, run.operation_id)
            if run.status is OperationStatus.CANCELLED:
                await close_run(tx, run, RunStatus.CANCELLED, self._clock())
            return await tx.answer(await self._shown(tx, run))

    async def _shown(self, queries: Queries, run: Operation) -> Run:
        objects = await self._store.objects(queries, run.operation_id)
        return run_of(run).model_copy(update={"objects": objects, "policies": order_of(run).policies})


def _check_agreed(draft: Draft, agreed_hash: str) -> None:
    """Raise Conflict when the plan is not the one that was agreed to."""
    if agreed_hash and agreed_hash != draft.plan.hash:
        raise Conflict(
            "The plan has changed since it was made.",
            code="plan_stale",
            cause="The design or the clusters changed in between.",
            remedy="Look at the new plan and deploy with its hash.",
        )
