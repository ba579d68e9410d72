"""The designs service over the bus: what a client sees."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from importlib.resources import files
from typing import TypeVar
from uuid import uuid4

import orjson
import pytest

from meshery_common.bus import Bus
from meshery_contracts import designs
from meshery_contracts.caller import Caller
from meshery_contracts.endpoints import Endpoint
from meshery_contracts.errors import NotFound
from meshery_contracts.messages import Message
from meshery_designs.app import running
from meshery_designs.settings import DesignsSettings
from meshery_testkit.hosting import hosted
from meshery_testkit.nats import NATSForTests, People
from meshery_testkit.postgres import DatabaseFactory

RequestT = TypeVar("RequestT", bound=Message)
ReplyT = TypeVar("ReplyT", bound=Message)
MIGRATIONS = files("meshery_designs") / "migrations"


class Client:
    """Asks as one person."""

    def __init__(self, bus: Bus, people: People, caller: Caller) -> None:
        self.bus = bus
        self.people = people
        self.caller = caller

    async def ask(self, endpoint: Endpoint[RequestT, ReplyT], request: RequestT, *, key: str = "") -> ReplyT:
        assertion = self.people.assertion(self.caller)
        return await self.bus.request(endpoint, request, assertion=assertion, idempotency_key=key)

    def as_somebody(self, **claims: object) -> Client:
        return Client(self.bus, self.people, self.people.caller(**claims))


@pytest.fixture
async def client(nats: NATSForTests, people: People, database_for: DatabaseFactory) -> AsyncIterator[Client]:
    settings = DesignsSettings(
        database=await database_for("designs", MIGRATIONS), bus=nats.bus_settings("designs")
    )
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(people.serving(nats))
        await stack.enter_async_context(hosted(running(settings)))
        bus = await stack.enter_async_context(Bus.connect(nats.bus_settings("gateway"), service="gateway"))
        yield Client(bus, people, people.caller())


def a_file(*names: str) -> str:
    """A design file with a ConfigMap of each name."""
    components = [
        {
            "id": str(uuid4()),
            "displayName": name,
            "component": {"version": "v1", "kind": "ConfigMap"},
            "configuration": {"metadata": {"name": name}, "data": {"key": "value"}},
        }
        for name in names
    ]
    return orjson.dumps({"name": "shop", "components": components}).decode()


async def test_a_design_is_saved_read_listed_and_deleted(client: Client) -> None:
    saved = await client.ask(designs.CREATE, designs.CreateDesign(name="shop", file=a_file("a", "b")))
    assert (saved.version, saved.name, saved.user_id) == (1, "shop", client.caller.user_id)
    read = await client.ask(designs.GET, designs.GetDesign(design_id=saved.id))
    assert read == saved
    assert [one["displayName"] for one in orjson.loads(read.pattern_file)["components"]] == ["a", "b"]
    page = await client.ask(designs.LIST, designs.ListDesigns())
    assert (page.total_count, [one.id for one in page.patterns]) == (1, [saved.id])
    await client.ask(designs.DELETE, designs.DesignId(design_id=saved.id))
    with pytest.raises(NotFound):
        await client.ask(designs.GET, designs.GetDesign(design_id=saved.id))
    assert (await client.ask(designs.LIST, designs.ListDesigns())).total_count == 0
