"""A database of a service that has one table, `things`."""

import asyncio
import sys
import textwrap
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from meshery_common.database import Database, DatabaseSettings
from meshery_testkit.postgres import DatabaseFactory

MIGRATIONS = Path(__file__).with_name("migrations")
_PROGRAM = """
import asyncio, sys
from pathlib import Path
from uuid import uuid4
from meshery_common import leases, operations
from meshery_common.database import Database, DatabaseSettings

async def main():
    settings = DatabaseSettings(app_url=sys.argv[1])
    async with Database.open(settings, schema="things", migrations=Path(sys.argv[2])) as db:
{body}

asyncio.run(main())
"""

Beside = Callable[[str], Awaitable[Process]]


@pytest.fixture
def migrations() -> Path:
    return MIGRATIONS


@pytest.fixture
async def settings(database_for: DatabaseFactory) -> DatabaseSettings:
    return await database_for("things", MIGRATIONS)


@pytest.fixture
async def db(settings: DatabaseSettings) -> AsyncIterator[Database]:
    async with Database.open(settings, schema="things", migrations=MIGRATIONS) as database:
        yield database


@pytest.fixture
async def beside(settings: DatabaseSettings) -> AsyncIterator[Beside]:
    """Does something with `db` in another process; it has printed `ready` when this returns."""
    started: list[Process] = []

    async def start(body: str) -> Process:
        program = _PROGRAM.format(body=textwrap.indent(textwrap.dedent(body), " " * 8))
        address = settings.app_url.get_secret_value()
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", program, address, str(MIGRATIONS)), stdout=PIPE
        )
        started.append(process)
        assert process.stdout is not None
        while (line := await process.stdout.readline()) != b"ready\n":
            assert line, "it ended"
        return process

    yield start
    for process in started:
        if process.returncode is None:
            process.kill()
        await process.communicate()
