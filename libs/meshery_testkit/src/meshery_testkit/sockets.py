"""A client's end of a GraphQL socket, message by message."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import orjson
from aiohttp import ClientSession, ClientWebSocketResponse, WSMsgType

PATH = "/api/system/graphql/query"


def _expect(good: bool, told: Any) -> None:
    if not good:
        raise AssertionError(told)


class Wire:
    """A client's end of a socket."""

    def __init__(self, socket: ClientWebSocketResponse) -> None:
        self.socket = socket

    async def send(self, kind: str, operation_id: str = "", payload: Any = None) -> None:
        message = {"type": kind}
        if operation_id:
            message["id"] = operation_id
        if payload is not None:
            message["payload"] = payload
        await self.socket.send_str(orjson.dumps(message).decode())

    async def get(self) -> Any:
        async with asyncio.timeout(10):
            message = await self.socket.receive()
        _expect(message.type is WSMsgType.TEXT, message)
        return orjson.loads(message.data)

    async def closed(self) -> int:
        """The code that the server closes with; what comes before is passed over."""
        async with asyncio.timeout(10):
            while True:
                message = await self.socket.receive()
                if message.type in (WSMsgType.CLOSE, WSMsgType.CLOSED, WSMsgType.CLOSING):
                    return self.socket.close_code or 0

    async def init(self, payload: Any = None) -> None:
        await self.send("connection_init", payload=payload)
        told = await self.get()
        _expect(told["type"] == "connection_ack", told)

    async def subscribe(self, query: str, operation_id: str = "1", **variables: Any) -> None:
        """Subscribe; a query after it is answered when the subscription stands."""
        await self.send("subscribe", operation_id, {"query": query, "variables": variables})
        await self.send("subscribe", "settle", {"query": "{ __typename }"})
        for kind in ("next", "complete"):
            told = await self.get()
            _expect((told["id"], told["type"]) == ("settle", kind), told)

    async def next(self, operation_id: str = "1") -> Any:
        """The data of the next delivery."""
        told = await self.get()
        _expect((told["type"], told["id"]) == ("next", operation_id), told)
        _expect("errors" not in told["payload"], told)
        return told["payload"]["data"]


@asynccontextmanager
async def wired(
    http: ClientSession, protocol: str = "graphql-transport-ws", **headers: str
) -> AsyncIterator[Wire]:
    async with http.ws_connect(PATH, protocols=(protocol,), headers=headers) as socket:
        yield Wire(socket)
