"""One HTTP request on its way to the services: its session, its parameters, its body, its answer."""

from __future__ import annotations

import asyncio
import hashlib
import time
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeVar
from urllib.parse import parse_qsl
from uuid import UUID

import orjson
from aiohttp import web
from pydantic import BaseModel
from pydantic.alias_generators import to_snake

from meshery_common.background import pause
from meshery_common.bus import Bus
from meshery_common.encoding import encode_request
from meshery_common.processes import WorkerProcess
from meshery_common.room import Room
from meshery_contracts.endpoints import Endpoint
from meshery_contracts.errors import DeadlineExceeded, FieldProblem, Invalid, TooLarge
from meshery_contracts.messages import Message
from meshery_contracts.paging import MAX_PAGE_SIZE
from meshery_gateway.http.reading import id_of, json_object, number_from
from meshery_gateway.http.sessions import Session, Sessions, printable

RequestT = TypeVar("RequestT", bound=Message)
ReplyT = TypeVar("ReplyT", bound=Message)
ValueT = TypeVar("ValueT")

#: Answers shorter than this are not worth compressing, and longer than the next are compressed beside the event loop.
_COMPRESS_FROM_BYTES = 2048
_COMPRESS_HERE_BYTES = 256 * 1024
#: What is longer than this is read, or made an ETag of, where no other request has to wait for it.
_HEAVY_BYTES = 512 * 1024
#: How fast a body has to come in, on average and after the time that it may stand still, in bytes per second.
_SLOWEST_BODY = 16 * 1024
#: Largest form, in bytes: taking one apart holds up everybody else, and anybody may send one.
_FORM_BYTES = 64 * 1024
#: Half the time of the usual level, for a fifth more bytes.
_COMPRESS_LEVEL = 2


@dataclass(frozen=True)
class Limits:
    """What a request may cost."""

    #: Largest body where a route says nothing else, in bytes.
    body_bytes: int
    #: Largest body of the design routes, in bytes.
    design_bytes: int
    #: How long a client may send nothing of a body that is awaited, in seconds.
    body_idle_seconds: float
    #: How long a route waits for an operation to finish, in seconds.
    operation_wait_seconds: float


@dataclass(frozen=True)
class Means:
    """What all calls share."""

    bus: Bus
    sessions: Sessions
    limits: Limits
    #: Memory for large bodies.
    room: Room
    #: Reads them.
    worker: WorkerProcess
    #: Whether browsers shall send our cookies over HTTPS alone.
    secure_cookies: bool = False


