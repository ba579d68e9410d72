"""One durable consumer: messages of a stream in batches, acknowledged once they are handled.

A batch is acknowledged after its handler returned. A batch that fails is tried message by message, so that one
message that cannot be handled does not hold up the others: after `MAX_DELIVERIES` it is given up, logged and
left in the stream. What a process that died had taken comes to the next one within seconds, for whoever lives says so.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson
import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NATSError
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy
from nats.js.errors import Error as JetStreamError
from prometheus_client import Counter, Histogram

from meshery_common.background import alongside, pause, raise_if_cancelled
from meshery_common.bus.connection import Connection
from meshery_common.bus.headers import Header
from meshery_common.telemetry import Readings, SpanKind, common_trace, link_to, span, tracing
from meshery_contracts.errors import Unavailable

log = structlog.get_logger()

#: How often one message is offered to a handler that fails on it.
MAX_DELIVERIES = 5
#: Who has taken a message and says nothing for this long is dead: the message is offered to another.
ACK_WAIT_SECONDS = 6.0
#: A pull request is renewed after this long.
PULL_SECONDS = 30.0
#: How often a consumer without messages looks whether the connection is still the same.
_LOOK_SECONDS = 0.5
#: How often NATS is asked how far a consumer is behind.
_MEASURE_SECONDS = 10.0

_LABELS = ("service", "stream", "consumer")
MESSAGES = Counter(
    "meshery_consumer_messages_total",
    "Messages taken from a stream, by outcome: done, again (it will be offered once more), given_up.",
    [*_LABELS, "outcome"],
)
REDELIVERIES = Counter(
    "meshery_consumer_redeliveries_total", "Messages that were offered before.", list(_LABELS)
)
DELAY = Histogram(
    "meshery_consumer_delay_seconds",
    "Time from storing a message to having handled it; of the oldest message in each batch.",
    list(_LABELS),
    buckets=(0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 3600),
)
LAG = Readings(
    "meshery_consumer_lag",
    "Messages in a stream that a consumer has not handled, as NATS counts them; the same from every replica.",
    _LABELS,
)


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


@dataclass(frozen=True)
class Batches:
    """When a batch is full: at so many messages, when nothing came for a while, or after so long."""

    size: int
    idle_seconds: float
    gather_seconds: float


class Consumer:
    """One process's part in a durable consumer; replicas share its messages."""

    def __init__(
        self,
        connection: Connection,
        service: str,
        stream: str,
        durable: str,
        handle: BatchHandler,
        *,
        subjects: list[str] | None,
        batches: Batches,
    ) -> None:
        self._connection = connection
        self._service = service
        self._stream = stream
        self._durable = durable
        self._handle = handle
        self._batches = batches
        self._config = ConsumerConfig(
            durable_name=durable,
            ack_policy=AckPolicy.EXPLICIT,
            ack_wait=ACK_WAIT_SECONDS,
            deliver_policy=DeliverPolicy.ALL,
            max_ack_pending=max(1000, batches.size * 4),
            filter_subjects=subjects,
        )
        labels = (service, stream, durable)
        self._labels = labels
        self._done, self._again, self._given_up = (
            MESSAGES.labels(*labels, outcome) for outcome in ("done", "again", "given_up")
        )
        self._redeliveries = REDELIVERIES.labels(*labels)
        self._delay = DELAY.labels(*labels)
        self._lag = 0

    async def run(self) -> None:
        """Take messages for ever."""
        with LAG.source(*self._labels, read=lambda: self._lag):
            async with alongside(self._measure()):
                while True:
                    raise_if_cancelled()
                    try:
                        await self._js().add_consumer(self._stream, self._config)
                        await self._pull()
                    except (NATSError, JetStreamError, TimeoutError, Unavailable) as error:
                        log.debug(
                            "a consumer waits for its stream",
                            stream=self._stream,
                            durable=self._durable,
                            error=str(error),
                        )
                        await pause(0.5)

    def _js(self) -> Any:
        return self._connection.client.jetstream(timeout=5)

    async def _measure(self) -> None:
        while True:
            await pause(_MEASURE_SECONDS)
            with contextlib.suppress(NATSError, JetStreamError, TimeoutError, Unavailable):
                info = await self._js().consumer_info(self._stream, self._durable)
                self._lag = (info.num_pending or 0) + (info.num_ack_pending or 0)

    async def _pull(self) -> None:
        """Take messages over one inbox; returns when the consumer or the connection is lost."""
        client = self._connection.client
        inbox = f"{client.new_inbox()}.{secrets.token_hex(4)}"
        arrived: asyncio.Queue[Msg] = asyncio.Queue()
        #: By the subject that acknowledges them.
        taken: dict[str, Msg] = {}

        async def take(message: Msg) -> None:
            if message.reply:
                taken[message.reply] = message
            arrived.put_nowait(message)

        subscription = await client.subscribe(inbox, cb=take)
        try:
            async with alongside(_keep(taken)):
                await self._serve(client, inbox, arrived, taken)
        finally:
            with contextlib.suppress(NATSError, TimeoutError):
                # What was sent to us and not acknowledged would come again only after ACK_WAIT_SECONDS, to our
                # successor too. So wait for what is on its way, and give all of it back.
                async with asyncio.timeout(2):
                    await subscription.drain()  # type: ignore[no-untyped-call]  # it has no types
                for message in taken.values():
                    if not message.is_acked:
                        await message.nak()

    async def _serve(
        self, client: Client, inbox: str, arrived: asyncio.Queue[Msg], taken: dict[str, Msg]
    ) -> None:
        """Keep one pull request outstanding, and handle what it brings."""
        size = self._batches.size
        wanted = 0
        asked_at = 0.0
        reconnects = client.stats["reconnects"]
        while self._connection.connected() and client is self._connection.client:
            raise_if_cancelled()
            if client.stats["reconnects"] != reconnects:
                return  # the server has forgotten the request, and perhaps the consumer
            if wanted <= size // 2 or time.monotonic() - asked_at > PULL_SECONDS:
                request = {"batch": size, "expires": int(PULL_SECONDS * 1e9)}
                subject = f"$JS.API.CONSUMER.MSG.NEXT.{self._stream}.{self._durable}"
                await client.publish(subject, orjson.dumps(request), reply=inbox)
                wanted += size
                asked_at = time.monotonic()
            batch, ended = await _gathered(arrived, self._batches)
            wanted = 0 if ended else wanted - len(batch)
            if batch:
                await self._take(batch)
                for one in batch:
                    del taken[one._message.reply]
            elif ended == "409":
                return

    async def _take(self, batch: list[Received]) -> None:
        self._redeliveries.inc(sum(one.deliveries > 1 for one in batch))
        try:
            await self._handled(batch)
        except Exception as error:  # noqa: BLE001 -- a worker loop: whatever fails is offered again
            log.warning(
                "a batch failed, trying its messages one by one", stream=self._stream, error=repr(error)
            )
            await self._offer_singly(batch)
        else:
            for one in batch:
                await one._message.ack()
            self._done.inc(len(batch))
        self._delay.observe(max(0.0, (datetime.now(UTC) - _stored_at(batch[0])).total_seconds()))

    async def _handled(self, batch: list[Received]) -> None:
        if not tracing():
            await self._handle(batch)
            return
        links = link_to(one.headers for one in batch)
        about: dict[str, str | int] = {
            "messaging.system": "nats",
            "messaging.operation.name": "process",
            "messaging.destination.name": self._stream,
            "messaging.consumer.group.name": self._durable,
            "messaging.batch.message_count": len(batch),
        }
        with span(
            self._service,
            f"process {self._stream}",
            SpanKind.CONSUMER,
            about,
            parent=common_trace(links),
            links=links,
        ):
            await self._handle(batch)

    async def _offer_singly(self, batch: Sequence[Received]) -> None:
        for position, one in enumerate(batch):
            try:
                await self._handled([one])
            except Unavailable:
                # The fault is not the message's: give the rest back and wait.
                for rest in batch[position:]:
                    await rest._message.nak(delay=2)
                self._again.inc(len(batch) - position)
                await pause(1)
                return
            except Exception:
                if one.deliveries >= MAX_DELIVERIES:
                    log.exception("a message is given up", subject=one.subject, sequence=one.sequence)
                    await one._message.term()
                    self._given_up.inc()
                else:
                    await one._message.nak(delay=min(2.0**one.deliveries, 30))
                    self._again.inc()
            else:
                await one._message.ack()
                self._done.inc()


