"""Policies over designs: rules that refuse, warn or propose, their versions and tests. Answered by registry.

A policy comes with a model and is read only, or it is an organisation's own. Only own ones can be switched on; an own
one may begin as a copy of what came with a model.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field

from meshery_contracts.endpoints import Endpoint, Topic
from meshery_contracts.errors import Word
from meshery_contracts.keys import Key
from meshery_contracts.messages import Fact, Message, Nothing, PublicMessage, VersionNumber
from meshery_contracts.paging import PageReply, PageRequest

#: The longest policy text that is accepted, in characters.
MAX_POLICY_CHARACTERS = 256 * 1024
#: The longest design text that is judged, in characters; as long as the longest that is stored.
MAX_DESIGN_CHARACTERS = 12 * 1024 * 1024


class PolicyLanguage(StrEnum):
    """What the rules are written in."""

    CEL = "cel"
    REGO = "rego"


class PolicyState(StrEnum):
    """Whether a policy has a say. A draft never had one."""

    DRAFT = "draft"
    ENABLED = "enabled"
    DISABLED = "disabled"


class Enforcement(StrEnum):
    """What a rule that refuses does: refuse, or only warn (a dry run of it)."""

    ENFORCE = "enforce"
    WARN = "warn"


class Outcome(StrEnum):
    """What a rule says of a design, or the strongest of what all say."""

    PASS = "pass"  # noqa: S105 - no password
    MUTATE = "mutate"
    WARN = "warn"
    DENY = "deny"


class Proposal(PublicMessage):
    """A change that would satisfy a rule. Nobody makes it but a person."""

    path: str = Field(description="Where in the object: dots between keys, `\\.` for a dot in a key.")
    value: Any = Field(default=None, description="What to put there.")
    strategy: str = Field(default="replace", description="`replace` what is there, or `merge` into it.")


class Finding(PublicMessage):
    """What one rule has to say of one component, or of the whole design."""

    policy_id: UUID
    policy_name: str
    policy_version: int
    rule: str
    action: Outcome = Field(description="What the rule does: deny, warn or mutate.")
    outcome: Outcome = Field(
        description="What it means here: a deny of a policy in its dry run is a warning."
    )
    severity: str = "medium"
    component_id: UUID | None = Field(default=None, description="None when it is about the whole design.")
    component_name: str = ""
    kind: str = ""
    path: str = Field(default="", description="Where in the object, when the rule says.")
    message: str
    remedy: str = ""
    proposal: Proposal | None = None
    failed: bool = Field(default=False, description="Whether the rule itself could not be evaluated.")


class TestOutcome(PublicMessage):
    """How one test of a policy went."""

    __test__ = False  # pytest takes it for a class of tests

    name: str
    passed: bool
    expected: Outcome
    outcome: Outcome
    message: str = Field(default="", description="What was expected and what came, when it failed.")
    findings: list[Finding] = Field(default_factory=list)


class Policy(PublicMessage):
    """A policy of the organisation, in one of its versions."""

    id: UUID
    name: str
    description: str = ""
    language: PolicyLanguage
    scope: str = Field(default="component", description="What is judged: each `component`, or the `design`.")
    state: PolicyState
    enforcement: Enforcement
    version: int = Field(description="Of the document shown; saves count from 1.")
    newest_version: int
    active_version: int | None = Field(
        default=None, description="The version that is in force; none while the policy is not enabled."
    )
    document: dict[str, Any] = Field(default_factory=dict)
    source: str = Field(default="", description="The text of a Rego policy, byte for byte.")
    evaluated_by: str = Field(default="cel", description="`cel`, `opa`, or `none`.")
    not_evaluated_because: str = ""
    definition_id: UUID | None = Field(
        default=None, description="The policy of a model that it began as a copy of."
    )
    tests: list[TestOutcome] = Field(default_factory=list, description="Of this save; empty elsewhere.")
    user_id: UUID
    created_at: datetime
    updated_at: datetime


class GetPolicy(Message):
    """One policy, in its newest or in a named version."""

    policy_id: UUID
    version: VersionNumber | None = None


class PolicyId(Message):
    """Which policy."""

    policy_id: UUID


class SavePolicy(Message):
    """A new policy, or with `policy_id` the next version of one. What is in force stays so until it is switched."""

    policy_id: UUID | None = None
    base_version: VersionNumber | None = Field(
        default=None, description="The version the edit began with; a newer one in between is a conflict."
    )
    document: dict[str, Any] | None = Field(default=None, description="The policy as a mapping.")
    file: Annotated[str, Field(max_length=MAX_POLICY_CHARACTERS)] = Field(
        default="", description="The policy as YAML or JSON text, instead of `document`."
    )
    source: Annotated[str, Field(max_length=MAX_POLICY_CHARACTERS)] = Field(
        default="", description="The Rego text, for a document with `language: rego`."
    )
    definition_id: UUID | None = Field(
        default=None, description="Begin with the policy that came with a model, instead of a document."
    )


class PolicyVersion(PublicMessage):
    """One saved version."""

    version: int
    name: str
    user_id: UUID
    created_at: datetime
    active: bool = False


class ListPolicyVersions(PageRequest):
    """The versions of a policy."""

    policy_id: UUID


class PolicyVersionPage(PageReply):
    """Versions, newest first."""

    versions: list[PolicyVersion]


class SetPolicyState(Message):
    """Switch a policy on or off. It is switched on only when its tests show a design that passes and one that not."""

    policy_id: UUID
    state: PolicyState
    enforcement: Enforcement | None = Field(default=None, description="None leaves it as it is.")
    version: VersionNumber | None = Field(
        default=None,
        description="The version to be in force; none means the one that is, or else the newest.",
    )


class TestPolicy(Message):
    """Run a policy's tests, and judge a design with it, without saving or switching anything."""

    __test__ = False  # pytest takes it for a class of tests

    policy_id: UUID | None = None
    version: VersionNumber | None = None
    document: dict[str, Any] | None = None
    file: Annotated[str, Field(max_length=MAX_POLICY_CHARACTERS)] = ""
    source: Annotated[str, Field(max_length=MAX_POLICY_CHARACTERS)] = ""
    design: Annotated[str, Field(max_length=MAX_DESIGN_CHARACTERS)] = Field(
        default="", description="A design file to judge, JSON text."
    )


