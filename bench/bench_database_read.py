"""A read by key through our database layer against the driver's own pool, on a PostgreSQL made for it.

Rounds alternate, so that both see the same machine; ratios count, absolute values do not. Goal: 0.9 or more.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from uuid import UUID, uuid4

import asyncpg
import uvloop

from meshery_common.database import Database
from meshery_common.database.provision import provision
from meshery_embedded.postgres import postgres

ROUNDS = 5
READS = 5000
ROWS = 100
GOAL = 0.9
MIGRATION = """
create table things (thing_id uuid primary key, organization_id uuid not null, body text not null);
alter table things enable row level security;
alter table things force row level security;
create policy organization on things
    using (organization_id = (select current_organization()) or (select in_every_organization()));
"""
READ = "select thing_id, body from things where thing_id = $1 and organization_id = $2"

Read = Callable[[int], Awaitable[object]]


async def reads_per_second(read: Read, tasks: int) -> float:
    """Do `READS` reads by so many tasks."""

    async def some(offset: int) -> None:
        for number in range(READS // tasks):
            await read((number + offset) % ROWS)

    started = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for offset in range(tasks):
            group.create_task(some(offset))
    return READS / (time.perf_counter() - started)


async def compare(ours: Read, theirs: Read) -> float:
    """Print both at several loads; the least ratio."""
    least = float("inf")
    for tasks in (1, 8, 32):
        pairs = [
            (await reads_per_second(theirs, tasks), await reads_per_second(ours, tasks))
            for _ in range(ROUNDS)
        ]
        ratio = statistics.median(our / their for their, our in pairs)
        least = min(least, ratio)
        their, our = (statistics.median(values) for values in zip(*pairs, strict=True))
        print(f"{tasks:3} tasks: driver's pool {their:7.0f}/s, ours {our:7.0f}/s, ratio {ratio:.2f}")
    return least


async def main() -> int:
    """1 when the goal is missed."""
    with tempfile.TemporaryDirectory() as folder:
        migrations = Path(folder) / "migrations"
        migrations.mkdir()
        (migrations / "0001_things.sql").write_text(MIGRATION)
        async with postgres(Path(folder) / "postgres", durable=False) as server:
            made = await provision(server.admin_dsn(), "things")
            async with Database.open(made.settings(), schema="things", migrations=migrations) as db:
                organization, ids = uuid4(), [uuid4() for _ in range(ROWS)]
                owner = await asyncpg.connect(
                    made.owner_url, server_settings={"search_path": "things", "meshery.organization": "*"}
                )
                await owner.executemany(
                    "insert into things values ($1, $2, $3)", [(id_, organization, "x" * 1000) for id_ in ids]
                )
                await owner.close()
                return 0 if await _measured(db, made.app_url, organization, ids) >= GOAL else 1


async def _measured(db: Database, url: str, organization: UUID, ids: list[UUID]) -> float:
    async def no_reset(_: object) -> None:
        return None

    bare = await asyncpg.create_pool(
        url,
        min_size=8,
        max_size=8,
        reset=no_reset,
        command_timeout=10,
        server_settings={"search_path": "things", "meshery.organization": str(organization)},
    )
    try:
        return await compare(
            lambda number: db.fetchrow(organization, READ, ids[number], organization),
            lambda number: bare.fetchrow(READ, ids[number], organization),
        )
    finally:
        await bare.close()


if __name__ == "__main__":
    sys.exit(uvloop.run(main()))
