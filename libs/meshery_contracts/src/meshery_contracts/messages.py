"""The base classes of everything that crosses a service border.

Inside Python names are snake_case, on the wire they are camelCase; both spellings are read. A reply that
Meshery's clients see is a `PublicMessage`: it writes both spellings, because clients of three generations
read it and nothing in a request tells them apart.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, SerializerFunctionWrapHandler, model_serializer
from pydantic.alias_generators import to_camel

#: The number of a save, as a request names it; as large as the column that it is compared with.
VersionNumber = Annotated[int, Field(ge=0, le=2_147_483_647)]


class Message(BaseModel):
    """A request, reply or event. Unknown fields are ignored, so that a newer peer can be talked to."""

    model_config = ConfigDict(
        frozen=True,
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
        serialize_by_alias=True,
        extra="ignore",
    )


class PublicMessage(Message):
    """A reply that goes to clients unread by the gateway: every multi-word key in both spellings."""

    @model_serializer(mode="wrap")
    def _both_spellings(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        written: dict[str, Any] = serialize(self)
        for name, field in type(self).model_fields.items():
            alias = field.serialization_alias or field.alias or name
            if alias != name and alias in written:
                written[name] = written[alias]
        return written


class Nothing(Message):
    """An empty request or reply."""


class Severity(StrEnum):
    """How much a person should care, in Meshery's words."""

    ALERT = "alert"
    CRITICAL = "critical"
    DEBUG = "debug"
    EMERGENCY = "emergency"
    ERROR = "error"
    INFORMATIONAL = "informational"
    SUCCESS = "success"
    WARNING = "warning"


class Fact(Message):
    """Something that happened, in the past tense. Every fact can be shown to people as an event."""

    organization_id: UUID
    user_id: UUID | None = Field(default=None, description="Whose doing it was; none for the system's.")
    actor: str = Field(default="", description="The service that acted for the person, if one did.")
    occurred_at: datetime
    severity: Severity = Severity.INFORMATIONAL
    category: str = Field(description="What kind of thing it is about: design, connection, …")
    action: str = Field(description="What happened to it: create, update, deploy, …")
    description: str = Field(description="One sentence for people.")
    acted_upon: UUID | None = Field(default=None, description="The thing it happened to.")
    operation_id: UUID | None = Field(default=None, description="The operation it is part of.")
    metadata: dict[str, Any] = Field(default_factory=dict)
