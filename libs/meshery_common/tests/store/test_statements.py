"""Statements alone and in transactions, their scopes and their errors."""
# ruff: noqa: PT012 - a transaction that fails is a block that raises

import asyncio
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID, uuid4

import asyncpg
import orjson
import pytest

from meshery_common.database import (
    EVERY_ORGANIZATION,
    ConstraintKind,
    ConstraintViolated,
    Contended,
    Database,
    DatabaseSettings,
    StatementFailed,
    Transaction,
)
from meshery_contracts.errors import DeadlineExceeded, Invalid, Unavailable

ADD = "insert into things (thing_id, organization_id, owner_id, name) values ($1, $2, $2, $3)"


async def test_values_come_back_as_plain_python(db: Database) -> None:
    id_ = uuid4()
    row = await db.fetchrow(
        EVERY_ORGANIZATION,
        """
        select $1::uuid as id, $2::jsonb as body, $3::jsonb as raw, $2::json as undecoded, array[$1::uuid] as ids
        """,
        id_,
        {"a": [1, "ä", None]},
        b'{"ready": true}',
    )
    assert row is not None
    assert row["id"] == id_
    assert type(row["id"]) is UUID
    assert type(row["ids"][0]) is UUID
    assert row["body"] == {"a": [1, "ä", None]}
    assert row["raw"] == {"ready": True}
    assert orjson.loads(row["undecoded"]) == {"a": [1, "ä", None]}
    assert type(row["undecoded"]) is bytes


async def test_execute_tells_how_many_rows_it_changed(db: Database) -> None:
    organization = uuid4()
    async with db.transaction(organization) as tx:
        await tx.executemany(ADD, [(uuid4(), organization, f"n{i}") for i in range(3)])
        written = await tx.copy("inbox", ["consumer", "message_id"], [("c", uuid4()) for _ in range(4)])
    assert written == 4
    assert await db.execute(organization, "update things set count = 1") == 3
    assert await db.execute(organization, "update things set count = 1 where false") == 0


async def test_an_error_in_the_block_undoes_the_transaction(db: Database) -> None:
    organization = uuid4()
    with pytest.raises(KeyError):
        async with db.transaction(organization) as tx:
            await tx.execute(ADD, uuid4(), organization, "x")
            raise KeyError("boom")
    assert await db.fetchval(organization, "select count(*) from things") == 0


async def test_a_savepoint_undoes_only_its_own_part(db: Database) -> None:
    organization = uuid4()
    async with db.transaction(organization) as tx:
        await tx.execute(ADD, uuid4(), organization, "x")
        with pytest.raises(ConstraintViolated):
            async with tx.savepoint():
                await tx.execute(ADD, uuid4(), organization, "x")
        await tx.execute(ADD, uuid4(), organization, "y")
    assert await db.fetchval(organization, "select count(*) from things") == 2


async def test_swallowing_a_failed_statement_does_not_pass_for_a_commit(db: Database) -> None:
    organization = uuid4()
    with pytest.raises(RuntimeError, match="rolled back"):
        async with db.transaction(organization) as tx:
            await tx.execute(ADD, uuid4(), organization, "x")
            with suppress(ConstraintViolated):
                await tx.execute(ADD, uuid4(), organization, "x")


@pytest.mark.parametrize(
    ("sql", "constraint", "kind"),
    [
        ("insert into things select * from things", "things_pkey", ConstraintKind.UNIQUE),
        ("update things set name = null", "things_name_not_null", ConstraintKind.NOT_NULL),
        ("update things set count = -1", "things_count_check", ConstraintKind.CHECK),
    ],
)
async def test_constraints_keep_their_names_and_no_values(
    db: Database, sql: str, constraint: str, kind: ConstraintKind
) -> None:
    organization = uuid4()
    await db.execute(organization, ADD, uuid4(), organization, "secret name")
    with pytest.raises(ConstraintViolated) as caught:
        await db.execute(organization, sql)
    assert (caught.value.constraint, caught.value.kind) == (constraint, kind)
    assert "secret" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


async def test_text_that_cannot_be_stored_is_the_callers_mistake(db: Database) -> None:
    organization = uuid4()
    for text in ("a\x00b", "half \ud800 pair"):
        with pytest.raises(Invalid) as caught:
            await db.execute(organization, ADD, uuid4(), organization, text)
        assert caught.value.problem.code == "unstorable_text"
    with pytest.raises(Invalid):
        await db.fetchval(organization, "select $1::jsonb", {"a": "\x00"})