class Call:
    """What a route's handler works with. What is put on `taken` ends with the request."""

    def __init__(self, request: web.Request, means: Means, taken: ExitStack) -> None:
        self.request = request
        self.bus = means.bus
        self.limits = means.limits
        self._means = means
        self._taken = taken
        self._session: Session | None = None

    # --- who ----------------------------------------------------------------------------------------------

    async def session(self) -> Session:
        """Who is asking. Raises Unauthenticated."""
        if self._session is None:
            self._session = await self._means.sessions.of(self.request)
        return self._session

    async def session_of(self, token: str) -> Session:
        """Who is behind a token that the request has brought along, perhaps not as its own. Raises Unauthenticated."""
        return await self._means.sessions.of_credential(token, "", loopback=False)

    @property
    def secure_cookies(self) -> bool:
        """Whether cookies are for HTTPS alone."""
        return self._means.secure_cookies

    # --- asking services ----------------------------------------------------------------------------------

    async def ask(
        self, endpoint: Endpoint[RequestT, ReplyT], request: RequestT, *, step: object = ""
    ) -> ReplyT:
        """Ask a service and read its reply.

        `step` tells the commands of one request apart, the same way in a repeat: a key is good for one command.
        """
        return await self.bus.request(
            endpoint,
            request,
            assertion=(await self.session()).assertion,
            idempotency_key=self._key_of(step),
        )

    async def pass_on(
        self, endpoint: Endpoint[RequestT, ReplyT], request: RequestT | bytes, *, status: int = 200
    ) -> web.Response:
        """Ask a service and hand its reply on, unread, with an ETag; so is a request that is JSON already."""
        body = await self.ask_bytes(endpoint, request)
        etag = await asyncio.to_thread(_etag, body) if len(body) > _HEAVY_BYTES else ""
        return self.answer_bytes(body, status=status, etag=etag)

    async def ask_bytes(self, endpoint: Endpoint[RequestT, ReplyT], request: RequestT | bytes) -> bytes:
        """Ask a service; its reply as it came."""
        return await self.bus.request_bytes(
            endpoint,
            request if isinstance(request, bytes) else encode_request(request),
            assertion=(await self.session()).assertion,
            idempotency_key=self.idempotency_key,
        )

    async def beside(
        self, read: Callable[[bytes], ValueT], content: bytes, *, from_bytes: int = _HEAVY_BYTES
    ) -> ValueT:
        """Read bytes, large ones in a process beside, which imports the module of `read`."""
        if len(content) > from_bytes:
            return await self._means.worker.run(read, content)
        return read(content)

    async def finished(
        self, value: ValueT, *, when: Callable[[ValueT], bool], again: Callable[[], Awaitable[ValueT]]
    ) -> ValueT:
        """An operation when it is over, or as it stands when the patience of a route is; `again` reads it."""
        give_up = time.monotonic() + self.limits.operation_wait_seconds
        seconds = 0.1
        while not when(value) and time.monotonic() < give_up:
            await pause(seconds)
            seconds = min(seconds * 1.5, 1.0)
            value = await again()
        return value

    @property
    def idempotency_key(self) -> str:
        """The client's own name for this command; empty when it gave none. Raises Invalid."""
        return printable("Idempotency-Key", self.request.headers.get("Idempotency-Key", ""))

    def _key_of(self, step: object) -> str:
        key = self.idempotency_key
        return f"{key}.{step}" if key and step != "" else key

    # --- answering ----------------------------------------------------------------------------------------

    def answer(self, value: Any, *, status: int = 200) -> web.Response:
        """An answer in JSON."""
        if isinstance(value, BaseModel):
            return self.answer_bytes(value.model_dump_json().encode(), status=status)
        return self.answer_bytes(orjson.dumps(value, default=_plain), status=status)

    def redirect(self, location: str) -> web.Response:
        """An answer that sends the client to another path of ours."""
        return web.Response(status=302, headers={"Location": location})

    def answer_bytes(self, body: bytes, *, status: int = 200, etag: str = "") -> web.Response:
        """An answer that is JSON already. A client that has this very answer is told so."""
        headers = {"Content-Type": "application/json"}
        if self.request.method in ("GET", "HEAD"):
            etag = etag or _etag(body)
            headers["ETag"] = etag
            headers["Cache-Control"] = "private, no-cache"
            if self.request.headers.get("If-None-Match") == etag:
                return web.Response(status=304, headers=headers)
        if len(body) < _COMPRESS_FROM_BYTES or "gzip" not in self.request.headers.get("Accept-Encoding", ""):
            return web.Response(status=status, body=body, headers=headers)
        if len(body) <= _COMPRESS_HERE_BYTES:
            headers["Content-Encoding"] = "gzip"
            return web.Response(status=status, body=_gzipped(body), headers=headers)
        response = web.Response(status=status, body=body, headers=headers)
        response.enable_compression(web.ContentCoding.gzip)
        return response

    # --- parameters ---------------------------------------------------------------------------------------

    def id(self, name: str = "id") -> UUID:
        """A UUID of the path. Raises Invalid."""
        return id_of(name, self.request.match_info[name])

    def text(self, *names: str) -> str:
        """A query parameter in whichever spelling the client used: camelCase, snake_case or all lower."""
        if not self.request.query_string:
            return ""  # reading a query costs more than the rest of a plain GET's parameters
        query = self.request.query
        for name in names:
            for spelling in _spellings(name):
                if spelling in query:
                    return query[spelling].strip()
        return ""

    def flag(self, *names: str) -> bool:
        """A yes-or-no parameter."""
        return self.text(*names).lower() in ("true", "1", "yes")

    def texts(self, *names: str) -> list[str]:
        """A parameter with several values: repeated, or one JSON array. Raises Invalid for a broken array."""
        found: list[str] = []
        for name in names:
            for spelling in _spellings(name):
                for value in self.request.query.getall(spelling, []):
                    found.extend(_values_of(name, value))
        return found

    def texts_if_given(self, name: str) -> list[str] | None:
        """The same, and none where the parameter is not there: an empty array is something else then."""
        given = any(text.strip() for one in _spellings(name) for text in self.request.query.getall(one, []))
        return self.texts(name) if given else None

    def ids(self, *names: str) -> list[UUID]:
        """A parameter with several UUIDs. Raises Invalid."""
        try:
            return [UUID(one) for one in self.texts(*names)]
        except ValueError:
            raise Invalid(f"{names[0]} must hold ids.", code="id_invalid") from None

    def page(
        self, *, default_size: int, most: int = MAX_PAGE_SIZE, crosswise: bool = False
    ) -> dict[str, Any]:
        """Paging, search and order as the fields of a `PageRequest`.

        `crosswise` reads `order=<column>&sort=asc|desc`, otherwise `order="<column> asc|desc"`; events have it
        the other way round again. See `lists` for pages that are longer than one reply.
        """
        size = self.text("pageSize")
        order = self.text("order")
        if crosswise:
            direction = self.text("sort").lower()
            order = f"{order} {direction if direction in ('asc', 'desc') else 'desc'}" if order else ""
        everything = size.lower() == "all"
        wanted = most if everything else number_from("pageSize", size, default_size) or default_size
        found: dict[str, Any] = {
            "page": number_from("page", self.text("page"), 0),
            "page_size": min(wanted, most),
            "search": self.text("search", "q")[:500],
            "order": order[:100],
        }
        if cursor := self.text("cursor"):
            found["cursor"] = cursor
        return found

    # --- body ---------------------------------------------------------------------------------------------

    async def body_bytes(self, most: int | None = None) -> bytes:
        """The body, however it is typed. A large one takes room until the request is over.

        Raises TooLarge, Unavailable when there is no room, DeadlineExceeded as `receiving` does.
        """
        limit = most or self.limits.body_bytes
        request = self.request
        told = request.content_length if "Content-Encoding" not in request.headers else None
        if told is not None and told > limit:
            raise _too_large(limit)
        # Who does not say how much comes may send as much as is allowed.
        expected = limit if told is None else told
        if expected <= self.limits.body_bytes:
            return await self._received(limit)
        self._taken.enter_context(self._means.room.take(expected))
        return await self._received(limit)

    async def _received(self, limit: int) -> bytes:
        chunks: list[bytes] = []
        size = 0
        async with self.receiving() as arrived:
            async for chunk in self.request.content.iter_any():
                arrived(len(chunk))
                size += len(chunk)
                if size > limit:
                    raise _too_large(limit)
                chunks.append(chunk)
        return b"".join(chunks)

    @asynccontextmanager
    async def receiving(self) -> AsyncIterator[Callable[[int], None]]:
        """For reading a body: the block is given up when too little comes in; tell it of each bytes' arrival.

        A client may stand still for a while and be slow for as long as it likes, but not send drop by drop.
        Raises DeadlineExceeded.
        """
        idle = self.limits.body_idle_seconds
        loop = asyncio.get_running_loop()
        give_up = loop.time() + idle
        try:
            async with asyncio.timeout_at(give_up) as patience:

                def arrived(size: int) -> None:
                    nonlocal give_up
                    give_up = min(give_up + size / _SLOWEST_BODY, loop.time() + idle)
                    patience.reschedule(give_up)

                yield arrived
        except TimeoutError:
            raise DeadlineExceeded(
                "The request body did not come in.",
                code="body_too_slow",
                cause=f"Nothing came for {idle:g} seconds, or less than {_SLOWEST_BODY // 1024} KiB per second.",
                remedy="Send it again over a better line, or in smaller parts.",
            ) from None

    async def body(self, most: int | None = None) -> dict[str, Any]:
        """The body as a JSON object; an empty body is an empty object. Raises Invalid."""
        return json_object(await self.body_bytes(most))

    async def form(self) -> dict[str, str]:
        """The body as a form of texts, `name=value&…`; where a name repeats the last one counts."""
        content = await self.body_bytes(_FORM_BYTES)
        return dict(parse_qsl(content.decode(errors="replace"), keep_blank_values=True))


