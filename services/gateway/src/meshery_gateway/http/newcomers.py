"""Connections that have not asked for anything yet.

The HTTP server waits for the head of a connection's first request without end. Who sends it letter by letter, or not
at all, would hold a file descriptor for good.
"""

from __future__ import annotations

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from meshery_common.background import pause


class Newcomers:
    """Who is new: told of every request, and by the server of all connections."""

    def __init__(self) -> None:
        self._known: set[RequestHandler] = set()

    def asked(self, request: web.Request) -> None:
        """Its connection is new no longer."""
        self._known.add(request.protocol)

    async def turn_away(self, server: web.Server, seconds: float) -> None:
        """Close, for ever, connections without a whole head after this time, after twice of it at the latest."""
        waiting: set[RequestHandler] = set()
        while True:
            await pause(seconds)
            there = set(server.connections)
            self._known &= there
            new = there - self._known
            for late in waiting & new:
                late.force_close()
            waiting = new
