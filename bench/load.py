"""A load generator that costs next to nothing itself: keep-alive connections, prebuilt requests, raw sockets."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field


@dataclass
class Round:
    """What one round of load measured."""

    requests_per_second: float
    #: Latencies in seconds, sorted.
    latencies: list[float] = field(repr=False)

    def percentile(self, share: float) -> float:
        """A latency in seconds, e.g. 0.99."""
        return self.latencies[min(len(self.latencies) - 1, int(len(self.latencies) * share))]


class _Connection(asyncio.Protocol):
    """Sends the same request again as soon as its answer is whole."""

    def __init__(self, request: bytes, latencies: list[float], stop_at: float) -> None:
        self._request = request
        self._latencies = latencies
        self._stop_at = stop_at
        self._buffer = bytearray()
        self._sent = 0.0
        self.closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: asyncio.Transport = transport  # type: ignore[assignment]  # it is one
        self._send()

    def _send(self) -> None:
        self._sent = time.perf_counter()
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head_end = self._buffer.find(b"\r\n\r\n")
        if head_end < 0:
            return
        head = bytes(self._buffer[:head_end]).lower()
        length = int(head.split(b"content-length:")[1].split(b"\r\n")[0])
        if len(self._buffer) < head_end + 4 + length:
            return
        if not head.startswith(b"http/1.1 200"):
            self.closed.set_exception(RuntimeError(bytes(self._buffer[:500]).decode()))
            self._transport.close()
            return
        now = time.perf_counter()
        self._latencies.append(now - self._sent)
        self._buffer.clear()
        if now < self._stop_at:
            self._send()
        else:
            self._transport.close()

    def connection_lost(self, _error: Exception | None) -> None:
        if not self.closed.done():
            self.closed.set_result(None)


async def load(port: int, path: str, *, connections: int, seconds: float) -> Round:
    """GET a path over so many connections at once, for so long."""
    request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode()
    latencies: list[float] = []
    started = time.perf_counter()
    loop = asyncio.get_running_loop()
    made = [
        await loop.create_connection(
            lambda: _Connection(request, latencies, started + seconds), "127.0.0.1", port
        )
        for _ in range(connections)
    ]
    for _, protocol in made:
        await protocol.closed
    elapsed = time.perf_counter() - started
    return Round(len(latencies) / elapsed, sorted(latencies))
