"""What the bus tells: spans at both ends, from a fact to whoever takes it in, and counters."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from unittest.mock import patch

import pytest
from prometheus_client import REGISTRY

from meshery_common.bus import Bus, Received, consuming
from meshery_common.telemetry import carry, span, trace_id
from meshery_contracts.caller import Caller
from meshery_contracts.endpoints import Endpoint, public
from meshery_contracts.errors import NotFound, Unavailable
from meshery_contracts.messages import Message
from meshery_testkit.nats import NATSForTests
from meshery_testkit.telemetry import Collector

SUBJECT = "meshery.evt.designs.v1.org.design_saved.{}"


class Ask(Message):
    text: str


ECHO = Endpoint("meshery.rpc.designs.v1.echo_text", Ask, Ask, key=public("A test."))


@pytest.fixture
async def designs(nats: NATSForTests) -> AsyncIterator[Bus]:
    async with Bus.connect(nats.bus_settings("designs"), service="designs") as bus:
        yield bus


def value(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.01)


async def test_a_request_is_a_span_at_both_ends(designs: Bus, client: Bus, collector: Collector) -> None:
    traces: list[str] = []

    async def echo(request: Ask, _caller: Caller) -> Ask:
        traces.append(trace_id())
        if request.text == "unknown":
            raise NotFound("It is not there.", code="design_not_found")
        return request

    await designs.serve(ECHO, echo)
    await designs.announce()
    await client.request(ECHO, Ask(text="x"))
    with pytest.raises(NotFound):
        await client.request(ECHO, Ask(text="unknown"))
    spans = await asyncio.to_thread(collector.spans)
    clients = [one for one in spans if one.kind == "client"]
    servers = [one for one in spans if one.kind == "server"]
    assert [(one.service, one.name) for one in clients] == [("meshery-gateway", "designs echo_text")] * 2
    assert [(one.trace_id, one.parent_id) for one in servers] == [
        (one.trace_id, one.span_id) for one in clients
    ]
    assert [one.trace_id for one in servers] == traces
    assert servers[0].service == "meshery-designs"
    assert servers[1].attributes["error.type"] == clients[1].attributes["error.type"] == "design_not_found"
    assert not servers[1].failed


async def test_a_fact_is_followed_to_its_consumer(designs: Bus, events: Bus, collector: Collector) -> None:
    await designs.streams.ensure_own_stream()
    stored: dict[str, str] = {}
    with span("designs", "save"):
        carry(stored)
    await designs.streams.publish(SUBJECT.format("a"), b"", message_id="a", headers=stored)
    taken = asyncio.Event()

    async def take(_batch: list[Received]) -> None:
        taken.set()

    async with asyncio.TaskGroup() as group:
        task = group.create_task(events.streams.consume("EVT_DESIGNS", "events", take))
        await asyncio.wait_for(taken.wait(), 10)
        task.cancel()
    save, publish, process = await asyncio.to_thread(collector.spans)
    assert (publish.kind, publish.parent_id) == ("producer", save.span_id)
    assert (process.kind, process.service, process.parent_id) == (
        "consumer",
        "meshery-events",
        publish.span_id,
    )
    assert process.links == ((publish.trace_id, publish.span_id),)
    assert process.attributes["messaging.batch.message_count"] == 1


async def test_a_consumer_counts_what_it_does_and_what_it_leaves(designs: Bus, events: Bus) -> None:
    labels = {"service": "events", "stream": "EVT_DESIGNS", "consumer": "events"}
    before = {
        outcome: value("meshery_consumer_messages_total", **labels, outcome=outcome)
        for outcome in ("done", "again")
    }
    redelivered = value("meshery_consumer_redeliveries_total", **labels)
    await designs.streams.ensure_own_stream()
    for number in range(5):
        await designs.streams.publish(SUBJECT.format(number), b"", message_id=str(number), headers={})
    away = True

    async def take(_batch: list[Received]) -> None:
        if away:
            raise Unavailable("The database is away.")

    def counted(outcome: str) -> float:
        return value("meshery_consumer_messages_total", **labels, outcome=outcome) - before[outcome]

    with patch.object(consuming, "_MEASURE_SECONDS", 0.05):
        async with asyncio.TaskGroup() as group:
            task = group.create_task(events.streams.consume("EVT_DESIGNS", "events", take))
            await until(lambda: counted("again") >= 5)
            await until(lambda: value("meshery_consumer_lag", **labels) == 5)
            away = False
            await until(lambda: counted("done") == 5)
            await until(lambda: value("meshery_consumer_lag", **labels) == 0)
            task.cancel()
    assert value("meshery_consumer_redeliveries_total", **labels) - redelivered >= 5


async def test_losses_of_the_connection_are_counted(designs: Bus, nats: NATSForTests) -> None:
    assert value("meshery_bus_connected", service="designs") == 1
    before = value("meshery_bus_reconnects_total", service="designs")
    told: list[str] = []
    designs.when_missed(lambda: told.append("missed"))
    await nats.server.kill()
    await until(lambda: not designs.connected())
    assert value("meshery_bus_connected", service="designs") == 0
    await nats.server.restart()
    await until(lambda: value("meshery_bus_reconnects_total", service="designs") == before + 1)
    assert told == ["missed"]


async def test_messages_that_were_thrown_away_are_counted_and_told(designs: Bus, client: Bus) -> None:
    before = value("meshery_bus_dropped_messages_total", service="gateway")
    told: list[str] = []
    client.when_missed(lambda: told.append("missed"))
    go = asyncio.Event()

    async def slow(_message: object) -> None:
        await go.wait()

    with patch("meshery_common.bus.connection.PENDING_MESSAGES", 10):
        await client.subscribe("meshery.live.designs.>", slow)
    await client._connection.flush()
    for number in range(30):
        await designs.publish(f"meshery.live.designs.v1.org.thing.{number}", b"")
    await until(lambda: value("meshery_bus_dropped_messages_total", service="gateway") - before >= 15)
    assert len(told) >= 15
    go.set()
