"""Changing what the registry holds: status, deletion, what registrants push, quarantine. Answered by registry.

What comes in from files and addresses is `imports`; what a cluster serves is `registry.REGISTER_OPENAPI`.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field

from meshery_contracts.endpoints import Endpoint, Topic, services_only
from meshery_contracts.errors import Word
from meshery_contracts.imports import Outcome
from meshery_contracts.keys import Key
from meshery_contracts.messages import Fact, Message, PublicMessage
from meshery_contracts.paging import PageReply, PageRequest
from meshery_contracts.registry import Document

#: The longest definition that a registrant may push, in characters of base64.
MAX_ENTITY_CHARACTERS = 3 * 1024 * 1024


class StatusType(StrEnum):
    """What can be switched on and off; the plural, as routes write it, is read as well."""

    MODEL = "model"
    COMPONENT = "component"
    RELATIONSHIP = "relationship"

    @classmethod
    def _missing_(cls, value: object) -> StatusType | None:
        return cls(value[:-1]) if isinstance(value, str) and value.endswith("s") else None


class DefinitionStatus(StrEnum):
    """Whether a definition is offered. `disabled` and `ignored` hide it, and what belongs to a hidden model."""

    ENABLED = "enabled"
    DISABLED = "disabled"
    IGNORED = "ignored"
    DUPLICATE = "duplicate"


class SetStatus(Message):
    """Switch a model, component or relationship on or off, for the organisation alone."""

    entity_type: StatusType
    id: UUID
    status: DefinitionStatus
    display_name: str = Field(default="", description="Ignored; Meshery's clients send it.")


class StatusReport(PublicMessage):
    """The status that holds now."""

    entity_type: StatusType
    id: UUID
    status: DefinitionStatus
    previous: str
    generation: int


class DeleteModel(Message):
    """Delete a model with all that belongs to it."""

    model_id: UUID


class DeletedModel(PublicMessage):
    """What is gone."""

    id: UUID
    name: str
    version: str
    components: int
    relationships: int
    generation: int


class DeleteConnectionDefinition(Message):
    """Delete a kind of connections."""

    definition_id: UUID


class DeletedDefinition(PublicMessage):
    """What is gone; with the last definition of a model the model."""

    id: UUID
    entity_type: str
    name: str
    model: str
    generation: int


class Registrant(Message):
    """Who registers, as adapters and other registrants write their connection."""

    id: UUID | None = Field(
        default=None, description="Of a connection; without one it is made of kind and name."
    )
    kind: Annotated[str, Field(min_length=1, max_length=100)]
    name: Annotated[str, Field(max_length=255)] = ""
    version: Annotated[str, Field(max_length=100)] = ""
    metadata: dict[str, Any] = Field(default_factory=dict)


class RegisterDefinition(Message):
    """One definition of a registrant, in any generation of Meshery's schemas."""

    connection: Registrant
    entity_type: Annotated[str, Field(max_length=50)] = Field(
        description="model, component, relationship, policy or connection."
    )
    entity: Annotated[str, Field(max_length=MAX_ENTITY_CHARACTERS, description="Base64 of its JSON.")]


class RegisteredDefinition(PublicMessage):
    """What became of a definition."""

    id: UUID | None = Field(
        default=None, description="Of the component, relationship, …; none while quarantined."
    )
    entity_type: str
    name: str
    model: str = ""
    outcome: Outcome | None = Field(default=None, description="None while quarantined.")
    quarantined: bool = False
    quarantine_id: UUID | None = None
    generation: int = 0


class RegisterUnverified(RegisterDefinition):
    """A definition of a registrant that proved nothing about itself: it is kept apart until somebody approves it."""

    organization_id: UUID
    received_from: Annotated[str, Field(max_length=100)] = Field(description="The address that sent it.")


class Quarantined(PublicMessage):
    """A definition that waits for approval."""

    id: UUID
    registrant: dict[str, Any] = Field(description="Kind, name and version as the sender wrote them.")
    received_from: str
    entity_type: str
    name: str
    kind: str = ""
    api_version: str = ""
    model: str = ""
    model_version: str = ""
    bytes: int = Field(description="Length of its JSON.")
    received_at: datetime
    times: int = Field(default=1, description="How often the same was sent.")


class ListQuarantined(PageRequest):
    """A part of what waits for approval, newest first."""


class QuarantinePage(PageReply):
    """Definitions that wait for approval."""

    quarantined: list[Quarantined]


class QuarantineId(Message):
    """Which quarantined definition."""

    id: UUID


