"""A database of the events service."""

from __future__ import annotations

from collections.abc import AsyncIterator
from importlib.resources import files

import pytest

from meshery_common.database import Database, DatabaseSettings
from meshery_testkit.postgres import DatabaseFactory

MIGRATIONS = files("meshery_events") / "migrations"


@pytest.fixture
async def database(database_for: DatabaseFactory) -> DatabaseSettings:
    """Settings of an empty database."""
    return await database_for("events", MIGRATIONS)


@pytest.fixture
async def db(database: DatabaseSettings) -> AsyncIterator[Database]:
    """The database as the service has it."""
    async with Database.open(database, schema="events", migrations=MIGRATIONS) as opened:
        yield opened
