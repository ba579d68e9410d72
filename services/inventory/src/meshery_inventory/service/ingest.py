"""Taking frames in: a batch is one transaction, and what it changed is told after the commit."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from uuid import UUID

import structlog
from prometheus_client import Counter, Histogram

from meshery_common.database import EVERY_ORGANIZATION, Database, Transaction
from meshery_contracts.discovery import kind_token
from meshery_contracts.inventory import ChangeKind, ResourceChange
from meshery_inventory.clients import LiveClient
from meshery_inventory.domain import plans
from meshery_inventory.domain.frames import Arrival, Frame, KindName
from meshery_inventory.domain.go_meshsync import Seen
from meshery_inventory.domain.objects import meshery_id
from meshery_inventory.domain.plans import Cluster, Write
from meshery_inventory.store import ClusterStore, ResourceStore
from meshery_inventory.store.resources import Gone

log = structlog.get_logger()

#: The most objects that one transaction writes, unless a single frame has more.
MAX_OBJECTS = 1000
_REMOVED_AT_ONCE = 2000

OBJECTS = Counter(
    "meshery_inventory_objects_total", "Objects of frames, by what became of them.", ["outcome"]
)
REFUSED = Counter("meshery_inventory_frames_refused_total", "Frames of a session that is over, or of nobody.")
SECONDS = Histogram(
    "meshery_inventory_batch_seconds",
    "Time to store one batch of frames.",
    buckets=(0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5),
)


class _Changes:
    """What one batch did to one cluster."""

    def __init__(self) -> None:
        self.changes: list[ResourceChange] = []
        self.resync = False


class IngestService:
    """Writes frames, those of our agents and those of the Go MeshSync."""

    def __init__(
        self, db: Database, clusters: ClusterStore, resources: ResourceStore, live: LiveClient
    ) -> None:
        self._db = db
        self._clusters = clusters
        self._resources = resources
        self._live = live
        self._last_position = 0

    async def take(self, arrivals: Sequence[Arrival]) -> None:
        """Store frames. Raises Unavailable when they have to come again."""
        for part in _parts(arrivals):
            with SECONDS.time():
                changed = await self._db.run(EVERY_ORGANIZATION, partial(self._store, arrivals=part))
            for cluster, one in changed.items():
                await self._live.changed(
                    cluster.organization_id, cluster.connection_id, one.changes, resync=one.resync
                )

    async def take_foreign(self, seen: Sequence[Seen]) -> None:
        """Store what a Go MeshSync told. It knows no connection: its cluster id is looked up."""
        if not seen:
            return
        clusters = await self._clusters.of_cluster_ids(
            self._db.within(EVERY_ORGANIZATION), list({one.cluster_id for one in seen})
        )
        arrivals = []
        for one in seen:
            for cluster in clusters.get(one.cluster_id, ()):
                arrivals.append(self._foreign_arrival(cluster, one))
        await self.take(arrivals)

    async def remove(self, connection_id: UUID, organization_id: UUID, status: str) -> None:
        """A connection is gone, and with it all that it showed."""
        await self._clusters.remove(
            self._db.within(EVERY_ORGANIZATION), connection_id, organization_id, status
        )
        removed = 0
        while True:
            async with self._db.transaction(EVERY_ORGANIZATION) as tx:
                count = await self._resources.clear_some(tx, connection_id, _REMOVED_AT_ONCE)
            removed += count
            if count < _REMOVED_AT_ONCE:
                break
        if removed:
            await self._live.changed(organization_id, connection_id, [], resync=True)

    async def note_status(
        self, connection_id: UUID, organization_id: UUID, cluster_id: str, status: str, *, foreign_agent: bool
    ) -> None:
        """What a fact of connections says about a cluster that stays."""
        within = self._db.within(EVERY_ORGANIZATION)
        await self._clusters.note_status(within, connection_id, organization_id, cluster_id, status)
        if foreign_agent:
            await self._clusters.release(within, connection_id)

    # ------------------------------------------------------------------------------------------------------

    async def _store(self, tx: Transaction, arrivals: Sequence[Arrival]) -> dict[Cluster, _Changes]:
        await self._know(tx, arrivals)
        clusters, kinds = await self._clusters.lock_for_frames(tx, arrivals)
        batch = plans.gather(arrivals, clusters, kinds)
        if batch.refused:
            REFUSED.inc(batch.refused)
        stored, buried = await self._resources.stored(tx, batch.latest) if batch.latest else ({}, {})
        plan = plans.plan(batch, stored, buried)
        changed: dict[Cluster, _Changes] = {work.cluster: _Changes() for work in batch.kinds.values()}
        if plan.writes:
            for write in await self._resources.write(tx, plan.writes):
                if not write.in_epoch:
                    changed[write.cluster].changes.append(_written(write))
        if plan.touches:
            await self._resources.touch(tx, plan.touches)
        if plan.drops:
            by_connection = {one.cluster.connection_id: one.cluster for one in plan.drops}
            for gone in await self._resources.drop(tx, plan.drops):
                cluster = by_connection[gone.connection_id]
                changed[cluster].changes.append(_gone(gone, cluster))
        for work in batch.kinds.values():
            if work.sweep:
                changed[work.cluster].resync = True
                await self._resources.sweep(tx, work)
        if batch.kinds:
            await self._clusters.advance_kinds(tx, list(batch.kinds.items()))
        OBJECTS.labels("written").inc(len(plan.writes))
        OBJECTS.labels("unchanged").inc(len(plan.touches))
        OBJECTS.labels("dropped").inc(len(plan.drops))
        if plan.unreadable:
            OBJECTS.labels("unreadable").inc(plan.unreadable)
            log.error("objects cannot be read", count=plan.unreadable)
        return {cluster: one for cluster, one in changed.items() if one.changes or one.resync}

    async def _know(self, tx: Transaction, arrivals: Iterable[Arrival]) -> None:
        """Clusters and sessions that these tables do not know: they were dropped, and the agent goes on."""
        newest: dict[UUID, Frame] = {}
        for one in arrivals:
            known = newest.get(one.connection_id)
            if known is None or known.session < one.frame.session:
                newest[one.connection_id] = one.frame
        for connection_id, frame in sorted(newest.items(), key=lambda item: item[0]):
            cluster = await self._clusters.get(tx, connection_id)
            if cluster is None:
                await self._clusters.add(tx, connection_id, frame.organization_id, frame.cluster_id)
            elif cluster.session >= frame.session or cluster.removed:
                continue
            if cluster is None or cluster.organization_id == frame.organization_id:
                await self._clusters.adopt_session(tx, connection_id, frame.session, frame.position - 1)

    def _foreign_arrival(self, cluster: Cluster, seen: Seen) -> Arrival:
        # The order of arrival, also over restarts: nothing that the Go MeshSync sends tells it.
        self._last_position = max(self._last_position + 1, time.time_ns() // 1000)
        frame = Frame(
            organization_id=cluster.organization_id,
            cluster_id=cluster.cluster_id,
            session=cluster.session,
            position=self._last_position,
            kind=KindName(seen.kind.api_version, seen.kind.kind),
            objects=[seen.entry],
        )
        token = kind_token(seen.kind.kind, seen.kind.api_version)
        return Arrival(cluster.connection_id, token, frame)


def _parts(arrivals: Sequence[Arrival]) -> Iterator[list[Arrival]]:
    """Runs of frames of at most `MAX_OBJECTS` objects."""
    part: list[Arrival] = []
    size = 0
    for one in arrivals:
        if part and size + len(one.frame.objects) > MAX_OBJECTS:
            yield part
            part, size = [], 0
        part.append(one)
        size += len(one.frame.objects)
    if part:
        yield part


def _written(write: Write) -> ResourceChange:
    one = write.object
    return ResourceChange(
        change=ChangeKind.ADDED if write.added else ChangeKind.MODIFIED,
        id=meshery_id(write.cluster.cluster_id, one.kind, one.api_version, one.namespace, one.name),
        api_version=one.api_version,
        kind=one.kind,
        namespace=one.namespace,
        name=one.name,
        uid=one.uid,
        resource_version=one.resource_version,
        cluster_id=write.cluster.cluster_id,
    )


def _gone(gone: Gone, cluster: Cluster) -> ResourceChange:
    return ResourceChange(
        change=ChangeKind.DELETED,
        id=meshery_id(cluster.cluster_id, gone.kind, gone.api_version, gone.namespace, gone.name),
        api_version=gone.api_version,
        kind=gone.kind,
        namespace=gone.namespace,
        name=gone.name,
        uid=gone.uid,
        resource_version=gone.resource_version,
        cluster_id=cluster.cluster_id,
    )