async def test_our_own_mistakes_show_no_values(db: Database) -> None:
    with pytest.raises(StatementFailed, match="does not exist") as caught:
        await db.fetch(EVERY_ORGANIZATION, "select * from nowhere where x = $1", "secret")
    assert "secret" not in str(caught.value)
    with pytest.raises(StatementFailed) as caught:
        await db.fetch(EVERY_ORGANIZATION, "select $1::integer", "secret")
    assert "secret" not in str(caught.value)
    with pytest.raises(StatementFailed) as caught:
        await db.fetch(EVERY_ORGANIZATION, "select ($1::text)::integer", "secret")
    assert "secret" not in str(caught.value)
    assert await db.fetchval(EVERY_ORGANIZATION, "select 1") == 1


async def test_a_scope_shows_its_own_rows_only(db: Database) -> None:
    ours, theirs = uuid4(), uuid4()
    await db.execute(ours, ADD, uuid4(), ours, "ours")
    await db.execute(theirs, ADD, uuid4(), theirs, "theirs")
    names = "select name from things order by name"
    for _ in range(3):
        assert [r["name"] for r in await db.fetch(ours, names)] == ["ours"]
        assert [r["name"] for r in await db.fetch(theirs, names)] == ["theirs"]
        assert [r["name"] for r in await db.fetch(EVERY_ORGANIZATION, names)] == ["ours", "theirs"]
        async with db.transaction(ours) as tx:
            assert [r["name"] for r in await tx.fetch(names)] == ["ours"]
    assert await db.execute(ours, "update things set count = 9") == 1
    assert await db.execute(ours, "delete from things where organization_id = $1", theirs) == 0
    with pytest.raises(StatementFailed, match="row-level security"):
        await db.execute(ours, ADD, uuid4(), theirs, "smuggled")
    with pytest.raises(StatementFailed, match="row-level security"):
        await db.execute(ours, "update things set organization_id = $1", theirs)


async def test_scopes_never_leak_between_tasks_that_share_connections(
    settings: DatabaseSettings, migrations: Path
) -> None:
    organizations = [uuid4() for _ in range(5)]
    few = settings.model_copy(update={"pool_max": 2})
    async with Database.open(few, schema="things", migrations=migrations) as db:
        for organization in organizations:
            await db.execute(organization, ADD, uuid4(), organization, "x")

        async def look(organization: UUID, seed: int) -> None:
            sql = "select organization_id from things"
            for step in range(40):
                match (step + seed) % 4:
                    case 0:
                        rows = await db.fetch(organization, sql)
                    case 1:
                        async with db.transaction(organization) as tx:
                            rows = await tx.fetch(sql)
                    case 2:
                        with pytest.raises(KeyError):
                            async with db.transaction(organization) as tx:
                                rows = await tx.fetch(sql)
                                raise KeyError
                    case _:
                        # Cancelled in the middle of a statement.
                        try:
                            async with asyncio.timeout(0.001):
                                await db.fetch(organization, "select pg_sleep(0.002)")
                        except TimeoutError:
                            pass
                        rows = await db.fetch(organization, sql)
                assert [r["organization_id"] for r in rows] == [organization]

        async with asyncio.TaskGroup() as group:
            for seed, organization in enumerate(organizations * 2):
                group.create_task(look(organization, seed))
        assert db.connections[0] <= 2


async def test_a_published_row_is_readable_and_only_that(db: Database) -> None:
    ours, theirs = uuid4(), uuid4()
    await db.execute(theirs, ADD, uuid4(), theirs, "theirs")
    await db.execute(theirs, "update things set visibility = 'published'")
    assert await db.fetchval(ours, "select count(*) from things") == 1
    assert await db.execute(ours, "update things set name = 'mine'") == 0
    assert await db.execute(ours, "delete from things") == 0


async def test_a_statement_that_takes_too_long_is_ended(settings: DatabaseSettings, migrations: Path) -> None:
    hasty = settings.model_copy(update={"statement_timeout_seconds": 0.2})
    async with Database.open(hasty, schema="things", migrations=migrations) as db:
        with pytest.raises(DeadlineExceeded):
            await db.fetchval(EVERY_ORGANIZATION, "select pg_sleep(5)")
        assert await db.fetchval(EVERY_ORGANIZATION, "select 1") == 1


async def test_waiting_for_a_connection_has_an_end(settings: DatabaseSettings, migrations: Path) -> None:
    one = settings.model_copy(update={"pool_max": 1, "acquire_timeout_seconds": 0.1})
    async with Database.open(one, schema="things", migrations=migrations) as db:
        async with db.transaction(EVERY_ORGANIZATION):
            with pytest.raises(Unavailable) as caught:
                await db.fetchval(EVERY_ORGANIZATION, "select 1")
            assert caught.value.problem.code == "database_busy"
        assert await db.fetchval(EVERY_ORGANIZATION, "select 1") == 1


