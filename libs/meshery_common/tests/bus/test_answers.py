"""Answering questions that are no endpoints of ours, in raw bytes."""

from __future__ import annotations

import asyncio

import nats as nats_client
import pytest
from nats.aio.client import Client
from nats.errors import NoRespondersError

from meshery_common.bus import Bus
from meshery_testkit.nats import NATSForTests

#: The one foreign subject that a service may hear and somebody else may ask.
SUBJECT = "meshery.rpc.identity.v1.foreign_question"


@pytest.fixture
async def client(nats: NATSForTests) -> Client:
    """The official client with the gateway's rights."""
    return await nats_client.connect(
        nats.server.url, nkeys_seed_str=nats.seeds["gateway"], inbox_prefix=b"_INBOX_gateway"
    )


async def ask(client: Client, question: bytes, *, seconds: float = 5) -> bytes:
    """The answer; asks again while the subscription is still on its way to the server."""
    while True:
        try:
            return (await client.request(SUBJECT, question, timeout=seconds)).data
        except NoRespondersError:
            await asyncio.sleep(0.01)


async def test_bytes_in_bytes_out_side_by_side(nats: NATSForTests, client: Client) -> None:
    together = asyncio.Barrier(3)

    async def answer(question: bytes) -> bytes | None:
        if question == b"silence":
            return None
        if question == b"mistake":
            raise RuntimeError("a mistake of ours")
        await together.wait()
        return question.upper()

    async with Bus.connect(nats.bus_settings("identity"), service="identity") as bus:
        await bus.answer(SUBJECT, answer, queue="identity")
        answers = await asyncio.gather(*(ask(client, one) for one in (b"a", b"b", b"c")))
        assert answers == [b"A", b"B", b"C"]
        for question in (b"silence", b"mistake"):
            with pytest.raises(TimeoutError):
                await ask(client, question, seconds=0.2)
    await client.close()


async def test_one_replica_answers(nats: NATSForTests, client: Client) -> None:
    asked: list[bytes] = []

    async def answer(question: bytes) -> bytes:
        asked.append(question)
        return b"here"

    async with (
        Bus.connect(nats.bus_settings("identity"), service="identity") as one,
        Bus.connect(nats.bus_settings("identity"), service="identity") as other,
    ):
        for bus in (one, other):
            await bus.answer(SUBJECT, answer, queue="identity")
        for number in range(10):
            await ask(client, str(number).encode())
        assert len(asked) == 10
    await client.close()
