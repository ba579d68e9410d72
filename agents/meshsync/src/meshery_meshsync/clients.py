"""What the agent says to inventory and to the stream of frames."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from uuid import UUID

from meshery_common.bus import Bus
from meshery_contracts import discovery
from meshery_contracts.discovery import CompareDigests, Comparison, OpenSession, Session


class InventoryClient:
    """Sessions, comparisons and frames."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._told: set[Callable[[], None]] = set()

    def connected(self) -> bool:
        """Whether the bus can be reached right now."""
        return self._bus.connected()

    async def open_session(self, connection_id: UUID, organization_id: UUID, cluster_id: str) -> Session:
        """Take over a connection. Raises Conflict or NotFound when it is not ours to report."""
        request = OpenSession(
            connection_id=connection_id, organization_id=organization_id, cluster_id=cluster_id
        )
        return await self._bus.request(discovery.OPEN_SESSION, request)

    async def compare(self, request: CompareDigests) -> Comparison:
        """Which kinds are stored otherwise. Raises Conflict when another agent has taken over."""
        return await self._bus.request(discovery.COMPARE_DIGESTS, request)

    async def publish(self, connection_id: UUID, token: str, position: int, frame: bytes) -> None:
        """Store one frame in the stream. Raises Unavailable; sending it again is safe."""
        await self._bus.streams.publish(
            discovery.frame_subject(connection_id, token),
            frame,
            message_id=discovery.message_id(connection_id, position),
            headers={},
        )

    async def listen(self) -> None:
        """Hear when inventory asks for a comparison. A reconnect asks for one as well."""

        async def asked(_message: object) -> None:
            self._compare()

        await self._bus.subscribe(discovery.COMPARE_SUBJECT, asked)
        self._bus.when_missed(self._compare)

    @contextmanager
    def when_comparison_is_due(self, tell: Callable[[], None]) -> Iterator[None]:
        """Call `tell` whenever what is stored may differ, for the time of the block."""
        self._told.add(tell)
        try:
            yield
        finally:
            self._told.discard(tell)

    def _compare(self) -> None:
        for tell in tuple(self._told):
            tell()
