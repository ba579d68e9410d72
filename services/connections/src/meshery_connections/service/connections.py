"""Reading connections, moving them between their states, and deleting them."""

from __future__ import annotations

from uuid import UUID

from meshery_common.access import Access
from meshery_common.database import Database
from meshery_connections.clients.problems import problem_of
from meshery_connections.domain import states
from meshery_connections.domain.connections import StoredConnection
from meshery_connections.service.doors import Doors
from meshery_connections.service.moves import Actor, Moves, Seen
from meshery_connections.store import ConnectionStore, ObservationStore
from meshery_contracts.caller import Caller
from meshery_contracts.connections import (
    Connection,
    ConnectionId,
    ConnectionPage,
    ConnectionStatus,
    ListConnections,
    PingReply,
    SetStatus,
)
from meshery_contracts.errors import Conflict, ProblemError
from meshery_kube.errors import KubeError


class ConnectionsService:
    """Use cases over connections."""

    def __init__(self, db: Database, doors: Doors, moves: Moves) -> None:
        self._db = db
        self._store = ConnectionStore()
        self._observations = ObservationStore()
        self._doors = doors
        self._moves = moves

    async def get(self, request: ConnectionId, caller: Caller) -> Connection:
        """A connection."""
        return (await self._get(request.connection_id, caller)).connection

    async def list(self, request: ListConnections, caller: Caller) -> ConnectionPage:
        """A page of the connections that the caller may see, and how many there are in each status."""
        queries = self._db.within(caller.organization_id)
        connections, page = await self._store.page(
            queries, request, caller, kinds=request.kinds, statuses=[one.value for one in request.statuses]
        )
        return ConnectionPage(
            **page.envelope,
            connections=connections,
            status_summary=await self._store.status_summary(queries, request, caller, request.kinds),
        )

    async def ping(self, request: ConnectionId, caller: Caller) -> PingReply:
        """Ask the cluster for its version."""
        stored = await self._get(request.connection_id, caller)
        async with self._doors.client(stored) as client:
            version = await client.version()
        return PingReply(server_version=version.git_version)

    async def set_status(self, request: SetStatus, caller: Caller) -> Connection:
        """Move a connection to another state; a cluster is connected only when it answers.

        When it does not, the connection becomes `not found` where the states allow it, and the error says why.
        """
        try:
            stored = await self._get(request.connection_id, caller, Access.EDITOR)
            target = states.settled(stored.connection.kind, stored.status, request.status)
        except ProblemError:
            # Perhaps because this very command was done before: then its answer comes out of here.
            await self._db.recall(caller.organization_id)
            raise
        by = Actor(caller.user_id, caller.actor)
        seen: Seen | None = None
        if states.needs_cluster(stored.status, target):
            # Before the transaction: nothing is locked while a cluster thinks.
            found = await self._moves.look_at(stored)
            if isinstance(found, KubeError):
                await self._moves.not_answering(stored, found, by)
                raise problem_of(found, f"Cluster '{stored.connection.name}'") from found
            seen = found
        async with self._db.command(caller.organization_id) as tx:
            current = await self._store.lock(tx, stored.id, caller)
            if (current.status, current.revision) != (stored.status, stored.revision):
                raise Conflict(
                    f"Connection '{current.connection.name}' was changed by somebody else in between.",
                    code="connection_changed",
                    remedy="Look at it again and repeat the change.",
                )
            moved = current
            if target is not current.status:
                moved = await self._moves.move(tx, current, target, seen, by)
            if seen is not None:
                # Whoever connects a cluster again wants all of it: models that somebody deleted, too.
                await self._observations.forget_all_documents(tx, stored.id)
            await tx.answer(moved.connection)
        if target is not ConnectionStatus.CONNECTED:
            await self._doors.drop(stored)
        return moved.connection

    async def delete(self, request: ConnectionId, caller: Caller) -> Connection:
        """Delete a connection with its credential; objects in the cluster stay."""
        async with self._db.command(caller.organization_id) as tx:
            stored = await self._store.lock(tx, request.connection_id, caller)
            target = states.settled(stored.connection.kind, stored.status, ConnectionStatus.DELETED)
            moved = await self._moves.move(tx, stored, target, None, Actor(caller.user_id, caller.actor))
            await tx.answer(moved.connection)
        await self._doors.drop(stored)
        return moved.connection

    async def resync(self, request: ConnectionId, caller: Caller) -> Connection:
        """Have MeshSync read a cluster anew; the inventory is put right as that comes in.

        Raises Conflict unless the cluster is connected: nobody watches another one.
        """
        async with self._db.command(caller.organization_id) as tx:
            stored = await self._store.lock(tx, request.connection_id, caller, Access.OPERATOR)
            watched = stored.connection.kind == states.KUBERNETES
            if not watched or stored.status is not ConnectionStatus.CONNECTED:
                raise Conflict(
                    f"Connection '{stored.connection.name}' is not watched.",
                    code="connection_not_watched",
                    cause=f"It is {stored.status.value}." if watched else "It is no Kubernetes cluster.",
                    remedy="Connect the cluster: it is read then.",
                )
            await self._observations.wish_resync(tx, stored.id)
            return await tx.answer(stored.connection)

    async def _get(
        self, connection_id: UUID, caller: Caller, access: Access = Access.VIEWER
    ) -> StoredConnection:
        return await self._store.get(self._db.within(caller.organization_id), connection_id, caller, access)
