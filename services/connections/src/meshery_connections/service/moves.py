"""Moving connections between their states: what is stored and announced on the way, whoever asks for it."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from meshery_common import access, outbox
from meshery_common.clock import Clock, utc_now
from meshery_common.database import Database, Transaction
from meshery_connections.clients.kubeconfigs import described
from meshery_connections.clients.problems import health_word, problem_of
from meshery_connections.domain import states
from meshery_connections.domain.connections import Health, StoredConnection, status_fact
from meshery_connections.domain.contexts import ClusterIdentity, ContextDescription, metadata_of
from meshery_connections.service.doors import Doors
from meshery_connections.store import ConnectionStore, CredentialStore, ObservationStore
from meshery_contracts import connections as contract
from meshery_contracts.connections import ConnectionStatus
from meshery_kube.errors import KubeError


@dataclass(frozen=True)
class Actor:
    """Who moves a connection: a person, perhaps through a service; nobody for the system itself."""

    user_id: UUID | None = None
    actor: str = ""


@dataclass(frozen=True)
class Seen:
    """What a cluster said when it was looked at."""

    about: ContextDescription
    identity: ClusterIdentity


class Moves:
    """The writing half of the state machine; what may be done is decided in `domain.states`."""

    def __init__(self, db: Database, doors: Doors, clock: Clock = utc_now) -> None:
        self._db = db
        self._doors = doors
        self._clock = clock
        self._store = ConnectionStore()
        self._credentials = CredentialStore()
        self._observations = ObservationStore()

    async def look_at(self, stored: StoredConnection) -> Seen | KubeError:
        """Who the cluster is, or why it does not say."""
        try:
            way = await self._doors.way_in(stored)
            return Seen(described(way.context), await self._doors.identify(way))
        except KubeError as error:
            return error

    async def move(
        self,
        tx: Transaction,
        stored: StoredConnection,
        target: ConnectionStatus,
        seen: Seen | None,
        by: Actor,
    ) -> StoredConnection:
        """Store and announce the move; a deleted connection loses its credential, grants and memberships.

        Raises Conflict when the cluster turns out to be one that is connected already.
        """
        if seen is not None:
            moved = await self._store.replace_cluster(
                tx,
                stored.id,
                seen.about,
                status=target,
                cluster_id=seen.identity.cluster_id,
                credential_id=stored.connection.credential_id,
                metadata=metadata_of(seen.about, seen.identity, stored.meshsync_mode),
                meshsync_mode=stored.meshsync_mode,
            )
        else:
            moved = await self._store.set_status(tx, stored.id, target)
        if target is ConnectionStatus.DELETED:
            await access.forget_object(tx, stored.id)
            if stored.connection.credential_id is not None:
                await self._credentials.delete(tx, stored.connection.credential_id)
        await self.announce(tx, moved, stored.status, by)
        return moved

    async def not_answering(self, stored: StoredConnection, error: KubeError, by: Actor) -> None:
        """Keep what was found out about a cluster that could not be connected."""
        async with self._db.transaction(stored.organization_id) as tx:
            current = await self._store.locked(tx, stored.id)
            if current is None or current.revision != stored.revision or current.status is not stored.status:
                return
            reached = {current.status, *states.chain(current.connection.kind, current.status)}
            target = ConnectionStatus.NOT_FOUND
            if current.status is ConnectionStatus.IGNORED:
                reached.add(ConnectionStatus.REGISTERED)
            if any(target in states.moves(current.connection.kind, one) for one in reached):
                moved = await self._store.set_status(tx, stored.id, target)
                await self.announce(tx, moved, stored.status, by)
            title = problem_of(error, f"Cluster '{stored.connection.name}'").problem.title
            await self._observations.set_problem(tx, stored.id, Health(False, health_word(error), title))

    async def announce(
        self, tx: Transaction, moved: StoredConnection, previous: ConnectionStatus | None, by: Actor
    ) -> None:
        """Tell of a connection's new status with this transaction."""
        fact = status_fact(moved.connection, previous, self._clock(), user_id=by.user_id, actor=by.actor)
        await outbox.add(tx, contract.CHANGED, fact, subject_id=moved.id)
