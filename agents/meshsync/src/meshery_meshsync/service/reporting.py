"""Telling whoever started the watch how it stands: on every change, not on every object."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from uuid import UUID

from meshery_common.background import pause
from meshery_contracts.discovery import WatchReport, WatchStatus

#: Takes a report; must not block.
Report = Callable[[WatchReport], None]

_SETTLE_SECONDS = 0.1
#: Mere counts are told this often.
_COUNTS_SECONDS = 10.0


class Reporter:
    """Reports of one connection, without repeats."""

    def __init__(self, connection_id: UUID, report: Report) -> None:
        self._connection_id = connection_id
        self._report = report
        self._last: WatchReport | None = None
        self._wake = asyncio.Event()

    def wake(self) -> None:
        """Something may have changed."""
        self._wake.set()

    def say(self, status: WatchStatus, *, error: str = "") -> None:
        """Report a state that needs no counting."""
        self._tell(WatchReport(status=status, connection_id=self._connection_id, error=error))

    async def run(self, state: Callable[[], WatchReport]) -> None:
        """Look at the state when woken, and report what is new."""
        while True:
            try:
                async with asyncio.timeout(_COUNTS_SECONDS):
                    await self._wake.wait()
                counts_too = False
            except TimeoutError:
                counts_too = True
            await pause(_SETTLE_SECONDS)
            self._wake.clear()
            now = state()
            if counts_too or self._last is None or _essence(now) != _essence(self._last):
                self._tell(now)

    def _tell(self, report: WatchReport) -> None:
        if report != self._last:
            self._last = report
            self._report(report)


def _essence(report: WatchReport) -> tuple[object, ...]:
    return report.status, report.kinds, report.forbidden, report.error
