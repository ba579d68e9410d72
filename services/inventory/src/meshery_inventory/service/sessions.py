"""What agents ask: their turn at a cluster, and whether what is stored is what they know."""

from __future__ import annotations

from uuid import UUID

import structlog

from meshery_common.database import EVERY_ORGANIZATION, Database, Transaction
from meshery_contracts.caller import Caller
from meshery_contracts.discovery import CompareDigests, Comparison, KindDigest, OpenSession, Session
from meshery_contracts.errors import Conflict, NotFound
from meshery_inventory.clients import LiveClient
from meshery_inventory.domain.objects import hexadecimal
from meshery_inventory.domain.plans import Cluster
from meshery_inventory.store import ClusterStore, ResourceStore
from meshery_inventory.store.clusters import StoredKind

log = structlog.get_logger()


class SessionsService:
    """Sessions and comparisons. The caller is an agent: NATS lets nobody else ask."""

    def __init__(
        self, db: Database, clusters: ClusterStore, resources: ResourceStore, live: LiveClient
    ) -> None:
        self._db = db
        self._clusters = clusters
        self._resources = resources
        self._live = live

    async def open_session(self, request: OpenSession, _caller: Caller) -> Session:
        """Take over a connection: frames of the session before are refused from now on."""
        async with self._db.transaction(EVERY_ORGANIZATION) as tx:
            cluster = await self._cluster(
                tx, request.connection_id, request.organization_id, request.cluster_id
            )
            known = await self._clusters.kinds(tx, request.connection_id)
            if request.cluster_id and cluster.cluster_id not in ("", request.cluster_id):
                # Ids are made of the cluster's: another cluster behind the same connection begins afresh.
                await self._forget(tx, request.connection_id, known)
                known = []
            elif request.cluster_id and not cluster.cluster_id and known:
                await self._forget(tx, request.connection_id, known)
                known = []
            session = await self._clusters.open_session(tx, request.connection_id, request.cluster_id)
        log.info("a session begins", connection_id=str(request.connection_id), session=session)
        return Session(session=session, kinds=[one.token for one in known if one.count])

    async def compare(self, request: CompareDigests, _caller: Caller) -> Comparison:
        """Which kinds the agent has to send anew."""
        async with self._db.transaction(EVERY_ORGANIZATION) as tx:
            cluster = await self._cluster(
                tx, request.connection_id, request.organization_id, request.cluster_id
            )
            if cluster.session > request.session:
                raise Conflict(
                    "Another agent reports this cluster now.",
                    code="session_superseded",
                    remedy="End this agent's watch, or let it open a new session.",
                )
            lost = cluster.lost
            if cluster.session < request.session:
                lost = max((one.position for one in request.kinds), default=0)
            await self._clusters.adopt_session(tx, request.connection_id, request.session, lost)
            known = {one.token: one for one in await self._clusters.kinds(tx, request.connection_id)}
            left = [one for token, one in known.items() if request.served and token not in request.served]
            await self._forget(tx, request.connection_id, left)
        if any(one.count for one in left):
            await self._live.changed(cluster.organization_id, cluster.connection_id, [], resync=True)
        differing, pending = [], []
        for claim in request.kinds:
            stored = known.get(claim.token)
            arrived = stored.position if stored and stored.position >= request.session else 0
            if stored is None and 0 < claim.position <= lost:
                differing.append(claim.token)
            elif arrived != claim.position:
                pending.append(claim.token)
            elif not _equal(claim, stored):
                differing.append(claim.token)
        return Comparison(
            differing=differing,
            pending=pending,
            position=max((one.position for one in known.values()), default=0),
        )

    async def _cluster(
        self, tx: Transaction, connection_id: UUID, organization_id: UUID, cluster_id: str
    ) -> Cluster:
        """The cluster, locked. Raises NotFound when the connection was deleted, Conflict when it is another's."""
        cluster = await self._clusters.get(tx, connection_id, lock=True)
        if cluster is None:
            await self._clusters.add(tx, connection_id, organization_id, cluster_id)
            cluster = await self._clusters.get(tx, connection_id, lock=True)
        if cluster is None or cluster.removed:
            raise NotFound("The connection was deleted.", code="connection_removed")
        if cluster.organization_id != organization_id:
            raise Conflict("The connection belongs to another organisation.", code="organization_differs")
        return cluster

    async def _forget(self, tx: Transaction, connection_id: UUID, kinds: list[StoredKind]) -> None:
        if not kinds:
            return
        await self._resources.clear(
            tx, connection_id, [one.api_version for one in kinds], [one.kind for one in kinds]
        )
        await self._clusters.forget_kinds(tx, connection_id, [one.token for one in kinds])


def _equal(claim: KindDigest, stored: StoredKind | None) -> bool:
    if stored is None:
        return claim.count == 0
    return claim.count == stored.count and claim.digest == hexadecimal(stored.digest)
