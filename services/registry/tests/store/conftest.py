"""A registry's database and builders of its rows."""

from __future__ import annotations

from collections.abc import AsyncIterator
from importlib.resources import files

import pytest

from meshery_common.database import Database, DatabaseSettings
from meshery_testkit.postgres import DatabaseFactory

MIGRATIONS = files("meshery_registry") / "migrations"


@pytest.fixture
async def database(database_for: DatabaseFactory) -> DatabaseSettings:
    """Settings of an empty database of the registry."""
    return await database_for("registry", MIGRATIONS)


@pytest.fixture
async def db(database: DatabaseSettings) -> AsyncIterator[Database]:
    """The database as the service has it."""
    async with Database.open(database, schema="registry", migrations=MIGRATIONS) as opened:
        yield opened


@pytest.fixture
async def owner(database: DatabaseSettings) -> AsyncIterator[Database]:
    """The same database as its owner has it: for statements that a service may not run."""
    assert database.owner_url is not None
    settings = database.model_copy(update={"app_url": database.owner_url})
    async with Database.open(settings, schema="registry", migrations=MIGRATIONS) as opened:
        yield opened
