"""Having a cluster read anew when somebody wishes so, in whichever replica it is watched."""

from __future__ import annotations

from meshery_common.database import EVERY_ORGANIZATION, Database
from meshery_connections.clients import GoMeshSyncClient
from meshery_connections.domain.connections import StoredConnection
from meshery_connections.store import RESYNCS_CHANNEL, ObservationStore
from meshery_connections.workers.meshsync import MeshSyncProcesses


class Resyncs:
    """A keeper's duty: passes the wish on to who watches the cluster."""

    def __init__(self, db: Database, processes: MeshSyncProcesses, agents: GoMeshSyncClient) -> None:
        self._db = db
        self._processes = processes
        self._agents = agents
        self._store = ObservationStore()

    async def follow(self, stored: StoredConnection) -> None:
        """Pass on every wish: also what was wished while nobody kept the cluster, or while NATS was away."""
        queries = self._db.within(EVERY_ORGANIZATION)
        async with self._db.listen(RESYNCS_CHANNEL) as wakes:
            async for _ in wakes:
                wished = await self._store.wished_resync(queries, stored.id)
                if wished is None:
                    continue
                if stored.meshsync_mode == "embedded":
                    await self._processes.resync(stored.id)
                else:
                    await self._agents.resync()
                await self._store.set_resynced(queries, stored.id, wished)
