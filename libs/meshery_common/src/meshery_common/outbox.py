"""Facts leave the service through its database: written with the change, published afterwards, at least once.

So a fact is never lost and never tells of a change that was rolled back. Rows stay for a week, and can be
published again when the broker has lost its data. Must not know the broker: it is handed a `Publisher`.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, TypeVar
from uuid import UUID

import structlog

from meshery_common import leases
from meshery_common.background import alongside, pause
from meshery_common.database import EVERY_ORGANIZATION, Database, Row, Transaction
from meshery_common.ids import uuid7
from meshery_common.retention import purge_for_ever
from meshery_common.telemetry import Readings, carry
from meshery_contracts.endpoints import Topic
from meshery_contracts.errors import ProblemError
from meshery_contracts.messages import Fact

FactT = TypeVar("FactT", bound=Fact)

_log = structlog.get_logger(__name__)

CHANNEL = "outbox"
_LEASE = "outbox relay"
_BATCH = 512
_WINDOW = 256
_POLL_SECONDS = 1.0
_FIRST_PAUSE_SECONDS = 0.1
_LONGEST_PAUSE_SECONDS = 5.0
_SAY_SO_SECONDS = 60.0
_MEASURE_SECONDS = 10.0

PENDING = Readings(
    "meshery_outbox_pending",
    "Facts that are committed and not yet published; the same from every replica.",
    ["service"],
)
LAG = Readings(
    "meshery_outbox_lag_seconds",
    "Age of the oldest fact not yet published, in seconds; 0 when there is none.",
    ["service"],
)


class Publisher(Protocol):
    """Publishes one message durably."""

    async def publish(
        self, subject: str, payload: bytes, *, message_id: str, headers: dict[str, str]
    ) -> None:
        """Return when the broker has stored it; raise anything when that is not certain."""


class Unpublished(Exception):
    """The broker did not take all facts of a batch."""


@dataclass(frozen=True, slots=True)
class Lag:
    """How far publishing is behind."""

    pending: int
    #: Age of the oldest fact not published; 0 when there is none.
    seconds: float


async def add(tx: Transaction, topic: Topic[FactT], event: FactT, *, subject_id: UUID | str) -> UUID:
    """Announce a fact with this transaction; the id of the message.

    `subject_id` is what it happened to, the last token of the subject. Facts about one id are published in the
    order they were added in, provided that their transactions lock that thing.
    """
    if not topic.durable:
        raise ValueError(f"{topic.subject} is best effort: publish it over the bus, not through the outbox")
    if set(str(subject_id)) & set(" .*>\t\r\n") or not str(subject_id):
        raise ValueError(f"{subject_id!r} cannot be a token of a subject")
    message_id = uuid7()
    headers: dict[str, str] = {}
    carry(headers)
    await tx.execute(
        "insert into outbox (message_id, subject, headers, payload) values ($1, $2, $3, $4)",
        message_id,
        topic.subject_for(event.organization_id, subject_id),
        headers,
        event.model_dump_json(by_alias=True).encode(),
    )
    tx.notify(CHANNEL)
    return message_id


async def republish(db: Database, since: datetime) -> int:
    """Publish again all facts added since then, with their message ids; how many they are."""
    again = await db.execute(
        EVERY_ORGANIZATION,
        "update outbox set published_at = null where published_at is not null and created_at >= $1",
        since,
    )
    db.notify(CHANNEL)
    return again


async def lag(db: Database) -> Lag:
    """How many facts wait, and for how long; for metrics."""
    row = await db.fetchrow(
        EVERY_ORGANIZATION,
        """
        select count(*) as pending,
            coalesce(extract(epoch from clock_timestamp() - min(created_at)), 0)::float8 as seconds
        from outbox where published_at is null
        """,
    )
    return Lag(row["pending"], max(0.0, row["seconds"])) if row else Lag(0, 0.0)


class Relay:
    """Publishes the outbox of one service. Every replica runs one; a lease lets one of them work."""

    def __init__(self, db: Database, publisher: Publisher) -> None:
        self._db = db
        self._publisher = publisher
        self._said = float("-inf")
        self._lag = Lag(0, 0.0)

    async def run(self) -> None:
        """Publish for ever. Also purges what the runtime's tables need no longer."""
        service = self._db.schema
        with (
            PENDING.source(service, read=lambda: self._lag.pending),
            LAG.source(service, read=lambda: self._lag.seconds),
        ):
            async with alongside(self._measure()):
                while True:
                    try:
                        async with leases.held(self._db, _LEASE):
                            await self._relay()
                    except leases.LeaseLost:
                        _log.warning("The outbox relay lost its lease")

    async def _measure(self) -> None:
        while True:
            with suppress(ProblemError):
                self._lag = await lag(self._db)
            await pause(_MEASURE_SECONDS)

    async def _relay(self) -> None:
        seconds = _FIRST_PAUSE_SECONDS
        async with alongside(purge_for_ever(self._db)), self._db.listen(CHANNEL) as wakes:
            while True:
                try:
                    more = await self._publish_batch()
                except (Unpublished, ProblemError):
                    # A database that is back before the lease ends finds the same relay at work.
                    await pause(seconds)
                    seconds = min(seconds * 2, _LONGEST_PAUSE_SECONDS)
                    continue
                seconds = _FIRST_PAUSE_SECONDS
                if not more:
                    await _next(wakes)

    async def _publish_batch(self) -> bool:
        """Publish the oldest facts; whether there may be more. Raises Unpublished when some could not be."""
        rows = await self._db.fetch(
            EVERY_ORGANIZATION,
            """
            select id, message_id, subject, headers, payload
            from outbox where published_at is null order by id limit $1
            """,
            _BATCH,
        )
        chains: defaultdict[str, list[Row]] = defaultdict(list)
        for row in rows:
            chains[row["subject"].rpartition(".")[2]].append(row)
        window = asyncio.Semaphore(_WINDOW)
        published: list[int] = []
        try:
            async with asyncio.TaskGroup() as group:
                for chain in chains.values():
                    group.create_task(self._publish_chain(chain, window, published))
        finally:
            # Also when we are stopped: what the broker has need not be sent again.
            if published:
                await self._db.execute(
                    EVERY_ORGANIZATION,
                    "update outbox set published_at = clock_timestamp() where id = any($1::bigint[])",
                    published,
                )
        if len(published) < len(rows):
            raise Unpublished
        return len(rows) == _BATCH

    async def _publish_chain(
        self, chain: Sequence[Row], window: asyncio.Semaphore, published: list[int]
    ) -> None:
        """Publish the facts about one thing, one after the other up to the first that fails."""
        for row in chain:
            async with window:
                try:
                    await self._publisher.publish(
                        row["subject"],
                        row["payload"],
                        message_id=str(row["message_id"]),
                        headers=row["headers"],
                    )
                except Exception as error:  # noqa: BLE001 - whatever it is, the row stays and is tried again
                    self._say(row, error)
                    return
            published.append(row["id"])

    def _say(self, row: Row, error: Exception) -> None:
        if time.monotonic() - self._said >= _SAY_SO_SECONDS:
            self._said = time.monotonic()
            _log.warning(
                "Facts cannot be published",
                subject=row["subject"],
                reason=type(error).__name__,
                error=str(error),
            )


async def _next(wakes: AsyncIterator[None]) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(_POLL_SECONDS):
            await anext(wakes)