def _too_large(limit: int) -> TooLarge:
    return TooLarge(
        f"The request body is larger than {limit:,} bytes.",
        code="body_too_large",
        remedy="Send less at once.",
    )


def _etag(body: bytes) -> str:
    return f'"{hashlib.blake2b(body, digest_size=12).hexdigest()}"'


def _gzipped(body: bytes) -> bytes:
    packer = zlib.compressobj(_COMPRESS_LEVEL, wbits=zlib.MAX_WBITS | 16)
    return packer.compress(body) + packer.flush()


@lru_cache(maxsize=1000)
def _spellings(name: str) -> tuple[str, ...]:
    """camelCase, snake_case and all lower, each once."""
    return tuple(dict.fromkeys((name, to_snake(name), name.lower())))


def _values_of(name: str, value: str) -> Sequence[str]:
    value = value.strip()
    if not value.startswith("["):
        return [value] if value else []
    try:
        parsed = orjson.loads(value)
    except orjson.JSONDecodeError:
        parsed = None
    if not isinstance(parsed, list) or not all(isinstance(one, str) for one in parsed):
        raise Invalid(
            f"{name} must be a JSON array of texts.",
            code="parameter_invalid",
            fields=(FieldProblem(path=name, message=f"{value[:100]!r} is none"),),
        )
    return parsed


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    raise TypeError(type(value).__name__)
