"""A database of the identity service, and time that stands still until it is told to go on."""

from __future__ import annotations

from collections.abc import AsyncIterator
from importlib.resources import files

import pytest

from meshery_common.database import Database
from meshery_testkit.postgres import DatabaseFactory

MIGRATIONS = files("meshery_identity") / "migrations"


@pytest.fixture
async def db(database_for: DatabaseFactory) -> AsyncIterator[Database]:
    """The service's database, empty."""
    settings = await database_for("identity", MIGRATIONS)
    async with Database.open(settings, schema="identity", migrations=MIGRATIONS) as database:
        yield database
