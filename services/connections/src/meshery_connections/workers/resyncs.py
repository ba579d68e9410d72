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
        """Look at the count whenever it may have changed. What was wished for earlier came with the watch's begin."""
        queries = self._db.within(EVERY_ORGANIZATION)
        done = await self._store.resyncs(queries, stored.id)
        async with self._db.listen(RESYNCS_CHANNEL) as wakes:
            async for _ in wakes:
                wished = await self._store.resyncs(queries, stored.id)
                if wished == done:
                    continue
                if stored.meshsync_mode == "embedded":
                    await self._processes.resync(stored.id)
                else:
                    await self._agents.resync()
                done = wished
