"""Typed requests, endpoints and announcements of one process, over one connection."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from types import ModuleType
from typing import TypeVar

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NATSError
from nats.errors import NoRespondersError
from nats.errors import TimeoutError as NATSTimeoutError

from meshery_common.background import alongside
from meshery_common.bus.bodies import Bodies
from meshery_common.bus.connection import MEND_REFUSED, Connection, MessageCallback, unreachable
from meshery_common.bus.dispatch import BytesHandler, Dispatcher, Handler, UnreadHandler, rpc_attributes
from meshery_common.bus.headers import CallTerms, Header, new_request_id
from meshery_common.bus.service_protocol import ServiceProtocol, service_name
from meshery_common.bus.settings import BusSettings
from meshery_common.bus.streams import Streams
from meshery_common.callers import AssertionVerifier, KeySource
from meshery_common.context import current_request
from meshery_common.encoding import encode, encode_request
from meshery_common.telemetry import SpanKind, carry, span, tracing, working_for
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

#: Pauses before asking again when nobody serves the subject: nothing ran, so asking again is always safe.
NO_RESPONDER_PAUSES_SECONDS = (0.02, 0.06, 0.18, 0.5)


class Bus:
    """Typed requests, endpoints, facts and live deltas of one process.

    Made by `Bus.connect`, which keeps the connection for the time of its block.
    """

    def __init__(self, settings: BusSettings, service: str, version: str, keys: KeySource | None) -> None:
        self._settings = settings
        self.service = service
        self._connection = Connection(settings, service)
        self._sequences: dict[str, int] = {}
        self._bodies = Bodies(self._connection, settings, service)
        verifier = AssertionVerifier(keys or self._identity_keys)
        self._dispatcher = Dispatcher(
            service=service, settings=settings, verifier=verifier, bodies=self._bodies
        )
        self._protocol = ServiceProtocol(service, version, self._dispatcher)
        self.streams = Streams(self._connection, service)

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
        with working_for(service):
            # Whatever arrives is handled by tasks of the client, which are started here.
            await bus._connection.open()
        async with alongside(bus._connection.keep(), service=service), bus._bodies.open():
            try:
                yield bus
            finally:
                await bus._connection.drain(lambda: bus._dispatcher.finish(stop_grace_seconds))

    def connected(self) -> bool:
        """Whether requests can be sent right now; a probe for readiness."""
        return self._connection.connected()

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
        answer = await self.request_bytes(
            endpoint,
            encode_request(request),
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
        terms = CallTerms(
            timeout_ms=int(seconds * 1000),
            deadline_ms=int((time.time() + seconds) * 1000),
            request_id=request_id or new_request_id(),
            take=self._settings.max_large_bytes,
        )
        headers = {Header.CALL: terms.write()}
        if assertion:
            headers[Header.CALLER] = assertion
        if endpoint.command:
            headers[Header.IDEMPOTENCY_KEY] = idempotency_key or secrets.token_hex(16)
        send = self._ask
        if len(payload) > self._settings.max_message_bytes:
            self._check_size(endpoint, payload)
            send = self._send_large
        if not tracing():
            return await send(endpoint.subject, payload, seconds, headers)
        with span(
            self.service, f"{endpoint.service} {endpoint.verb}", SpanKind.CLIENT, rpc_attributes(endpoint)
        ):
            carry(headers)
            return await send(endpoint.subject, payload, seconds, headers)

    def _check_size(self, endpoint: Endpoint[RequestT, ReplyT], payload: bytes) -> None:
        settings = self._settings
        most = settings.max_large_bytes if endpoint.large_requests else settings.max_message_bytes
        if len(payload) > most:
            raise TooLarge(
                f"The request to {endpoint.subject} has {len(payload):,} bytes.",
                code="request_too_large",
                remedy=f"Keep it under {most:,} bytes or send it in parts.",
            )

    async def _send_large(
        self, subject: str, payload: bytes, seconds: float, headers: dict[str, str]
    ) -> bytes:
        until = time.monotonic() + seconds
        async with self._bodies.held(payload) as held:
            headers[Header.BODY] = held.reference
            return await self._ask(subject, b"", until - time.monotonic(), headers)

    async def _ask(self, subject: str, payload: bytes, seconds: float, headers: dict[str, str]) -> bytes:
        until = time.monotonic() + seconds
        for pause in (*NO_RESPONDER_PAUSES_SECONDS, None):
            client = self._connection.client
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
                raise _no_reply_in_time(subject) from None
            except NATSError as error:
                raise unreachable() from error
            if reply.headers:
                if Header.SERVICE_ERROR_CODE in reply.headers:
                    raise error_from(_problem_of(reply.data))
                if Header.BODY in reply.headers:
                    left = until - time.monotonic()
                    return await self._fetched(reply.headers[Header.BODY], subject, left)
            return reply.data
        raise AssertionError("unreachable: the last pause is None")

    async def _fetched(self, reference: str, subject: str, seconds: float) -> bytes:
        try:
            async with asyncio.timeout(seconds):
                body, give_back = await self._bodies.fetch(reference, self._settings.max_large_bytes)
        except TimeoutError:
            raise _no_reply_in_time(subject) from None
        # From here on it belongs to who asked.
        give_back()
        return body

    async def _await_reply(
        self, client: Client, subject: str, payload: bytes, seconds: float, headers: dict[str, str]
    ) -> Msg:
        if subject in self._connection.refused:
            seconds = min(seconds, 0.5)
        try:
            return await client.request(subject, payload, timeout=seconds, headers=headers)
        except NATSTimeoutError:
            # NATS tells of a refusal only beside the request, which itself just gets no answer.
            if subject in self._connection.refused:
                raise Forbidden(
                    f"This NATS user may not publish to {subject}.",
                    code="subject_forbidden",
                    remedy=MEND_REFUSED,
                ) from None
            raise

    async def is_served_by(self, service: str) -> bool:
        """Whether an instance of a service answers on the bus right now."""
        try:
            await self._connection.client.request(f"$SRV.PING.{service_name(service)}", timeout=0.5)
        except (NATSError, Unavailable):
            return False
        return True

    # --- answering ----------------------------------------------------------------------------------------

    async def serve(self, endpoint: Endpoint[RequestT, ReplyT], handler: Handler[RequestT, ReplyT]) -> None:
        """Answer an endpoint. Handlers of all endpoints run concurrently, up to `max_in_flight` of them."""
        callback = self._dispatcher.route(endpoint, handler, self._connection)
        await self.subscribe(endpoint.subject, callback, queue=endpoint.service)

    async def serve_unread(
        self, endpoint: Endpoint[RequestT, ReplyT], handler: UnreadHandler[RequestT, ReplyT]
    ) -> None:
        """Answer an endpoint whose requests would stall the loop while they are read.

        The handler gets the JSON as it came, has it read in a process beside, and raises `not_valid` of what does
        not fit.
        """
        callback = self._dispatcher.route_unread(endpoint, handler, self._connection)
        await self.subscribe(endpoint.subject, callback, queue=endpoint.service)

    async def answer(self, subject: str, answer: BytesHandler, *, queue: str = "") -> None:
        """Answer raw requests on a subject that is no endpoint of ours, such as a NATS server's own questions.

        Runs concurrently and drains like endpoints do. Nobody has been authenticated: the handler decides by
        the bytes alone, and answers nothing by giving None or by raising.
        """
        await self.subscribe(subject, self._dispatcher.route_bytes(answer, self._connection), queue=queue)

    async def announce(self, *contracts: ModuleType) -> None:
        """Answer `$SRV.PING|INFO|STATS`; from here on every request to what is served arrives.

        Raises RuntimeError when an endpoint of the contracts has no handler.
        """
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
        await self._connection.flush()

    async def subscribe(self, subject: str, callback: MessageCallback, *, queue: str = "") -> None:
        """Listen to raw messages for as long as the bus lives, over every reconnect."""
        await self._connection.subscribe(subject, callback, queue=queue)

    async def unsubscribe(self, callback: MessageCallback) -> None:
        """Stop listening with this callback."""
        await self._connection.unsubscribe(callback)

    def when_missed(self, tell: Callable[[], None]) -> None:
        """Call `tell` whenever messages may have passed unheard: after a reconnect, or when we were too slow."""
        self._connection.when_missed.append(tell)

    # --- announcing ---------------------------------------------------------------------------------------

    async def publish_live(
        self, topic: Topic[EventT], event: EventT, organization_id: object, about: object
    ) -> None:
        """Tell whoever listens right now; best effort, numbered per subject so that a listener sees a gap."""
        subject = topic.subject.format(organization_id=organization_id, id=about)
        number = self._sequences[subject] = self._sequences.get(subject, 0) + 1
        payload = encode(event)
        await self.publish(subject, payload, {Header.SEQUENCE: str(number)})

    async def publish(self, subject: str, payload: bytes, headers: dict[str, str] | None = None) -> None:
        """Send raw bytes, best effort. Raises Unavailable while NATS is away."""
        await self._connection.publish(subject, payload, headers)

    async def _identity_keys(self) -> dict[str, dict[str, str]]:
        from meshery_contracts import identity  # here: only this default needs to know identity's contract

        reply = await self.request(identity.LIST_SIGNING_KEYS, identity.ListSigningKeys(), assertion="")
        return {key["kid"]: key for key in reply.keys}


def _no_reply_in_time(subject: str) -> DeadlineExceeded:
    return DeadlineExceeded(
        f"{subject} did not answer in time.",
        code="no_reply_in_time",
        remedy="Look whether it was done before you try again; the same idempotency key is safe.",
    )


def _problem_of(payload: bytes) -> Problem:
    try:
        return Problem.model_validate_json(payload)
    except ValueError:
        # A peer that is not ours, or older than the words: say so and show nothing unread.
        return Internal("The service answered with an error that cannot be read.").problem
