"""Teaching the registry the kinds of connected clusters, from their own OpenAPI documents."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import aclosing
from dataclasses import dataclass, field

import structlog

from meshery_common.background import pause
from meshery_common.database import EVERY_ORGANIZATION, Database
from meshery_common.delegation import Delegation
from meshery_connections.clients import RegistryClient
from meshery_connections.clients.problems import problem_of
from meshery_connections.domain import documents
from meshery_connections.domain.connections import StoredConnection
from meshery_connections.service.doors import Doors
from meshery_connections.store import DOCUMENTS_CHANNEL, ObservationStore
from meshery_contracts.errors import ProblemError, Unavailable, Word
from meshery_contracts.registry import RegisterOpenAPI
from meshery_kube import Catalogue, Change, Client, Selection, SnapshotEnded
from meshery_kube.errors import ApiError, KubeError
from meshery_kube.kinds import CUSTOM_RESOURCE_DEFINITION, Kind
from meshery_kube.openapi import OpenAPIEntry

log = structlog.get_logger()

#: Documents that are fetched and registered at the same time: some are megabytes.
_AT_ONCE = 3
#: Looks without any sign that something changed: an aggregated API may have.
_EVERY_SECONDS = 300.0
#: A CRD's document is published some seconds after its event: look soon, and once more.
_SETTLE_SECONDS = (1.0, 8.0)
_RETRY_SECONDS = (5.0, 15.0, 60.0)
_TEMPORARY = frozenset({Word.UNAVAILABLE, Word.TIMEOUT, Word.RATE_LIMITED})


@dataclass
class _Progress:
    """How a round of registrations went."""

    registered: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    #: Whether trying again soon can help.
    temporary: bool = False


class ComponentsService:
    """Registers what a cluster serves, and again what changes."""

    def __init__(self, db: Database, doors: Doors, registry: RegistryClient, rights: Delegation) -> None:
        self._db = db
        self._doors = doors
        self._registry = registry
        self._rights = rights
        self._store = ObservationStore()

    async def follow(self, stored: StoredConnection) -> None:
        """Keep the registry up to date with a cluster; a keeper's duty. Raises ProblemError to be called again."""
        wake = asyncio.Event()
        async with self._doors.client(stored) as client, asyncio.TaskGroup() as group:
            group.create_task(_wake_on_crds(client, wake))
            group.create_task(self._wake_when_forgotten(wake))
            pauses: list[float] = []
            retries = 0
            while True:
                wake.clear()
                complete = await self._round(stored, client)
                retries = 0 if complete else retries + 1
                seconds = pauses.pop(0) if pauses else _EVERY_SECONDS
                if not complete:
                    seconds = _RETRY_SECONDS[min(retries, len(_RETRY_SECONDS)) - 1]
                try:
                    async with asyncio.timeout(seconds):
                        await wake.wait()
                    pauses = list(_SETTLE_SECONDS[1:])
                    await pause(_SETTLE_SECONDS[0])  # whoever installs CRDs installs many
                except TimeoutError:
                    pass

    async def register(self, stored: StoredConnection, client: Client) -> _Progress:
        """Register each document that is not the one registered last. Raises KubeError, ProblemError."""
        index = {
            version: entry
            for entry in await client.openapi.index()
            if (version := documents.group_version(entry.name)) is not None
        }
        catalogue = await client.discovery.refresh()
        # A document without kinds teaches nothing: it is left out as long as it has none.
        served = {kind.api_version for kind in catalogue.kinds if _is_kept(kind)}
        hashes = {version: entry.hash for version, entry in index.items() if version in served}
        queries = self._db.within(EVERY_ORGANIZATION)
        known = await self._store.documents(queries, stored.id)
        progress = _Progress()
        wanted = documents.changed(hashes, known)
        if wanted:
            custom = await _custom_groups(client)
            turn = asyncio.Semaphore(_AT_ONCE)
            async with asyncio.TaskGroup() as group:
                for version in wanted:
                    about = _About(version, catalogue, documents.is_custom(version, custom))
                    group.create_task(self._one(stored, client, index[version], about, turn, progress))
        gone = [
            version for version in documents.vanished(hashes, known) if version not in catalogue.incomplete
        ]
        if gone:
            await self._store.forget_documents(queries, stored.id, gone)
        return progress

    async def _round(self, stored: StoredConnection, client: Client) -> bool:
        """One look; whether the next one has time."""
        try:
            progress = await self.register(stored, client)
        except KubeError as error:
            problem = problem_of(error, f"Cluster '{stored.connection.name}'").problem
            await self._show(stored, {"status": "failed", "message": problem.title})
            return False
        queries = self._db.within(EVERY_ORGANIZATION)
        if progress.failed:
            log.warning("kinds were not registered", connection_id=str(stored.id), failed=progress.failed)
            await self._show(stored, {"status": "incomplete", "failed": progress.failed})
        else:
            known = await self._store.documents(queries, stored.id)
            await self._show(stored, {"status": "registered", "groupVersions": len(known)})
        return not progress.temporary

    async def _wake_when_forgotten(self, wake: asyncio.Event) -> None:
        async with self._db.listen(DOCUMENTS_CHANNEL) as forgotten:
            async for _ in forgotten:
                wake.set()

    async def _one(
        self,
        stored: StoredConnection,
        client: Client,
        entry: OpenAPIEntry,
        about: _About,
        turn: asyncio.Semaphore,
        progress: _Progress,
    ) -> None:
        """Register one document; a failure is noted and does not stop the others."""
        try:
            async with turn:
                document = await client.openapi.document(entry)
                fields = await asyncio.to_thread(documents.fields_of, document)
                assertion = await self._rights.assertion_for(
                    stored.organization_id, stored.connection.user_id
                )
                request = RegisterOpenAPI(
                    connection_id=stored.id,
                    cluster_name=stored.connection.name,
                    cluster_version=str(stored.connection.metadata.get("version") or ""),
                    group_version=about.version,
                    **fields,
                    namespaced_kinds=about.kinds(namespaced=True),
                    cluster_kinds=about.kinds(namespaced=False),
                    custom=about.custom,
                )
                await self._registry.register(request, assertion)
        except KubeError as error:
            progress.failed[about.version] = problem_of(error).problem.title
            progress.temporary = True
            return
        except ProblemError as error:
            progress.failed[about.version] = error.problem.title
            progress.temporary |= error.problem.word in _TEMPORARY
            return
        queries = self._db.within(EVERY_ORGANIZATION)
        await self._store.put_document(queries, stored.id, stored.organization_id, about.version, entry.hash)
        progress.registered.append(about.version)

    async def _show(self, stored: StoredConnection, components: dict[str, object]) -> None:
        await self._store.set_components(self._db.within(EVERY_ORGANIZATION), stored.id, components)


