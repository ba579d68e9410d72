"""Facts on JetStream: stored, consumed in batches, offered again after a failure."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import nats as nats_client
import pytest
from nats.aio.msg import Msg
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy

from meshery_common.bus import Bus, Received
from meshery_common.bus import consuming as consuming_module
from meshery_common.bus.headers import Header
from meshery_contracts.errors import Unavailable
from meshery_contracts.wiring import BROKER
from meshery_testkit.nats import NATSForTests

SUBJECT = "meshery.evt.designs.v1.org.design_saved.{}"


@pytest.fixture
async def designs(nats: NATSForTests) -> AsyncIterator[Bus]:
    async with Bus.connect(nats.bus_settings("designs"), service="designs") as bus:
        await bus.streams.ensure_own_stream()
        yield bus


async def publish(bus: Bus, *names: str) -> None:
    for name in names:
        await bus.streams.publish(SUBJECT.format(name), name.encode(), message_id=f"id-{name}", headers={})


class Taken:
    """Collects what a consumer hands over."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self._more = asyncio.Event()

    async def __call__(self, batch: list[Received]) -> None:
        self.batches.append([one.payload.decode() for one in batch])
        self._more.set()

    @property
    def names(self) -> list[str]:
        return [name for batch in self.batches for name in batch]

    async def until(self, count: int) -> None:
        async with asyncio.timeout(15):
            while len(self.names) < count:
                self._more.clear()
                await self._more.wait()


async def consuming(bus: Bus, handle: Taken, **options: float) -> None:
    await bus.streams.consume("EVT_DESIGNS", "events", handle, **options)  # type: ignore[arg-type]  # sizes are int


async def test_what_was_stored_before_is_consumed_in_order(designs: Bus, events: Bus) -> None:
    names = [str(one) for one in range(300)]
    await publish(designs, *names)
    taken = Taken()
    async with asyncio.TaskGroup() as group:
        task = group.create_task(consuming(events, taken))
        await taken.until(300)
        task.cancel()
    assert taken.names == names
    assert len(taken.batches) < 300


async def test_a_repeat_of_a_message_id_is_stored_once(designs: Bus, events: Bus) -> None:
    await publish(designs, "a", "a", "b")
    taken = Taken()
    async with asyncio.TaskGroup() as group:
        task = group.create_task(consuming(events, taken))
        await taken.until(2)
        task.cancel()
    assert taken.names == ["a", "b"]


async def test_a_consumer_goes_on_where_it_was(designs: Bus, events: Bus) -> None:
    await publish(designs, "a", "b")
    for expected in (["a", "b"], ["c"]):
        taken = Taken()
        async with asyncio.TaskGroup() as group:
            task = group.create_task(consuming(events, taken))
            await taken.until(len(expected))
            await asyncio.sleep(0.05)  # the acknowledgement leaves after the handler
            task.cancel()
        assert taken.names == expected
        await publish(designs, "c")


async def test_what_a_stopped_consumer_had_not_done_comes_to_the_next_at_once(
    designs: Bus, events: Bus
) -> None:
    names = [str(one) for one in range(300)]
    await publish(designs, *names)
    in_hand = asyncio.Event()

    async def hang(_batch: list[Received]) -> None:
        in_hand.set()
        await asyncio.Event().wait()

    async with asyncio.TaskGroup() as group:
        task = group.create_task(events.streams.consume("EVT_DESIGNS", "events", hang, batch_size=100))
        await in_hand.wait()
        task.cancel()
    taken = Taken()
    # Half of the time after which the server would offer them again by itself.
    async with asyncio.timeout(consuming_module.ACK_WAIT_SECONDS / 2), asyncio.TaskGroup() as group:
        task = group.create_task(consuming(events, taken))
        await taken.until(300)
        task.cancel()
    assert sorted(taken.names, key=int) == names


