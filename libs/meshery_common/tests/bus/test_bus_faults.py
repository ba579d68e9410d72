"""The connection to NATS under faults of which the client library says nothing."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import AsyncIterator

import pytest

from meshery_common.bus import Bus
from meshery_common.bus.client import QuickClient
from meshery_contracts.caller import Caller
from meshery_contracts.endpoints import Endpoint, public
from meshery_contracts.errors import ProblemError
from meshery_contracts.messages import Message
from meshery_testkit.nats import NATSForTests


class Ask(Message):
    text: str


ECHO = Endpoint("meshery.rpc.designs.v1.echo_text", Ask, Ask, key=public("A test."))


async def echo(request: Ask, _caller: Caller) -> Ask:
    return request


@pytest.fixture
async def server(nats: NATSForTests) -> AsyncIterator[Bus]:
    async with Bus.connect(nats.bus_settings("designs"), service="designs") as bus:
        await bus.serve(ECHO, echo)
        yield bus


async def until_answered(client: Bus) -> None:
    """Ask until an answer comes."""
    while True:
        try:
            await client.request(ECHO, Ask(text="x"), timeout_seconds=1)
        except ProblemError:
            await asyncio.sleep(0.05)
        else:
            return


@pytest.mark.parametrize("side", ["server", "client"])
async def test_a_client_that_reads_no_more_is_replaced(server: Bus, client: Bus, side: str) -> None:
    await until_answered(client)
    deaf = (server if side == "server" else client)._connection.client
    assert deaf._reading_task is not None
    # As an error does that nats-py does not foresee: it ends the task, and the connection looks well.
    deaf._reading_task.cancel()
    async with asyncio.timeout(10):
        while not deaf.is_closed:
            await asyncio.sleep(0.02)
        await until_answered(client)


async def test_a_client_that_has_given_up_to_reconnect_is_replaced(
    server: Bus, client: Bus, nats: NATSForTests
) -> None:
    await until_answered(client)
    lost = client._connection.client
    await nats.server.kill()
    async with asyncio.timeout(10):
        while lost._reconnection_task is None:
            await asyncio.sleep(0.01)
    lost._reconnection_task.cancel()
    await nats.server.restart()
    async with asyncio.timeout(20):
        await until_answered(client)


async def test_a_server_that_is_frozen_delays_a_stop_by_seconds_only(nats: NATSForTests) -> None:
    async with Bus.connect(nats.bus_settings("designs"), service="designs") as bus:
        await bus.serve(ECHO, echo)
        await bus.announce()
        client = bus._connection.client
        nats.server.process.signal(signal.SIGSTOP)
        began = time.monotonic()
    try:
        assert client.is_closed, "one that goes on would take requests that are meant for its successor"
        assert time.monotonic() - began < 12, "one farewell for all subscriptions, and one for the connection"
    finally:
        nats.server.process.signal(signal.SIGCONT)


async def test_a_server_that_was_frozen_is_used_again(server: Bus, client: Bus, nats: NATSForTests) -> None:
    await until_answered(client)
    nats.server.process.signal(signal.SIGSTOP)
    try:
        with pytest.raises(ProblemError):
            await client.request(ECHO, Ask(text="x"), timeout_seconds=0.5)
    finally:
        nats.server.process.signal(signal.SIGCONT)
    async with asyncio.timeout(10):
        await until_answered(client)


async def test_a_cancellation_is_heard_while_the_client_flushes(nats: NATSForTests) -> None:
    client = QuickClient()
    await client.connect(
        nats.server.url,
        nkeys_seed_str=nats.seeds["gateway"],
        inbox_prefix=b"_INBOX_gateway",
        pending_size=1,
        flush_timeout=30,
    )
    nats.server.process.signal(signal.SIGSTOP)
    ended = False

    async def publish_for_ever() -> None:
        nonlocal ended
        try:
            while True:
                await client.publish("meshery.rpc.designs.v1.echo_text", b"x" * 1_000_000)
        finally:
            ended = True

    async with asyncio.TaskGroup() as group:
        publishing = group.create_task(publish_for_ever())
        # Until the pipe is full and the client waits for the server.
        while True:
            before = client.stats["out_msgs"]
            await asyncio.sleep(0.3)
            if client.stats["out_msgs"] == before:
                break
        publishing.cancel()
        await asyncio.wait([publishing], timeout=5)
        assert ended
        nats.server.process.signal(signal.SIGCONT)
    await client.close()
