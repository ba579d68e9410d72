"""The Go MeshSync, which runs in clusters in operator mode."""

from __future__ import annotations

import orjson

from meshery_common.bus import Bus

_REQUESTS = "meshery.meshsync.request"


class GoMeshSyncClient:
    """Whoever listens on our NATS; no answer comes."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    async def resync(self) -> None:
        """List everything anew. Raises Unavailable."""
        request = {"Entity": "resync-discovery", "Payload": None}
        message = {"ObjectType": "", "EventType": "", "Request": request, "Object": None}
        await self._bus.publish(_REQUESTS, orjson.dumps(message))
