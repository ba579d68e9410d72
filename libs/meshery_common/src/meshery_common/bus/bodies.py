"""Bodies that are larger than a message: held by who sends them, and fetched part by part by who is to have them.

The message carries a reference (`Meshery-Body`) in place of its body. The subject in it belongs to the sending process,
ends in a word that nobody can guess, and is forgotten once the receiver has all of it or nobody waits any more.
Nothing is stored anywhere; why so is in docs/adr/0011. What must not be in here: endpoints, callers.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, field

import structlog
from nats.aio.msg import Msg
from nats.errors import Error as NATSError
from nats.errors import NoRespondersError
from nats.errors import TimeoutError as NATSTimeoutError
from prometheus_client import Counter

from meshery_common.bus.connection import Connection
from meshery_common.bus.headers import BodyReference, Header
from meshery_common.bus.settings import BusSettings
from meshery_common.room import Room
from meshery_common.telemetry import Readings, annotate
from meshery_contracts.errors import Forbidden, Invalid, TooLarge, Unavailable, Word

log = structlog.get_logger()

BODIES = Counter(
    "meshery_bus_large_bodies_total",
    "Bodies larger than a message, by way (sent, received) and outcome: done, or lost when not all of it arrived.",
    ["service", "way", "outcome"],
)
BYTES = Counter("meshery_bus_large_bytes_total", "Bytes of those bodies.", ["service", "way"])
TAKEN = Readings(
    "meshery_bus_large_bytes_taken", "Memory that such bodies take right now, in bytes.", ["service"]
)

#: One part: small enough for other messages of the same connection to get in between.
PART_BYTES = 1024 * 1024
#: Parts of one body that are under way at once: while one is taken in the next is on its way.
PARTS_AT_ONCE = 2
#: What others may cut theirs into.
_SMALLEST_PART_BYTES = 64 * 1024
_LARGEST_PART_BYTES = 4 * 1024 * 1024
#: A part that does not come was lost with a connection, or is slow: the next time twice as long is waited.
_PART_SECONDS = 1.0
#: Between two looks whether NATS is back.
_AWAY_SECONDS = 0.1
#: Pauses before asking again when nobody holds the body: another server may have yet to hear of the subject.
NO_HOLDER_PAUSES_SECONDS = (0.02, 0.06, 0.18, 0.5)
#: What the receiver says when it has all of a body, or wants no more of it.
DONE = b"done"
GONE = b"gone"


@dataclass
class HeldBody:
    """A body that waits to be fetched."""

    body: bytes
    #: The value of the header that tells where it is.
    reference: str
    #: Set once the receiver has said how it ended.
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    arrived: bool = False


class Bodies:
    """The large bodies of one process, on both ways."""

    def __init__(self, connection: Connection, settings: BusSettings, service: str) -> None:
        self._connection = connection
        self._service = service
        # Whoever has a user name in place of an NKey is no service of ours.
        holder = f"guest.{settings.user}" if settings.user else service
        self._prefix = f"meshery.body.{holder}.{secrets.token_hex(8)}"
        self._room = Room(settings.large_bytes_at_once)
        self._held: dict[str, HeldBody] = {}

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Give out parts of what is held, for the time of the block."""
        # To the end of the connection: at a stop, what is in flight has yet to be fetched.
        await self._connection.subscribe(f"{self._prefix}.*", self._give, to_the_end=True)
        with TAKEN.source(self._service, read=lambda: self._room.taken):
            yield

    # --- sending ------------------------------------------------------------------------------------------

    @asynccontextmanager
    async def held(self, body: bytes) -> AsyncIterator[HeldBody]:
        """Hold a body for the time of the block. Raises Unavailable when there is no room for it."""
        annotate("meshery.bus.large_bytes_sent", len(body))
        with self._room.take(len(body)):
            digest = await asyncio.to_thread(_digest, body)
            word = secrets.token_hex(16)
            reference = BodyReference(f"{self._prefix}.{word}", len(body), PART_BYTES, digest)
            held = self._held[word] = HeldBody(body, reference.write())
            try:
                yield held
            finally:
                self._held.pop(word, None)
                BODIES.labels(self._service, "sent", "done" if held.arrived else "lost").inc()

    async def hand_over(self, subject: str, body: bytes) -> None:
        """Send a body as an answer, and hold it until it is fetched; set a timeout around it.

        Raises Unavailable when there is no room for it, or NATS is away.
        """
        async with self.held(body) as held:
            await self._connection.publish(subject, b"", {Header.BODY: held.reference})
            await held.ended.wait()

    async def _give(self, message: Msg) -> None:
        """Answer one request for a part."""
        word = message.subject.rpartition(".")[2]
        held = self._held.get(word)
        if message.data in (DONE, GONE):
            if held is not None:
                del self._held[word]
                held.arrived = message.data == DONE
                held.ended.set()
            return
        number = int(message.data) if message.data.isdigit() and len(message.data) < 6 else -1
        part = held.body[number * PART_BYTES : (number + 1) * PART_BYTES] if held and number >= 0 else b""
        BYTES.labels(self._service, "sent").inc(len(part))
        # One that cannot be sent is asked for again.
        with contextlib.suppress(Unavailable):
            headers = None if part else {Header.ERROR: Word.NOT_FOUND.value}
            await self._connection.publish(message.reply, part, headers)

    # --- receiving ----------------------------------------------------------------------------------------

    async def fetch(self, reference: str, most: int) -> tuple[bytes, Callable[[], None]]:
        """The body that a reference stands for, and what gives its room in memory back.

        Goes on after a lost connection: set a timeout around it. Raises Invalid for a broken reference, TooLarge
        for more than `most` bytes, Unavailable when there is no room, its holder is gone, or it arrives damaged.
        """
        place = _checked(reference, most)
        annotate("meshery.bus.large_bytes_received", place.size)
        with ExitStack() as taken:
            taken.enter_context(self._room.take(place.size))
            said = GONE
            try:
                body = await self._assembled(place)
                said = DONE
            finally:
                BODIES.labels(self._service, "received", "done" if said == DONE else "lost").inc()
                with contextlib.suppress(Unavailable):
                    await self._connection.publish(place.subject, said)
            BYTES.labels(self._service, "received").inc(len(body))
            return body, taken.pop_all().close

    async def _assembled(self, place: BodyReference) -> bytes:
        parts = [b""] * place.parts
        numbers = iter(range(place.parts))

        async def take() -> None:
            for number in numbers:
                parts[number] = await self._part(place.subject, number)

        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(min(PARTS_AT_ONCE, place.parts)):
                    group.create_task(take())
        except BaseExceptionGroup as errors:
            raise errors.exceptions[0] from None
        body = b"".join(parts)
        if len(body) != place.size or await asyncio.to_thread(_digest, body) != place.sha256:
            raise Unavailable(
                "A large body did not arrive as it was announced.",
                code="body_damaged",
                cause="Its size or its SHA-256 is not the one in `Meshery-Body`.",
                remedy="Send it again.",
            )
        return body

    async def _part(self, subject: str, number: int) -> bytes:
        """One part; asked for again for as long as somebody holds the body."""
        pauses = iter(NO_HOLDER_PAUSES_SECONDS)
        patience = _PART_SECONDS
        while True:
            try:
                client = self._connection.client
                message = await client.request(subject, str(number).encode(), timeout=patience)
            except NoRespondersError:
                pause = next(pauses, None)
                if pause is None:
                    raise _gone() from None
                await asyncio.sleep(pause)
            except NATSTimeoutError:
                if subject in self._connection.refused:
                    raise Forbidden(
                        f"This NATS user may not ask for parts on {subject}.", code="subject_forbidden"
                    ) from None
                patience *= 2
            except (NATSError, Unavailable):
                await asyncio.sleep(_AWAY_SECONDS)
            else:
                if message.headers:
                    raise _gone()
                return message.data


def _checked(reference: str, most: int) -> BodyReference:
    place = BodyReference.read(reference)
    if place is None or not _SMALLEST_PART_BYTES <= place.part_bytes <= _LARGEST_PART_BYTES or not place.size:
        raise Invalid(
            "The header `Meshery-Body` cannot be read.",
            code="body_reference_invalid",
            remedy=(
                "Write `subject=meshery.body.….….…;size=<bytes>;part=<bytes>;sha256=<hexadecimal>`, with parts of "
                f"{_SMALLEST_PART_BYTES:,} to {_LARGEST_PART_BYTES:,} bytes."
            ),
        )
    if place.size > most:
        raise TooLarge(
            f"The body has {place.size:,} bytes, {most:,} are taken.",
            code="body_too_large",
            remedy="Send less at once.",
        )
    return place


def _gone() -> Unavailable:
    return Unavailable(
        "A large body is no longer there to be fetched.",
        code="body_gone",
        cause="Who holds it has stopped, or waits no longer.",
        remedy="Send the request again; with the same idempotency key it is done once.",
        retry_after_seconds=1,
    )


def _digest(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()
