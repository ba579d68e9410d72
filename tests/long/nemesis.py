"""Misfortune by seed: kills, pauses and restarts of services and servers, one after the other in two lanes.

The schedule is made from the seed before anything happens, so that the same seed does the same at the same times.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import structlog
from tests.long.children import paused, with_descendants
from tests.system.installation import Installation

log = structlog.get_logger()

SERVICES = ("identity", "registry", "inventory", "connections", "designs", "events", "gateway")
#: Those that the load goes through are hit more often.
_WEIGHTS = (2, 1, 1, 1, 4, 3, 1)


@dataclass(frozen=True)
class Blow:
    """One misfortune."""

    #: Seconds after the one before it in its lane.
    after: float
    kind: str
    target: str
    #: How long something is down or paused.
    seconds: float

    def __str__(self) -> str:
        return f"{self.kind} {self.target} ({self.seconds:.1f} s)"


def on_services(seed: int, seconds: float, services: tuple[str, ...] = SERVICES) -> list[Blow]:
    """Services killed and paused, some of them soon after they were started again."""
    chance = random.Random(f"services {seed}")
    weights = [_WEIGHTS[SERVICES.index(one)] for one in services]
    blows: list[Blow] = []
    total = 0.0
    while total < seconds:
        after = chance.choice((0.2, 1.0, 2.0, 4.0))
        kind = chance.choices(("kill", "pause"), (3, 1))[0]
        target = chance.choices(services, weights)[0]
        blow = Blow(after, kind, target, chance.uniform(0.5, 5.0) if kind == "pause" else 0.0)
        blows.append(blow)
        total += after + blow.seconds
    return blows


def on_servers(seed: int, seconds: float) -> list[Blow]:
    """NATS and PostgreSQL killed and paused."""
    chance = random.Random(f"servers {seed}")
    blows: list[Blow] = []
    total = 0.0
    while total < seconds:
        after = chance.uniform(3.0, 9.0)
        kind = chance.choices(("kill", "pause"), (2, 1))[0]
        blow = Blow(after, kind, chance.choice(("nats", "postgres")), chance.uniform(0.2, 4.0))
        blows.append(blow)
        total += after + blow.seconds
    return blows


class Nemesis:
    """Deals the blows. Further kinds are given as functions by name, e.g. for a cluster."""

    def __init__(
        self, meshery: Installation, more: Mapping[str, Callable[[Blow], Awaitable[Any]]] | None = None
    ) -> None:
        self._meshery = meshery
        self._more = dict(more or {})
        self._started = time.monotonic()
        #: What was done, and when.
        self.done: list[str] = []

    async def deal(self, *lanes: list[Blow]) -> None:
        """All blows of all lanes; everything runs again, or is about to, at the end."""
        async with asyncio.TaskGroup() as group:
            for lane in lanes:
                group.create_task(self._lane(lane))

    async def _lane(self, blows: list[Blow]) -> None:
        for blow in blows:
            await asyncio.sleep(blow.after)
            await self.strike(blow)

    async def strike(self, blow: Blow) -> None:
        """One blow, now; returns when what it took away is back, or about to be."""
        self.done.append(f"{time.monotonic() - self._started:5.1f} {blow}")
        if blow.kind in self._more:
            await self._more[blow.kind](blow)
        elif blow.kind == "pause":
            with paused(with_descendants(self._pid(blow.target))):
                await asyncio.sleep(blow.seconds)
        elif blow.target == "nats":
            nats = self._meshery.running.servers.nats
            await nats.kill()
            await asyncio.sleep(blow.seconds)
            await nats.restart()
        elif blow.target == "postgres":
            await self._meshery.restart_postgres()
        else:
            self._meshery.running.processes[blow.target].kill()

    def _pid(self, target: str) -> int:
        servers = self._meshery.running.servers
        if target == "nats":
            return servers.nats.process.pid
        if target == "postgres":
            return (self._meshery._postgres or servers.postgres.process).pid
        process = self._meshery.running.processes[target].process
        assert process is not None
        return process.pid
