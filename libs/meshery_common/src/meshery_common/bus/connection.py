"""One connection to NATS that is kept alive for ever, with all its subscriptions.

While it is lost nothing is sent, not even into a buffer: a request that nobody waits for any more must not be
done later. What must not be in here: endpoints, topics, callers.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.errors import Error as NATSError
from nats.errors import SlowConsumerError
from prometheus_client import Counter

from meshery_common.background import pause
from meshery_common.bus.client import QuickClient
from meshery_common.bus.settings import BusSettings
from meshery_common.telemetry import Readings
from meshery_contracts.errors import Unavailable

log = structlog.get_logger()

CONNECTED = Readings("meshery_bus_connected", "Connections to NATS that stand right now.", ["service"])
RECONNECTS = Counter(
    "meshery_bus_reconnects_total",
    "Connections to NATS made again after a loss: live messages may have been missed each time.",
    ["service"],
)
DROPPED = Counter(
    "meshery_bus_dropped_messages_total",
    "Messages that NATS's client threw away because we took them too slowly.",
    ["service"],
)
REFUSED = Counter("meshery_bus_refused_total", "Things that NATS's permissions refused us.", ["service"])

#: The permissions of a service are computed: what they lack is missing in one of two places.
MEND_REFUSED = (
    "Let the service do so in meshery_contracts/wiring.py; what begins with meshery.svc is open to those whom "
    "services_only of its endpoint names. Then run make schemas."
)

#: What one subscription may hold back; beyond it the client throws messages away.
PENDING_MESSAGES = 65_536
PENDING_BYTES = 64 * 1024 * 1024
#: How long NATS may take to confirm that we stop listening, and that it has all that we sent.
_FAREWELL_SECONDS = 3.0
#: A server that answers nothing for three times as long is left.
_PING_SECONDS = 5
#: How often we look whether nats-py is still at work.
_LOOK_SECONDS = 1.0
#: Thrown away messages come in thousands: one line of log is enough for so many seconds.
_SAY_SO_SECONDS = 10.0

MessageCallback = Callable[[Msg], Awaitable[None]]


@dataclass
class _Listening:
    """A subscription that outlives the client it was made on."""

    subject: str
    queue: str
    callback: MessageCallback
    #: Whether it goes on at a stop until the connection itself ends.
    to_the_end: bool
    current: Subscription | None = field(default=None)


class Connection:
    """The connection of one process under one NATS user."""

    def __init__(self, settings: BusSettings, service: str) -> None:
        self._settings = settings
        self._service = service
        self._inbox_prefix = f"_INBOX_{settings.user or service}"
        self._client = QuickClient()
        self._listening: list[_Listening] = []
        self._closing = False
        self._replace = asyncio.Event()
        #: Subjects that NATS refused to let us publish on; it tells so only beside the message.
        self.refused: set[str] = set()
        #: Called whenever messages may have passed unheard: the connection was lost, or we were too slow.
        self.when_missed: list[Callable[[], None]] = []
        self._dropped = DROPPED.labels(service)
        self._reconnects = RECONNECTS.labels(service)
        self._said_slow = float("-inf")

    @property
    def client(self) -> Client:
        """The client of now; another one after nats-py closed it for good. Raises Unavailable while disconnected."""
        if not self._client.is_connected:
            raise unreachable()
        return self._client

    def connected(self) -> bool:
        """Whether something can be sent right now; a probe for readiness."""
        return bool(self._client.is_connected)

    async def subscribe(
        self, subject: str, callback: MessageCallback, *, queue: str = "", to_the_end: bool = False
    ) -> None:
        """Listen on a subject for as long as the bus lives, over every reconnect.

        `to_the_end` listens on at a stop, while what is in flight is finished.
        """
        listening = _Listening(subject, queue, callback, to_the_end)
        self._listening.append(listening)
        await self._listen(listening)

    async def unsubscribe(self, callback: MessageCallback) -> None:
        """Stop listening with this callback."""
        for listening in [one for one in self._listening if one.callback == callback]:
            self._listening.remove(listening)
            if listening.current is not None:
                with contextlib.suppress(NATSError, OSError):
                    await listening.current.unsubscribe()

    async def publish(self, subject: str, payload: bytes, headers: dict[str, str] | None = None) -> None:
        """Send raw bytes, best effort. Raises `Unavailable` while NATS is away."""
        client = self.client
        try:
            await client.publish(subject, payload, headers=headers)
        except NATSError as error:
            raise unreachable() from error

    async def flush(self) -> None:
        """Wait until the server knows our subscriptions; a lost connection tells it of them when it is back."""
        with contextlib.suppress(NATSError, OSError):
            for _ in range(2):
                # Twice: nats-py writes its PING before what it has buffered.
                await self._client.flush(timeout=2)

    async def open(self) -> None:
        """Connect; tries for ever, saying so once in a while."""
        seconds = 0.1
        started = time.monotonic()
        while True:
            try:
                self._client = await self._connect_once()
                return
            except (TimeoutError, NATSError, OSError) as error:
                if time.monotonic() - started > 5:
                    log.warning(
                        "NATS cannot be reached, still trying", service=self._service, error=str(error)
                    )
                await pause(seconds)
                seconds = min(seconds * 2, 2.0)

    async def _connect_once(self) -> QuickClient:
        settings = self._settings
        client = QuickClient()

        async def on_closed() -> None:
            # nats-py closes for good on some server errors; then nothing but a new client helps.
            if not self._closing and client is self._client:
                self._replace.set()

        seed = settings.nkey_seed.get_secret_value() if settings.nkey_seed else None
        try:
            async with asyncio.timeout(settings.connect_timeout_seconds * 3):
                await client.connect(
                    [one.strip() for one in settings.url.split(",")],
                    name=f"meshery-{self._service}",
                    nkeys_seed_str=seed,
                    user=settings.user or None,
                    password=settings.password.get_secret_value() if settings.password else None,
                    inbox_prefix=self._inbox_prefix,
                    allow_reconnect=True,
                    max_reconnect_attempts=-1,
                    reconnect_time_wait=0.25,  # type: ignore[arg-type]  # it is only slept for
                    connect_timeout=max(1, round(settings.connect_timeout_seconds)),
                    ping_interval=_PING_SECONDS,
                    max_outstanding_pings=2,
                    flush_timeout=2,
                    error_cb=self._on_error,
                    closed_cb=on_closed,
                    reconnected_cb=self._reconnected,
                )
        except BaseException:
            # Cancelled or too late in the middle: nobody else knows of its socket.
            client.abandon()
            raise
        return client

    async def keep(self) -> None:
        """Replace a client that was closed for good, or hears nothing more, with all its subscriptions.

        Runs beside everything.
        """
        with CONNECTED.source(self._service, read=self.connected):
            while True:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(_LOOK_SECONDS):
                        await self._replace.wait()
                if not (self._replace.is_set() or self._client.is_deaf):
                    continue
                log.warning("the NATS client is of no use any more; making a new one", service=self._service)
                # Otherwise the server would go on sending to it.
                await _closed(self._client)
                self._replace.clear()
                await self.open()
                for listening in self._listening:
                    with contextlib.suppress(NATSError, OSError):
                        await self._listen(listening)
                await self._reconnected()

    async def _reconnected(self) -> None:
        self._reconnects.inc()
        self._missed()

    def _missed(self) -> None:
        for tell in self.when_missed:
            tell()

    async def _listen(self, listening: _Listening) -> None:
        listening.current = await self._client.subscribe(
            listening.subject,
            queue=listening.queue,
            cb=listening.callback,
            pending_msgs_limit=PENDING_MESSAGES,
            pending_bytes_limit=PENDING_BYTES,
        )

    async def _on_error(self, error: Exception) -> None:
        if isinstance(error, SlowConsumerError):
            self._too_slow(error)
            return
        text = str(error)
        lowered = text.lower()
        about = {"service": self._service, "error": text or type(error).__name__}
        if "permissions violation" in lowered:
            REFUSED.labels(self._service).inc()
            about["mend"] = MEND_REFUSED
        if "permissions violation for publish to" in lowered:
            subject = text.split('"')[1] if '"' in text else text.rsplit(" ", 1)[-1]
            self.refused.add(subject)
        log.warning("NATS reported an error", **about)

    def _too_slow(self, error: SlowConsumerError) -> None:
        """One message was thrown away."""
        self._dropped.inc()
        self._missed()
        if time.monotonic() - self._said_slow >= _SAY_SO_SECONDS:
            self._said_slow = time.monotonic()
            log.warning("messages are dropped: we are too slow", service=self._service, subject=error.subject)

    async def drain(self, finish: Callable[[], Awaitable[None]]) -> None:
        """Take no more messages, let `finish` end what is in flight, then close."""
        self._closing = True
        # A server that is away sends nothing more, and each subscription would wait for its word.
        if self._client.is_connected:
            async with asyncio.TaskGroup() as group:
                for listening in self._listening:
                    if listening.current is not None and not listening.to_the_end:
                        group.create_task(_drained(listening.current))
        await finish()
        await _closed(self._client)


async def _drained(subscription: Subscription) -> None:
    """Get no more messages, and have those handled that came; as far as the server lets us."""
    with contextlib.suppress(NATSError, OSError, RuntimeError):
        async with asyncio.timeout(_FAREWELL_SECONDS):
            await subscription.drain()  # type: ignore[no-untyped-call]  # not annotated there


async def _closed(client: QuickClient) -> None:
    """Close a client, and send before what waits; as far as the server lets us."""
    try:
        # RuntimeError: nats-py writes what was pending to a transport that uvloop has closed.
        with contextlib.suppress(NATSError, OSError, RuntimeError):
            async with asyncio.timeout(_FAREWELL_SECONDS):
                if client.is_connected and not client.is_deaf:
                    await client.flush()
        with contextlib.suppress(NATSError, OSError, RuntimeError):
            async with asyncio.timeout(_FAREWELL_SECONDS):
                await client.close()
    finally:
        client.abandon()


def unreachable() -> Unavailable:
    """The error while NATS is away."""
    return Unavailable(
        "The message bus cannot be reached right now.",
        code="bus_unreachable",
        cause="The connection to NATS is lost; the process keeps trying.",
        remedy="Try again in a moment.",
        retry_after_seconds=1,
    )
