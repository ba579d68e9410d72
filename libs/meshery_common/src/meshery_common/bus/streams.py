"""Facts on JetStream: the stream of a service, and publishing with an acknowledgement; consuming is beside it."""

from __future__ import annotations

from contextlib import suppress

import structlog
from nats.errors import Error as NATSError
from nats.js import JetStreamContext
from nats.js.api import RetentionPolicy, StorageType, StreamConfig
from nats.js.errors import Error as JetStreamError
from nats.js.errors import NotFoundError

from meshery_common.background import pause
from meshery_common.bus.connection import Connection
from meshery_common.bus.consuming import Batches, BatchHandler, Consumer
from meshery_common.bus.headers import Header
from meshery_common.telemetry import SpanKind, carried, carry, span, tracing
from meshery_contracts.errors import Unavailable
from meshery_contracts.wiring import WIRING

log = structlog.get_logger()

DAY_SECONDS = 86_400


class Streams:
    """JetStream of one process."""

    def __init__(self, connection: Connection, service: str) -> None:
        self._connection = connection
        self._service = service
        wiring = WIRING.get(service)
        self._repeats_on = wiring.repeats_on if wiring else ""

    async def ensure_stream(
        self,
        name: str,
        subjects: list[str],
        *,
        max_age_seconds: float = 7 * DAY_SECONDS,
        max_bytes: int = 1 << 30,
        duplicate_window_seconds: float = 300,
    ) -> None:
        """Create the stream, or bring an existing one to this shape. Tries until it works."""
        config = StreamConfig(
            name=name,
            subjects=subjects,
            retention=RetentionPolicy.LIMITS,
            storage=StorageType.FILE,
            max_age=max_age_seconds,
            max_bytes=max_bytes,
            duplicate_window=duplicate_window_seconds,
            allow_direct=True,
        )
        while True:
            try:
                try:
                    await self._context().update_stream(config)
                except NotFoundError:
                    await self._context().add_stream(config)
                return
            except (NATSError, JetStreamError, TimeoutError, Unavailable) as error:
                log.warning("the stream cannot be prepared yet", stream=name, error=str(error))
                await pause(1)

    async def ensure_own_stream(self) -> None:
        """The stream of this service's facts, `EVT_<SERVICE>`."""
        await self.ensure_stream(f"EVT_{self._service.upper()}", [f"meshery.evt.{self._service}.>"])

    async def publish(
        self, subject: str, payload: bytes, *, message_id: str, headers: dict[str, str]
    ) -> None:
        """Store one fact; returns when JetStream has it. A repeat of a message id is stored once."""
        headers = {**headers, Header.MESSAGE_ID: message_id}
        if not tracing():
            await self._store(subject, payload, headers)
            return
        # The subject holds ids; its stream is a name that many messages share.
        about = {
            "messaging.system": "nats",
            "messaging.operation.name": "publish",
            "messaging.destination.name": f"EVT_{self._service.upper()}",
            "messaging.message.id": message_id,
        }
        with span(
            self._service,
            f"publish EVT_{self._service.upper()}",
            SpanKind.PRODUCER,
            about,
            parent=carried(headers),
        ):
            carry(headers)
            await self._store(subject, payload, headers)

    async def _store(self, subject: str, payload: bytes, headers: dict[str, str]) -> None:
        try:
            await self._context().publish(subject, payload, timeout=5, headers=headers)
        except (NATSError, JetStreamError, TimeoutError) as error:
            raise Unavailable(f"{subject} was not stored.", code="stream_unavailable") from error
        if self._repeats_on:
            # Not by the server (a stream's `republish`): there the subject would have to carry every token.
            with suppress(Unavailable):
                await self._connection.publish(
                    self._repeats_on, payload, {**headers, Header.REPEATED_SUBJECT: subject}
                )

    async def consume(
        self,
        stream: str,
        durable: str,
        handle: BatchHandler,
        *,
        subjects: list[str] | None = None,
        batch_size: int = 100,
        idle_seconds: float = 0.02,
        gather_seconds: float = 0.1,
    ) -> None:
        """Take messages for ever under a durable name. A batch closes when nothing came for `idle_seconds`,
        at `gather_seconds`, or at `batch_size`. Run it as a supervised task."""
        batches = Batches(batch_size, idle_seconds, gather_seconds)
        consumer = Consumer(
            self._connection, self._service, stream, durable, handle, subjects=subjects, batches=batches
        )
        await consumer.run()

    def _context(self) -> JetStreamContext:
        return self._connection.client.jetstream(timeout=5)
