"""A database of a service that has one table, `things`."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from meshery_common.database import Database, DatabaseSettings
from meshery_testkit.postgres import DatabaseFactory

MIGRATIONS = Path(__file__).with_name("migrations")


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
