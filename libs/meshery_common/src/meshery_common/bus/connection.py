"""One process's connection to NATS: kept alive for ever, with all subscriptions, and typed requests over it."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from types import ModuleType
from typing import TypeVar

import nats
import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.errors import Error as NATSError
from nats.errors import NoRespondersError
from nats.errors import TimeoutError as NATSTimeoutError
from opentelemetry import trace
from opentelemetry.propagate import inject
from opentelemetry.trace import SpanKind

from meshery_common.background import alongside
from meshery_common.bus.dispatch import Dispatcher, Handler
from meshery_common.bus.headers import Header
from meshery_common.bus.service_protocol import ServiceProtocol
from meshery_common.bus.settings import BusSettings
from meshery_common.bus.streams import Streams
from meshery_common.callers import AssertionVerifier, KeySource
from meshery_common.context import current_request
from meshery_common.telemetry import tracing
from meshery_contracts.endpoints import Endpoint, Topic, contract_of
from meshery_contracts.errors import (
    DeadlineExceeded,
    Forbidden,
    Internal,
    Problem,
    TooLarge,
    Unavailable,
    error_from,
)
from meshery_contracts.messages import Message

RequestT = TypeVar("RequestT", bound=Message)
ReplyT = TypeVar("ReplyT", bound=Message)
EventT = TypeVar("EventT", bound=Message)

log = structlog.get_logger()

#: Pauses before asking again when nobody serves the subject: nothing ran, so asking again is always safe.
NO_RESPONDER_PAUSES_SECONDS = (0.02, 0.06, 0.18, 0.5)
MessageCallback = Callable[[Msg], Awaitable[None]]


@dataclass
class _Listening:
    """A subscription that outlives the client it was made on."""

    subject: str
    queue: str
    callback: MessageCallback
    current: Subscription | None = field(default=None)


class Bus:
    """Typed requests, endpoints, facts and live deltas of one process.

    Made by `Bus.connect`, which keeps the connection for the time of its block.
    """

    def __init__(self, settings: BusSettings, service: str, version: str, keys: KeySource | None) -> None:
        self._settings = settings
        self.service = service
        self.inbox_prefix = f"_INBOX_{service}" if not settings.user else f"_INBOX_{settings.user}"
        self._client = Client()
        self._listening: list[_Listening] = []
        self._closing = False
        self._replace = asyncio.Event()
        self._refused: set[str] = set()
        self._sequences: dict[str, int] = {}
        self._tracer = trace.get_tracer("meshery.bus")
        self._dispatcher = Dispatcher(
            service=service, settings=settings, verifier=AssertionVerifier(keys or self._identity_keys)
        )
        self._protocol = ServiceProtocol(service, version, self._dispatcher)
        self.streams = Streams(lambda: self._client, service)

    @classmethod
    @asynccontextmanager
    async def connect(
        cls,
        settings: BusSettings,
        *,
        service: str,
        version: str = "0.1.0",
        keys: KeySource | None = None,
        stop_grace_seconds: float = 20.0,
    ) -> AsyncIterator[Bus]:
        """A connected bus. Waits for NATS for ever; at the end of the block it drains and says goodbye.

        `keys` gives identity's public keys; without it they are asked for over the bus.
        """
        bus = cls(settings, service, version, keys)
        await bus._connect_until_it_works()
        async with asyncio.TaskGroup() as group:
            keeper = group.create_task(bus._keep_connected(), name=f"{service}: bus keeper")
            try:
                yield bus
            finally:
                bus._closing = True
                keeper.cancel()
                with contextlib.suppress(NATSError, asyncio.TimeoutError):
                    await bus._stop(stop_grace_seconds)

    # --- asking -------------------------------------------------------------------------------------------

    async def request(
        self,
        endpoint: Endpoint[RequestT, ReplyT],
        request: RequestT,
        *,
        timeout_seconds: float | None = None,
        assertion: str | None = None,
        idempotency_key: str = "",
    ) -> ReplyT:
        """Ask and wait for the typed reply. Raises the `ProblemError` that the service answered with.

        Inside a handler the caller, the remaining time and the request id are handed on by themselves.
        """
        payload = request.model_dump_json(exclude_unset=True).encode()
        answer = await self.request_bytes(
            endpoint,
            payload,
            timeout_seconds=timeout_seconds,
            assertion=assertion,
            idempotency_key=idempotency_key,
        )
        return endpoint.reply.model_validate_json(answer)

    async def request_bytes(
        self,
        endpoint: Endpoint[RequestT, ReplyT],
        payload: bytes,
        *,
        timeout_seconds: float | None = None,
        assertion: str | None = None,
        idempotency_key: str = "",
    ) -> bytes:
        """As `request`, with the reply as the bytes that the service wrote: the gateway passes them on."""
        context = current_request()
        seconds = timeout_seconds or endpoint.timeout_seconds
        request_id = ""
        if context is not None:
            seconds = min(seconds, context.remaining_seconds)
            assertion = context.assertion if assertion is None else assertion
            request_id = context.request_id
        if seconds <= 0:
            raise DeadlineExceeded(f"No time is left to ask {endpoint.service}.", code="deadline_passed")
        headers = {
            Header.TIMEOUT: str(int(seconds * 1000)),
            Header.DEADLINE: str(int((time.time() + seconds) * 1000)),
            Header.REQUEST_ID: request_id or secrets.token_hex(16),
        }
        if assertion:
            headers[Header.CALLER] = assertion
        if endpoint.command:
            headers[Header.IDEMPOTENCY_KEY] = idempotency_key or secrets.token_hex(16)
        if len(payload) > self._settings.max_message_bytes:
            raise TooLarge(
                f"The request to {endpoint.subject} has {len(payload):,} bytes.",
                code="request_too_large",
                remedy=f"Keep it under {self._settings.max_message_bytes:,} bytes or send it in parts.",
            )
        if not tracing():
            return await self._ask(endpoint.subject, payload, seconds, headers)
        with self._tracer.start_as_current_span(
            f"{endpoint.service} {endpoint.verb}",
            kind=SpanKind.CLIENT,
            attributes={"rpc.system": "nats", "rpc.service": endpoint.service, "rpc.method": endpoint.verb},
        ):
            inject(headers)
            return await self._ask(endpoint.subject, payload, seconds, headers)

    async def _ask(self, subject: str, payload: bytes, seconds: float, headers: dict[str, str]) -> bytes:
        for pause in (*NO_RESPONDER_PAUSES_SECONDS, None):
            client = self._connected_client()
            try:
                reply = await self._await_reply(client, subject, payload, seconds, headers)
            except NoRespondersError:
                if pause is None or pause > seconds:
                    raise Unavailable(
                        f"Nobody answers on {subject} right now.",
                        code="no_responder",
                        cause="The service that owns the subject is not running or not ready.",
                        remedy="Look at the service's /healthz/ready, then try again.",
                        retry_after_seconds=1,
                    ) from None
                await asyncio.sleep(pause)
                seconds -= pause
                continue
            except NATSTimeoutError:
                raise DeadlineExceeded(
                    f"{subject} did not answer in time.",
                    code="no_reply_in_time",
                    remedy="Look whether it was done before you try again; the same idempotency key is safe.",
                ) from None
            except NATSError as error:
                raise _unreachable() from error
            if reply.headers and Header.SERVICE_ERROR_CODE in reply.headers:
                raise error_from(_problem_of(reply.data))
            return reply.data
        raise AssertionError("unreachable: the last pause is None")

    async def _await_reply(
        self, client: Client, subject: str, payload: bytes, seconds: float, headers: dict[str, str]
    ) -> Msg:
        if subject in self._refused:
            seconds = min(seconds, 0.5)
        try:
            return await client.request(subject, payload, timeout=seconds, headers=headers)
        except NATSTimeoutError:
            # NATS tells of a refusal only beside the request, which itself just gets no answer.
            if subject in self._refused:
                raise Forbidden(
                    f"This NATS user may not publish to {subject}.",
                    code="subject_forbidden",
                    remedy="Use a subject that the user's permissions name.",
                ) from None
            raise

    def _connected_client(self) -> Client:
        if not self._client.is_connected:
            raise _unreachable()
        return self._client

    # --- answering ----------------------------------------------------------------------------------------

    async def serve(self, endpoint: Endpoint[RequestT, ReplyT], handler: Handler[RequestT, ReplyT]) -> None:
        """Answer an endpoint. Handlers of all endpoints run concurrently, up to `max_in_flight` of them."""
        callback = self._dispatcher.route(endpoint, handler, lambda: self._client)
        await self.subscribe(endpoint.subject, callback, queue=endpoint.service)

    async def announce(self, *contracts: ModuleType) -> None:
        """Answer `$SRV.PING|INFO|STATS`. Raises RuntimeError when an endpoint of the contracts has no handler."""
        served = {one.endpoint.subject for one in self._dispatcher.stats}
        missing = [
            endpoint.subject
            for contract in contracts
            for endpoint in contract_of(contract)[0]
            if endpoint.service == self.service and endpoint.subject not in served
        ]
        if missing:
            raise RuntimeError(f"no handler serves {', '.join(missing)}")
        for subject, answer in self._protocol.subjects():

            async def reply(message: Msg, answer: Callable[[], bytes] = answer) -> None:
                if message.reply:
                    await message.respond(answer())

            await self.subscribe(subject, reply)

    async def subscribe(self, subject: str, callback: MessageCallback, *, queue: str = "") -> None:
        """Listen on a subject for as long as the bus lives, over every reconnect."""
        listening = _Listening(subject, queue, callback)
        self._listening.append(listening)
        await self._listen(listening)

    async def unsubscribe(self, callback: MessageCallback) -> None:
        """Stop listening with this callback."""
        for listening in [one for one in self._listening if one.callback == callback]:
            self._listening.remove(listening)
            if listening.current is not None:
                with contextlib.suppress(NATSError):
                    await listening.current.unsubscribe()

    # --- announcing ---------------------------------------------------------------------------------------

    async def publish_live(
        self, topic: Topic[EventT], event: EventT, organization_id: object, about: object
    ) -> None:
        """Tell whoever listens right now; best effort, numbered per subject so that a listener sees a gap."""
        subject = topic.subject.format(organization_id=organization_id, id=about)
        number = self._sequences[subject] = self._sequences.get(subject, 0) + 1
        payload = event.model_dump_json(by_alias=True).encode()
        await self.publish(subject, payload, {Header.SEQUENCE: str(number)})

    async def publish(self, subject: str, payload: bytes, headers: dict[str, str] | None = None) -> None:
        """Send raw bytes, best effort. Raises `Unavailable` while NATS is away."""
        client = self._connected_client()
        try:
            await client.publish(subject, payload, headers=headers)
        except NATSError as error:
            raise _unreachable() from error

    # --- staying connected --------------------------------------------------------------------------------

    def connected(self) -> bool:
        """Whether requests can be sent right now; a probe for readiness."""
        return bool(self._client.is_connected)

    async def _connect_until_it_works(self) -> None:
        pause = 0.1
        started = time.monotonic()
        while True:
            try:
                self._client = await self._connect_once()
                return
            except (TimeoutError, NATSError, OSError) as error:
                if time.monotonic() - started > 5:
                    log.warning(
                        "NATS cannot be reached, still trying", service=self.service, error=str(error)
                    )
                await asyncio.sleep(pause)
                pause = min(pause * 2, 2.0)

    async def _connect_once(self) -> Client:
        settings = self._settings
        client: Client | None = None

        async def on_closed() -> None:
            # nats-py closes for good on some server errors; then nothing but a new client helps.
            if not self._closing and client is self._client:
                self._replace.set()

        seed = settings.nkey_seed.get_secret_value() if settings.nkey_seed else None
        async with asyncio.timeout(settings.connect_timeout_seconds * 3):
            client = await nats.connect(
                [one.strip() for one in settings.url.split(",")],
                name=f"meshery-{self.service}",
                nkeys_seed_str=seed,
                user=settings.user or None,
                password=settings.password.get_secret_value() if settings.password else None,
                inbox_prefix=self.inbox_prefix,
                allow_reconnect=True,
                max_reconnect_attempts=-1,
                reconnect_time_wait=0.25,
                connect_timeout=max(1, round(settings.connect_timeout_seconds)),
                ping_interval=20,
                max_outstanding_pings=2,
                flush_timeout=2,
                error_cb=self._on_error,
                closed_cb=on_closed,
            )
        return client

    async def _keep_connected(self) -> None:
        while True:
            await self._replace.wait()
            self._replace.clear()
            log.warning("the NATS client was closed for good; making a new one", service=self.service)
            await self._connect_until_it_works()
            for listening in self._listening:
                with contextlib.suppress(NATSError):
                    await self._listen(listening)

    async def _listen(self, listening: _Listening) -> None:
        listening.current = await self._client.subscribe(
            listening.subject,
            queue=listening.queue,
            cb=listening.callback,
            pending_msgs_limit=65_536,
            pending_bytes_limit=64 * 1024 * 1024,
        )

    async def _on_error(self, error: Exception) -> None:
        text = str(error)
        lowered = text.lower()
        if "permissions violation for publish to" in lowered:
            subject = text.split('"')[1] if '"' in text else text.rsplit(" ", 1)[-1]
            self._refused.add(subject)
        log.warning("NATS reported an error", service=self.service, error=text or type(error).__name__)

    async def _stop(self, grace_seconds: float) -> None:
        """Take no more work, answer what is in flight, then close."""
        for listening in self._listening:
            if listening.current is not None:
                with contextlib.suppress(NATSError):
                    await listening.current.drain()
        await self._dispatcher.finish(grace_seconds)
        if self._client.is_connected:
            async with asyncio.timeout(3):
                await self._client.drain()
        else:
            await self._client.close()

    async def _identity_keys(self) -> dict[str, dict[str, str]]:
        from meshery_contracts import identity  # here: only this default needs to know identity's contract

        reply = await self.request(identity.LIST_SIGNING_KEYS, identity.ListSigningKeys(), assertion="")
        return {key["kid"]: key for key in reply.keys}


def _unreachable() -> Unavailable:
    return Unavailable(
        "The message bus cannot be reached right now.",
        code="bus_unreachable",
        cause="The connection to NATS is lost; the process keeps trying.",
        remedy="Try again in a moment.",
        retry_after_seconds=1,
    )


def _problem_of(payload: bytes) -> Problem:
    try:
        return Problem.model_validate_json(payload)
    except ValueError:
        # A peer that is not ours, or older than the words: say so and show nothing unread.
        return Internal("The service answered with an error that cannot be read.").problem
