"""Events as they happen, as server-sent events: what a browser reads with EventSource, and `curl` as well.

Frames are unnamed and end with LF, as Meshery's parsers want them. Each carries the event's id, so that a client
that comes back gets what it missed; after a gap on our side the same is done without its asking.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from uuid import UUID

import structlog
from aiohttp import web

from meshery_common.background import alongside
from meshery_common.bus import Bus
from meshery_common.ids import uuid7
from meshery_contracts import events as contract
from meshery_contracts.errors import ProblemError
from meshery_contracts.events import Event, ListEvents
from meshery_contracts.keys import Key
from meshery_gateway.http.calls import Call
from meshery_gateway.http.guards import SECURITY_HEADERS
from meshery_gateway.http.live import Following, Live, concerns
from meshery_gateway.http.live_sessions import Credential, LiveSession
from meshery_gateway.http.routes import Route
from meshery_gateway.http.sessions import Sessions
from meshery_gateway.http.shapes import TEXT, Content

log = structlog.get_logger()

#: The most events that a client gets that comes back.
MAX_REPLAYED = 1_000
_REPLAY_PAGE = 100
_WRITE_SECONDS = 30.0
_HEADERS = {
    **SECURITY_HEADERS,
    "Content-Type": "text/event-stream",
    "Cache-Control": "no-cache",
    "Connection": "keep-alive",
    "X-Accel-Buffering": "no",
}


class EventStreams:
    """Serves the stream of events."""

    def __init__(self, live: Live, sessions: Sessions, keep_alive_seconds: float) -> None:
        self._live = live
        self._sessions = sessions
        self._keep_alive_seconds = keep_alive_seconds

    async def serve(self, call: Call) -> web.StreamResponse:
        """New events of the caller, until he goes or his session is revoked."""
        session = LiveSession(self._sessions, Credential.of(call.request), await call.session())
        last_id = _last_event_id(call.request)
        # Followed before the headers are sent: whoever has seen them misses nothing that comes after.
        with (
            self._live.follow(session, Key.VIEW_EVENTS, contract.STORED) as following,
            self._live.holding(session),
        ):
            response = web.StreamResponse(headers=_HEADERS)
            await response.prepare(call.request)
            # Something at once: a client, or a person at a shell, sees that it is connected.
            await response.write(b": following\n\n")

            async def end_when_revoked() -> None:
                problem = await session.revoked()
                log.info("an event stream ends: its session was revoked", code=problem.code)
                following.end()

            stream = _Stream(call.bus, session, response, last_id)
            async with alongside(end_when_revoked()):
                if last_id is not None:
                    await stream.replay()
                await stream.follow(following, self._keep_alive_seconds)
        return response


class _Stream:
    """The frames of one client."""

    def __init__(
        self, bus: Bus, session: LiveSession, response: web.StreamResponse, last_id: UUID | None
    ) -> None:
        self._bus = bus
        self._session = session
        self._response = response
        # Ids of events tell their time, so one of now stands for "nothing seen yet".
        self._last_id = last_id or uuid7()
        self._told: deque[UUID] = deque(maxlen=MAX_REPLAYED)

    async def follow(self, following: Following, keep_alive_seconds: float) -> None:
        """Write what comes; a comment when nothing does."""
        while True:
            try:
                async with asyncio.timeout(keep_alive_seconds):
                    delivery = await anext(following, None)
            except TimeoutError:
                await self._write(b": keep-alive\n\n")
                continue
            except ProblemError:
                return  # the key is gone: the client asks again and is told why
            if delivery is None:
                return
            if delivery.happened is None:
                await self.replay()
                continue
            event = delivery.happened.event
            if isinstance(event, Event) and concerns(event.user_id, self._session):
                await self._write_event(event, delivery.happened.json)

    async def replay(self) -> None:
        """Write what was stored after the last event that the client has seen."""
        try:
            missed = [event async for event in self._missed()]
        except ProblemError as error:
            log.warning("missed events cannot be read", error=str(error))
            return
        for event in reversed(missed):
            await self._write_event(event, event.model_dump_json().encode())

    async def _missed(self) -> AsyncIterator[Event]:
        """Newest first, down to the last one seen."""
        for page in range(MAX_REPLAYED // _REPLAY_PAGE):
            request = ListEvents(page=page, page_size=_REPLAY_PAGE, order="created_at desc")
            reply = await self._bus.request(contract.LIST, request, assertion=self._session.assertion)
            for event in reply.events:
                if event.id == self._last_id or _millisecond(event.id) < _millisecond(self._last_id):
                    return
                yield event
            if len(reply.events) < _REPLAY_PAGE:
                return

    async def _write_event(self, event: Event, json: bytes) -> None:
        if event.id in self._told:
            return
        await self._write(b"id: %s\ndata: %s\n\n" % (str(event.id).encode(), json))
        self._told.append(event.id)
        self._last_id = event.id

    async def _write(self, frame: bytes) -> None:
        """Raises TimeoutError or ConnectionError for a peer that does not take it: the stream ends."""
        async with asyncio.timeout(_WRITE_SECONDS):
            await self._response.write(frame)


def _millisecond(event_id: UUID) -> int:
    """When an id was made (version 7); of those made in one millisecond nobody knows the order."""
    return event_id.int >> 80


def _last_event_id(request: web.Request) -> UUID | None:
    """What the client has seen last; anything that is no id counts as nothing."""
    text = request.headers.get("Last-Event-ID") or request.query.get("lastEventId", "")
    try:
        return UUID(text)
    except ValueError:
        return None


def routes(live: Live, sessions: Sessions, keep_alive_seconds: float) -> tuple[Route, ...]:
    """The routes of event streams."""
    streams = EventStreams(live, sessions, keep_alive_seconds)
    return (
        Route(
            "GET",
            "/api/system/events/subscribe",
            streams.serve,
            contract.LIST,
            "Events as they happen",
            "Events",
            ("lastEventId",),
            answer=Content(TEXT, "text/event-stream"),
            endless=True,
        ),
    )
