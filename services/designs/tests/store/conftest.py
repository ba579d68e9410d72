"""The stores on a real PostgreSQL."""

from __future__ import annotations

from collections.abc import AsyncIterator
from importlib.resources import files

import pytest

from meshery_common.database import Database
from meshery_testkit.postgres import DatabaseFactory

MIGRATIONS = files("meshery_designs") / "migrations"


@pytest.fixture
async def db(database_for: DatabaseFactory) -> AsyncIterator[Database]:
    """A migrated database, seen through the app role as the service sees it."""
    settings = await database_for("designs", MIGRATIONS)
    async with Database.open(settings, schema="designs", migrations=MIGRATIONS) as database:
        yield database
