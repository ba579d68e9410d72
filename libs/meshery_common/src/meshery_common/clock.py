"""The time of day as something that is passed in, so that tests can hold it still.

Durations and deadlines use `time.monotonic` and asyncio's own timers; leases use the database's time.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

#: Tells the time; always aware, always UTC.
Clock = Callable[[], datetime]


def utc_now() -> datetime:
    """The machine's time of day."""
    return datetime.now(UTC)
