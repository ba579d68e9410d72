"""The ways in, as a person uses them: REST, GraphQL over HTTP and WebSocket, server-sent events, NATS."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import aiohttp
import nats
from nats.aio.client import Client as NATSClient
from tests.system.waiting import shown, until

from meshery_common.background import alongside

GRAPHQL = "/api/system/graphql/query"
_CALL_SECONDS = 70.0


class Unexpected(AssertionError):
    """An answer with another status than the expected one."""

    def __init__(self, where: str, expected: int, status: int, text: str) -> None:
        super().__init__(f"{where}: {expected} expected, {status} came: {shown(text)}")
        self.status = status


class Rest:
    """REST with the session of somebody: of the machine's own person, or of a token."""

    def __init__(self, http: aiohttp.ClientSession, url: str, token: str = "") -> None:
        self.http = http
        self.url = url
        self.headers = {"Authorization": f"Bearer {token}"} if token else {}

    async def call(
        self,
        method: str,
        path: str,
        *,
        status: int = 200,
        body: Any = None,
        form: aiohttp.FormData | None = None,
        query: Mapping[str, Any] | None = None,
        key: str = "",
    ) -> Any:
        """The JSON of an answer that has this very status. Raises AssertionError for another."""
        headers = {**self.headers, **({"Idempotency-Key": key} if key else {})}
        async with self.http.request(
            method,
            self.url + path,
            json=body,
            data=form,
            params={name: str(value) for name, value in (query or {}).items()},
            headers=headers,
            timeout=aiohttp.ClientTimeout(total=_CALL_SECONDS),
        ) as response:
            text = await response.text()
        where = f"{method} {path}"
        if response.status != status:
            raise Unexpected(where, status, response.status, text)
        return json.loads(text) if text else None

    async def get(self, path: str, **query: Any) -> Any:
        """What stands there."""
        return await self.call("GET", path, query=query)

    async def command(self, method: str, path: str, *, status: int = 200, body: Any = None) -> Any:
        """A change, sent again with the same idempotency key until it was taken: as a careful client does."""
        key = str(uuid4())

        async def send() -> tuple[Any, Unexpected | None]:
            try:
                return await self.call(method, path, status=status, body=body, key=key), None
            except Unexpected as error:
                if error.status >= 500:
                    raise
                return None, error

        answer, refusal = await until(f"{method} {path} answers {status}", send, seconds=20)
        if refusal is not None:
            raise refusal
        return answer

    async def all_pages(self, path: str, plural: str, **query: Any) -> list[dict[str, Any]]:
        """Every row of a list, page by page."""
        rows: list[dict[str, Any]] = []
        page = 0
        while True:
            reply = await self.get(path, page=page, pagesize=1000, **query)
            rows += reply[plural]
            if len(rows) >= reply["total_count"] or not reply[plural]:
                return rows
            page += 1


@dataclass
class Stream:
    """What a subscription or event stream has delivered so far."""

    what: str
    received: list[Any] = field(default_factory=list)
    ended: str = ""
    _news: asyncio.Event = field(default_factory=asyncio.Event)
    _read: int = 0

    def put(self, one: Any) -> None:
        """A delivery came."""
        self.received.append(one)
        self._news.set()

    def end(self, why: str) -> None:
        """Nothing more will come."""
        self.ended = why
        self._news.set()

    async def next(self, expected: str, good: Callable[[Any], object], *, seconds: float = 20.0) -> Any:
        """The next delivery that is good; those before it are passed over."""
        try:
            async with asyncio.timeout(seconds):
                while True:
                    while self._read < len(self.received):
                        self._read += 1
                        if good(self.received[self._read - 1]):
                            return self.received[self._read - 1]
                    if self.ended:
                        break
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            pass
        raise AssertionError(
            f"{self.what}: expected within {seconds:.0f} s: {expected}\n"
            f"{len(self.received)} deliveries came, the last ones: {shown(self.received[-5:])}"
            + (f"\nthe stream ended: {self.ended}" if self.ended else "")
        )


