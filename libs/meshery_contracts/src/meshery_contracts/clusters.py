"""What designs, connections and others say about objects in a cluster. Part of connections' contract."""

from __future__ import annotations

from enum import StrEnum
from typing import Any
from uuid import UUID

from pydantic import Field

from meshery_contracts.endpoints import Endpoint, services_only
from meshery_contracts.errors import Problem, Word
from meshery_contracts.keys import Key
from meshery_contracts.messages import Message

#: Codes of problems that pass once the namespace or the kind of an object is there.
NOT_THERE_YET = frozenset({"kind_unknown", "object_unknown"})


class ObjectReference(Message):
    """One object in a cluster."""

    api_version: str
    kind: str
    namespace: str = Field(default="", description="Empty for a cluster-scoped kind.")
    name: str


class ObjectOutcome(StrEnum):
    """What became of one object."""

    APPLIED = "applied"
    DELETED = "deleted"
    FOUND = "found"
    ABSENT = "absent"
    FAILED = "failed"


class ObjectResult(Message):
    """What the API server said about one object."""

    reference: ObjectReference
    outcome: ObjectOutcome
    uid: str = ""
    #: The object as the API server returned it, without managedFields.
    object: dict[str, Any] | None = None
    #: The object as it was before, for a dry run.
    live: dict[str, Any] | None = None
    namespaced: bool = True
    warnings: list[str] = Field(default_factory=list)
    problem: Problem | None = None


class ApplyObjects(Message):
    """Server-side apply of these objects, in this order, with field manager `meshery`."""

    connection_id: UUID
    objects: list[dict[str, Any]]
    force: bool = Field(default=False, description="Take over fields that others manage.")
    dry_run: bool = Field(default=False, description="Ask the API server what would happen; change nothing.")


class DeleteObjects(Message):
    """Delete these objects; one that is absent is no failure. With a uid only that very object is deleted."""

    connection_id: UUID
    references: list[ObjectReference]
    uids: list[str] = Field(default_factory=list, description="Same length as `references`, or empty.")
    dry_run: bool = False


class ReadObjects(Message):
    """Read these objects as they are in the cluster now."""

    connection_id: UUID
    references: list[ObjectReference]


class ObjectResults(Message):
    """One result for each object asked for, in that order."""

    results: list[ObjectResult]


APPLY_OBJECTS = Endpoint(
    "meshery.svc.connections.v1.apply_objects",
    ApplyObjects,
    ObjectResults,
    key=services_only(
        "designs", key=Key.DEPLOY_DESIGN, reason="Credentials of clusters stay in connections."
    ),
    errors=frozenset({Word.NOT_FOUND, Word.CONFLICT}),
    timeout_seconds=30.0,
    summary="Server-side apply, or a dry run of it.",
)
DELETE_OBJECTS = Endpoint(
    "meshery.svc.connections.v1.delete_objects",
    DeleteObjects,
    ObjectResults,
    key=services_only(
        "designs", key=Key.UNDEPLOY_DESIGN, reason="Credentials of clusters stay in connections."
    ),
    errors=frozenset({Word.NOT_FOUND}),
    timeout_seconds=30.0,
    summary="Delete objects.",
)
READ_OBJECTS = Endpoint(
    "meshery.svc.connections.v1.read_objects",
    ReadObjects,
    ObjectResults,
    key=services_only(
        "designs", key=Key.VIEW_CONNECTIONS, reason="Credentials of clusters stay in connections."
    ),
    errors=frozenset({Word.NOT_FOUND}),
    timeout_seconds=30.0,
    summary="Read objects live from the cluster.",
)