async def test_waiting_tasks_get_connections_in_turn(settings: DatabaseSettings, migrations: Path) -> None:
    one = settings.model_copy(update={"pool_max": 1})
    async with Database.open(one, schema="things", migrations=migrations) as db:
        order: list[int] = []

        async def use(number: int) -> None:
            await db.fetchval(EVERY_ORGANIZATION, "select pg_sleep(0.01)")
            order.append(number)

        async with asyncio.TaskGroup() as group:
            for number in range(10):
                group.create_task(use(number))
        assert order == list(range(10))
        assert db.connections == (1, 1)


async def test_a_lock_that_stays_is_contention(settings: DatabaseSettings, migrations: Path) -> None:
    hasty = settings.model_copy(update={"lock_timeout_seconds": 0.1})
    async with Database.open(hasty, schema="things", migrations=migrations) as db:
        organization = uuid4()
        await db.execute(organization, ADD, uuid4(), organization, "x")
        async with db.transaction(organization) as tx:
            await tx.execute("update things set count = 1")
            with pytest.raises(Contended):
                await db.execute(organization, "update things set count = 2")


async def test_run_tries_again_after_a_deadlock(db: Database) -> None:
    organization = uuid4()
    first, second = uuid4(), uuid4()
    for thing in (first, second):
        await db.execute(organization, ADD, thing, organization, str(thing))
    both_hold = asyncio.Barrier(2)
    attempts = 0

    async def cross(tx: Transaction, one: UUID, other: UUID) -> None:
        nonlocal attempts
        attempts += 1
        sql = "update things set count = count + 1 where thing_id = $1"
        await tx.execute(sql, one)
        if attempts <= 2:
            await both_hold.wait()
        await tx.execute(sql, other)

    async with asyncio.TaskGroup() as group:
        group.create_task(db.run(organization, lambda tx: cross(tx, first, second)))
        group.create_task(db.run(organization, lambda tx: cross(tx, second, first)))
    assert attempts == 3
    assert await db.fetchval(organization, "select sum(count) from things") == 4


async def test_a_cancelled_transaction_is_undone_and_the_connection_serves_on(
    settings: DatabaseSettings, migrations: Path
) -> None:
    one = settings.model_copy(update={"pool_max": 1})
    async with Database.open(one, schema="things", migrations=migrations) as db:
        organization = uuid4()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1), db.transaction(organization) as tx:
                await tx.execute(ADD, uuid4(), organization, "x")
                await tx.execute("select pg_sleep(5)")
        assert await db.fetchval(organization, "select count(*) from things") == 0
        assert await db.fetchval(EVERY_ORGANIZATION, "select current_setting('meshery.organization')") == "*"


async def test_wake_ups_come_after_the_commit_and_not_after_a_rollback(db: Database) -> None:
    async with db.listen("things") as wakes:
        await anext(wakes)  # the one at the start
        await asyncio.sleep(0.3)  # and the one when the listening connection stands
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await anext(wakes)
                await anext(wakes)
        with pytest.raises(KeyError):
            async with db.transaction(EVERY_ORGANIZATION) as tx:
                tx.notify("things")
                raise KeyError
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await anext(wakes)
        async with db.transaction(EVERY_ORGANIZATION) as tx:
            tx.notify("things")
        async with asyncio.timeout(5):
            await anext(wakes)


async def test_times_are_aware_and_in_utc(db: Database) -> None:
    now = await db.fetchval(EVERY_ORGANIZATION, "select now()")
    assert abs((datetime.now(UTC) - now).total_seconds()) < 60


async def test_a_table_changed_by_a_migration_meanwhile(settings: DatabaseSettings, migrations: Path) -> None:
    assert settings.owner_url is not None
    one = settings.model_copy(update={"pool_max": 1})
    everything = "select * from things"
    async with Database.open(one, schema="things", migrations=migrations) as db:
        assert await db.fetch(EVERY_ORGANIZATION, everything) == []
        owner = await asyncpg.connect(settings.owner_url.get_secret_value())
        for column in ("more", "still_more"):
            await owner.execute(f"alter table things.things add column {column} text")
            if column == "more":
                assert await db.fetch(EVERY_ORGANIZATION, everything) == []
            else:
                assert await db.run(EVERY_ORGANIZATION, lambda tx: tx.fetch(everything)) == []
        await owner.close()


async def test_after_a_fail_over_the_old_connections_go(settings: DatabaseSettings, migrations: Path) -> None:
    organization = uuid4()
    one = settings.model_copy(update={"pool_max": 1})
    async with Database.open(one, schema="things", migrations=migrations) as db:
        backend = await db.fetchval(EVERY_ORGANIZATION, "select pg_backend_pid()")
        with pytest.raises(Unavailable):
            async with db.transaction(organization, characteristics="read only") as tx:
                await tx.execute(ADD, uuid4(), organization, "x")
        await db.execute(organization, ADD, uuid4(), organization, "x")
        assert await db.fetchval(EVERY_ORGANIZATION, "select pg_backend_pid()") != backend
