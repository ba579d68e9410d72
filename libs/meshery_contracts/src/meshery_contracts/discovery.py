"""Discovery: what an agent in or beside a cluster tells inventory about it.

An agent publishes frames to `meshery.sync.v1.<connection_id>.<kind>`, stored by the JetStream stream SYNC. A
frame is one JSON document, `Frame` below. The rules between the two sides:

- A *session* is one agent's turn at one connection. Inventory hands out its number (`OPEN_SESSION`); frames of
  an older session are refused, so an agent that should be dead cannot do harm.
- *Positions* grow with every frame of a connection and begin at the session's number. They are the order of
  things: what has a lower position than what is stored is passed over, so frames may be repeated or overtake
  each other. `Nats-Msg-Id` is `<connection_id>-<position>`.
- An *epoch* is all objects of one kind, sent anew: the first frame says `begin`, the last one `end`, all bear
  the position of the first as `epoch`. At the end the receiver drops what it had of the kind from before the
  epoch. A kind that the cluster no longer serves is an epoch without objects.
- Outside of an epoch frames carry changes. `set` stores the object (labels and all, nothing is merged), `touch`
  says that only its resourceVersion changed, `drop` that it is gone.
- *Digests*: an object's is 8 bytes over what is sent of it and its resourceVersion; a kind's is the exclusive or
  of its objects'. At every reconnect and on a timer the agent compares (`COMPARE_DIGESTS`) and sends anew only
  the kinds that differ. Inventory asks for a comparison on `COMPARE_SUBJECT` when it starts.
- Objects come without `managedFields` and kubectl's last-applied annotation; the values of Secrets are replaced
  at the source by keyed digests.

The agent as a child process reads `Watch`, `Unwatch` and `Resync` as JSON lines on stdin and writes
`WatchReport` as JSON lines on stdout; the end of stdin ends it.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field, SecretStr, TypeAdapter, field_serializer

from meshery_contracts.endpoints import Endpoint, services_only
from meshery_contracts.errors import Word
from meshery_contracts.messages import Message

#: The stream of all frames.
STREAM = "SYNC"
#: Inventory asks all agents to compare digests now; the payload is empty.
COMPARE_SUBJECT = "meshery.meshsync.compare"
#: A frame is closed at this many objects or bytes, whichever comes first; a larger object has one of its own.
MAX_FRAME_OBJECTS = 64
MAX_FRAME_BYTES = 256 * 1024


def kind_token(plural: str, api_version: str) -> str:
    """A kind as one token of a subject: `deployments_v1_apps`. Two kinds never share one: DNS has no `_`."""
    group, _, version = api_version.rpartition("/")
    return f"{plural}_{version}_{group or 'core'}".replace(".", "_").lower()


def frame_subject(connection_id: UUID, token: str) -> str:
    """Where the frames of one kind of one cluster are published."""
    return f"meshery.sync.v1.{connection_id}.{token}"


def message_id(connection_id: UUID, position: int) -> str:
    """The `Nats-Msg-Id` of a frame: a repeat of it is stored once."""
    return f"{connection_id}-{position}"


# --- frames -----------------------------------------------------------------------------------------------


class KindName(Message):
    """A kind of object as a cluster serves it."""

    api_version: str
    kind: str
    plural: str
    namespaced: bool


class Action(StrEnum):
    """What to do with an object."""

    SET = "set"
    TOUCH = "touch"
    DROP = "drop"


class Entry(Message):
    """One object of a frame."""

    action: Action
    uid: str
    resource_version: str = ""
    digest: str = Field(default="", description="16 hexadecimal digits; empty for `drop`.")
    object: dict[str, Any] | None = Field(
        default=None,
        description="The Kubernetes object, for `set` only; without what is dropped at the source.",
    )


class EpochEnd(Message):
    """What the receiver holds of the kind when every frame of the epoch has arrived."""

    count: int
    digest: str


class Frame(Message):
    """A message of the stream SYNC. One kind of one cluster."""

    organization_id: UUID
    cluster_id: str = Field(description="uid of namespace kube-system; empty when the agent may not read it.")
    session: int
    position: int
    kind: KindName
    epoch: int = Field(default=0, description="Position of the epoch's first frame; 0 outside of an epoch.")
    begin: bool = False
    end: EpochEnd | None = None
    objects: list[Entry] = Field(default_factory=list)


# --- what agents ask inventory ------------------------------------------------------------------------------


class OpenSession(Message):
    """An agent takes its turn at a connection."""

    connection_id: UUID
    organization_id: UUID
    cluster_id: str = ""


class Session(Message):
    """The number of the session, and what is stored."""

    session: int
    kinds: list[str] = Field(description="Tokens of the kinds of which at least one object is stored.")


class KindDigest(Message):
    """What the agent knows of a kind after the frame at `position`."""

    token: str
    count: int
    digest: str
    position: int = Field(
        default=0, description="Of the last frame of this kind in this session; 0 for none."
    )


class CompareDigests(Message):
    """Is what inventory stores what the agent knows?"""

    connection_id: UUID
    organization_id: UUID
    cluster_id: str = ""
    session: int
    kinds: list[KindDigest]
    served: list[str] = Field(
        default_factory=list,
        description="Tokens of all kinds that are watched; what is stored of others is dropped. Empty: not known.",
    )


class Comparison(Message):
    """What the agent has to send anew."""

    differing: list[str] = Field(default_factory=list, description="Tokens of kinds to send anew.")
    pending: list[str] = Field(
        default_factory=list, description="Tokens of kinds whose frames have not all arrived: ask again."
    )
    position: int = Field(default=0, description="The highest that has arrived of the connection.")


_AGENTS = services_only("meshsync", reason="Agents speak for clusters; nobody else may.")

OPEN_SESSION = Endpoint(
    "meshery.svc.inventory.v1.open_session",
    OpenSession,
    Session,
    key=_AGENTS,
    errors=frozenset({Word.NOT_FOUND, Word.CONFLICT}),
    timeout_seconds=10.0,
    summary="Begin to report a cluster; frames of the session before are refused from now on.",
)
COMPARE_DIGESTS = Endpoint(
    "meshery.svc.inventory.v1.compare_digests",
    CompareDigests,
    Comparison,
    key=_AGENTS,
    errors=frozenset({Word.NOT_FOUND, Word.CONFLICT}),
    timeout_seconds=10.0,
    summary="Which kinds of a cluster are stored otherwise than the agent knows them.",
)


# --- the agent as a child process ---------------------------------------------------------------------------


class Watch(Message):
    """Begin to watch a cluster, or go on with changed credentials."""

    command: Literal["watch"] = "watch"
    connection_id: UUID
    organization_id: UUID
    cluster_id: str | None = Field(
        default=None, description="uid of namespace kube-system, where it is known."
    )
    kubeconfig: SecretStr = Field(
        default=SecretStr(""),
        description="A self-contained kubeconfig; unused for a context of this machine.",
    )
    context: str = Field(default="", description="Name of the context; empty means the current one.")
    own: bool = Field(default=False, description="The context is in this machine's own kubeconfig.")
    allow_private: bool = Field(default=False, description="The API server may have a private address.")
    allow_loopback: bool = Field(default=False, description="The API server may be on this machine.")
    allow_networks: list[str] = Field(
        default_factory=list, description="More networks it may be in, as CIDR."
    )
    digest_key: SecretStr = Field(
        default=SecretStr(""),
        description="Key of this installation for the digests of secret values; without one no digests are sent.",
    )

    @field_serializer("kubeconfig", "digest_key", when_used="json")
    def _disclosed(self, value: SecretStr) -> str:
        # Only the line to the child carries it; `repr` and `model_dump` do not.
        return value.get_secret_value()


class Unwatch(Message):
    """Stop watching; what inventory holds of the cluster stays."""

    command: Literal["unwatch"] = "unwatch"
    connection_id: UUID


class Resync(Message):
    """List the whole cluster anew and repair what differs."""

    command: Literal["resync"] = "resync"
    connection_id: UUID


Command = Annotated[Watch | Unwatch | Resync, Field(discriminator="command")]
COMMAND: TypeAdapter[Watch | Unwatch | Resync] = TypeAdapter(Command)


class WatchStatus(StrEnum):
    """How a watch stands."""

    #: Reading the cluster for the first time, or again.
    WATCHING = "watching"
    #: Inventory holds what the cluster holds, but for what is under way.
    SYNCED = "synced"
    #: The cluster cannot be reached, or inventory cannot; tried again by itself.
    FAILED = "failed"
    #: Synced but for kinds that the credential may not list.
    FORBIDDEN = "forbidden"
    #: Another agent has taken over, or the watch was ended.
    ENDED = "ended"


class WatchReport(Message):
    """How a watch stands, on every change."""

    status: WatchStatus
    connection_id: UUID
    cluster_id: str = ""
    kinds: int = 0
    objects: int = 0
    forbidden: list[str] = Field(default_factory=list, description="Kinds that may not be listed.")
    error: str = ""