async def test_what_a_dead_consumer_had_taken_comes_to_the_next_within_seconds(
    designs: Bus, events: Bus, nats: NATSForTests
) -> None:
    names = [str(one) for one in range(50)]
    await publish(designs, *names)
    # A consumer of the release before, which waited longer; it takes messages, and is gone without a word.
    dead = await nats_client.connect(
        nats.server.url, nkeys_seed_str=nats.seeds["events"], inbox_prefix=b"_INBOX_events"
    )
    config = ConsumerConfig(
        durable_name="events", ack_policy=AckPolicy.EXPLICIT, ack_wait=30.0, deliver_policy=DeliverPolicy.ALL
    )
    await dead.jetstream().add_consumer("EVT_DESIGNS", config)
    inbox = dead.new_inbox()
    taken_by_dead = await dead.subscribe(inbox)
    await dead.publish("$JS.API.CONSUMER.MSG.NEXT.EVT_DESIGNS.events", b'{"batch": 30}', reply=inbox)
    for _ in range(30):
        await taken_by_dead.next_msg(5)
    await dead.close()
    taken = Taken()
    async with asyncio.timeout(15), asyncio.TaskGroup() as group:
        task = group.create_task(consuming(events, taken))
        await taken.until(50)
        task.cancel()
    assert sorted(taken.names, key=int) == names


async def test_who_takes_his_time_keeps_what_he_has_taken(
    designs: Bus, events: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consuming_module, "ACK_WAIT_SECONDS", 0.9)

    class Slow(Taken):
        async def __call__(self, batch: list[Received]) -> None:
            assert [one.deliveries for one in batch] == [1] * len(batch)
            await asyncio.sleep(2.0)
            await super().__call__(batch)

    await publish(designs, "a", "b", "c", "d")
    taken = Slow()
    async with asyncio.TaskGroup() as group:
        task = group.create_task(consuming(events, taken, batch_size=2))
        await taken.until(4)
        await publish(designs, "e")
        await taken.until(5)
        task.cancel()
    assert taken.names == ["a", "b", "c", "d", "e"]


async def test_one_bad_message_does_not_hold_up_the_others(designs: Bus, events: Bus) -> None:
    class Picky(Taken):
        async def __call__(self, batch: list[Received]) -> None:
            if any(one.payload == b"bad" for one in batch):
                raise ValueError("bad")
            await super().__call__(batch)

    await publish(designs, "a", "bad", "b")
    taken = Picky()
    async with asyncio.TaskGroup() as group:
        task = group.create_task(consuming(events, taken))
        await taken.until(2)
        task.cancel()
    assert taken.names == ["a", "b"]


async def test_what_fails_for_lack_of_something_is_offered_again(designs: Bus, events: Bus) -> None:
    class Away(Taken):
        away = True

        async def __call__(self, batch: list[Received]) -> None:
            if self.away:
                self.away = len(batch) > 1
                raise Unavailable("The database is away.")
            await super().__call__(batch)

    await publish(designs, "a", "b")
    taken = Away()
    async with asyncio.TaskGroup() as group:
        task = group.create_task(consuming(events, taken))
        await taken.until(2)
        task.cancel()
    assert sorted(taken.names) == ["a", "b"]


async def test_consuming_survives_a_restart_of_the_server(
    designs: Bus, events: Bus, nats: NATSForTests
) -> None:
    await publish(designs, "a")
    taken = Taken()
    async with asyncio.TaskGroup() as group:
        task = group.create_task(consuming(events, taken))
        await taken.until(1)
        await nats.server.kill()
        with pytest.raises(Unavailable):
            await publish(designs, "lost")
        await nats.server.restart()
        async with asyncio.timeout(20):
            while True:
                try:
                    await publish(designs, "b")
                    break
                except Unavailable:
                    await asyncio.sleep(0.05)
        await taken.until(2)
        task.cancel()
    assert taken.names[-1] == "b"


async def test_facts_of_designs_are_repeated_on_the_broker_subject(nats: NATSForTests, designs: Bus) -> None:
    heard: asyncio.Queue[Msg] = asyncio.Queue()
    async with Bus.connect(nats.bus_settings("operator"), service="operator") as operator:
        await operator.subscribe(BROKER, heard.put)
        await operator.is_served_by("nobody")  # a round trip: the server knows the subscription
        await publish(designs, "one", "two")
        messages = [await asyncio.wait_for(heard.get(), 10) for _ in range(2)]
    assert [one.data for one in messages] == [b"one", b"two"]
    assert [(one.headers or {})[Header.REPEATED_SUBJECT] for one in messages] == [
        SUBJECT.format("one"),
        SUBJECT.format("two"),
    ]
