"""What inventory says without being asked."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from uuid import UUID

import orjson

from meshery_common.bus import Bus
from meshery_contracts import discovery, inventory
from meshery_contracts.errors import Unavailable
from meshery_contracts.inventory import ResourceChange, ResourcesChanged
from meshery_contracts.wiring import CLUSTER_STATE

#: Where the Go MeshSync listens, and where we want its dump: the subject is the asker's to choose.
GO_REQUESTS = "meshery.meshsync.request"
GO_CORE = "meshery.meshsync.core"
GO_STORE = "meshery.meshsync.store"
_MOST_CHANGES = 500


class LiveClient:
    """Deltas for whoever watches, and questions to agents. All of it best effort."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    async def changed(
        self, organization_id: UUID, connection_id: UUID, changes: Sequence[ResourceChange], *, resync: bool
    ) -> None:
        """Tell what was stored."""
        with suppress(Unavailable):
            for start in range(0, max(len(changes), 1), _MOST_CHANGES):
                event = ResourcesChanged(
                    connection_id=connection_id,
                    changes=list(changes[start : start + _MOST_CHANGES]),
                    resync=resync and start == 0,
                )
                await self._bus.publish_live(inventory.CHANGED, event, organization_id, connection_id)
                payload = event.model_dump(mode="json")
                await self._bus.publish(
                    CLUSTER_STATE, orjson.dumps({"organizationId": str(organization_id), **payload})
                )

    async def ask_agents(self) -> None:
        """Have all agents say what they know: ours by digests, the Go ones by a dump."""
        dump = {
            "ObjectType": "",
            "EventType": "",
            "Request": {"Entity": "informer-store", "Payload": {"Reply": GO_STORE}},
            "Object": None,
        }
        with suppress(Unavailable):
            await self._bus.publish(discovery.COMPARE_SUBJECT, b"")
            await self._bus.publish(GO_REQUESTS, orjson.dumps(dump))
