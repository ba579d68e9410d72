"""Facts on JetStream: the stream of a service, publishing with an acknowledgement, consuming in batches.

A consumer gets messages at least once and in order per subject; it acknowledges a batch after the handler
returned. A handler that fails gets the batch again after a pause; a batch that fails is retried message by
message, so that one message that cannot be handled does not hold up the others: after `MAX_DELIVERIES` it is
given up, logged and left in the stream.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import orjson
import structlog
from nats.aio.msg import Msg
from nats.errors import Error as NATSError
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy, RetentionPolicy, StorageType, StreamConfig
from nats.js.errors import Error as JetStreamError
from nats.js.errors import NotFoundError

from meshery_common.bus.connection import Connection
from meshery_common.bus.headers import Header
from meshery_contracts.errors import Unavailable

log = structlog.get_logger()

DAY_SECONDS = 86_400
#: How often one message is offered to a handler that fails on it.
MAX_DELIVERIES = 5
ACK_WAIT_SECONDS = 30.0
#: A pull request is renewed after this long.
PULL_SECONDS = 30.0
#: How often a consumer without messages looks whether the connection is still the same.
_LOOK_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Received:
    """A message taken from a stream."""

    subject: str
    payload: bytes
    headers: dict[str, str]
    message_id: str
    #: Position in the stream.
    sequence: int
    deliveries: int
    _message: Msg


BatchHandler = Callable[[list[Received]], Awaitable[None]]


class Streams:
    """JetStream of one process."""

    def __init__(self, connection: Connection, service: str) -> None:
        self._connection = connection
        self._service = service

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
                await asyncio.sleep(1)

    async def ensure_own_stream(self) -> None:
        """The stream of this service's facts, `EVT_<SERVICE>`."""
        await self.ensure_stream(f"EVT_{self._service.upper()}", [f"meshery.evt.{self._service}.>"])

    async def publish(
        self, subject: str, payload: bytes, *, message_id: str, headers: dict[str, str]
    ) -> None:
        """Store one fact; returns when JetStream has it. A repeat of a message id is stored once."""
        try:
            await self._context().publish(
                subject, payload, timeout=5, headers={**headers, Header.MESSAGE_ID: message_id}
            )
        except (NATSError, JetStreamError, TimeoutError) as error:
            raise Unavailable(f"{subject} was not stored.", code="stream_unavailable") from error

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
        config = ConsumerConfig(
            durable_name=durable,
            ack_policy=AckPolicy.EXPLICIT,
            ack_wait=ACK_WAIT_SECONDS,
            deliver_policy=DeliverPolicy.ALL,
            max_ack_pending=max(1000, batch_size * 4),
            filter_subjects=subjects,
        )
        while True:
            try:
                await self._context().add_consumer(stream, config)
                await self._pull(stream, durable, handle, batch_size, idle_seconds, gather_seconds)
            except (NATSError, JetStreamError, TimeoutError, Unavailable) as error:
                log.debug("consumer waits for its stream", stream=stream, durable=durable, error=str(error))
                await asyncio.sleep(0.5)

    async def _pull(
        self,
        stream: str,
        durable: str,
        handle: BatchHandler,
        batch_size: int,
        idle_seconds: float,
        gather_seconds: float,
    ) -> None:
        """Keep one pull request outstanding; returns when the consumer or the connection is lost."""
        client = self._connection.client
        inbox = f"{client.new_inbox()}.{secrets.token_hex(4)}"
        arrived: asyncio.Queue[Msg] = asyncio.Queue()
        subscription = await client.subscribe(inbox, cb=arrived.put)
        batch: list[Received] = []
        wanted = 0
        asked_at = 0.0
        reconnects = client.stats["reconnects"]
        try:
            while self._connection.connected() and client is self._connection.client:
                if client.stats["reconnects"] != reconnects:
                    return  # the server has forgotten the request, and perhaps the consumer
                if wanted <= batch_size // 2 or time.monotonic() - asked_at > PULL_SECONDS:
                    request = {"batch": batch_size, "expires": int(PULL_SECONDS * 1e9)}
                    subject = f"$JS.API.CONSUMER.MSG.NEXT.{stream}.{durable}"
                    await client.publish(subject, orjson.dumps(request), reply=inbox)
                    wanted += batch_size
                    asked_at = time.monotonic()
                batch = []
                ended = await _gather(arrived, batch, batch_size, idle_seconds, gather_seconds)
                wanted -= len(batch)
                if ended:
                    wanted = 0
                if batch:
                    await self._handle(handle, batch)
                elif ended == "409":
                    return
        finally:
            with contextlib.suppress(NATSError, TimeoutError):
                # What was sent to us and not acknowledged would come again only after ACK_WAIT_SECONDS, to our
                # successor too. So wait for what is on its way, and give all of it back.
                async with asyncio.timeout(2):
                    await subscription.drain()  # type: ignore[no-untyped-call]  # it has no types
                for message in (*(one._message for one in batch), *_left(arrived)):
                    if message.reply and not message.is_acked:
                        await message.nak()

    async def _handle(self, handle: BatchHandler, batch: list[Received]) -> None:
        try:
            await handle(batch)
        except Exception as error:  # noqa: BLE001 -- a worker loop: whatever fails is offered again
            await self._offer_singly(handle, batch, error)
        else:
            for one in batch:
                await one._message.ack()

    async def _offer_singly(self, handle: BatchHandler, batch: list[Received], error: Exception) -> None:
        log.warning(
            "a batch failed, trying its messages one by one", service=self._service, error=repr(error)
        )
        for position, one in enumerate(batch):
            try:
                await handle([one])
            except Unavailable:
                # The fault is not the message's: give the rest back and wait.
                for rest in batch[position:]:
                    await rest._message.nak(delay=2)
                await asyncio.sleep(1)
                return
            except Exception:
                if one.deliveries >= MAX_DELIVERIES:
                    log.exception("a message is given up", subject=one.subject, sequence=one.sequence)
                    await one._message.term()
                else:
                    await one._message.nak(delay=min(2.0**one.deliveries, 30))
            else:
                await one._message.ack()

    def _context(self) -> JetStreamContext:
        return self._connection.client.jetstream(timeout=5)


