"""Facts reach the broker at least once and in order, whatever fails in between."""

import asyncio
import random
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from meshery_common import inbox, outbox
from meshery_common.database import EVERY_ORGANIZATION, Database, DatabaseSettings
from meshery_common.retention import purge
from meshery_common.telemetry import span, trace_id
from meshery_contracts.endpoints import Topic
from meshery_contracts.messages import Fact

ORGANIZATION = uuid4()


class Counted(Fact):
    number: int
    category: str = "thing"
    action: str = "count"
    description: str = "A thing was counted."


COUNTED = Topic("meshery.evt.things.v1.{organization_id}.thing_counted.{id}", Counted)


class Broker:
    """Stores what it is sent, drops what it has seen, as JetStream does; fails when told."""

    def __init__(self) -> None:
        self.stored: dict[str, list[int]] = defaultdict(list)
        self.seen: set[str] = set()
        self.headers: list[dict[str, str]] = []
        self.sent = 0
        self.fails: Callable[[str], bool] = lambda _: False
        self.loses_acks = False

    async def publish(
        self, subject: str, payload: bytes, *, message_id: str, headers: dict[str, str]
    ) -> None:
        await asyncio.sleep(random.uniform(0, 0.003))
        if self.fails(subject):
            raise ConnectionError("the broker is away")
        self.sent += 1
        if message_id not in self.seen:
            self.seen.add(message_id)
            self.headers.append(headers)
            self.stored[subject.rpartition(".")[2]].append(Counted.model_validate_json(payload).number)
        if self.loses_acks:
            raise TimeoutError

    @property
    def count(self) -> int:
        return len(self.seen)


@asynccontextmanager
async def relaying(db: Database, broker: Broker, relays: int = 1) -> AsyncIterator[None]:
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(outbox.Relay(db, broker).run()) for _ in range(relays)]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()


async def until(condition: Callable[[], bool], seconds: float = 15) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.005)


async def none_waits(db: Database) -> None:
    async with asyncio.timeout(15):
        while (await outbox.lag(db)).pending:
            await asyncio.sleep(0.01)


def counted(number: int) -> Counted:
    return Counted(organization_id=ORGANIZATION, occurred_at=datetime.now(UTC), number=number)


async def add(db: Database, things: list[UUID], numbers: range) -> None:
    for number in numbers:
        async with db.transaction(ORGANIZATION) as tx:
            for thing in things:
                await outbox.add(tx, COUNTED, counted(number), subject_id=thing)


async def test_a_fact_goes_out_soon_and_a_rolled_back_one_never(db: Database) -> None:
    broker, thing = Broker(), uuid4()
    async with relaying(db, broker):
        await add(db, [thing], range(1))
        await until(lambda: broker.count == 1)
        with pytest.raises(KeyError):  # noqa: PT012 - a transaction that fails is a block that raises
            async with db.transaction(ORGANIZATION) as tx:
                await outbox.add(tx, COUNTED, counted(9), subject_id=thing)
                raise KeyError
        started = asyncio.get_running_loop().time()
        await add(db, [thing], range(1, 2))
        await until(lambda: broker.count == 2)
        assert asyncio.get_running_loop().time() - started < 0.5  # woken, not polled
        await none_waits(db)
    assert broker.stored == {str(thing): [0, 1]}


async def test_order_holds_per_thing_while_the_broker_fails_now_and_then(db: Database) -> None:
    broker, things = Broker(), [uuid4() for _ in range(20)]
    broker.fails = lambda _: random.random() < 0.03
    async with relaying(db, broker):
        await add(db, things, range(30))
        await none_waits(db)
    assert broker.stored == {str(thing): list(range(30)) for thing in things}


async def test_one_thing_that_fails_holds_up_only_itself(db: Database) -> None:
    broker, bad, good = Broker(), uuid4(), uuid4()
    broker.fails = lambda subject: subject.endswith(str(bad))
    async with relaying(db, broker):
        await add(db, [bad, good], range(5))
        await until(lambda: broker.stored[str(good)] == list(range(5)))
        broker.fails = lambda _: False
        await none_waits(db)
    assert broker.stored[str(bad)] == list(range(5))


