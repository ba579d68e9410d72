"""Endpoints and topics: the shape of a conversation as a value.

`GET = Endpoint("meshery.rpc.designs.v1.get_design", GetDesign, Design, key=Key.DETAILS_OF_DESIGN)` is all a
client and a server share; mypy checks both sides. What must not be in here: anything that talks.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Generic, TypeVar
from uuid import UUID

from meshery_contracts.errors import Word
from meshery_contracts.keys import Key
from meshery_contracts.messages import Message

RequestT = TypeVar("RequestT", bound=Message)
ReplyT = TypeVar("ReplyT", bound=Message)
EventT = TypeVar("EventT", bound=Message)

_RPC = re.compile(r"meshery\.(rpc|svc)\.([a-z_]+)\.v(\d+)\.([a-z]+(?:_[a-z0-9]+)*)")
_TOPIC = re.compile(
    r"meshery\.(evt|live)\.([a-z_]+)\.v(\d+)\.\{organization_id\}\.([a-z]+(?:_[a-z0-9]+)*)\.\{id\}"
)

#: Errors that any endpoint may answer with, beside those it names itself.
COMMON_ERRORS = frozenset(
    {
        Word.INVALID,
        Word.UNAUTHENTICATED,
        Word.FORBIDDEN,
        Word.TOO_LARGE,
        Word.RATE_LIMITED,
        Word.UNAVAILABLE,
        Word.TIMEOUT,
        Word.INTERNAL,
    }
)


@dataclass(frozen=True)
class Public:
    """Open to everybody who reaches the bus, with the reason why that is right."""

    reason: str


@dataclass(frozen=True)
class ServicesOnly:
    """Open to these services alone: the subject begins with `meshery.svc`, and NATS grants it to no one else."""

    services: tuple[str, ...]
    reason: str
    #: The key that the person behind the service must hold; none when no person is behind it.
    key: Key | None = None


def public(reason: str) -> Public:
    """Mark an endpoint as open to everybody; the reason is mandatory and published."""
    return Public(reason)


def services_only(*services: str, reason: str, key: Key | None = None) -> ServicesOnly:
    """Mark an endpoint as one that only the named services may call, for a person who holds `key`."""
    return ServicesOnly(services, reason, key)


@dataclass(frozen=True)
class Endpoint(Generic[RequestT, ReplyT]):
    """A request-reply conversation with one service.

    `command=True` says that it changes something: the bus sends an idempotency key with it, and a repeat of the
    same key gets the first answer. `timeout_seconds` is what a client waits when it does not say.
    `large_requests=True` takes requests that are larger than one message; a reply of any endpoint may be.
    """

    subject: str
    request: type[RequestT]
    reply: type[ReplyT]
    key: Key | Public | ServicesOnly
    errors: frozenset[Word] = frozenset()
    command: bool = False
    timeout_seconds: float = 5.0
    large_requests: bool = False
    summary: str = ""

    def __post_init__(self) -> None:
        match = _RPC.fullmatch(self.subject)
        if match is None:
            raise ValueError(
                f"{self.subject!r} is no endpoint subject: write meshery.rpc.<service>.v<major>.<verb_noun>"
            )
        if not isinstance(self.key, (Key, Public, ServicesOnly)):
            raise TypeError(f"{self.subject}: name a permission key, public(reason) or services_only(…)")
        if isinstance(self.key, ServicesOnly) != (match[1] == "svc"):
            raise ValueError(f"{self.subject}: meshery.svc subjects and services_only go together")

    @property
    def service(self) -> str:
        """The service that answers, as in the subject."""
        return self.subject.split(".")[2]

    @property
    def required_key(self) -> Key | None:
        """The permission key that the caller must hold, if one is demanded."""
        if isinstance(self.key, Key):
            return self.key
        return self.key.key if isinstance(self.key, ServicesOnly) else None

    @property
    def verb(self) -> str:
        """The last token of the subject, e.g. `get_design`."""
        return self.subject.rsplit(".", 1)[1]


@dataclass(frozen=True)
class Topic(Generic[EventT]):
    """Something that a service announces: a durable fact (`evt`) or a best-effort delta (`live`)."""

    subject: str
    event: type[EventT]
    #: One line; without it what the event says of itself.
    summary: str = ""

    def __post_init__(self) -> None:
        if not self.summary:
            object.__setattr__(self, "summary", (self.event.__doc__ or "").strip().partition("\n")[0])
        if _TOPIC.fullmatch(self.subject) is None:
            raise ValueError(
                f"{self.subject!r} is no topic: write "
                "meshery.evt.<service>.v<major>.{organization_id}.<fact>.{id}"
            )

    @property
    def service(self) -> str:
        """The service that announces it."""
        return self.subject.split(".")[2]

    @property
    def name(self) -> str:
        """The fact, e.g. `design_saved`."""
        return self.subject.split(".")[5]

    @property
    def durable(self) -> bool:
        """Whether it is stored (JetStream) rather than best effort."""
        return self.subject.startswith("meshery.evt.")

    @property
    def stream(self) -> str:
        """The JetStream stream that keeps it."""
        return f"EVT_{self.service.upper()}"

    def subject_for(self, organization_id: UUID, subject_id: UUID | str) -> str:
        """The subject that one event is published on."""
        return self.subject.format(organization_id=organization_id, id=subject_id)

    def wildcard(self, organization_id: UUID | str = "*", subject_id: UUID | str = "*") -> str:
        """The subject to listen on."""
        return self.subject.format(organization_id=organization_id, id=subject_id)


def contract_of(module: object) -> tuple[list[Endpoint[Message, Message]], list[Topic[Message]]]:
    """All endpoints and topics that a contract module declares, in the order of their subjects."""
    values = list(vars(module).values())
    endpoints = sorted((v for v in values if isinstance(v, Endpoint)), key=lambda v: v.subject)
    topics = sorted((v for v in values if isinstance(v, Topic)), key=lambda v: v.subject)
    return endpoints, topics