async def _keep(taken: dict[str, Msg]) -> None:
    """Say again and again that we are still at what we have taken; runs beside the work."""
    before: set[str] = set()
    while True:
        await pause(ACK_WAIT_SECONDS / 3)
        for subject in before & taken.keys():
            message = taken.get(subject)
            if message is not None and not message.is_acked:
                with contextlib.suppress(NATSError):
                    await message.in_progress()
        # What comes and goes between two looks needs no words.
        before = set(taken)


async def _gathered(arrived: asyncio.Queue[Msg], batches: Batches) -> tuple[list[Received], str]:
    """The next batch, and the status that ended the pull request (empty while it stands)."""
    batch: list[Received] = []
    give_up = _LOOK_SECONDS
    started = 0.0
    while len(batch) < batches.size:
        try:
            message = arrived.get_nowait()
        except asyncio.QueueEmpty:
            try:
                async with asyncio.timeout(give_up):
                    message = await arrived.get()
            except TimeoutError:
                return batch, ""
        status = (message.headers or {}).get("Status")
        if status is not None and not message.reply:
            return batch, status
        if not batch:
            started = time.monotonic()
        batch.append(_received(message))
        give_up = min(batches.idle_seconds, started + batches.gather_seconds - time.monotonic())
        if give_up <= 0:
            break
    return batch, ""


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


def _stored_at(one: Received) -> datetime:
    return one._message.metadata.timestamp