class TestedPolicy(PublicMessage):
    """How the tests went, and what the policy says of the design."""

    __test__ = False  # pytest takes it for a class of tests

    tests: list[TestOutcome] = Field(default_factory=list)
    findings: list[Finding] = Field(default_factory=list, description="Of the design that was sent.")
    can_enable: bool
    reason: str = Field(default="", description="Why it cannot be switched on.")


class CheckDesign(Message):
    """What do the enabled policies of the organisation say of a design?"""

    file: Annotated[str, Field(max_length=MAX_DESIGN_CHARACTERS)] = Field(
        description="The design file, JSON text."
    )


class PolicyReport(PublicMessage):
    """What they say: the strongest first, then in the order of policies, components and rules."""

    allowed: bool = Field(description="Whether no rule refuses it.")
    policies: int = Field(default=0, description="How many were asked.")
    findings: list[Finding] = Field(default_factory=list)
    omitted: int = Field(default=0, description="Findings beyond the limit of a report.")


class PolicyFact(Fact):
    """A policy was saved, switched or deleted."""

    policy_id: UUID
    name: str
    version: int
    state: PolicyState
    enforcement: Enforcement
    generation: int = Field(default=0, description="Of the organisation's registry, after this.")


SAVE_POLICY = Endpoint(
    "meshery.rpc.registry.v1.save_policy",
    SavePolicy,
    Policy,
    key=Key.MANAGE_POLICIES,
    command=True,
    errors=frozenset({Word.NOT_FOUND, Word.CONFLICT}),
    timeout_seconds=30.0,
    summary="Save a policy, or the next version of one, and run its tests.",
)
GET_POLICY = Endpoint(
    "meshery.rpc.registry.v1.get_policy",
    GetPolicy,
    Policy,
    key=Key.VIEW_REGISTRY,
    errors=frozenset({Word.NOT_FOUND}),
    summary="One policy of the organisation.",
)
LIST_POLICY_VERSIONS = Endpoint(
    "meshery.rpc.registry.v1.list_policy_versions",
    ListPolicyVersions,
    PolicyVersionPage,
    key=Key.VIEW_REGISTRY,
    errors=frozenset({Word.NOT_FOUND}),
    summary="The saved versions of a policy.",
)
SET_POLICY_STATE = Endpoint(
    "meshery.rpc.registry.v1.set_policy_state",
    SetPolicyState,
    Policy,
    key=Key.MANAGE_POLICIES,
    command=True,
    errors=frozenset({Word.NOT_FOUND, Word.CONFLICT}),
    timeout_seconds=30.0,
    summary="Switch a policy on or off, or to another version.",
)
DELETE_POLICY = Endpoint(
    "meshery.rpc.registry.v1.delete_policy",
    PolicyId,
    Nothing,
    key=Key.MANAGE_POLICIES,
    command=True,
    errors=frozenset({Word.NOT_FOUND, Word.CONFLICT}),
    summary="Delete a policy that is not enabled, with all its versions.",
)
TEST_POLICY = Endpoint(
    "meshery.rpc.registry.v1.test_policy",
    TestPolicy,
    TestedPolicy,
    key=Key.MANAGE_POLICIES,
    errors=frozenset({Word.NOT_FOUND}),
    timeout_seconds=30.0,
    large_requests=True,
    summary="Run a policy's tests, and judge a design with it; nothing is saved.",
)
CHECK_DESIGN = Endpoint(
    "meshery.rpc.registry.v1.check_design",
    CheckDesign,
    PolicyReport,
    key=Key.VIEW_REGISTRY,
    timeout_seconds=30.0,
    large_requests=True,
    summary="What the enabled policies say of a design.",
)
POLICY_SAVED = Topic(
    "meshery.evt.registry.v1.{organization_id}.policy_saved.{id}", PolicyFact, "A policy was saved."
)
POLICY_SWITCHED = Topic(
    "meshery.evt.registry.v1.{organization_id}.policy_switched.{id}",
    PolicyFact,
    "A policy was switched on or off, or to another version.",
)
POLICY_DELETED = Topic(
    "meshery.evt.registry.v1.{organization_id}.policy_deleted.{id}", PolicyFact, "A policy was deleted."
)