@dataclass(frozen=True)
class _About:
    """One group version of a cluster."""

    version: str
    catalogue: Catalogue
    custom: bool

    def kinds(self, *, namespaced: bool) -> list[str]:
        """Its kinds, those in namespaces or the others."""
        return sorted(
            {
                kind.kind
                for kind in self.catalogue.kinds
                if kind.api_version == self.version and kind.namespaced is namespaced and _is_kept(kind)
            }
        )


def _is_kept(kind: Kind) -> bool:
    """Whether objects of it are made and kept, so that one can design with them: no question like TokenReview."""
    return kind.can("create", "list")


async def _custom_groups(client: Client) -> Iterable[str]:
    """The groups that CRDs bring; without the right to list CRDs nothing counts as custom."""
    found: set[str] = set()
    try:
        async for crd in client.objects.list(CUSTOM_RESOURCE_DEFINITION, Selection(metadata_only=True)):
            # A CRD is always named `<plural>.<group>`.
            found.add(str(crd["metadata"]["name"]).partition(".")[2])
    except ApiError:
        return ()
    return found


async def _wake_on_crds(client: Client, wake: asyncio.Event) -> None:
    watch = client.watching(CUSTOM_RESOURCE_DEFINITION, Selection(metadata_only=True))
    async with aclosing(watch.batches()) as batches:
        async for batch in batches:
            if any(isinstance(event, Change | SnapshotEnded) for event in batch):
                wake.set()
    raise Unavailable("The watch of CRDs ended.", code="watch_ended")
