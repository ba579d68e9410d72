"""The body of an answer on its way through the proxy, byte by byte."""

from __future__ import annotations

import asyncio
import socket
import struct
from contextlib import suppress

import orjson
from aiohttp import web

from meshery_testkit.faults.injections import Injection
from meshery_testkit.faults.kinds import ErrorEvent, Fault, Hang, Reset, Slow

_SLICES_PER_SECOND = 20


class Body:
    """Passes a body on until the fault strikes. False from its methods: there is nothing more to be sent."""

    def __init__(
        self, request: web.BaseRequest, response: web.StreamResponse, injection: Injection | None
    ) -> None:
        self._request = request
        self._response = response
        self._injection = injection
        self._fault: Fault | None = injection.fault if injection is not None else None
        self._sent = 0
        self._events = 0

    async def begin(self) -> bool:
        """The headers are out."""
        match self._fault:
            case ErrorEvent(after_events=0) as fault:
                return await self._until_event(fault, b"")
            case Reset(after_bytes=0):
                await self._break(b"")
                return False
        return True

    async def pass_on(self, data: bytes) -> bool:
        """More of the API server's bytes."""
        match self._fault:
            case ErrorEvent() as fault:
                return await self._until_event(fault, data)
            case Hang(after_bytes=int(limit)) if self._sent + len(data) >= limit:
                cut = limit - self._sent
                await self._write(data[:cut])
                await self._hold()
                self._fault = None
                data = data[cut:]
            case Reset(after_bytes=limit) if self._sent + len(data) >= limit:
                await self._break(data[: limit - self._sent])
                return False
            case Slow(bytes_per_second=rate) if rate:
                step = max(1, rate // _SLICES_PER_SECOND)
                for start in range(0, len(data), step):
                    await self._write(data[start : start + step])
                    await asyncio.sleep(step / rate)
                return True
        await self._write(data)
        return True

    async def end(self) -> bool:
        """The API server has said everything, and the fault waited for more."""
        match self._fault:
            case ErrorEvent() as fault:
                await self._write(_error_event(fault))
            case Hang():
                await self._hold()
            case Reset():
                await self._break(b"")
                return False
        return True

    async def _until_event(self, fault: ErrorEvent, data: bytes) -> bool:
        for line in (b"", *data.splitlines(keepends=True)):
            await self._write(line)
            self._events += line.endswith(b"\n")
            if self._events == fault.after_events:
                await self._write(_error_event(fault))
                await self._response.write_eof()
                return False
        return True

    async def _hold(self) -> None:
        if self._injection is not None:
            await self._injection.until_lifted()

    async def _write(self, data: bytes) -> None:
        self._sent += len(data)
        if data:
            await self._response.write(data)

    async def _break(self, data: bytes) -> None:
        """Announce a chunk, send a part of it, reset."""
        transport = self._request.transport
        if transport is not None:
            chunked = self._response.chunked
            transport.write((b"%x\r\n" % (len(data) + 1_000) if chunked else b"") + data)
            # Give it to the kernel before the connection goes.
            await asyncio.sleep(0.05)
        reset(self._request)


def _error_event(fault: ErrorEvent) -> bytes:
    return orjson.dumps({"type": "ERROR", "object": fault.status.document()}) + b"\n"


def reset(request: web.BaseRequest) -> None:
    """End a connection as a crash of the other side does."""
    transport = request.transport
    if transport is None:
        return
    connection = transport.get_extra_info("socket")
    if connection is not None:  # it is None once the other side has gone
        with suppress(OSError):
            # No waiting for the other side: the kernel sends RST.
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()
