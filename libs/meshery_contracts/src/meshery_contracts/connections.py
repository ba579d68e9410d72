"""Connections' contract: what we are connected to, Kubernetes contexts, and the state machine between them.

What is done to objects in a cluster is in `clusters`, and belongs to the same service.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field

from meshery_contracts.endpoints import Endpoint, Topic
from meshery_contracts.errors import Problem, Word
from meshery_contracts.keys import Key
from meshery_contracts.messages import Fact, Message, PublicMessage
from meshery_contracts.paging import PageReply, PageRequest

#: The largest kubeconfig that is read, in bytes.
MAX_KUBECONFIG_BYTES = 1024 * 1024


class ConnectionStatus(StrEnum):
    """Where a connection stands, in Meshery's words."""

    DISCOVERED = "discovered"
    REGISTERED = "registered"
    CONNECTED = "connected"
    IGNORED = "ignored"
    MAINTENANCE = "maintenance"
    DISCONNECTED = "disconnected"
    DELETED = "deleted"
    NOT_FOUND = "not found"


class Connection(PublicMessage):
    """A connection as Meshery's clients read one. Never carries a secret."""

    id: UUID
    name: str
    kind: str = Field(description="kubernetes, prometheus, grafana, …")
    type: str = "platform"
    sub_type: str = "orchestrator"
    status: ConnectionStatus
    credential_id: UUID | None = None
    metadata: dict[str, Any] = Field(default_factory=dict)
    user_id: UUID
    owner: UUID | None = Field(default=None, description="The same person, as newer clients call him.")
    organization_id: UUID
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None = None
    environments: list[dict[str, Any]] = Field(default_factory=list)


class KubernetesContext(PublicMessage):
    """A cluster of a kubeconfig, as Meshery's clients read one. Never carries a credential."""

    id: str
    name: str
    server: str
    owner: str = ""
    created_by: str = ""
    meshery_instance_id: UUID = UUID(int=0)
    kubernetes_server_id: str | None = Field(default=None, description="uid of namespace kube-system.")
    deployment_type: str = "out_of_cluster"
    version: str = ""
    connection_id: UUID | None = Field(default=None, description="None before anything is stored.")
    reachable: bool = False
    auth: dict[str, Any] = Field(default_factory=dict)
    cluster: dict[str, Any] = Field(default_factory=dict)
    created_at: datetime
    updated_at: datetime


class Kubeconfig(Message):
    """A kubeconfig as it was uploaded."""

    kubeconfig: Annotated[str, Field(max_length=MAX_KUBECONFIG_BYTES)]


class RegisterKubeconfig(Kubeconfig):
    """Connect clusters of an uploaded kubeconfig."""

    contexts: list[str] = Field(
        default_factory=list, description="Names or ids of contexts; empty means all."
    )
    meshsync_mode: str = Field(default="embedded", description="embedded, or operator.")
    meshsync_modes: dict[str, str] = Field(
        default_factory=dict, description="The same for single contexts, by name or id."
    )


class RefusedContext(PublicMessage):
    """A context that was not connected, or cannot be, and why."""

    name: str
    problem: Problem


class ContextList(Message):
    """The contexts of a kubeconfig; nothing was stored."""

    contexts: list[KubernetesContext]
    refused: list[RefusedContext] = Field(
        default_factory=list, description="Contexts that cannot be used, or whose cluster does not answer."
    )


class RegisteredContexts(PublicMessage):
    """What became of each context of an upload."""

    registered_contexts: list[KubernetesContext] = Field(default_factory=list)
    connected_contexts: list[KubernetesContext] = Field(default_factory=list)
    ignored_contexts: list[KubernetesContext] = Field(default_factory=list)
    errored_contexts: list[KubernetesContext] = Field(default_factory=list)
    refused: list[RefusedContext] = Field(default_factory=list)


class RegisterDefinitions(Kubeconfig):
    """Have the registry learn the custom kinds of a cluster that is not to be connected."""

    context: str = Field(default="", description="Name or id of a context; empty: the current one.")


class RegisteredDefinitions(PublicMessage):
    """What was found in the cluster; the registry imports it as the caller, who may follow that."""

    context: str
    definitions: int = Field(description="How many CustomResourceDefinitions the cluster has.")
    import_id: UUID | None = Field(default=None, description="None when there is nothing to import.")
    connection_id: UUID | None = Field(
        default=None, description="Where the caller has connected the cluster: it teaches its kinds again."
    )


class KubernetesContextPage(PageReply):
    """Clusters that the caller may see."""

    contexts: list[KubernetesContext]


