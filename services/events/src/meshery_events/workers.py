"""Background work: every stream of facts is taken in, and old events are removed."""

from __future__ import annotations

from datetime import timedelta

import structlog

from meshery_common import leases
from meshery_common.background import pause
from meshery_common.bus import Bus, Received
from meshery_common.database import Database
from meshery_contracts.errors import ProblemError
from meshery_events.domain.facts import Message
from meshery_events.service import FactsService
from meshery_events.store import purge

_log = structlog.get_logger(__name__)

#: The name of the durable consumer on each stream: that of the service, as the NATS permissions have it.
_DURABLE = "events"
_PURGE_SECONDS = 3600.0
_PURGED_AT_ONCE = 5000


async def consume_facts(bus: Bus, service: str, facts: FactsService, batch_size: int) -> None:
    """Take in the facts of one service for ever; waits for a stream that is not there yet."""

    async def handle(batch: list[Received]) -> None:
        await facts.take_in([_message(one) for one in batch])

    stream = f"EVT_{service.replace('-', '_').upper()}"
    await bus.streams.consume(stream, _DURABLE, handle, batch_size=batch_size)


def _message(received: Received) -> Message:
    return Message(
        message_id=received.message_id,
        subject=received.subject,
        payload=received.payload,
        sequence=received.sequence,
    )


class Retention:
    """Removes old events. Every replica runs one; a lease lets one of them work."""

    def __init__(self, db: Database, *, days: int) -> None:
        self._db = db
        self._age = timedelta(days=days)

    async def run(self) -> None:
        """Remove for ever, once an hour."""
        while True:
            try:
                async with leases.held(self._db, "retention"):
                    while True:
                        await self.purge()
                        await pause(_PURGE_SECONDS)
            except leases.LeaseLost:
                _log.warning("Retention lost its lease")
            except ProblemError as error:
                _log.debug("Retention has to wait", reason=error.problem.code)
                await pause(1)

    async def purge(self) -> int:
        """Remove all that is old, a part at a time so that nobody waits; how many events that were."""
        removed = 0
        while True:
            count = await purge(self._db, self._age, at_once=_PURGED_AT_ONCE)
            removed += count
            if count < _PURGED_AT_ONCE:
                break
        if removed:
            _log.info("Removed old events", count=removed)
        return removed
