"""GraphQL over WebSocket: `graphql-transport-ws`, and the older `graphql-ws` of Apollo, on one path.

Whatever a client sends ends at worst its own socket. The session behind a socket is renewed every minute; when it
is revoked the socket is closed. A slow client holds up nobody: what waits for it is bounded, see `http.live`.
"""

from __future__ import annotations

import asyncio
import secrets
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

import orjson
import structlog
from aiohttp import WSMsgType, web
from graphql import OperationType

from meshery_common.background import pause
from meshery_contracts.errors import ProblemError, RateLimited, Unavailable
from meshery_gateway.graphql.context import Context
from meshery_gateway.graphql.execution import Executor, Failed, Sent, error_of, unforeseen
from meshery_gateway.http.calls import Call
from meshery_gateway.http.live import Live
from meshery_gateway.http.live_sessions import Credential, LiveSession
from meshery_gateway.http.sessions import Sessions

log = structlog.get_logger()

INIT_SECONDS = 10.0
PING_SECONDS = 20.0
#: A message that the peer does not take in this time ends the socket.
SEND_SECONDS = 30.0
MAX_MESSAGE_BYTES = 64 * 1024
#: Operations of one socket at a time.
MAX_OPERATIONS = 100
_MAX_ID_LENGTH = 200
_LEGACY_KEEP_ALIVE_SECONDS = 10.0


@dataclass(frozen=True)
class Dialect:
    """What the messages of a sub-protocol are called."""

    name: str
    subscribe: str
    stop: str
    next: str
    legacy: bool = False


TRANSPORT_WS = Dialect("graphql-transport-ws", "subscribe", "complete", "next")
APOLLO = Dialect("graphql-ws", "start", "stop", "data", legacy=True)
_DIALECTS = {one.name: one for one in (TRANSPORT_WS, APOLLO)}


