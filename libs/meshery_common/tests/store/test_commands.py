"""Commands with idempotency keys are done once."""

import asyncio
import time
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from meshery_common.context import RequestContext, serving
from meshery_common.database import Database, DatabaseSettings, Repeated
from meshery_common.retention import purge
from meshery_contracts.caller import Caller
from meshery_contracts.errors import Conflict, DeadlineExceeded, Invalid
from meshery_contracts.messages import Message

ORGANIZATION, USER = uuid4(), uuid4()


class Made(Message):
    thing_id: UUID
    full_name: str = "x"


def a_request(
    key: str, *, fingerprint: bytes = b"f", user: UUID = USER, seconds: float = 30
) -> RequestContext:
    return RequestContext(
        caller=Caller(user_id=user, organization_id=ORGANIZATION),
        idempotency_key=key,
        fingerprint=fingerprint,
        deadline=time.monotonic() + seconds,
    )


async def make(db: Database, request: RequestContext, pause: float = 0) -> bytes:
    """A use case as a service has it; what the bus would send."""
    with serving(request):
        try:
            async with db.command(ORGANIZATION) as tx:
                thing = uuid4()
                await tx.execute(
                    "insert into things (thing_id, organization_id, owner_id, name) values ($1, $2, $3, $4)",
                    thing,
                    ORGANIZATION,
                    USER,
                    str(thing),
                )
                await asyncio.sleep(pause)
                reply = await tx.answer(Made(thing_id=thing))
            return reply.model_dump_json(by_alias=True).encode()
        except Repeated as repeated:
            return repeated.answer


async def count(db: Database) -> int:
    return int(await db.fetchval(ORGANIZATION, "select count(*) from things"))


async def test_a_repeat_gets_the_first_answer_byte_by_byte(db: Database) -> None:
    first = await make(db, a_request("k"))
    assert b"fullName" in first
    assert await make(db, a_request("k")) == first
    assert await count(db) == 1


async def test_requests_at_the_same_time_are_done_once(db: Database) -> None:
    answers = await asyncio.gather(*(make(db, a_request("k"), 0.05) for _ in range(8)))
    assert len(set(answers)) == 1
    assert await count(db) == 1


async def test_the_second_waits_beyond_the_lock_timeout(settings: DatabaseSettings, migrations: Path) -> None:
    hasty = settings.model_copy(update={"lock_timeout_seconds": 0.1})
    async with Database.open(hasty, schema="things", migrations=migrations) as db:
        answers = await asyncio.gather(*(make(db, a_request("k"), 0.5) for _ in range(2)))
        assert len(set(answers)) == 1
        async with asyncio.TaskGroup() as group:
            group.create_task(make(db, a_request("l"), 1.0))
            await asyncio.sleep(0.3)
            with pytest.raises(DeadlineExceeded):
                await make(db, a_request("l", seconds=0.15))


async def test_the_key_belongs_to_one_request_of_one_person(db: Database) -> None:
    await make(db, a_request("k"))
    with pytest.raises(Conflict) as caught:
        await make(db, a_request("k", fingerprint=b"g"))
    assert caught.value.problem.code == "idempotency_key_reused"
    await make(db, a_request("k", user=uuid4()))
    assert await count(db) == 2


async def test_a_failed_command_can_be_sent_again(db: Database) -> None:
    with pytest.raises(KeyError), serving(a_request("k")):
        async with db.command(ORGANIZATION):
            raise KeyError
    await make(db, a_request("k"))
    assert await count(db) == 1


async def test_forgetting_the_answer_is_a_mistake_that_changes_nothing(db: Database) -> None:
    with pytest.raises(RuntimeError, match="answer"), serving(a_request("k")):
        async with db.command(ORGANIZATION):
            pass
    assert await db.fetchval(ORGANIZATION, "select count(*) from idempotency_keys") == 0


async def test_without_a_key_it_is_a_plain_transaction(db: Database) -> None:
    await make(db, a_request(""))
    await make(db, a_request(""))
    assert await count(db) == 2


async def test_a_key_without_end_is_refused(db: Database) -> None:
    with pytest.raises(Invalid):
        await make(db, a_request("k" * 201))


async def test_keys_are_forgotten_after_a_day(db: Database) -> None:
    await make(db, a_request("old"))
    await db.execute(ORGANIZATION, "update idempotency_keys set created_at = now() - interval '25 hours'")
    await make(db, a_request("new"))
    await purge(db)
    assert [r["key"] for r in await db.fetch(ORGANIZATION, "select key from idempotency_keys")] == ["new"]


async def test_a_repeat_is_recalled_before_others_are_asked(db: Database) -> None:
    request = a_request("recalled")
    with serving(request):
        await db.recall(ORGANIZATION)
    first = await make(db, request)
    with serving(request), pytest.raises(Repeated) as repeated:
        await db.recall(ORGANIZATION)
    assert repeated.value.answer == first
    with serving(a_request("recalled", fingerprint=b"other")), pytest.raises(Conflict):
        await db.recall(ORGANIZATION)
    await db.recall(ORGANIZATION)
