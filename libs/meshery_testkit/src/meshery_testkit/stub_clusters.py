"""Clusters that behave like their API servers, behind the endpoints of connections.

Namespaces and kinds must be there before what lives by them, dry runs change nothing, uids are never given twice,
health comes when it comes, and what goes wrong is up to the test.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

from meshery_common.bus import Bus
from meshery_contracts import clusters, connections
from meshery_contracts.caller import Caller
from meshery_contracts.clusters import (
    ApplyObjects,
    DeleteObjects,
    ObjectOutcome,
    ObjectReference,
    ObjectResult,
    ObjectResults,
    ReadObjects,
)
from meshery_contracts.connections import Connection, ConnectionId, ConnectionStatus
from meshery_contracts.errors import Conflict, Invalid, NotFound, ProblemError, Unavailable
from meshery_testkit.nats import NATSForTests

_CLUSTER_SCOPED = frozenset({"Namespace", "CustomResourceDefinition", "ClusterRole", "ClusterRoleBinding"})
_BUILT_IN_GROUPS = frozenset({"", "apps", "batch", "apiextensions.k8s.io", "rbac.authorization.k8s.io"})
_WORKLOADS = frozenset({"Deployment", "StatefulSet", "DaemonSet"})

Key = tuple[str, str, str, str]


@dataclass
class StubCluster:
    """One cluster: what is in it, and what goes wrong there. Objects are named by kind and name."""

    name: str = "stub"
    connection_id: UUID = field(default_factory=uuid4)
    #: What was written and removed, in order: `apply Namespace/shop`, `delete Deployment/web`.
    log: list[str] = field(default_factory=list)
    #: How many looks it takes until a workload is available; -1: never.
    looks_until_healthy: dict[str, int] = field(default_factory=dict)
    #: Objects that the API server refuses.
    refused: set[str] = field(default_factory=set)
    #: Objects with fields that somebody else manages.
    managed_by_others: set[str] = field(default_factory=set)
    #: Objects that a finalizer keeps.
    kept: set[str] = field(default_factory=set)
    #: How many more requests find the cluster unreachable.
    away: int = 0
    #: Whose requests came.
    callers: list[Caller] = field(default_factory=list)
    #: While it is not set, what is applied is written but not answered.
    answering: asyncio.Event = field(default_factory=asyncio.Event)
    _objects: dict[Key, dict[str, Any]] = field(default_factory=dict)
    _looks: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.answering.set()
        self.put({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "default"}})

    def put(self, manifest: dict[str, Any]) -> dict[str, Any]:
        """Write an object as somebody else would."""
        return self._write(self._placed(manifest), manifest)

    def remove(self, name: str) -> None:
        """Remove an object as somebody else would."""
        del self._objects[self._key_of(name)]

    def find(self, name: str) -> dict[str, Any] | None:
        """An object as it is now, by `Kind/name`."""
        return next((one for key, one in self._objects.items() if f"{key[1]}/{key[3]}" == name), None)

    @property
    def names(self) -> set[str]:
        """All objects but the namespace that is always there."""
        return {f"{kind}/{name}" for _, kind, _, name in self._objects} - {"Namespace/default"}

    def connection(self, organization_id: UUID) -> Connection:
        """The cluster as connections shows it."""
        now = datetime.now(UTC)
        return Connection(
            id=self.connection_id,
            name=self.name,
            kind="kubernetes",
            status=ConnectionStatus.CONNECTED,
            user_id=uuid4(),
            organization_id=organization_id,
            created_at=now,
            updated_at=now,
        )

    def apply(self, manifest: dict[str, Any], *, force: bool, dry_run: bool) -> ObjectResult:
        """Server-side apply of one object."""
        reference = self._placed(manifest)
        name = f"{reference.kind}/{reference.name}"
        self._check(reference, name, force=force)
        live = deepcopy(self._objects.get(_key(reference)))
        if dry_run:
            written = _merged(live or {}, manifest)
            uid = _uid(live)
        else:
            self.log.append(f"apply {name}")
            written = self._write(reference, manifest)
            uid = _uid(written)
        return ObjectResult(
            reference=reference,
            outcome=ObjectOutcome.APPLIED,
            uid=uid,
            object=self._seen(written),
            live=live if dry_run else None,
        )

    def delete(self, reference: ObjectReference, uid: str) -> ObjectResult:
        """Delete one object, if it is the very one."""
        reference = self._placed_reference(reference)
        found = self._objects.get(_key(reference))
        if found is None or (uid and _uid(found) != uid):
            return ObjectResult(reference=reference, outcome=ObjectOutcome.ABSENT)
        name = f"{reference.kind}/{reference.name}"
        self.log.append(f"delete {name}")
        if name not in self.kept:
            del self._objects[_key(reference)]
        return ObjectResult(reference=reference, outcome=ObjectOutcome.DELETED, uid=_uid(found))

    def read(self, reference: ObjectReference) -> ObjectResult:
        """One object as it is now; each look brings a workload nearer to its health."""
        reference = self._placed_reference(reference)
        found = self._objects.get(_key(reference))
        if found is None:
            return ObjectResult(reference=reference, outcome=ObjectOutcome.ABSENT)
        return ObjectResult(
            reference=reference, outcome=ObjectOutcome.FOUND, uid=_uid(found), object=self._seen(found)
        )

    def _seen(self, found: dict[str, Any]) -> dict[str, Any]:
        name = f"{found['kind']}/{found['metadata']['name']}"
        self._looks[name] = self._looks.get(name, -1) + 1
        wanted = self.looks_until_healthy.get(name, 0)
        healthy = 0 <= wanted <= self._looks[name]
        status: dict[str, Any] = {}
        if found["kind"] in _WORKLOADS:
            replicas = found.get("spec", {}).get("replicas", 1)
            ready = replicas if healthy else 0
            status = {
                **{"observedGeneration": found["metadata"].get("generation", 1), "replicas": replicas},
                **{"updatedReplicas": replicas, "availableReplicas": ready, "readyReplicas": ready},
            }
        elif found["kind"] == "CustomResourceDefinition":
            status = {"conditions": [{"type": "Established", "status": str(healthy)}]}
        return deepcopy({**found, "status": status})

    def _write(self, reference: ObjectReference, manifest: dict[str, Any]) -> dict[str, Any]:
        live = self._objects.get(_key(reference))
        written = _merged(live or {}, manifest)
        metadata = written["metadata"]
        metadata["uid"] = _uid(live) or str(uuid4())
        if reference.namespace:
            metadata["namespace"] = reference.namespace
        if live is None or live.get("spec") != written.get("spec"):
            metadata["generation"] = metadata.get("generation", 0) + 1
        self._looks.pop(f"{reference.kind}/{reference.name}", None)
        self._objects[_key(reference)] = written
        return written

    def _check(self, reference: ObjectReference, name: str, *, force: bool) -> None:
        if name in self.refused:
            raise Invalid(f"{self.name} refuses {name}.", code="object_refused")
        if name in self.managed_by_others and not force:
            raise Conflict("'kubectl' manages fields that are to be changed.", code="field_conflict")
        if reference.namespace and ("", "Namespace", "", reference.namespace) not in self._objects:
            raise NotFound(f"Namespace {reference.namespace} does not exist.", code="object_unknown")
        group = reference.api_version.rpartition("/")[0]
        if group not in _BUILT_IN_GROUPS and self._definition(group, reference.kind) is None:
            raise NotFound(f"{reference.kind} of {group} is not served.", code="kind_unknown")

    def _definition(self, group: str, kind: str) -> dict[str, Any] | None:
        for key, found in self._objects.items():
            spec = found.get("spec") or {}
            if key[1] == "CustomResourceDefinition" and (spec["group"], spec["names"]["kind"]) == (
                group,
                kind,
            ):
                return found
        return None

    def _placed(self, manifest: dict[str, Any]) -> ObjectReference:
        metadata = manifest["metadata"]
        return self._placed_reference(
            ObjectReference(
                api_version=manifest["apiVersion"],
                kind=manifest["kind"],
                namespace=metadata.get("namespace") or "",
                name=metadata["name"],
            )
        )

    def _placed_reference(self, reference: ObjectReference) -> ObjectReference:
        definition = self._definition(reference.api_version.rpartition("/")[0], reference.kind)
        scoped = definition["spec"].get("scope") == "Cluster" if definition else False
        clusterwide = scoped or reference.kind in _CLUSTER_SCOPED
        namespace = "" if clusterwide else reference.namespace or "default"
        return reference.model_copy(update={"namespace": namespace})

    def _key_of(self, name: str) -> Key:
        return next(key for key in self._objects if f"{key[1]}/{key[3]}" == name)


class StubClusters:
    """All clusters of an installation; every caller sees each of them."""

    def __init__(self, *found: StubCluster) -> None:
        self.connected = list(found)

    @asynccontextmanager
    async def serving(self, nats: NATSForTests) -> AsyncIterator[StubClusters]:
        """Answer for connections, as far as designs ask it."""
        async with Bus.connect(nats.bus_settings("connections"), service="connections") as bus:
            await bus.serve(connections.LIST, self._list)
            await bus.serve(connections.GET, self._get)
            await bus.serve(clusters.APPLY_OBJECTS, self._apply)
            await bus.serve(clusters.DELETE_OBJECTS, self._delete)
            await bus.serve(clusters.READ_OBJECTS, self._read)
            yield self

    async def _list(
        self, _request: connections.ListConnections, caller: Caller
    ) -> connections.ConnectionPage:
        found = [one.connection(caller.organization_id) for one in self.connected]
        return connections.ConnectionPage(total_count=len(found), connections=found)

    async def _get(self, request: ConnectionId, caller: Caller) -> Connection:
        return self._of(request.connection_id).connection(caller.organization_id)

    async def _apply(self, request: ApplyObjects, caller: Caller) -> ObjectResults:
        cluster = self._reached(request.connection_id, caller)
        results = [_result(cluster, one, request.force, request.dry_run) for one in deepcopy(request.objects)]
        if not request.dry_run:
            await cluster.answering.wait()
        return ObjectResults(results=results)

    async def _delete(self, request: DeleteObjects, caller: Caller) -> ObjectResults:
        cluster = self._reached(request.connection_id, caller)
        uids = request.uids or [""] * len(request.references)
        pairs = zip(request.references, uids, strict=True)
        return ObjectResults(results=[cluster.delete(reference, uid) for reference, uid in pairs])

    async def _read(self, request: ReadObjects, caller: Caller) -> ObjectResults:
        cluster = self._reached(request.connection_id, caller)
        return ObjectResults(results=[cluster.read(one) for one in request.references])

    def _of(self, connection_id: UUID) -> StubCluster:
        for one in self.connected:
            if one.connection_id == connection_id:
                return one
        raise NotFound(f"There is no connection {connection_id}.", code="connection_unknown")

    def _reached(self, connection_id: UUID, caller: Caller) -> StubCluster:
        cluster = self._of(connection_id)
        cluster.callers.append(caller)
        if cluster.away:
            cluster.away -= 1
            raise Unavailable(f"{cluster.name} cannot be reached.", code="cluster_unreachable")
        return cluster


def _result(cluster: StubCluster, manifest: dict[str, Any], force: bool, dry_run: bool) -> ObjectResult:
    try:
        return cluster.apply(manifest, force=force, dry_run=dry_run)
    except ProblemError as error:
        reference = ObjectReference(
            api_version=manifest["apiVersion"], kind=manifest["kind"], name=manifest["metadata"]["name"]
        )
        return ObjectResult(reference=reference, outcome=ObjectOutcome.FAILED, problem=error.problem)


def _key(reference: ObjectReference) -> Key:
    group = reference.api_version.rpartition("/")[0]
    return group, reference.kind, reference.namespace, reference.name


def _uid(found: dict[str, Any] | None) -> str:
    return str(found["metadata"].get("uid", "")) if found else ""


def _merged(live: dict[str, Any], manifest: dict[str, Any]) -> dict[str, Any]:
    merged = deepcopy(live)
    for field_name, value in manifest.items():
        old = merged.get(field_name)
        if isinstance(value, dict) and isinstance(old, dict):
            merged[field_name] = _merged(old, value)
        else:
            merged[field_name] = deepcopy(value)
    return merged