class Closed(Exception):
    """The socket is to be closed, with this code and reason."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class Sockets:
    """Serves WebSockets."""

    def __init__(self, executor: Executor, live: Live, sessions: Sessions) -> None:
        self.executor = executor
        self.live = live
        self.sessions = sessions

    async def serve(self, call: Call) -> web.StreamResponse:
        """One socket, from its upgrade to its end. The guards have looked at Host and Origin before."""
        offered = [
            one.strip() for one in call.request.headers.get("Sec-WebSocket-Protocol", "").split(",") if one
        ]
        dialect = next((_DIALECTS[one] for one in offered if one in _DIALECTS), None)
        response = web.WebSocketResponse(
            protocols=[dialect.name] if dialect is not None else [],
            heartbeat=PING_SECONDS,
            max_msg_size=MAX_MESSAGE_BYTES,
            compress=False,
        )
        await response.prepare(call.request)
        if dialect is None:
            await response.close(code=4406, message=b"Subprotocol not acceptable")
            return response
        await _Socket(self, dialect, call, response).run()
        return response


class _Socket:
    """The conversation over one socket."""

    def __init__(
        self, around: Sockets, dialect: Dialect, call: Call, response: web.WebSocketResponse
    ) -> None:
        self._around = around
        self._dialect = dialect
        self._call = call
        self._response = response
        self._initialised = False
        self._session: LiveSession | None = None
        self._acknowledged = asyncio.Event()
        self._operations: dict[str, asyncio.Task[None]] = {}
        self._group = asyncio.TaskGroup()

    async def run(self) -> None:
        """Until one of the two sides closes."""
        async with self._group:
            guards = [
                self._group.create_task(self._await_init()),
                self._group.create_task(self._await_revocation()),
                self._group.create_task(self._await_stop()),
            ]
            if self._dialect.legacy:
                guards.append(self._group.create_task(self._keep_alive()))
            try:
                await self._read()
            finally:
                for task in (*guards, *self._operations.values()):
                    task.cancel()

    async def _read(self) -> None:
        try:
            async for message in self._response:
                if message.type is WSMsgType.TEXT:
                    await self._received(message.data)
                elif message.type is WSMsgType.BINARY:
                    raise Closed(4400, "Messages are JSON text")
        except Closed as closed:
            await self._close(closed.code, closed.reason)

    async def _received(self, text: str) -> None:
        try:
            message = orjson.loads(text)
        except orjson.JSONDecodeError:
            raise Closed(4400, "Invalid message: not JSON") from None
        if not isinstance(message, dict) or not isinstance(message.get("type"), str):
            raise Closed(4400, "Invalid message: no type")
        kind, payload = message["type"], message.get("payload")
        if kind == "connection_init":
            await self._init(payload)
        elif kind == "ping" and not self._dialect.legacy:
            await self._send({"type": "pong"})
        elif kind == "pong" and not self._dialect.legacy:
            pass
        elif kind == self._dialect.subscribe:
            self._subscribe(message.get("id"), payload)
        elif kind == self._dialect.stop:
            task = self._operations.pop(str(message.get("id")), None)
            if task is not None:
                task.cancel()
        elif kind == "connection_terminate" and self._dialect.legacy:
            raise Closed(1000, "Terminated")
        else:
            raise Closed(4400, f"Invalid message: type {kind[:50]!r}")

    # --- who ----------------------------------------------------------------------------------------------

    async def _init(self, payload: Any) -> None:
        if self._initialised:
            raise Closed(4429, "Too many initialisation requests")
        self._initialised = True
        try:
            credential = Credential.of(self._call.request, _token_in(payload))
            self._session = await LiveSession.start(self._around.sessions, credential)
        except Unavailable:
            raise Closed(1013, "Try again later") from None
        except ProblemError as error:
            if self._dialect.legacy:
                await self._send({"type": "connection_error", "payload": error_of(error.problem)})
            raise Closed(4403, "Forbidden") from None
        await self._send({"type": "connection_ack"})
        self._acknowledged.set()

    async def _await_init(self) -> None:
        try:
            async with asyncio.timeout(INIT_SECONDS):
                await self._acknowledged.wait()
        except TimeoutError:
            await self._close(4408, "Connection initialisation timeout")

    async def _await_revocation(self) -> None:
        await self._acknowledged.wait()
        assert self._session is not None  # noqa: S101 -- set before it is acknowledged
        with self._around.live.holding(self._session):
            problem = await self._session.revoked()
        log.info("a socket is closed: its session was revoked", code=problem.code)
        await self._close(4403, "Forbidden")

    async def _await_stop(self) -> None:
        await self._around.live.stopping.wait()
        await self._close(1001, "Going away")

    async def _keep_alive(self) -> None:
        await self._acknowledged.wait()
        while True:
            await self._send({"type": "ka"})
            await pause(_LEGACY_KEEP_ALIVE_SECONDS)

    # --- operations ---------------------------------------------------------------------------------------

    def _subscribe(self, operation_id: Any, payload: Any) -> None:
        session = self._session
        if session is None or not self._acknowledged.is_set():
            raise Closed(4401, "Unauthorized")
        if not isinstance(operation_id, str) or not 0 < len(operation_id) <= _MAX_ID_LENGTH:
            raise Closed(4400, "Invalid message: no id")
        if operation_id in self._operations:
            raise Closed(4409, f"Subscriber for {operation_id} already exists")
        task = self._group.create_task(self._operate(operation_id, payload, session))
        self._operations[operation_id] = task

        def forget(ended: asyncio.Task[None]) -> None:
            if self._operations.get(operation_id) is ended:
                del self._operations[operation_id]

        task.add_done_callback(forget)

    async def _operate(self, operation_id: str, payload: Any, session: LiveSession) -> None:
        """One operation to its end; whatever goes wrong in it is told under its id."""
        try:
            if len(self._operations) > MAX_OPERATIONS:
                raise RateLimited(
                    f"{MAX_OPERATIONS} operations run on this socket already.",
                    code="too_many_operations",
                    remedy="Complete some, or open another socket.",
                )
            prepared = self._around.executor.prepare(Sent.read(payload))
            context = Context(self._call.bus, self._around.live, session)
            if prepared.type is OperationType.SUBSCRIPTION:
                async with aclosing(self._around.executor.subscribe(prepared, context)) as answers:
                    async for answer in answers:
                        await self._tell(operation_id, self._dialect.next, answer)
            else:
                answer = await self._around.executor.run(prepared, context)
                await self._tell(operation_id, self._dialect.next, answer)
        except Failed as failed:
            await self._fail(operation_id, failed.errors)
        except ProblemError as error:
            await self._fail(operation_id, [error_of(error.problem)])
        except Exception:
            request_id = secrets.token_hex(16)
            log.exception("unforeseen error in an operation", request_id=request_id)
            await self._fail(operation_id, [error_of(unforeseen(request_id))])
        else:
            self._operations.pop(operation_id, None)
            await self._tell(operation_id, "complete")

    async def _fail(self, operation_id: str, errors: list[dict[str, Any]]) -> None:
        self._operations.pop(operation_id, None)
        # Apollo's older protocol has room for one error.
        await self._tell(operation_id, "error", errors[0] if self._dialect.legacy else errors)

    async def _tell(self, operation_id: str, kind: str, payload: Any = None) -> None:
        message = {"id": operation_id, "type": kind}
        await self._send(message if payload is None else {**message, "payload": payload})

    async def _send(self, message: dict[str, Any]) -> None:
        if self._response.closed:
            return
        try:
            async with asyncio.timeout(SEND_SECONDS):
                await self._response.send_str(orjson.dumps(message).decode())
        except TimeoutError:
            await self._close(1013, "Too slow")
        except ConnectionError:
            pass  # the reader sees the end, too, and ends the rest

    async def _close(self, code: int, reason: str) -> None:
        await self._response.close(code=code, message=reason.encode()[:120])


def _token_in(payload: Any) -> str:
    """A token that came with `connection_init`: `{token}`, or `{Authorization: "Bearer …"}`."""
    if not isinstance(payload, dict):
        return ""
    for name in ("token", "meshery-token", "Authorization", "authorization"):
        value = payload.get(name)
        if isinstance(value, str) and value.strip():
            scheme, _, rest = value.strip().partition(" ")
            return rest.strip() if scheme.lower() == "bearer" else value.strip()
    return ""
