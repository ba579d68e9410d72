"""A person who asks services over the bus, as the gateway does for him."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from meshery_common.bus import Bus
from meshery_contracts.caller import Caller
from meshery_contracts.endpoints import Endpoint
from meshery_contracts.keys import Key, bits_of
from meshery_contracts.messages import Message
from meshery_testkit.nats import NATSForTests, People

RequestT = TypeVar("RequestT", bound=Message)
ReplyT = TypeVar("ReplyT", bound=Message)


@dataclass(frozen=True)
class Client:
    """Asks as one person, over the bus of a service that may."""

    bus: Bus
    people: People
    caller: Caller

    async def ask(self, endpoint: Endpoint[RequestT, ReplyT], request: RequestT, *, key: str = "") -> ReplyT:
        """The reply. Raises the problem that the service answered with; `key` makes a repeat of a command."""
        assertion = self.people.assertion(self.caller)
        return await self.bus.request(endpoint, request, assertion=assertion, idempotency_key=key)

    def holding(self, *keys: Key) -> Client:
        """The same person with more keys."""
        bits = self.caller.key_bits | bits_of(keys)
        return replace(self, caller=self.caller.model_copy(update={"key_bits": bits}))

    def stranger(self, **claims: Any) -> Client:
        """Somebody else, of another organisation unless `claims` say so."""
        return Client(self.bus, self.people, self.people.caller(**claims))

    def colleague(self, **claims: Any) -> Client:
        """Somebody else of the same organisation."""
        return self.stranger(**{"organization_id": self.caller.organization_id, **claims})


@asynccontextmanager
async def person(nats: NATSForTests, people: People) -> AsyncIterator[Client]:
    """A person who asks as the gateway does; identity answers as well."""
    async with (
        people.serving(nats),
        Bus.connect(nats.bus_settings("gateway"), service="gateway") as bus,
    ):
        yield Client(bus, people, people.caller())
