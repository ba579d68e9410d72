"""From the lanes of one cluster to the stream: frames in turn, acknowledged, a window of them under way."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

import structlog

from meshery_common.background import pause
from meshery_contracts.discovery import MAX_FRAME_BYTES, MAX_FRAME_OBJECTS
from meshery_contracts.errors import Unavailable
from meshery_meshsync.clients import InventoryClient
from meshery_meshsync.domain import frames
from meshery_meshsync.domain.lanes import Lane

log = structlog.get_logger()

_LONGEST_PAUSE_SECONDS = 1.0
#: When the stream has acknowledged nothing for this long it counts as away.
_STUCK_SECONDS = 5.0


@dataclass(frozen=True)
class Turn:
    """Whose frames these are: one session of one connection."""

    connection_id: UUID
    organization_id: UUID
    cluster_id: str
    session: int


@dataclass(frozen=True)
class Pace:
    """How frames are sent; see the settings of the same names."""

    linger_seconds: float
    window: int
    waiting_bytes: int


class Publisher:
    """Cuts frames from the lanes and sends each until the stream has it.

    A frame that was cut is never given up while the session lasts, so positions have no holes; what waits in the
    lanes is bounded: see `room`.
    """

    def __init__(
        self, client: InventoryClient, turn: Turn, pace: Pace, epoch_sent: Callable[[Lane], None]
    ) -> None:
        self._client = client
        self._turn = turn
        self._pace = pace
        self._epoch_sent = epoch_sent
        self.lanes: dict[str, Lane] = {}
        self._position = turn.session
        self._wake = asyncio.Event()
        self._window = asyncio.Semaphore(pace.window)
        self._acknowledged = asyncio.Event()
        self._in_flight = 0
        self._acknowledged_at = 0.0

    def wake(self) -> None:
        """Something waits in a lane."""
        self._wake.set()

    @property
    def idle(self) -> bool:
        """Nothing waits and nothing is under way."""
        return self._in_flight == 0 and not any(lane.ready for lane in self.lanes.values())

    async def room(self) -> bool:
        """Wait until the lanes may take more. False when the stream is away, so that waiting would not end."""
        loop = asyncio.get_running_loop()
        while sum(lane.waiting_bytes for lane in self.lanes.values()) > self._pace.waiting_bytes:
            stuck = self._in_flight > 0 and loop.time() - self._acknowledged_at > _STUCK_SECONDS
            if stuck or not self._client.connected():
                return False
            self._acknowledged.clear()
            try:
                async with asyncio.timeout(0.5):
                    await self._acknowledged.wait()
            except TimeoutError:
                pass
        return True

    async def run(self) -> None:
        """Send for ever."""
        async with asyncio.TaskGroup() as group:
            while True:
                await self._wake.wait()
                await pause(self._pace.linger_seconds)
                self._wake.clear()
                while ready := [lane for lane in self.lanes.values() if lane.ready]:
                    for lane in ready:
                        await self._window.acquire()
                        if lane.ready:
                            group.create_task(self._deliver(*self._cut(lane)))
                        else:
                            self._window.release()

    def _cut(self, lane: Lane) -> tuple[str, int, bytes]:
        self._position += 1
        cut = lane.cut(self._position, MAX_FRAME_OBJECTS, MAX_FRAME_BYTES)
        payload = frames.frame(
            organization_id=self._turn.organization_id,
            cluster_id=self._turn.cluster_id,
            session=self._turn.session,
            position=self._position,
            kind=lane.kind,
            epoch=cut.epoch,
            begin=cut.begin,
            end=cut.end,
            entries=cut.entries,
        )
        if cut.end is not None:
            self._epoch_sent(lane)
        if self._in_flight == 0:
            self._acknowledged_at = asyncio.get_running_loop().time()
        self._in_flight += 1
        return lane.token, self._position, payload

    async def _deliver(self, token: str, position: int, payload: bytes) -> None:
        seconds = 0.05
        try:
            while True:
                try:
                    await self._client.publish(self._turn.connection_id, token, position, payload)
                    self._acknowledged_at = asyncio.get_running_loop().time()
                    return
                except Unavailable:
                    await pause(seconds)
                    seconds = min(seconds * 2, _LONGEST_PAUSE_SECONDS)
        finally:
            self._in_flight -= 1
            self._window.release()
            self._acknowledged.set()
