"""The facts of a service, as the service `events` would take them from its stream."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

from meshery_common.background import alongside
from meshery_common.bus import Bus, Received
from meshery_contracts.endpoints import Topic
from meshery_contracts.messages import Fact
from meshery_testkit.nats import NATSForTests

FactT = TypeVar("FactT", bound=Fact)


class Facts:
    """All that one service has announced so far, in order."""

    def __init__(self) -> None:
        self.received: list[Received] = []
        self._news = asyncio.Condition()

    async def take(self, batch: list[Received]) -> None:
        """What the consumer calls."""
        async with self._news:
            self.received += batch
            self._news.notify_all()

    def of(self, topic: Topic[FactT]) -> list[FactT]:
        """The facts of one kind. Fails when one has a subject that its content does not fit."""
        found = []
        for one in self.received:
            if one.subject.split(".")[5] == topic.name:
                fact = topic.event.model_validate_json(one.payload)
                if one.subject != topic.subject_for(fact.organization_id, one.subject.split(".")[6]):
                    raise AssertionError(f"a fact of {fact.organization_id} came on {one.subject}")
                found.append(fact)
        return found

    async def wait_for(
        self, topic: Topic[FactT], fits: Callable[[FactT], bool], seconds: float = 20
    ) -> FactT:
        """The first fact of this kind that fits, as soon as it is there. Raises TimeoutError."""
        async with asyncio.timeout(seconds), self._news:
            await self._news.wait_for(lambda: any(fits(one) for one in self.of(topic)))
        return next(one for one in self.of(topic) if fits(one))


@asynccontextmanager
async def following(nats: NATSForTests, service: str) -> AsyncIterator[Facts]:
    """Take every fact of a service from its stream, those from before included."""
    facts = Facts()
    async with Bus.connect(nats.bus_settings("events"), service="events") as bus:
        consuming = bus.streams.consume(f"EVT_{service.upper()}", "events", facts.take)
        async with alongside(consuming):
            yield facts
