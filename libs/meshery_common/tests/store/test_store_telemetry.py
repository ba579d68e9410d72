"""What a database, an outbox and operations tell: spans within a trace, and gauges."""

from __future__ import annotations

import asyncio
from uuid import uuid4

import pytest
from prometheus_client import REGISTRY

from meshery_common import operations, outbox
from meshery_common.database import (
    EVERY_ORGANIZATION,
    ConstraintViolated,
    Database,
    DatabaseSettings,
)
from meshery_common.operations import Run, Worker
from meshery_common.telemetry import span
from meshery_testkit.telemetry import Collector

ORGANIZATION = uuid4()


def value(name: str, **labels: str) -> float | None:
    return REGISTRY.get_sample_value(name, {"service": "things", **labels})


@pytest.fixture
async def traced(collector: Collector, db: Database) -> Collector:
    """The collector of a process whose database was opened after it began to record."""
    assert db.ready
    return collector


async def insert(db: Database, name: str) -> None:
    async with db.transaction(ORGANIZATION) as tx:
        await tx.execute(
            "insert into things (thing_id, organization_id, owner_id, name) values ($1, $2, $2, $3)",
            uuid4(),
            ORGANIZATION,
            name,
        )


async def test_statements_within_a_trace_are_spans_without_values(traced: Collector, db: Database) -> None:
    with span("things", "request"):
        await insert(db, "a-secret-name")
        await db.fetch(ORGANIZATION, "select name from things where name = $1", "a-secret-name")
    *statements, request = await asyncio.to_thread(traced.spans)
    assert {one.trace_id for one in statements} == {request.trace_id}
    assert [one.name for one in statements if one.name != "SELECT"] == [
        "INSERT things",
        "COMMIT",
        "SELECT things",
    ]
    insertion = statements[0]
    assert (insertion.service, insertion.kind) == ("meshery-things", "client")
    assert insertion.attributes == {
        "db.system.name": "postgresql",
        "db.namespace": "things",
        "db.operation.name": "INSERT",
        "db.query.summary": "INSERT things",
        "db.query.text": "insert into things (thing_id, organization_id, owner_id, name) values ($1, $2, $2, $3)",
    }
    assert "secret" not in repr(statements)
    assert str(ORGANIZATION) not in repr(statements)


async def test_a_failed_statement_shows_its_state_and_no_text(traced: Collector, db: Database) -> None:
    with span("things", "request"), pytest.raises(ConstraintViolated):
        await db.execute(
            EVERY_ORGANIZATION,
            "insert into things (thing_id, organization_id, owner_id, name) values ($1, $1, $1, null)",
            uuid4(),
        )
    failed = [one for one in await asyncio.to_thread(traced.spans) if one.failed]
    assert [one.attributes["db.response.status_code"] for one in failed] == ["23502"]
    assert "null value" not in repr(failed)


async def test_outside_of_a_trace_there_are_none(traced: Collector, db: Database) -> None:
    await insert(db, "x")
    assert await asyncio.to_thread(traced.spans) == []


async def test_an_operation_is_a_trace_that_links_to_its_command(traced: Collector, db: Database) -> None:
    done = asyncio.Event()
    outcome = {"kind": "deploy", "outcome": "succeeded"}
    before = value("meshery_operations_attempts_total", **outcome) or 0

    async def deploy(_run: Run) -> None:
        await db.fetchval(EVERY_ORGANIZATION, "select count(*) from things")
        done.set()

    with span("things", "command"):
        async with db.transaction(ORGANIZATION) as tx:
            operation_id = await operations.start(
                tx, "deploy", organization_id=ORGANIZATION, user_id=uuid4(), input={}
            )
    worker = Worker(db, {"deploy": deploy})
    async with asyncio.TaskGroup() as group:
        task = group.create_task(worker.run())
        async with asyncio.timeout(10):
            await done.wait()
            assert value("meshery_operations_running") == 1
            while worker.running:
                await asyncio.sleep(0.01)
        task.cancel()
    received = await asyncio.to_thread(traced.spans)
    [command] = [one for one in received if one.name == "command"]
    [run] = [one for one in received if one.name == "run deploy"]
    assert run.trace_id != command.trace_id
    assert run.links == ((command.trace_id, command.span_id),)
    assert run.attributes["meshery.operation.id"] == str(operation_id)
    assert {one.parent_id for one in received if one.name == "SELECT things"} == {run.span_id}
    assert value("meshery_operations_attempts_total", **outcome) == before + 1
    assert value("meshery_operations_running") is None


async def test_connections_are_counted_while_the_database_is_open(
    settings: DatabaseSettings, migrations: object
) -> None:
    async with Database.open(settings, schema="things", migrations=migrations) as db:  # type: ignore[arg-type]
        async with db.transaction(ORGANIZATION) as tx:
            await tx.fetchval("select 1")
            assert value("meshery_database_connections", state="used") == 1
            assert value("meshery_database_connections", state="idle") == 0
        assert value("meshery_database_connections", state="idle") == 1
        assert value("meshery_database_waiting") == 0
        assert value("meshery_database_healthy") == 1
    assert value("meshery_database_connections", state="idle") is None


async def test_the_outbox_tells_how_far_it_is_behind(db: Database) -> None:
    class Nobody:
        async def publish(self, *_: object, **__: object) -> None:
            raise ConnectionError

    async with db.transaction(ORGANIZATION) as tx:
        await tx.execute(
            "insert into outbox (message_id, subject, payload, created_at) "
            "values ($1, 'a.b', '', now() - interval '1 minute')",
            uuid4(),
        )
    async with asyncio.TaskGroup() as group:
        task = group.create_task(outbox.Relay(db, Nobody()).run())
        async with asyncio.timeout(10):
            while not value("meshery_outbox_pending"):
                await asyncio.sleep(0.01)
        assert value("meshery_outbox_pending") == 1
        assert 59 < (value("meshery_outbox_lag_seconds") or 0) < 75
        task.cancel()
    assert value("meshery_outbox_pending") is None
