"""The evaluation of relationships: what of a design belongs together, and what follows. Answered by the registry.

A design is sent whole once (`EVALUATE`); its answer names the state by `evaluationHash`. As long as the registry
still holds that state, a change is evaluated alone (`EVALUATE_CHANGE`); when it does not, the answer is a conflict
and the whole design is sent again.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final

from pydantic import Field

from meshery_contracts.endpoints import Endpoint
from meshery_contracts.errors import Word
from meshery_contracts.keys import Key
from meshery_contracts.messages import Message, PublicMessage

#: The version of the answer's shape.
RESPONSE_VERSION: Final = "evaluation.meshery.io/v1beta1"
#: The code of the conflict that says: send the whole design.
STATE_UNKNOWN: Final = "evaluation_state_unknown"
MAX_COMPONENTS: Final = 5000
MAX_RELATIONSHIPS: Final = 20_000


class EvaluationOptions(Message):
    """How the answer is wanted."""

    return_diff_only: bool = Field(
        default=False, description="`design` holds only what the evaluation changed."
    )
    enable_trace: bool = Field(
        default=True, description="Whether `trace` is filled; it repeats every entity."
    )


class EvaluateDesign(Message):
    """Evaluate a whole design."""

    design: dict[str, Any] = Field(description="A design file of any generation with `components`.")
    options: EvaluationOptions = Field(default_factory=EvaluationOptions)


class EvaluateChange(Message):
    """Evaluate what one change touches. The answer's `design` holds only what the evaluation changed beyond it."""

    base: Annotated[str, Field(min_length=1, max_length=128)] = Field(
        description="`evaluationHash` of the answer that the client's design is the result of."
    )
    components: list[dict[str, Any]] = Field(
        default_factory=list, description="Whole components, added or in place of those with their id."
    )
    removed_components: list[str] = Field(default_factory=list, description="Ids.")
    relationships: list[dict[str, Any]] = Field(
        default_factory=list, description="Whole relationships, added or in place of those with their id."
    )
    removed_relationships: list[str] = Field(default_factory=list, description="Ids.")
    preferences: dict[str, Any] | None = Field(
        default=None, description="The design's `preferences` as they are now; unset leaves them."
    )
    options: EvaluationOptions = Field(default_factory=EvaluationOptions)


class EvaluationTrace(Message):
    """What became of the design, entity by entity, over all passes."""

    components_added: list[dict[str, Any]] = Field(default_factory=list)
    components_removed: list[dict[str, Any]] = Field(default_factory=list)
    components_updated: list[dict[str, Any]] = Field(default_factory=list)
    relationships_added: list[dict[str, Any]] = Field(default_factory=list)
    relationships_removed: list[dict[str, Any]] = Field(default_factory=list)
    relationships_updated: list[dict[str, Any]] = Field(default_factory=list)
    policy_actions: list[dict[str, Any]] = Field(
        default_factory=list,
        description="For each policy that acted: `policy`, `added`, `updated`, `removed`.",
    )
    warnings: list[str] = Field(
        default_factory=list, description="Limits that were reached and values that contradict each other."
    )


class EvaluationResponse(PublicMessage):
    """What Meshery's clients read. An action is `op` and `value`; `design` is the design after all actions.

    Where the answer would be larger than 60 MB, the trace has no entities and an action's `value.item` has only its
    `id`: the entity is in `design`.
    """

    schema_version: str = RESPONSE_VERSION
    design: dict[str, Any]
    actions: list[dict[str, Any]] = Field(default_factory=list)
    trace: EvaluationTrace = Field(default_factory=EvaluationTrace)
    evaluation_hash: str = Field(default="", description="Names this state: the base of `EVALUATE_CHANGE`.")
    timestamp: datetime


EVALUATE = Endpoint(
    "meshery.rpc.registry.v1.evaluate_relationships",
    EvaluateDesign,
    EvaluationResponse,
    key=Key.EVALUATE_RELATIONSHIPS,
    timeout_seconds=30.0,
    large_requests=True,
    summary="What of a design belongs together.",
)
EVALUATE_CHANGE = Endpoint(
    "meshery.rpc.registry.v1.evaluate_change",
    EvaluateChange,
    EvaluationResponse,
    key=Key.EVALUATE_RELATIONSHIPS,
    errors=frozenset({Word.CONFLICT}),
    timeout_seconds=30.0,
    large_requests=True,
    summary="What a change of an evaluated design leads to.",
)