class Judged(Message):
    """Which quarantined definitions are approved or rejected."""

    ids: Annotated[list[UUID], Field(min_length=1, max_length=1000)]


class Verdict(PublicMessage):
    """What became of each, in the order asked; an id that is not known (any more) is left out."""

    definitions: list[RegisteredDefinition]
    generation: int = 0


class RegistryFact(Fact):
    """Something in the registry was changed by somebody. Caches hear `models_registered` beside it."""

    entity_type: str
    name: str
    generation: int = 0


SET_STATUS = Endpoint(
    "meshery.rpc.registry.v1.set_status",
    SetStatus,
    StatusReport,
    key=Key.MANAGE_REGISTRY,
    command=True,
    errors=frozenset({Word.NOT_FOUND}),
    summary="Enable, disable or ignore a model, component or relationship.",
)
DELETE_MODEL = Endpoint(
    "meshery.rpc.registry.v1.delete_model",
    DeleteModel,
    DeletedModel,
    key=Key.MANAGE_REGISTRY,
    command=True,
    errors=frozenset({Word.NOT_FOUND, Word.CONFLICT}),
    summary="Delete a model with all that belongs to it; what ships with us can only be ignored.",
)
DELETE_CONNECTION_DEFINITION = Endpoint(
    "meshery.rpc.registry.v1.delete_connection_definition",
    DeleteConnectionDefinition,
    DeletedDefinition,
    key=Key.MANAGE_REGISTRY,
    command=True,
    errors=frozenset({Word.NOT_FOUND, Word.CONFLICT}),
    summary="Delete a kind of connections; what ships with us stays.",
)
REGISTER_DEFINITION = Endpoint(
    "meshery.rpc.registry.v1.register_definition",
    RegisterDefinition,
    RegisteredDefinition,
    key=Key.REGISTER_DEFINITIONS,
    command=True,
    timeout_seconds=15.0,
    summary="Register one definition as a registrant.",
)
REGISTER_UNVERIFIED = Endpoint(
    "meshery.svc.registry.v1.register_unverified",
    RegisterUnverified,
    RegisteredDefinition,
    key=services_only(
        "gateway", reason="The gateway has seen that the sender's address is one of those that are let in."
    ),
    command=True,
    errors=frozenset({Word.CONFLICT}),
    timeout_seconds=15.0,
    summary="Keep a definition of an unproven registrant in quarantine.",
)
LIST_QUARANTINED = Endpoint(
    "meshery.rpc.registry.v1.list_quarantined",
    ListQuarantined,
    QuarantinePage,
    key=Key.APPROVE_DEFINITIONS,
    summary="Definitions that wait for approval.",
)
GET_QUARANTINED = Endpoint(
    "meshery.rpc.registry.v1.get_quarantined",
    QuarantineId,
    Document,
    key=Key.APPROVE_DEFINITIONS,
    errors=frozenset({Word.NOT_FOUND}),
    summary="The whole document of a quarantined definition.",
)
APPROVE = Endpoint(
    "meshery.rpc.registry.v1.approve_definitions",
    Judged,
    Verdict,
    key=Key.APPROVE_DEFINITIONS,
    command=True,
    timeout_seconds=30.0,
    summary="Register quarantined definitions.",
)
REJECT = Endpoint(
    "meshery.rpc.registry.v1.reject_definitions",
    Judged,
    Verdict,
    key=Key.APPROVE_DEFINITIONS,
    command=True,
    summary="Drop quarantined definitions.",
)
STATUS_SET = Topic(
    "meshery.evt.registry.v1.{organization_id}.status_set.{id}",
    RegistryFact,
    "A model, component or relationship was switched on or off.",
)
MODEL_DELETED = Topic(
    "meshery.evt.registry.v1.{organization_id}.model_deleted.{id}", RegistryFact, "A model was deleted."
)
DEFINITION_DELETED = Topic(
    "meshery.evt.registry.v1.{organization_id}.definition_deleted.{id}",
    RegistryFact,
    "A definition was deleted, its model stays.",
)
DEFINITION_REGISTERED = Topic(
    "meshery.evt.registry.v1.{organization_id}.definition_registered.{id}",
    RegistryFact,
    "A registrant registered a definition, or changed one.",
)
DEFINITION_QUARANTINED = Topic(
    "meshery.evt.registry.v1.{organization_id}.definition_quarantined.{id}",
    RegistryFact,
    "A definition of an unproven registrant waits for approval.",
)
DEFINITION_REJECTED = Topic(
    "meshery.evt.registry.v1.{organization_id}.definition_rejected.{id}",
    RegistryFact,
    "A quarantined definition was dropped.",
)
