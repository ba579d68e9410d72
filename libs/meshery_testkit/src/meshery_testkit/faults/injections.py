"""Which requests a fault happens to."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from meshery_testkit.faults.kinds import Fault
from meshery_testkit.faults.requests import Target


@dataclass(eq=False)
class Injection:
    """A fault and its requests. Empty conditions fit all; `path` and `name` are patterns with `*`."""

    fault: Fault
    verb: str = ""
    resource: str = ""
    path: str = "*"
    name: str = "*"
    #: A query parameter that must be there, e.g. `continue`.
    query: str = ""
    #: So many fitting requests pass first.
    skip: int = 0
    #: It happens so many times; None for always.
    times: int | None = 1
    #: How often it has happened.
    hits: int = 0
    lifted: bool = False
    _changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    def fits(self, target: Target) -> bool:
        """Whether the request is one of those meant."""
        return (
            self.verb in ("", target.verb)
            and self.resource in ("", target.resource)
            and fnmatchcase(target.path, self.path)
            and fnmatchcase(target.name, self.name)
            and (not self.query or self.query in target.query)
        )

    async def takes(self, target: Target) -> bool:
        """Whether the fault happens to this request; counts it."""
        if self.lifted or not self.fits(target) or (self.times is not None and self.hits >= self.times):
            return False
        if self.skip > 0:
            self.skip -= 1
            return False
        self.hits += 1
        async with self._changed:
            self._changed.notify_all()
        return True

    async def happened(self, times: int = 1) -> None:
        """Wait until it has happened so often."""
        await self._wait(lambda: self.hits >= times)

    async def lift(self) -> None:
        """It happens no more; requests that it holds now are let go on."""
        self.lifted = True
        async with self._changed:
            self._changed.notify_all()

    async def until_lifted(self) -> None:
        """Hold a request that the fault has stopped."""
        await self._wait(lambda: self.lifted)

    async def _wait(self, until: Callable[[], bool]) -> None:
        async with self._changed:
            await self._changed.wait_for(until)
