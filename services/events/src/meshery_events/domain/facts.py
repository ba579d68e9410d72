"""Facts to events. Every message becomes one: what cannot be read is kept as an event that says so."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID, uuid5

import orjson
from pydantic import ValidationError

from meshery_contracts.messages import Fact, Severity
from meshery_events.domain.redaction import safe_metadata, safe_text

NIL = UUID(int=0)
_MAX_WORD = 100
#: Names that every fact has, in both spellings: they have columns of their own.
_COMMON: Final = frozenset(
    spelling
    for name, field in Fact.model_fields.items()
    for spelling in (name, field.alias, field.serialization_alias)
    if spelling is not None
)
_NAMESPACE = UUID("1d3e62a3-6cf0-5d0f-8f61-0b3f1b6d7c0a")


@dataclass(frozen=True, slots=True)
class NewEvent:
    """An event to be stored."""

    event_id: UUID
    organization_id: UUID
    user_id: UUID | None
    actor: str
    acted_upon: UUID
    operation_id: UUID
    severity: Severity
    category: str
    action: str
    description: str
    metadata: dict[str, Any]
    source: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Message:
    """A message from a stream, as far as it matters here."""

    message_id: str
    subject: str
    payload: bytes
    sequence: int


def event_of(message: Message, received_at: datetime) -> NewEvent:
    """The event that a message tells; one of severity error when it cannot be read."""
    try:
        told = orjson.loads(message.payload)
        fact = Fact.model_validate(told)
    except (orjson.JSONDecodeError, ValidationError, RecursionError) as error:
        return unreadable(message, received_at, _reason(error))
    organization_id = _organization(message.subject)
    if organization_id is None or fact.organization_id != organization_id:
        # NATS lets a service speak for an organisation by the subject; the payload cannot widen that.
        return unreadable(message, received_at, "it names another organisation than its subject")
    own = {key: value for key, value in told.items() if key not in _COMMON}
    return NewEvent(
        event_id=event_id_of(message.message_id),
        organization_id=organization_id,
        user_id=fact.user_id if fact.user_id != NIL else None,
        actor=safe_text(fact.actor, _MAX_WORD),
        acted_upon=fact.acted_upon or NIL,
        operation_id=fact.operation_id or NIL,
        severity=fact.severity,
        category=safe_text(fact.category, _MAX_WORD),
        action=safe_text(fact.action, _MAX_WORD),
        description=safe_text(fact.description),
        metadata=safe_metadata({**own, **fact.metadata}),
        source=message.subject,
        created_at=fact.occurred_at if fact.occurred_at.tzinfo is not None else received_at,
    )


def unreadable(message: Message, received_at: datetime, reason: str) -> NewEvent:
    """The event for a message that is no fact: what is known of it, and where it lies. Its content may be secret."""
    tokens = message.subject.split(".")
    service = tokens[2] if len(tokens) > 2 else ""
    return NewEvent(
        event_id=event_id_of(message.message_id),
        organization_id=_organization(message.subject) or NIL,
        user_id=None,
        actor="",
        acted_upon=_uuid(tokens[-1]) or NIL,
        operation_id=NIL,
        severity=Severity.ERROR,
        category=safe_text(service, _MAX_WORD) or "event",
        action=safe_text(tokens[5], _MAX_WORD) if len(tokens) > 5 else "unknown",
        description=safe_text(f"A message of the service '{service}' could not be read: {reason}."),
        metadata={
            "subject": safe_text(message.subject),
            "messageId": safe_text(message.message_id, 200),
            "stream": f"EVT_{service.upper()}",
            "sequence": message.sequence,
            "bytes": len(message.payload),
        },
        source=safe_text(message.subject),
        created_at=received_at,
    )


def event_id_of(message_id: str) -> UUID:
    """The event's id: the message's own, or one made from it when that is no UUID."""
    return _uuid(message_id) or uuid5(_NAMESPACE, message_id)


def _organization(subject: str) -> UUID | None:
    tokens = subject.split(".")
    return _uuid(tokens[4]) if len(tokens) > 4 else None


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def _reason(error: Exception) -> str:
    if isinstance(error, ValidationError):
        # The places only: the values may be secret.
        places = [".".join(str(part) for part in one["loc"]) or "the whole" for one in error.errors()]
        return "it lacks or misstates " + ", ".join(places[:5])
    return "it is no JSON" if isinstance(error, orjson.JSONDecodeError) else "it is nested too deeply"