class GraphQL:
    """GraphQL with the session of somebody."""

    def __init__(self, rest: Rest) -> None:
        self._rest = rest

    async def answer(self, query: str, **variables: Any) -> Any:
        """The whole answer, errors and all."""
        return await self._rest.call("POST", GRAPHQL, body={"query": query, "variables": variables})

    async def ask(self, query: str, **variables: Any) -> Any:
        """The data. Raises AssertionError when there are errors."""
        answer = await self.answer(query, **variables)
        assert not answer.get("errors"), f"GraphQL: no errors expected: {shown(answer)}"
        return answer["data"]

    @asynccontextmanager
    async def following(self, query: str, **variables: Any) -> AsyncIterator[Stream]:
        """A subscription over graphql-transport-ws for the time of the block; it stands when the block begins."""
        stream = Stream(f"subscription {' '.join(query.split())[:60]}…")
        pongs: asyncio.Queue[None] = asyncio.Queue()
        url = self._rest.url.replace("http", "ws", 1) + GRAPHQL
        async with self._rest.http.ws_connect(
            url, protocols=["graphql-transport-ws"], headers=self._rest.headers
        ) as socket:
            assert socket.protocol == "graphql-transport-ws", f"sub-protocol {socket.protocol!r}"
            await socket.send_json({"type": "connection_init"})
            first = await asyncio.wait_for(socket.receive_json(), 10)
            assert first["type"] == "connection_ack", f"connection_ack expected: {first}"
            payload = {"query": query, "variables": variables}
            await socket.send_json({"id": "1", "type": "subscribe", "payload": payload})
            async with alongside(_read_socket(socket, stream, pongs)):
                # Messages are handled in turn: once the second ping is answered the subscription stands.
                for _ in range(2):
                    await socket.send_json({"type": "ping"})
                    await asyncio.wait_for(pongs.get(), 10)
                yield stream


async def _read_socket(
    socket: aiohttp.ClientWebSocketResponse, stream: Stream, pongs: asyncio.Queue[None]
) -> None:
    async for message in socket:
        if message.type is not aiohttp.WSMsgType.TEXT:
            continue
        told = json.loads(message.data)
        match told["type"]:
            case "next":
                stream.put(told["payload"]["data"] if not told["payload"].get("errors") else told["payload"])
            case "error":
                stream.put({"errors": told["payload"]})
            case "complete":
                stream.end("complete")
            case "pong":
                pongs.put_nowait(None)
            case "ping":
                await socket.send_json({"type": "pong"})
    stream.end(f"closed with {socket.close_code}")


@asynccontextmanager
async def events_of(rest: Rest) -> AsyncIterator[Stream]:
    """The server-sent events of the system for the time of the block."""
    stream = Stream("server-sent events")
    async with rest.http.get(
        rest.url + "/api/system/events/subscribe",
        headers=rest.headers,
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=10),
    ) as response:
        assert response.status == 200, f"200 expected, {response.status} came: {await response.text()}"
        assert response.content_type == "text/event-stream", response.content_type

        async def read() -> None:
            try:
                async for line in response.content:
                    if line.startswith(b"data:"):
                        stream.put(json.loads(line[5:]))
            except aiohttp.ClientError as error:
                stream.end(str(error))
            else:
                stream.end("closed")

        async with alongside(read()):
            yield stream


class Integrator:
    """Somebody with the official NATS client and a token, and nothing else of ours."""

    def __init__(self, client: NATSClient, token: str) -> None:
        self.client = client
        self._token = token
        self.refusals: list[str] = []

    @classmethod
    @asynccontextmanager
    async def connected(cls, token: Mapping[str, Any]) -> AsyncIterator[Integrator]:
        """At NATS for the time of the block. `token` is the answer that showed the new token."""
        refusals: list[str] = []

        async def note(error: Exception) -> None:
            refusals.append(str(error))

        client = await nats.connect(
            token["natsUrl"],
            user=token["natsUser"],
            password=token["token"],
            inbox_prefix=token["natsInboxPrefix"].encode(),
            error_cb=note,
            connect_timeout=5,
        )
        one = cls(client, token["token"])
        one.refusals = refusals
        try:
            yield one
        finally:
            await client.close()

    async def request(self, subject: str, body: Any) -> tuple[dict[str, str], Any]:
        """Headers and JSON of a reply. The token is exchanged for an assertion first."""
        reply = await self.client.request(
            "meshery.rpc.identity.v1.exchange_token", json.dumps({"token": self._token}).encode(), timeout=5
        )
        told = json.loads(reply.data)
        assert told.get("assertion"), f"an assertion expected: {shown(told)}"
        headers = {"Meshery-Caller": told["assertion"]}
        reply = await self.client.request(subject, json.dumps(body).encode(), headers=headers, timeout=10)
        return dict(reply.headers or {}), json.loads(reply.data)