async def _gather(
    arrived: asyncio.Queue[Msg],
    batch: list[Received],
    size: int,
    idle_seconds: float,
    gather_seconds: float,
) -> str:
    """Fill the next batch; the status that ended the pull request (empty while it stands).

    The batch is the caller's own, so that he knows what is in it when this is cancelled.
    """
    give_up = _LOOK_SECONDS
    started = 0.0
    while len(batch) < size:
        try:
            message = arrived.get_nowait()
        except asyncio.QueueEmpty:
            try:
                async with asyncio.timeout(give_up):
                    message = await arrived.get()
            except TimeoutError:
                return ""
        status = (message.headers or {}).get("Status")
        if status is not None and not message.reply:
            return status
        if not batch:
            started = time.monotonic()
        batch.append(_received(message))
        give_up = min(idle_seconds, started + gather_seconds - time.monotonic())
        if give_up <= 0:
            break
    return ""


def _left(arrived: asyncio.Queue[Msg]) -> list[Msg]:
    """What is in a queue that nobody fills any more."""
    return [arrived.get_nowait() for _ in range(arrived.qsize())]


def _received(message: Msg) -> Received:
    headers = dict(message.headers or {})
    metadata = message.metadata
    return Received(
        subject=message.subject,
        payload=message.data,
        headers=headers,
        message_id=headers.get(Header.MESSAGE_ID) or f"{metadata.stream}-{metadata.sequence.stream}",
        sequence=metadata.sequence.stream,
        deliveries=metadata.num_delivered or 1,
        _message=message,
    )
