"""Inventory's contract: the live picture of every connected cluster."""

from __future__ import annotations

from enum import StrEnum
from typing import Any
from uuid import UUID

from pydantic import Field

from meshery_contracts.endpoints import Endpoint, Topic
from meshery_contracts.errors import Word
from meshery_contracts.keys import Key
from meshery_contracts.messages import Message, PublicMessage
from meshery_contracts.paging import PageReply, PageRequest


class ListResources(PageRequest):
    """A part of the resources."""

    cluster_ids: list[str] | None = Field(
        default=None, description="kube-system uids; none means every cluster, an empty list no cluster."
    )
    connection_ids: list[UUID] = Field(default_factory=list)
    kinds: list[str] = Field(default_factory=list)
    api_version: str = ""
    namespaces: list[str] = Field(default_factory=list)
    labels: dict[str, str] = Field(default_factory=dict)
    with_spec: bool = False
    with_status: bool = False
    with_labels: bool = False
    with_annotations: bool = False


class ResourcePage(PageReply):
    """Resources in Meshery's shape; inventory writes them once, the gateway passes them on."""

    resources: list[dict[str, Any]]


class ResourceId(Message):
    """Which resource: Meshery's id (base64 of cluster, kind, apiVersion, namespace, name)."""

    resource_id: str


class Resource(PublicMessage):
    """One resource in Meshery's shape."""

    resource: dict[str, Any]


class Summarize(Message):
    """Counts over the resources."""

    cluster_ids: list[str] | None = Field(
        default=None, description="kube-system uids; none means every cluster, an empty list no cluster."
    )
    connection_ids: list[UUID] = Field(default_factory=list)
    namespace: str = ""


class KindCount(PublicMessage):
    """How many objects of a kind there are."""

    kind: str
    api_version: str = ""
    count: int


class Summary(PublicMessage):
    """What a cluster holds, in numbers."""

    kinds: list[KindCount]
    namespaces: list[str]
    total_count: int
    labels: list[dict[str, Any]] = Field(default_factory=list)


class ChangeKind(StrEnum):
    """What happened to an object."""

    ADDED = "ADDED"
    MODIFIED = "MODIFIED"
    DELETED = "DELETED"


class ResourceChange(PublicMessage):
    """One object that changed."""

    change: ChangeKind
    id: str
    api_version: str
    kind: str
    namespace: str = ""
    name: str
    uid: str = ""
    resource_version: str = ""
    cluster_id: str = ""


class ResourcesChanged(Message):
    """Objects of one cluster that changed, after they were stored."""

    connection_id: UUID
    changes: list[ResourceChange]
    #: Set when the picture was rebuilt: whoever watches reads it again.
    resync: bool = False


LIST = Endpoint(
    "meshery.rpc.inventory.v1.list_resources",
    ListResources,
    ResourcePage,
    key=Key.VIEW_CLOUD_NATIVE_INFRASTRUCTURE,
    summary="Resources of connected clusters.",
)
GET = Endpoint(
    "meshery.rpc.inventory.v1.get_resource",
    ResourceId,
    Resource,
    key=Key.VIEW_CLOUD_NATIVE_INFRASTRUCTURE,
    errors=frozenset({Word.NOT_FOUND}),
    summary="One resource with spec and status.",
)
SUMMARIZE = Endpoint(
    "meshery.rpc.inventory.v1.summarize_resources",
    Summarize,
    Summary,
    key=Key.VIEW_CLOUD_NATIVE_INFRASTRUCTURE,
    summary="Kinds, namespaces and labels with counts.",
)
CHANGED = Topic("meshery.live.inventory.v1.{organization_id}.resources_changed.{id}", ResourcesChanged)
