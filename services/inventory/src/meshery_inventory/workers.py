"""What inventory does without being asked: takes frames and facts in, tidies up."""

from __future__ import annotations

import asyncio

import structlog
from pydantic import ValidationError

from meshery_common.background import pause
from meshery_common.bus import Bus, Received
from meshery_common.database import EVERY_ORGANIZATION, Database
from meshery_contracts.connections import ConnectionFact, ConnectionStatus
from meshery_contracts.discovery import STREAM
from meshery_contracts.errors import ProblemError
from meshery_inventory.clients import GO_CORE, GO_STORE
from meshery_inventory.domain.frames import Arrival, UnreadableFrame, arrival
from meshery_inventory.domain.go_meshsync import Seen, read_message
from meshery_inventory.service import IngestService
from meshery_inventory.store import ResourceStore

log = structlog.get_logger()

SERVICE = "inventory"
_TIDY_SECONDS = 300.0
_GO_QUEUE = 4096
_GO_BATCH = 500
#: Statuses after which there is nothing left to show.
_GONE = frozenset({ConnectionStatus.DELETED})


class FrameConsumer:
    """Frames of our agents, from the stream."""

    def __init__(
        self,
        bus: Bus,
        ingest: IngestService,
        *,
        batch_frames: int,
        idle_seconds: float,
        gather_seconds: float,
    ) -> None:
        self._bus = bus
        self._ingest = ingest
        self._batch_frames = batch_frames
        self._idle_seconds = idle_seconds
        self._gather_seconds = gather_seconds

    async def run(self) -> None:
        """Consume for ever."""
        await self._bus.streams.consume(
            STREAM,
            SERVICE,
            self._take,
            batch_size=self._batch_frames,
            idle_seconds=self._idle_seconds,
            gather_seconds=self._gather_seconds,
        )

    async def _take(self, received: list[Received]) -> None:
        arrivals: list[Arrival] = []
        for one in received:
            try:
                arrivals.append(arrival(one.subject, one.payload))
            except UnreadableFrame as error:
                # Offering it again would not help; the comparison of digests finds what it was about.
                log.error("a frame cannot be read", error=str(error)[:500])  # noqa: TRY400 -- no trace is needed
        await self._ingest.take(arrivals)


class FactConsumer:
    """Facts of connections: which clusters there are, and which are gone."""

    def __init__(self, bus: Bus, ingest: IngestService) -> None:
        self._bus = bus
        self._ingest = ingest

    async def run(self) -> None:
        """Consume for ever."""
        await self._bus.streams.consume("EVT_CONNECTIONS", SERVICE, self._take)

    async def _take(self, received: list[Received]) -> None:
        for one in received:
            try:
                fact = ConnectionFact.model_validate_json(one.payload)
            except ValidationError:
                log.debug("a fact that is not about a connection", subject=one.subject)
                continue
            if fact.kind != "kubernetes":
                continue
            if fact.status in _GONE:
                await self._ingest.remove(fact.connection_id, fact.organization_id, fact.status.value)
                continue
            metadata = fact.metadata
            await self._ingest.note_status(
                fact.connection_id,
                fact.organization_id,
                str(metadata.get("kubernetes_server_id") or metadata.get("kubernetesServerId") or ""),
                fact.status.value,
                foreign_agent=metadata.get("meshsync_deployment_mode") == "operator",
            )


class GoMeshSyncConsumer:
    """Events and store dumps of Go MeshSyncs, from core NATS: what is not taken at once is lost, as with Meshery.

    Batches form by themselves: what arrives while one is stored is the next one.
    """

    def __init__(self, bus: Bus, ingest: IngestService) -> None:
        self._bus = bus
        self._ingest = ingest
        self._arrived: asyncio.Queue[bytes] = asyncio.Queue(_GO_QUEUE)

    async def listen(self) -> None:
        """Subscribe; one of several replicas gets each message."""

        async def take(message: object) -> None:
            await self._arrived.put(message.data)  # type: ignore[attr-defined]  # the bus's own message type

        await self._bus.subscribe(GO_CORE, take, queue=SERVICE)
        await self._bus.subscribe(GO_STORE, take, queue=SERVICE)

    async def run(self) -> None:
        """Store for ever."""
        while True:
            payloads = [await self._arrived.get()]
            while len(payloads) < _GO_BATCH and not self._arrived.empty():
                payloads.append(self._arrived.get_nowait())
            seen: list[Seen] = [one for payload in payloads for one in read_message(payload)]
            try:
                await self._ingest.take_foreign(seen)
            except ProblemError as error:
                log.warning("events of a Go MeshSync were lost", count=len(seen), error=str(error))


class Tidying:
    """Takes out what nobody needs any more."""

    def __init__(self, db: Database, resources: ResourceStore) -> None:
        self._db = db
        self._resources = resources

    async def run(self) -> None:
        """Tidy for ever."""
        while True:
            await self._resources.forget_tombstones(self._db.within(EVERY_ORGANIZATION))
            await pause(_TIDY_SECONDS)