class ListConnections(PageRequest):
    """A part of the connections."""

    kinds: list[str] = Field(default_factory=list)
    statuses: list[ConnectionStatus] = Field(default_factory=list)


class ConnectionPage(PageReply):
    """Connections, with a count for each status."""

    connections: list[Connection]
    status_summary: dict[str, int] = Field(default_factory=dict)


class ConnectionId(Message):
    """Which connection."""

    connection_id: UUID


class SetStatus(Message):
    """Move a connection to another state; what has to be done on the way is done."""

    connection_id: UUID
    status: ConnectionStatus


class PingReply(PublicMessage):
    """The answer of a cluster's API server."""

    server_version: str


class ConnectionFact(Fact):
    """A connection appeared, changed its state, or is gone."""

    connection_id: UUID
    name: str
    kind: str
    status: ConnectionStatus
    previous: ConnectionStatus | None = None


READ_CONTEXTS = Endpoint(
    "meshery.rpc.connections.v1.read_contexts",
    Kubeconfig,
    ContextList,
    key=Key.ADD_CLUSTER,
    summary="The contexts of a kubeconfig; stores nothing.",
)
REGISTER_KUBECONFIG = Endpoint(
    "meshery.rpc.connections.v1.register_kubeconfig",
    RegisterKubeconfig,
    RegisteredContexts,
    key=Key.ADD_CLUSTER,
    command=True,
    timeout_seconds=60.0,
    summary="Connect clusters of an uploaded kubeconfig.",
)
REGISTER_DEFINITIONS = Endpoint(
    "meshery.rpc.connections.v1.register_definitions",
    RegisterDefinitions,
    RegisteredDefinitions,
    key=Key.ADD_CLUSTER,
    command=True,
    timeout_seconds=60.0,
    summary="Import the CRDs of a cluster, which is not connected; the registry asks for its own key.",
)
LIST_CONTEXTS = Endpoint(
    "meshery.rpc.connections.v1.list_contexts",
    PageRequest,
    KubernetesContextPage,
    key=Key.VIEW_ALL_KUBERNETES_CLUSTERS,
    summary="Clusters that the caller may see.",
)
GET_CONTEXT = Endpoint(
    "meshery.rpc.connections.v1.get_context",
    ConnectionId,
    KubernetesContext,
    key=Key.VIEW_ALL_KUBERNETES_CLUSTERS,
    errors=frozenset({Word.NOT_FOUND}),
    summary="One cluster.",
)
LIST = Endpoint(
    "meshery.rpc.connections.v1.list_connections",
    ListConnections,
    ConnectionPage,
    key=Key.VIEW_CONNECTIONS,
    summary="Connections that the caller may see.",
)
GET = Endpoint(
    "meshery.rpc.connections.v1.get_connection",
    ConnectionId,
    Connection,
    key=Key.VIEW_CONNECTIONS,
    errors=frozenset({Word.NOT_FOUND}),
    summary="One connection.",
)
SET_STATUS = Endpoint(
    "meshery.rpc.connections.v1.set_status",
    SetStatus,
    Connection,
    key=Key.CHANGE_CONNECTION_STATE,
    command=True,
    errors=frozenset({Word.NOT_FOUND, Word.CONFLICT}),
    timeout_seconds=30.0,
    summary="Move a connection to another state.",
)
DELETE = Endpoint(
    "meshery.rpc.connections.v1.delete_connection",
    ConnectionId,
    Connection,
    key=Key.DELETE_A_CONNECTION,
    command=True,
    errors=frozenset({Word.NOT_FOUND, Word.CONFLICT}),
    timeout_seconds=30.0,
    summary="Delete a connection with its credential.",
)
RESYNC = Endpoint(
    "meshery.rpc.connections.v1.resync_connection",
    ConnectionId,
    Connection,
    key=Key.FLUSH_MESHSYNC_DATA,
    command=True,
    errors=frozenset({Word.NOT_FOUND, Word.CONFLICT}),
    summary="Have MeshSync read a cluster anew: what the inventory shows wrongly is put right.",
)
PING = Endpoint(
    "meshery.rpc.connections.v1.ping_connection",
    ConnectionId,
    PingReply,
    key=Key.VIEW_ALL_KUBERNETES_CLUSTERS,
    errors=frozenset({Word.NOT_FOUND}),
    timeout_seconds=10.0,
    summary="Ask the cluster's API server for its version.",
)
CHANGED = Topic("meshery.evt.connections.v1.{organization_id}.connection_changed.{id}", ConnectionFact)
