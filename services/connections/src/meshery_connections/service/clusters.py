"""Applying, deleting and reading objects in clusters. One failure does not stop the rest of a request."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar
from uuid import UUID

from meshery_common.access import Access
from meshery_common.database import Database
from meshery_connections.clients.problems import problem_of
from meshery_connections.domain import objects
from meshery_connections.domain.connections import StoredConnection
from meshery_connections.service.doors import Doors
from meshery_connections.store import ConnectionStore
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
from meshery_contracts.connections import ConnectionStatus
from meshery_contracts.errors import Conflict, Invalid, ProblemError, Unavailable
from meshery_kube import Catalogue, Client, Kind, KindNotServed, Propagation, Validation
from meshery_kube.errors import Conflict as ClusterConflict
from meshery_kube.errors import KubeError, NotFound

T = TypeVar("T")

FIELD_MANAGER = "meshery"
#: Objects of one request that are under way at the same time.
_AT_ONCE = 8


class ClustersService:
    """Use cases over objects in clusters."""

    def __init__(self, db: Database, doors: Doors) -> None:
        self._db = db
        self._store = ConnectionStore()
        self._doors = doors

    async def apply(self, request: ApplyObjects, caller: Caller) -> ObjectResults:
        """Server-side apply of each object, or a dry run that also tells what is there now."""
        references = [objects.reference_of(one) for one in request.objects]
        stored = await self._usable(
            request.connection_id, caller, Access.VIEWER if request.dry_run else Access.OPERATOR
        )
        async with self._doors.client(stored) as client:
            kinds = await _kinds(client, references)

            async def apply(position: int) -> ObjectResult:
                kind = kinds.of(references[position])
                return await _applied(client, kind, references[position], request.objects[position], request)

            return await self._each(stored, references, apply)

    async def delete(self, request: DeleteObjects, caller: Caller) -> ObjectResults:
        """Delete each object in the background; one that is gone already is no failure."""
        if request.uids and len(request.uids) != len(request.references):
            raise Invalid(
                f"{len(request.uids)} uids for {len(request.references)} references.",
                code="uids_mismatch",
                remedy="Send one uid for each reference (empty for any), or none at all.",
            )
        stored = await self._usable(
            request.connection_id, caller, Access.VIEWER if request.dry_run else Access.OPERATOR
        )
        uids = request.uids or [""] * len(request.references)
        async with self._doors.client(stored) as client:
            kinds = await _kinds(client, request.references)

            async def delete(position: int) -> ObjectResult:
                reference = request.references[position]
                kind = kinds.find(reference)
                if kind is None:
                    return ObjectResult(reference=reference, outcome=ObjectOutcome.ABSENT)
                return await _deleted(client, kind, reference, uids[position], dry_run=request.dry_run)

            return await self._each(stored, request.references, delete)

    async def read(self, request: ReadObjects, caller: Caller) -> ObjectResults:
        """Each object as it is now."""
        stored = await self._usable(request.connection_id, caller, Access.VIEWER)
        async with self._doors.client(stored) as client:
            kinds = await _kinds(client, request.references)

            async def read(position: int) -> ObjectResult:
                reference = request.references[position]
                kind = kinds.find(reference)
                if kind is None:
                    return ObjectResult(reference=reference, outcome=ObjectOutcome.ABSENT)
                return await _read(client, kind, reference)

            return await self._each(stored, request.references, read)

    async def _usable(self, connection_id: UUID, caller: Caller, access: Access) -> StoredConnection:
        """A connected cluster that the caller has this access to. Raises NotFound, Forbidden, Conflict."""
        queries = self._db.within(caller.organization_id)
        stored = await self._store.get(queries, connection_id, caller, access)
        if stored.status is not ConnectionStatus.CONNECTED:
            raise Conflict(
                f"Cluster '{stored.connection.name}' is {stored.status.value}, not connected.",
                code="cluster_not_connected",
                remedy="Connect it first.",
            )
        return stored

    async def _each(
        self,
        stored: StoredConnection,
        references: Sequence[ObjectReference],
        work: Callable[[int], Awaitable[ObjectResult]],
    ) -> ObjectResults:
        """Do all of it, some at the same time; the results are in the order of the request."""
        turn = asyncio.Semaphore(_AT_ONCE)
        cluster = f"Cluster '{stored.connection.name}'"

        async def one(position: int) -> ObjectResult:
            try:
                async with turn:
                    return await work(position)
            except KubeError as error:
                problem = problem_of(error, cluster).problem
            except ProblemError as error:
                problem = error.problem
            return ObjectResult(reference=references[position], outcome=ObjectOutcome.FAILED, problem=problem)

        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(position)) for position in range(len(references))]
        return ObjectResults(results=[task.result() for task in tasks])


class _Kinds:
    """The kinds that a request is about, looked up in what the cluster serves."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue

    def of(self, reference: ObjectReference) -> Kind:
        """The kind of an object. Raises KindNotServed, or Unavailable when its server does not answer."""
        try:
            return self._catalogue.find(reference.api_version, reference.kind)
        except KindNotServed:
            if reference.api_version in self._catalogue.incomplete:
                raise Unavailable(
                    f"The server behind {reference.api_version} does not answer.",
                    code="aggregated_api_away",
                    remedy="Look at the APIService of that group in the cluster.",
                ) from None
            raise

    def find(self, reference: ObjectReference) -> Kind | None:
        """The kind of an object; None when the cluster certainly has none of it."""
        try:
            return self.of(reference)
        except KindNotServed:
            return None

    def knows(self, references: Sequence[ObjectReference]) -> bool:
        """Whether every kind is served."""
        try:
            for one in references:
                self._catalogue.find(one.api_version, one.kind)
        except KindNotServed:
            return False
        return True


