"""An empty, migrated database of the service."""

from __future__ import annotations

from collections.abc import AsyncIterator
from importlib.resources import files

import pytest

from meshery_common.database import Database
from meshery_testkit.postgres import DatabaseFactory

MIGRATIONS = files("meshery_connections") / "migrations"


@pytest.fixture
async def db(database_for: DatabaseFactory) -> AsyncIterator[Database]:
    """The service's database as its app role sees it."""
    settings = await database_for("connections", MIGRATIONS)
    async with Database.open(settings, schema="connections", migrations=MIGRATIONS) as opened:
        yield opened