async def test_lost_acknowledgements_lead_to_repeats_that_the_broker_knows(db: Database) -> None:
    broker, thing = Broker(), uuid4()
    broker.loses_acks = True
    async with relaying(db, broker):
        await add(db, [thing], range(3))
        await until(lambda: broker.sent >= 3)
        broker.loses_acks = False
        await none_waits(db)
    assert broker.sent > 3
    assert broker.stored == {str(thing): [0, 1, 2]}


async def test_a_relay_that_is_killed_loses_nothing(settings: DatabaseSettings, migrations: Path) -> None:
    broker, things = Broker(), [uuid4() for _ in range(10)]
    async with Database.open(settings, schema="things", migrations=migrations) as db:
        await add(db, things, range(20))
        for _ in range(5):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(random.uniform(0.01, 0.06)):
                    await outbox.Relay(db, broker).run()
        async with relaying(db, broker):
            await none_waits(db)
    assert broker.stored == {str(thing): list(range(20)) for thing in things}


async def test_of_many_relays_one_works(db: Database) -> None:
    broker, things = Broker(), [uuid4() for _ in range(10)]
    async with relaying(db, broker, relays=3):
        await add(db, things, range(20))
        await none_waits(db)
    assert broker.sent == broker.count == 200


async def test_facts_can_be_published_again(db: Database) -> None:
    broker, thing = Broker(), uuid4()
    async with relaying(db, broker):
        await add(db, [thing], range(3))
        await none_waits(db)
        broker.seen.clear()  # the broker has lost its disk
        broker.stored.clear()
        assert await outbox.republish(db, datetime.now(UTC) - timedelta(hours=1)) == 3
        await none_waits(db)
    assert broker.stored == {str(thing): [0, 1, 2]}


async def test_the_lag_is_known(db: Database) -> None:
    assert await outbox.lag(db) == outbox.Lag(0, 0.0)
    await add(db, [uuid4()], range(2))
    await db.execute(EVERY_ORGANIZATION, "update outbox set created_at = now() - interval '1 minute'")
    lag = await outbox.lag(db)
    assert lag.pending == 2
    assert 59 < lag.seconds < 90


async def test_published_rows_go_after_a_week_and_others_never(db: Database) -> None:
    await add(db, [uuid4()], range(3))
    await db.execute(EVERY_ORGANIZATION, "update outbox set created_at = now() - interval '30 days'")
    await db.execute(
        EVERY_ORGANIZATION,
        "update outbox set published_at = now() - interval '8 days' where id = (select min(id) from outbox)",
    )
    assert await purge(db) == 1
    assert await db.fetchval(EVERY_ORGANIZATION, "select count(*) from outbox") == 2


@pytest.mark.usefixtures("collector")
async def test_the_trace_goes_with_the_fact(db: Database) -> None:
    broker = Broker()
    with span("things", "save"):
        await add(db, [uuid4()], range(1))
        trace = trace_id()
    async with relaying(db, broker):
        await none_waits(db)
    assert trace in broker.headers[0]["traceparent"]


async def test_only_facts_with_a_plain_subject_id_are_taken(db: Database) -> None:
    live = Topic("meshery.live.things.v1.{organization_id}.thing_counted.{id}", Counted)
    async with db.transaction(ORGANIZATION) as tx:
        with pytest.raises(ValueError, match="best effort"):
            await outbox.add(tx, live, counted(1), subject_id="x")
        for subject_id in ("", "a.b", "a*", ">", "a b"):
            with pytest.raises(ValueError, match="token"):
                await outbox.add(tx, COUNTED, counted(1), subject_id=subject_id)


async def test_a_consumer_takes_a_message_in_once(db: Database) -> None:
    message_id = uuid4()
    effects = 0

    async def consume() -> None:
        nonlocal effects
        async with db.transaction(ORGANIZATION) as tx:
            if not await inbox.seen(tx, "projection", message_id):
                effects += 1
                await asyncio.sleep(0.02)

    await asyncio.gather(*(consume() for _ in range(4)))
    assert effects == 1
    others = [uuid4() for _ in range(3)]
    async with db.transaction(ORGANIZATION) as tx:
        assert not await inbox.seen(tx, "another", str(message_id))
        assert await inbox.fresh(tx, "projection", [message_id, *others, others[0]]) == set(others)
