"""Which connections a follower may see: changes of others' clusters are none of his business.

Hundreds may follow with one session, and all of them want to know at the same change: one asks for all, and of those
with different sessions only some at a time.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from dataclasses import dataclass
from uuid import UUID

from meshery_common.bus import Bus
from meshery_contracts import connections
from meshery_gateway.http.asking import Asking
from meshery_gateway.http.live_sessions import LiveSession

#: A connection that is not known to be the caller's is looked for again at most this often, in seconds.
LOOK_AGAIN_SECONDS = 5.0
_KEPT = 10_000
#: Far less than a replica of the service takes at a time: people wait there, too.
_AT_ONCE = 32
_MOST = 1000


@dataclass(frozen=True, slots=True)
class _Seen:
    ids: frozenset[UUID]
    at: float


class VisibleConnections:
    """The visible connections of every session with a follower, as `connections` told them."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._asking: Asking[str, _Seen] = Asking()
        self._gate = asyncio.Semaphore(_AT_ONCE)
        #: By assertion: a renewed session asks anew, since rights may have changed.
        self._seen: OrderedDict[str, _Seen] = OrderedDict()

    async def has(self, session: LiveSession, connection_id: UUID) -> bool:
        """Whether it is visible. Raises Unavailable or DeadlineExceeded while nobody can say."""
        assertion = session.assertion
        seen = self._seen.get(assertion)
        if seen is None or (
            connection_id not in seen.ids and time.monotonic() - seen.at > LOOK_AGAIN_SECONDS
        ):
            seen = await self._asking.once(assertion, lambda: self._read(assertion))
        return connection_id in seen.ids

    async def _read(self, assertion: str) -> _Seen:
        async with self._gate:
            request = connections.ListConnections(page_size=_MOST)
            page = await self._bus.request(connections.LIST, request, assertion=assertion)
        seen = _Seen(frozenset(one.id for one in page.connections), time.monotonic())
        self._seen[assertion] = seen
        self._seen.move_to_end(assertion)
        if len(self._seen) > _KEPT:
            self._seen.popitem(last=False)
        return seen
