"""The serving side: from a NATS message to a handler and back, concurrently and under a limit.

Order of the checks: deadline, load, caller, key, body. One of the three places that catch everything: an
unforeseen exception is logged with the request id and answered with that id alone.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar

import structlog
from nats.aio.msg import Msg
from prometheus_client import Counter, Gauge, Histogram
from pydantic import ValidationError

from meshery_common.bus.bodies import Bodies
from meshery_common.bus.connection import Connection
from meshery_common.bus.headers import CallTerms, Header, new_request_id
from meshery_common.bus.settings import BusSettings
from meshery_common.callers import NOBODY, AssertionVerifier
from meshery_common.context import RequestContext, serving
from meshery_common.encoding import Encoded, encode
from meshery_common.idempotency import Repeated
from meshery_common.telemetry import SpanKind, carried, span, tracing
from meshery_contracts.caller import Caller
from meshery_contracts.endpoints import Endpoint
from meshery_contracts.errors import (
    DeadlineExceeded,
    Internal,
    Problem,
    ProblemError,
    TooLarge,
    Unauthenticated,
    Unavailable,
    not_valid,
)
from meshery_contracts.messages import Message

RequestT = TypeVar("RequestT", bound=Message)
ReplyT = TypeVar("ReplyT", bound=Message)
#: A use case: typed request and verified caller in, typed reply out, written already or not.
Handler = Callable[[RequestT, Caller], Awaitable[ReplyT | Encoded[ReplyT]]]
#: The same for what is read in a process beside: the request's JSON as it came.
UnreadHandler = Callable[[Encoded[RequestT], Caller], Awaitable[ReplyT | Encoded[ReplyT]]]
#: What both become.
_BodyHandler = Callable[[bytes, Caller], Awaitable[ReplyT | Encoded[ReplyT]]]
#: What answers a foreign request: raw bytes in and out, None for no answer.
BytesHandler = Callable[[bytes], Awaitable[bytes | None]]

log = structlog.get_logger()

#: How far two machines' clocks may be apart before an absolute deadline is believed.
CLOCK_SKEW_SECONDS = 0.25
#: Foreign requests carry no deadline of ours.
BYTES_HANDLER_SECONDS = 5.0

REQUESTS = Counter(
    "meshery_rpc_requests_total", "Requests answered, by outcome.", ["service", "endpoint", "outcome"]
)
SECONDS = Histogram(
    "meshery_rpc_seconds",
    "Time from receiving a request to sending its reply.",
    ["service", "endpoint"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60),
)
IN_FLIGHT = Gauge("meshery_rpc_in_flight", "Requests being handled.", ["service"])


@dataclass
class EndpointStats:
    """What `$SRV.STATS` tells of one endpoint."""

    endpoint: Endpoint[Message, Message]
    requests: int = 0
    errors: int = 0
    processing_ns: int = 0
    last_error: str = ""


class Dispatcher:
    """Runs the handlers of one process."""

    def __init__(
        self, *, service: str, settings: BusSettings, verifier: AssertionVerifier, bodies: Bodies
    ) -> None:
        self._service = service
        self._settings = settings
        self._verifier = verifier
        self._bodies = bodies
        self._live: set[asyncio.Task[None]] = set()
        #: Of those, the ones that were let in.
        self._handling = 0
        # Read when somebody looks: counting up and down would be done for every request.
        IN_FLIGHT.labels(service).set_function(lambda: len(self._live))
        self.stats: list[EndpointStats] = []

    def route(
        self,
        endpoint: Endpoint[RequestT, ReplyT],
        handler: Handler[RequestT, ReplyT],
        connection: Connection,
    ) -> Callable[[Msg], Awaitable[None]]:
        """The callback that serves one endpoint: it only starts a task, so that no message waits for another."""

        def answer(body: bytes, caller: Caller) -> Awaitable[ReplyT | Encoded[ReplyT]]:
            return handler(_decoded(endpoint, body), caller)

        return self._route(endpoint, answer, connection)

    def route_unread(
        self,
        endpoint: Endpoint[RequestT, ReplyT],
        handler: UnreadHandler[RequestT, ReplyT],
        connection: Connection,
    ) -> Callable[[Msg], Awaitable[None]]:
        """The same for a handler that has the request read elsewhere."""

        def answer(body: bytes, caller: Caller) -> Awaitable[ReplyT | Encoded[ReplyT]]:
            return handler(Encoded(body), caller)

        return self._route(endpoint, answer, connection)

    def _route(
        self,
        endpoint: Endpoint[RequestT, ReplyT],
        handler: _BodyHandler[ReplyT],
        connection: Connection,
    ) -> Callable[[Msg], Awaitable[None]]:
        stats = EndpointStats(endpoint)  # type: ignore[arg-type]  # stats read the names only
        self.stats.append(stats)
        seconds = SECONDS.labels(self._service, endpoint.verb)
        succeeded = REQUESTS.labels(self._service, endpoint.verb, "ok")

        async def handle(message: Msg, received: float) -> None:
            headers: dict[str, str] | None = None
            payload: bytes | None
            try:
                payload = await self._traced(endpoint, handler, message, received)
            except ProblemError as error:
                payload, headers = _error_reply(error.problem)
            if headers is None:
                succeeded.inc()
            else:
                stats.errors += 1
                stats.last_error = f"{headers[Header.ERROR]}: {headers[Header.SERVICE_ERROR]}"
                REQUESTS.labels(self._service, endpoint.verb, headers[Header.ERROR]).inc()
            elapsed = time.monotonic() - received
            seconds.observe(elapsed)
            stats.requests += 1
            stats.processing_ns += int(elapsed * 1e9)
            if message.reply and payload is not None:
                try:
                    await connection.publish(message.reply, payload, headers)
                except Unavailable as error:
                    # The caller's own deadline tells it; a command's answer is kept under its key.
                    log.warning("a reply could not be sent", endpoint=endpoint.subject, error=str(error))

        async def receive(message: Msg) -> None:
            self._start(handle(message, time.monotonic()))

        return receive

    def route_bytes(self, answer: BytesHandler, connection: Connection) -> Callable[[Msg], Awaitable[None]]:
        """The callback for a subject that is no endpoint of ours: no caller, no key, no body that we know."""

        async def handle(message: Msg) -> None:
            try:
                async with asyncio.timeout(BYTES_HANDLER_SECONDS):
                    payload = await answer(message.data)
                if payload is not None and message.reply:
                    await connection.publish(message.reply, payload)
            except Exception:
                log.exception("a foreign request was not answered", subject=message.subject)

        async def receive(message: Msg) -> None:
            if len(self._live) >= self._settings.max_in_flight:
                log.warning("a foreign request was dropped, too many are in flight", subject=message.subject)
                return
            self._start(handle(message))

        return receive

    def _start(self, handling: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(handling)  # noqa: TID251 -- kept in _live
        self._live.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._live.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("a dispatcher task failed", service=self._service, exc_info=error)

    async def finish(self, grace_seconds: float) -> None:
        """Wait for the handlers in flight; cancel those that outlast the grace."""
        if not self._live:
            return
        _, late = await asyncio.wait(self._live, timeout=grace_seconds)
        for task in late:
            task.cancel()
        if late:
            log.error("requests outlasted the grace of a stop", service=self._service, count=len(late))
            await asyncio.wait(late)

    async def _traced(
        self,
        endpoint: Endpoint[RequestT, ReplyT],
        handler: _BodyHandler[ReplyT],
        message: Msg,
        received: float,
    ) -> bytes | None:
        if not tracing():
            return await self._answer(endpoint, handler, message, received)
        name = f"{endpoint.service} {endpoint.verb}"
        parent = carried(message.headers or {})
        with span(self._service, name, SpanKind.SERVER, rpc_attributes(endpoint), parent=parent):
            return await self._answer(endpoint, handler, message, received)

    async def _answer(
        self,
        endpoint: Endpoint[RequestT, ReplyT],
        handler: _BodyHandler[ReplyT],
        message: Msg,
        received: float,
    ) -> bytes | None:
        """The answer; none when it was so large that it had to be fetched, and has been."""
        headers = message.headers or {}
        terms = CallTerms.read(headers.get(Header.CALL, ""))
        deadline = _deadline(terms, received, endpoint.timeout_seconds)
        request_id = terms.request_id or new_request_id()
        if self._handling >= self._settings.max_in_flight:
            raise Unavailable(
                f"{self._service} is busy with {self._settings.max_in_flight} requests.",
                code="overloaded",
                remedy="Try again in a moment, or run more replicas.",
                retry_after_seconds=0.2,
            )
        settings = self._settings
        most = settings.max_message_bytes
        if terms.take > most:
            most = min(terms.take, settings.max_large_bytes)
        give_back: Callable[[], None] | None = None
        until = asyncio.get_running_loop().time() + deadline - time.monotonic()
        self._handling += 1
        try:
            async with asyncio.timeout_at(until):
                caller = await self._caller(endpoint, headers)
                body = message.data
                if Header.BODY in headers:
                    # Only now that it is known who is asking, and that he may.
                    body, give_back = await self._fetched(endpoint, headers[Header.BODY])
                context = RequestContext(
                    caller=caller,
                    assertion=headers.get(Header.CALLER, ""),
                    deadline=deadline,
                    request_id=request_id,
                    idempotency_key=headers.get(Header.IDEMPOTENCY_KEY, "") if endpoint.command else "",
                    fingerprint=await self._fingerprint(endpoint, body) if endpoint.command else b"",
                    answer_bytes=most,
                )
                with serving(context):
                    reply = await handler(body, caller)
            payload = encode(reply)
        except Repeated as repeat:
            payload = repeat.answer
        except TimeoutError:
            raise DeadlineExceeded(
                f"{endpoint.verb} ran out of time.",
                code="deadline_passed",
                remedy="Look whether it was done before you try again; the same idempotency key is safe.",
            ) from None
        except ProblemError:
            raise
        except Exception as error:
            log.exception("unforeseen error", endpoint=endpoint.subject, request_id=request_id)
            raise Internal(
                "Something went wrong on our side.",
                remedy=f"Report this id to whoever runs the system: {request_id}",
                trace_id=request_id,
            ) from error
        finally:
            self._handling -= 1
            if give_back is not None:
                give_back()
        if len(payload) <= settings.max_message_bytes:
            return payload
        if len(payload) > most:
            raise TooLarge(
                f"The answer of {endpoint.verb} has {len(payload):,} bytes, {most:,} are given.",
                code="answer_too_large",
                cause=()
                if terms.take
                else "`Meshery-Call` does not say that the caller takes large answers.",
                remedy="Ask for fewer or smaller things: a smaller page, fewer fields.",
            )
        await self._hand_over(endpoint, message, payload, until)
        return None

    async def _fetched(
        self, endpoint: Endpoint[RequestT, ReplyT], reference: str
    ) -> tuple[bytes, Callable[[], None]]:
        settings = self._settings
        most = settings.max_large_bytes if endpoint.large_requests else settings.max_message_bytes
        return await self._bodies.fetch(reference, most)

    async def _fingerprint(self, endpoint: Endpoint[RequestT, ReplyT], body: bytes) -> bytes:
        if len(body) <= self._settings.max_message_bytes:
            return _fingerprint(endpoint, body)
        return await asyncio.to_thread(_fingerprint, endpoint, body)

    async def _hand_over(
        self, endpoint: Endpoint[RequestT, ReplyT], message: Msg, payload: bytes, until: float
    ) -> None:
        """Have a large answer fetched by the caller, as long as he waits."""
        if not message.reply:
            return
        try:
            async with asyncio.timeout_at(until):
                await self._bodies.hand_over(message.reply, payload)
        except TimeoutError:
            log.warning(
                "a large answer was not fetched in time", endpoint=endpoint.subject, bytes=len(payload)
            )

    async def _caller(self, endpoint: Endpoint[RequestT, ReplyT], headers: dict[str, str]) -> Caller:
        assertion = headers.get(Header.CALLER)
        key = endpoint.required_key
        if assertion:
            caller = await self._verifier.verify(assertion)
        elif key is not None:
            raise Unauthenticated(
                "Nobody knows who is asking: the header Meshery-Caller is missing.",
                code="assertion_missing",
                remedy="Exchange a token for an assertion (meshery.rpc.identity.v1.exchange_token) and send it.",
            )
        else:
            caller = NOBODY
        if key is not None:
            caller.require(key)
        return caller


def rpc_attributes(endpoint: Endpoint[Any, Any]) -> dict[str, str]:
    """What the spans of a request say of it, at both ends."""
    return {"rpc.system.name": "nats", "rpc.service": endpoint.service, "rpc.method": endpoint.verb}


def _deadline(terms: CallTerms, received: float, default_seconds: float) -> float:
    """When the caller stops waiting, on this process's monotonic clock. Raises when that has passed."""
    if terms.deadline_ms and terms.deadline_ms / 1000 - time.time() < -CLOCK_SKEW_SECONDS:
        raise DeadlineExceeded("The request came after its deadline; nothing was done.", code="came_late")
    return received + (terms.timeout_ms / 1000 if terms.timeout_ms else default_seconds)


def _decoded(endpoint: Endpoint[RequestT, ReplyT], payload: bytes) -> RequestT:
    try:
        return endpoint.request.model_validate_json(payload or b"{}")
    except ValidationError as error:
        raise not_valid(error, endpoint.verb) from None


def _fingerprint(endpoint: Endpoint[RequestT, ReplyT], payload: bytes) -> bytes:
    digest = hashlib.blake2b(endpoint.subject.encode() + b"\0", digest_size=16)
    digest.update(payload)
    return digest.digest()


def _error_reply(problem: Problem) -> tuple[bytes, dict[str, str]]:
    headers = {
        Header.ERROR: problem.word.value,
        Header.SERVICE_ERROR: problem.title,
        Header.SERVICE_ERROR_CODE: str(problem.status),
    }
    return problem.model_dump_json().encode(), headers
