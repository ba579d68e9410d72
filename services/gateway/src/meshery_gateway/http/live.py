"""What happens, told to whoever follows it: one subscription of the process at the bus, many followers.

A message is decoded once and shared. Every follower has a bounded queue: one that is too slow loses the oldest
and is told so by a marker, as is everybody after a gap or a reconnect, so that nobody silently shows what is no
longer true. What must not be in here: HTTP, GraphQL, decisions beyond the key and the organisation.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Collection, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final, Protocol
from uuid import UUID

import structlog
from prometheus_client import Counter, Gauge
from pydantic import ValidationError

from meshery_common.bus import Bus, Header
from meshery_contracts import identity, registry
from meshery_contracts.catalogue import contract_for
from meshery_contracts.endpoints import Topic
from meshery_contracts.errors import Unavailable
from meshery_contracts.keys import Key
from meshery_contracts.messages import Message
from meshery_contracts.wiring import WIRING
from meshery_gateway.http.live_sessions import LiveSession
from meshery_gateway.http.sessions import Sessions
from meshery_gateway.http.visibility import VisibleConnections

log = structlog.get_logger()

#: What one follower may have waiting before the oldest is dropped.
QUEUE_LENGTH = 256
#: Live subjects whose numbers are watched; the least recently heard ones are forgotten.
_WATCHED_SUBJECTS = 10_000
#: Of the nil organisation, to followers in every one: what ships with us is in everybody's registry.
_FOR_EVERYBODY: Final = frozenset({(registry.MODELS_REGISTERED.service, registry.MODELS_REGISTERED.name)})
_NIL: Final = str(UUID(int=0))
#: Replicas of a service that may publish on one live subject, each with numbers of its own.
_PUBLISHERS = 8

FOLLOWERS = Gauge("meshery_live_followers", "Open subscriptions and event streams.")
DROPPED = Counter("meshery_live_dropped_total", "Deliveries dropped because a follower was too slow.")
GAPS = Counter("meshery_live_gaps_total", "Times that messages may have been missed.", ["why"])


class Arrived(Protocol):
    """A raw message of the bus."""

    @property
    def subject(self) -> str: ...

    @property
    def data(self) -> bytes: ...

    @property
    def headers(self) -> dict[str, str] | None: ...


@dataclass(frozen=True)
class Happened:
    """One fact or live delta, shared by all who follow it."""

    topic: Topic[Message]
    event: Message

    @cached_property
    def json(self) -> bytes:
        """The event as JSON, written once however many read it."""
        return self.event.model_dump_json().encode()


@dataclass(frozen=True, slots=True)
class Delivery:
    """What a follower gets: something that happened, or the marker that something may be missing."""

    #: Counts the deliveries of this very subscription, from 1.
    sequence: int
    happened: Happened | None

    @property
    def resync(self) -> bool:
        """Whether the follower should read anew what it shows."""
        return self.happened is None


class Following:
    """The queue of one follower. Iterate it; it ends when the process stops."""

    def __init__(self, session: LiveSession, topics: Iterable[Topic[Any]], key: Key) -> None:
        self._session = session
        self._key = key
        self.organization_id = session.organization_id
        self.topics = tuple(topics)
        self._waiting: deque[Happened] = deque()
        self._missed = False
        self._ended = False
        self._sequence = 0
        self._wake = asyncio.Event()

    def put(self, happened: Happened) -> None:
        """Queue it; the oldest goes when the queue is full."""
        if len(self._waiting) >= QUEUE_LENGTH:
            self._waiting.popleft()
            DROPPED.inc()
            self._missed = True
        self._waiting.append(happened)
        self._wake.set()

    def miss(self) -> None:
        """Tell the follower that something may be missing; several times before it reads is once."""
        self._missed = True
        self._wake.set()

    def skip(self) -> None:
        """Drop what waits: the follower is about to read anew."""
        self._missed = False
        self._waiting.clear()

    def end(self) -> None:
        """No more will come."""
        self._ended = True
        self._wake.set()

    def __aiter__(self) -> AsyncIterator[Delivery]:
        return self

    async def __anext__(self) -> Delivery:
        """The next delivery. Raises Forbidden once the person lost the key."""
        while not (self._missed or self._waiting or self._ended):
            self._wake.clear()
            await self._wake.wait()
        self._session.require(self._key)
        if not (self._missed or self._waiting):
            raise StopAsyncIteration
        self._sequence += 1
        if self._missed:
            self._missed = False
            return Delivery(self._sequence, None)
        return Delivery(self._sequence, self._waiting.popleft())


@dataclass
class _Numbers:
    """The last number heard from each publisher of one live subject."""

    last: list[int] = field(default_factory=list)

    def missing(self, number: int) -> bool:
        """Whether something before this number was not heard."""
        for position, last in enumerate(self.last):
            if number == last + 1:
                self.last[position] = number
                return False
        known = bool(self.last)
        self.last.append(number)
        del self.last[:-_PUBLISHERS]
        # A publisher begins with 1; the first number that we hear at all may be any.
        return known and number != 1


class Live:
    """The fan-out of one process."""

    def __init__(self, sessions: Sessions, visible: VisibleConnections) -> None:
        self._sessions = sessions
        self.visible = visible
        self._followers: dict[tuple[str, str, str], set[Following]] = {}
        self._numbers: OrderedDict[str, _Numbers] = OrderedDict()
        self._topics = {
            (topic.service, topic.name): topic
            for service in WIRING["gateway"].watches
            for topic in contract_for(service).topics
        }
        self._open: set[LiveSession] = set()
        self.stopping = asyncio.Event()

    @classmethod
    @asynccontextmanager
    async def open(cls, bus: Bus, sessions: Sessions) -> AsyncIterator[Live]:
        """The fan-out, listening for the time of the block; at its end every stream is told to end."""
        live = cls(sessions, VisibleConnections(bus))
        bus.when_missed(live.reconnected)
        for service in WIRING["gateway"].watches:
            for kind in ("evt", "live"):
                await bus.subscribe(f"meshery.{kind}.{service.replace('-', '_')}.>", live.arrived)
        try:
            yield live
        finally:
            live.stop()
            await bus.unsubscribe(live.arrived)

    def stop(self) -> None:
        """End every stream: the process is about to stop, and clients go elsewhere."""
        self.stopping.set()
        for following in self._everybody():
            following.end()

    # --- listening ----------------------------------------------------------------------------------------

    async def arrived(self, message: Arrived) -> None:
        """One message of the bus, to whoever follows it."""
        parts = message.subject.split(".")
        if len(parts) < 6:
            return
        kind, service, organization, name = parts[1], parts[2], parts[4], parts[5]
        if kind == "live" and self._gap(message):
            GAPS.labels("sequence").inc()
            self._miss(organization, service, name)
        followers = self._followers_of(organization, service, name)
        topic = self._topics.get((service, name))
        if topic is identity.TOKEN_REVOKED:
            self._sessions.forget()
            self._renew(organization)
        if not followers or topic is None:
            return
        try:
            happened = Happened(topic, topic.event.model_validate_json(message.data))
        except ValidationError as error:
            # A publisher newer than us: those who follow must read anew rather than not know.
            log.warning("a message cannot be read", subject=message.subject, error=str(error)[:500])
            self._miss(organization, service, name)
            return
        for following in followers:
            following.put(happened)

    def reconnected(self) -> None:
        """The connection was lost for a while: nobody knows what passed."""
        GAPS.labels("reconnect").inc()
        self._numbers.clear()
        for following in self._everybody():
            following.miss()
        # Revocations may have passed as well.
        self._sessions.forget()
        self._renew(None)

    def _gap(self, message: Arrived) -> bool:
        number = (message.headers or {}).get(Header.SEQUENCE, "")
        if not number.isdigit():
            return False
        numbers = self._numbers.pop(message.subject, None) or _Numbers()
        self._numbers[message.subject] = numbers
        if len(self._numbers) > _WATCHED_SUBJECTS:
            self._numbers.popitem(last=False)
        return numbers.missing(int(number))

    def _miss(self, organization: str, service: str, name: str) -> None:
        for following in self._followers_of(organization, service, name):
            following.miss()

    def _followers_of(self, organization: str, service: str, name: str) -> Collection[Following]:
        if organization == _NIL and (service, name) in _FOR_EVERYBODY:
            return [
                one
                for key, several in self._followers.items()
                if key[1:] == (service, name)
                for one in several
            ]
        return self._followers.get((organization, service, name), ())

    def _everybody(self) -> set[Following]:
        return {one for several in self._followers.values() for one in several}

    def _renew(self, organization: str | None) -> None:
        for session in self._open:
            if organization is None or str(session.organization_id) == organization:
                session.renew_soon()

    # --- following ----------------------------------------------------------------------------------------

    @contextmanager
    def holding(self, session: LiveSession) -> Iterator[None]:
        """Renew this session at once when a token of its organisation is revoked, for the time of the block."""
        self._open.add(session)
        try:
            yield
        finally:
            self._open.discard(session)

    @contextmanager
    def follow(self, session: LiveSession, key: Key, *topics: Topic[Any]) -> Iterator[Following]:
        """What happens on these topics in the session's organisation. Raises Forbidden without the key."""
        session.require(key)
        if self.stopping.is_set():
            raise Unavailable("This process is stopping.", code="stopping", remedy="Connect again.")
        following = Following(session, topics, key)
        keys = [(str(following.organization_id), one.service, one.name) for one in following.topics]
        for one in keys:
            self._followers.setdefault(one, set()).add(following)
        FOLLOWERS.inc()
        try:
            yield following
        finally:
            FOLLOWERS.dec()
            for one in keys:
                remaining = self._followers[one]
                remaining.discard(following)
                if not remaining:
                    del self._followers[one]


def concerns(user_id: UUID | None, session: LiveSession) -> bool:
    """Whether somebody hears of an event of this person: his own, nobody's in particular, or all with the key."""
    return user_id is None or user_id == session.user_id or session.holds(Key.VIEW_AUDIT)