async def _kinds(client: Client, references: Sequence[ObjectReference]) -> _Kinds:
    """The cluster's kinds; asked for anew, once, when one is not known: its CRD may have just been applied."""
    kinds = _Kinds(await client.discovery.catalogue())
    if not kinds.knows(references):
        kinds = _Kinds(await client.discovery.refresh())
    return kinds


async def _applied(
    client: Client, kind: Kind, reference: ObjectReference, manifest: dict[str, Any], request: ApplyObjects
) -> ObjectResult:
    reference = objects.placed(reference, namespaced=kind.namespaced)
    live: dict[str, Any] | None = None
    if request.dry_run:
        live = await _live(client, kind, reference)
    written = await client.objects.apply(
        kind,
        objects.placed_manifest(manifest, reference.namespace),
        reference.namespace or None,
        force=request.force,
        dry_run=request.dry_run,
        validation=Validation.STRICT,
        field_manager=FIELD_MANAGER,
    )
    found = objects.shown(written.object)
    return ObjectResult(
        reference=reference,
        outcome=ObjectOutcome.APPLIED,
        # What a dry run would create has a uid that will never be seen again.
        uid=objects.uid_of(live)
        if request.dry_run and live
        else ""
        if request.dry_run
        else objects.uid_of(found),
        object=found,
        live=live,
        namespaced=kind.namespaced,
        warnings=list(written.warnings),
    )


async def _deleted(
    client: Client, kind: Kind, reference: ObjectReference, uid: str, *, dry_run: bool
) -> ObjectResult:
    reference = objects.placed(reference, namespaced=kind.namespaced)
    absent = ObjectResult(reference=reference, outcome=ObjectOutcome.ABSENT, namespaced=kind.namespaced)
    live: dict[str, Any] | None = None
    if dry_run:
        live = await _live(client, kind, reference)
        if live is None or (uid and objects.uid_of(live) != uid):
            return absent
    try:
        deleted = await client.objects.delete(
            kind,
            reference.name,
            reference.namespace or None,
            propagation=Propagation.BACKGROUND,
            uid=uid or None,
            dry_run=dry_run,
        )
    except NotFound:
        return absent
    except ClusterConflict:
        if uid:
            # Another object bears the name by now: the one that was meant is gone.
            return absent
        raise
    return ObjectResult(
        reference=reference,
        outcome=ObjectOutcome.DELETED,
        uid=uid or (objects.uid_of(live) if live else ""),
        live=live,
        namespaced=kind.namespaced,
        warnings=list(deleted.warnings),
    )


async def _read(client: Client, kind: Kind, reference: ObjectReference) -> ObjectResult:
    reference = objects.placed(reference, namespaced=kind.namespaced)
    found = await _live(client, kind, reference)
    if found is None:
        return ObjectResult(reference=reference, outcome=ObjectOutcome.ABSENT, namespaced=kind.namespaced)
    return ObjectResult(
        reference=reference,
        outcome=ObjectOutcome.FOUND,
        uid=objects.uid_of(found),
        object=found,
        namespaced=kind.namespaced,
    )


async def _live(client: Client, kind: Kind, reference: ObjectReference) -> dict[str, Any] | None:
    try:
        return objects.shown(await client.objects.get(kind, reference.name, reference.namespace or None))
    except NotFound:
        return None
