"""Stand-ins for services that are not what is tested, built from their contracts."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any, TypeVar
from uuid import UUID, uuid4

import pytest

from meshery_common.bus import Bus
from meshery_contracts.caller import Caller
from meshery_contracts.endpoints import Endpoint, Topic
from meshery_contracts.messages import Fact, Message
from meshery_testkit.nats import NATSForTests, People

RequestT = TypeVar("RequestT", bound=Message)
ReplyT = TypeVar("ReplyT", bound=Message)


class Stubs:
    """Answers endpoints and announces facts, each as the service that owns them."""

    def __init__(self, nats: NATSForTests, people: People, stack: AsyncExitStack) -> None:
        self._nats = nats
        self._people = people
        self._stack = stack
        self._buses: dict[str, Bus] = {}

    async def bus(self, service: str) -> Bus:
        """The connection under this service's name and permissions."""
        if service not in self._buses:
            settings = self._nats.bus_settings(service)
            self._buses[service] = await self._stack.enter_async_context(
                Bus.connect(settings, service=service, keys=self._keys)
            )
        return self._buses[service]

    async def _keys(self) -> dict[str, dict[str, Any]]:
        jwk = self._people.signer.public_jwk()
        return {jwk["kid"]: jwk}

    async def answer(
        self, endpoint: Endpoint[RequestT, ReplyT], reply: ReplyT | Exception
    ) -> list[tuple[RequestT, Caller]]:
        """Answer always the same; gives the list that each request and its caller is put into."""
        asked: list[tuple[RequestT, Caller]] = []

        async def handle(request: RequestT, caller: Caller) -> ReplyT:
            asked.append((request, caller))
            if isinstance(reply, Exception):
                raise reply
            return reply

        await (await self.bus(endpoint.service)).serve(endpoint, handle)
        return asked

    async def tell(self, topic: Topic[Any], event: Message, organization_id: UUID, about: object) -> None:
        """Announce to whoever watches; a fact goes past JetStream, which watchers do not need: see `store`."""
        bus = await self.bus(topic.service)
        if topic.durable:
            await bus.publish(
                topic.subject_for(organization_id, str(about)), event.model_dump_json().encode()
            )
        else:
            await bus.publish_live(topic, event, organization_id, about)

    async def store(
        self, topic: Topic[Any], fact: Fact, about: object, *, message_id: UUID | None = None
    ) -> None:
        """Announce a fact for those who consume it; with the same message id it arrives as a repeat."""
        bus = await self.bus(topic.service)
        await bus.streams.ensure_own_stream()
        await bus.streams.publish(
            topic.subject_for(fact.organization_id, str(about)),
            fact.model_dump_json().encode(),
            message_id=str(message_id or uuid4()),
            headers={},
        )


@pytest.fixture
async def stubs(nats: NATSForTests, people: People) -> AsyncIterator[Stubs]:
    """Stand-ins for other services; see `Stubs`."""
    async with AsyncExitStack() as stack:
        yield Stubs(nats, people, stack)
