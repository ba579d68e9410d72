"""Plans and runs that bring designs into clusters. Answered by the service that owns designs."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field

from meshery_contracts.clusters import ObjectReference
from meshery_contracts.designs import MAX_FILE_CHARACTERS
from meshery_contracts.endpoints import Endpoint, Topic
from meshery_contracts.errors import Problem, Word
from meshery_contracts.keys import Key
from meshery_contracts.messages import Fact, Message, PublicMessage, VersionNumber
from meshery_contracts.paging import PageReply, PageRequest
from meshery_contracts.policies import Finding


class Direction(StrEnum):
    """What a run does with a design."""

    DEPLOY = "deploy"
    UNDEPLOY = "undeploy"


class Action(StrEnum):
    """What a run will do to one object.

    Of a deployment also what is unchanged is applied: that changes nothing in it but makes the fields ours. Of a
    removal unchanged is what is gone already, or is somebody else's by now.
    """

    CREATE = "create"
    UPDATE = "update"
    UNCHANGED = "unchanged"
    DELETE = "delete"
    CONFLICT = "conflict"
    FAILED = "failed"


class FieldChange(PublicMessage):
    """One field that differs. Values of Secrets are shown as changed, never as they are."""

    path: str
    before: Any = None
    after: Any = None


class ObjectPlan(PublicMessage):
    """What will become of one object in one cluster."""

    connection_id: UUID
    component_id: UUID | None = None
    reference: ObjectReference
    action: Action
    wave: int = Field(description="Objects of one wave go together; the next waits until they are healthy.")
    changes: list[FieldChange] = Field(default_factory=list)
    warnings: list[str] = Field(default_factory=list)
    problem: Problem | None = None


class PlanDesign(Message):
    """What would a deployment do? Asks the API servers for a dry run; changes nothing."""

    design_id: UUID | None = None
    file: Annotated[str, Field(max_length=MAX_FILE_CHARACTERS)] | None = Field(
        default=None,
        description="A design file that is not saved: on its own, or with `design_id` an edit of that design.",
    )
    version: VersionNumber | None = None
    connection_ids: list[UUID] = Field(
        default_factory=list, description="Empty means all connected clusters."
    )
    direction: Direction = Direction.DEPLOY
    force: bool = False
    skip_crds: bool = False


class Plan(PublicMessage):
    """The whole plan. Its hash changes whenever what it would do changes."""

    design_id: UUID | None = None
    version: int = Field(description="Of the design; 0 for a file that is not saved.")
    direction: Direction
    hash: str
    objects: list[ObjectPlan]
    valid: bool = Field(
        description="Whether nothing in it is a conflict or a failure, and no policy refuses the design."
    )
    policies: list[Finding] = Field(
        default_factory=list, description="What the policies in force say of the design; not of a removal."
    )
    policy_problem: Problem | None = Field(
        default=None, description="Why the policies could not be asked: a deployment would not start."
    )


class DeployDesign(Message):
    """Start a durable run that deploys or undeploys a design."""

    design_id: UUID
    version: VersionNumber | None = None
    connection_ids: list[UUID] = Field(
        default_factory=list, description="Empty means all connected clusters."
    )
    plan_hash: str = Field(default="", description="Run only if the plan is still this one.")
    force: bool = Field(default=False, description="Take over fields that others manage.")
    skip_crds: bool = False


class FindDeployed(Message):
    """Whose objects a design file names, wherever they are deployed."""

    file: Annotated[str, Field(max_length=MAX_FILE_CHARACTERS)]


class DeployedDesign(PublicMessage):
    """A design that has put some of these objects into clusters."""

    design_id: UUID
    name: str
    objects: int = Field(description="How many objects it has in clusters.")
    named: int = Field(description="How many of them the file names.")


class DeployedDesigns(Message):
    """Those designs, whoever is named most first."""

    designs: list[DeployedDesign]


class RunStatus(StrEnum):
    """The state of a run."""

    PENDING = "pending"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


class ObjectState(StrEnum):
    """How far a run got with one object. All but waiting and applied are final."""

    WAITING = "waiting"
    APPLIED = "applied"
    HEALTHY = "healthy"
    UNCHANGED = "unchanged"
    DELETED = "deleted"
    FAILED = "failed"
    SKIPPED = "skipped"


class RunObject(PublicMessage):
    """One object of a run in one cluster."""

    connection_id: UUID
    connection_name: str = ""
    component_id: UUID | None = None
    component_name: str = ""
    model: str = ""
    reference: ObjectReference
    wave: int
    action: Action = Field(description="What the plan said at the start of the run.")
    state: ObjectState
    message: str = ""
    problem: Problem | None = None


class Run(PublicMessage):
    """A deployment run with its objects."""

    id: UUID
    design_id: UUID
    design_name: str
    version: int
    direction: Direction
    status: RunStatus
    connection_ids: list[UUID]
    objects: list[RunObject] = Field(default_factory=list)
    problem: Problem | None = None
    policies: list[Finding] = Field(
        default_factory=list, description="What policies warned of and proposed when it was started."
    )
    user_id: UUID
    created_at: datetime
    updated_at: datetime
    finished_at: datetime | None = None


class RunId(Message):
    """Which run."""

    run_id: UUID


class ListRuns(PageRequest):
    """Runs, newest first."""

    design_id: UUID | None = None


class RunPage(PageReply):
    """A part of the runs, without their objects."""

    runs: list[Run]


class RunFact(Fact):
    """A run started, got on or finished."""

    run_id: UUID
    design_id: UUID
    status: RunStatus
    done: int = Field(description="Objects that are through.")
    total: int
    failed: int = 0


PLAN = Endpoint(
    "meshery.rpc.designs.v1.plan_design",
    PlanDesign,
    Plan,
    key=Key.DEPLOY_DESIGN,
    errors=frozenset({Word.NOT_FOUND}),
    timeout_seconds=30.0,
    large_requests=True,
    summary="What a deployment would do, object by object, from a server-side dry run.",
)
DEPLOY = Endpoint(
    "meshery.rpc.designs.v1.deploy_design",
    DeployDesign,
    Run,
    key=Key.DEPLOY_DESIGN,
    command=True,
    errors=frozenset({Word.NOT_FOUND, Word.CONFLICT}),
    timeout_seconds=30.0,
    large_requests=True,
    summary="Start a run that deploys a design, unless a policy refuses it.",
)
UNDEPLOY = Endpoint(
    "meshery.rpc.designs.v1.undeploy_design",
    DeployDesign,
    Run,
    key=Key.UNDEPLOY_DESIGN,
    command=True,
    errors=frozenset({Word.NOT_FOUND, Word.CONFLICT}),
    timeout_seconds=30.0,
    large_requests=True,
    summary="Start a run that deletes what a design deployed, in reverse order.",
)
FIND_DEPLOYED = Endpoint(
    "meshery.rpc.designs.v1.find_deployed",
    FindDeployed,
    DeployedDesigns,
    key=Key.UNDEPLOY_DESIGN,
    large_requests=True,
    summary="The designs whose deployed objects a file names: what a client means that undeploys a file.",
)
GET_RUN = Endpoint(
    "meshery.rpc.designs.v1.get_run",
    RunId,
    Run,
    key=Key.DETAILS_OF_DESIGN,
    errors=frozenset({Word.NOT_FOUND}),
    summary="A run with its objects.",
)
LIST_RUNS = Endpoint(
    "meshery.rpc.designs.v1.list_runs",
    ListRuns,
    RunPage,
    key=Key.DETAILS_OF_DESIGN,
    summary="Runs, newest first.",
)
CANCEL_RUN = Endpoint(
    "meshery.rpc.designs.v1.cancel_run",
    RunId,
    Run,
    key=Key.UNDEPLOY_DESIGN,
    command=True,
    errors=frozenset({Word.NOT_FOUND, Word.CONFLICT}),
    summary="Stop a run; what it has applied stays.",
)
RUN_STARTED = Topic(
    "meshery.evt.designs.v1.{organization_id}.run_started.{id}", RunFact, "A run was started."
)
RUN_PROGRESSED = Topic(
    "meshery.evt.designs.v1.{organization_id}.run_progressed.{id}", RunFact, "A run got on."
)
RUN_FINISHED = Topic(
    "meshery.evt.designs.v1.{organization_id}.run_finished.{id}", RunFact, "A run ended, however it did."
)
