"""One HTTP request on its way to the services: its session, its parameters, its body, its answer."""

from __future__ import annotations

import hashlib
import time
import zlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeVar
from uuid import UUID

import orjson
from aiohttp import web
from pydantic import BaseModel, ValidationError
from pydantic.alias_generators import to_snake

from meshery_common.background import pause
from meshery_common.bus import Bus
from meshery_contracts.endpoints import Endpoint
from meshery_contracts.errors import FieldProblem, Invalid, TooLarge
from meshery_contracts.messages import Message
from meshery_contracts.paging import MAX_PAGE_SIZE
from meshery_gateway.http.sessions import Session, Sessions, printable

RequestT = TypeVar("RequestT", bound=Message)
ReplyT = TypeVar("ReplyT", bound=Message)
BodyT = TypeVar("BodyT", bound=BaseModel)
ValueT = TypeVar("ValueT")

#: Answers shorter than this are not worth compressing, and longer than the next are compressed beside the event loop.
_COMPRESS_FROM_BYTES = 2048
_COMPRESS_HERE_BYTES = 256 * 1024
#: Half the time of the usual level, for a fifth more bytes.
_COMPRESS_LEVEL = 2


@dataclass(frozen=True)
class Limits:
    """What a request may cost."""

    #: Largest body where a route says nothing else, in bytes.
    body_bytes: int
    #: Largest body of the design routes, in bytes.
    design_bytes: int
    #: How long a route waits for an operation to finish, in seconds.
    operation_wait_seconds: float


class Call:
    """What a route's handler works with."""

    def __init__(self, request: web.Request, bus: Bus, sessions: Sessions, limits: Limits) -> None:
        self.request = request
        self.bus = bus
        self.limits = limits
        self._sessions = sessions
        self._session: Session | None = None

    # --- who ----------------------------------------------------------------------------------------------

    async def session(self) -> Session:
        """Who is asking. Raises Unauthenticated."""
        if self._session is None:
            self._session = await self._sessions.of(self.request)
        return self._session

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
        return self.answer_bytes(await self.ask_bytes(endpoint, request), status=status)

    async def ask_bytes(self, endpoint: Endpoint[RequestT, ReplyT], request: RequestT | bytes) -> bytes:
        """Ask a service; its reply as it came."""
        return await self.bus.request_bytes(
            endpoint,
            request if isinstance(request, bytes) else request.model_dump_json(exclude_unset=True).encode(),
            assertion=(await self.session()).assertion,
            idempotency_key=self.idempotency_key,
        )

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

    def answer_bytes(self, body: bytes, *, status: int = 200) -> web.Response:
        """An answer that is JSON already. A client that has this very answer is told so."""
        headers = {"Content-Type": "application/json"}
        if self.request.method == "GET":
            etag = f'"{hashlib.blake2b(body, digest_size=12).hexdigest()}"'
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
        text = self.request.match_info[name]
        try:
            return UUID(text)
        except ValueError:
            raise Invalid(
                f"{text!r} is no id.",
                code="id_invalid",
                fields=(FieldProblem(path=name, message="must be a UUID"),),
                remedy="Take the id from a list.",
            ) from None

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
        the other way round again. `pagesize=all` asks for as much as one reply carries.
        """
        size = self.text("pageSize")
        order = self.text("order")
        if crosswise:
            direction = self.text("sort").lower()
            order = f"{order} {direction if direction in ('asc', 'desc') else 'desc'}" if order else ""
        everything = size.lower() == "all"
        wanted = most if everything else self._number("pageSize", size, default_size) or default_size
        found: dict[str, Any] = {
            "page": self._number("page", self.text("page"), 0),
            "page_size": min(wanted, most),
            "search": self.text("search", "q")[:500],
            "order": order[:100],
        }
        if cursor := self.text("cursor"):
            found["cursor"] = cursor
        return found

    def _number(self, name: str, text: str, default: int) -> int:
        if not text:
            return default
        # `isdigit` alone takes digits that `int` does not know, such as ².
        if not (text.isascii() and text.isdigit()) or len(text) > 7:
            raise Invalid(
                f"{name} must be a number from 0.",
                code="parameter_invalid",
                fields=(FieldProblem(path=name, message=f"{text[:50]!r} is no number from 0"),),
            )
        return int(text)

    # --- body ---------------------------------------------------------------------------------------------

    async def body_bytes(self, most: int | None = None) -> bytes:
        """The body, however it is typed. Raises TooLarge."""
        limit = most or self.limits.body_bytes
        chunks: list[bytes] = []
        size = 0
        async for chunk in self.request.content.iter_any():
            size += len(chunk)
            if size > limit:
                raise TooLarge(
                    f"The request body is larger than {limit:,} bytes.",
                    code="body_too_large",
                    remedy="Send less at once.",
                )
            chunks.append(chunk)
        return b"".join(chunks)

    async def body(self, most: int | None = None) -> dict[str, Any]:
        """The body as a JSON object; an empty body is an empty object. Raises Invalid."""
        content = await self.body_bytes(most)
        if not content.strip():
            return {}
        try:
            value = orjson.loads(content)
        except orjson.JSONDecodeError as error:
            raise Invalid(
                "The request body is no valid JSON.",
                code="body_unreadable",
                detail=str(error)[:200],
                remedy="Send a JSON object.",
            ) from None
        if not isinstance(value, dict):
            raise Invalid("The request body must be a JSON object.", code="body_shape")
        return value


def _gzipped(body: bytes) -> bytes:
    packer = zlib.compressobj(_COMPRESS_LEVEL, wbits=zlib.MAX_WBITS | 16)
    return packer.compress(body) + packer.flush()


def message_from(kind: type[BodyT], values: dict[str, Any]) -> BodyT:
    """A message from what a client sent; keys in either spelling, camelCase wins. Raises Invalid."""
    try:
        return kind.model_validate(both_read(values))
    except ValidationError as error:
        fields = tuple(
            FieldProblem(path=".".join(str(part) for part in one["loc"]), message=one["msg"])
            for one in error.errors(include_url=False, include_context=False, include_input=False)
        )
        raise Invalid(
            f"The request is not valid at {fields[0].path}: {fields[0].message}.",
            code="request_invalid",
            fields=fields,
        ) from None


def both_read(values: Any, name: str = "the body") -> dict[str, Any]:
    """First-level keys in snake_case; where a client sent both spellings the camelCase one counts.

    Raises Invalid, naming what it is by `name`, for anything but an object.
    """
    if not isinstance(values, dict):
        raise Invalid(f"`{name}` must be a JSON object.", code="body_shape")
    plain = {key: value for key, value in values.items() if _snake(key) == key}
    camel = {_snake(key): value for key, value in values.items() if _snake(key) != key}
    return {**plain, **camel}


#: Keys repeat; finding their spelling takes four regular expressions.
_snake = lru_cache(maxsize=1000)(to_snake)


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
