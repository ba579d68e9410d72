"""Real PostgreSQL for tests: one server per session, a fresh copy of a migrated database per use.

The server runs in a thread with a loop of its own, so that tests may have a loop each. Making a copy takes
some 10 ms, because each set of migrations is applied once and then cloned as a template.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import AsyncIterator, Awaitable, Iterator
from contextlib import contextmanager
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, Protocol
from uuid import uuid4

import pytest

from meshery_common.database import Database, DatabaseSettings
from meshery_common.database.provision import ServiceDatabase, clone, drop, provision
from meshery_embedded.postgres import PostgresServer, postgres
from meshery_testkit.threads import InThread

_WANTED_BYTES = 2 * 1024**3


class PostgresForTests:
    """The session's server and the templates made on it so far."""

    def __init__(self, server: PostgresServer) -> None:
        self.server = server
        self._templates: dict[tuple[str, str], ServiceDatabase] = {}

    def admin_url(self, database: str = "postgres") -> str:
        """The superuser's address of a database."""
        return self.server.admin_dsn(database)

    async def template(self, service: str, migrations: Traversable) -> ServiceDatabase:
        """A database of the service, provisioned and migrated, for copying only."""
        key = (service, str(migrations))
        if key not in self._templates:
            # Roles belong to the whole server: all copies share them and their passwords.
            made = await provision(
                self.admin_url(),
                service,
                database=f"template_{uuid4().hex[:12]}",
                app_password="app",  # noqa: S106 - a server for tests on the loopback address
                owner_password="owner",  # noqa: S106
            )
            async with Database.open(made.settings(), schema=made.schema, migrations=migrations):
                pass
            self._templates[key] = made
        return self._templates[key]


class DatabaseFactory(Protocol):
    """Makes a fresh database; see the fixture `database_for`."""

    def __call__(
        self, service: str, migrations: Traversable, **settings: Any
    ) -> Awaitable[DatabaseSettings]: ...


@contextmanager
def data_folder() -> Iterator[Path]:
    """A folder for a server that is thrown away, in memory where there is enough: copies take 10 ms there."""
    memory = Path("/dev/shm")  # noqa: S108 - a folder of our own in it, made safely
    in_memory = memory.is_dir() and shutil.disk_usage(memory).free > _WANTED_BYTES
    with tempfile.TemporaryDirectory(prefix="meshery-", dir=memory if in_memory else None) as folder:
        # The server's own account must get through, but needs to see nothing.
        Path(folder).chmod(0o711)
        yield Path(folder) / "postgres"


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresForTests]:
    """The session's PostgreSQL server. Nothing it holds outlives the session."""
    with data_folder() as data:
        running = InThread("postgres-for-tests", lambda: postgres(data, durable=False))
        yield PostgresForTests(running.value)
        running.close()


@pytest.fixture
async def database_for(postgres_server: PostgresForTests) -> AsyncIterator[DatabaseFactory]:
    """`await database_for("designs", migrations)`: settings of an empty, migrated database of that service.

    More keyword arguments change single settings, e.g. `pool_max=2`. It is dropped after the test.
    """
    made: list[str] = []

    async def make(service: str, migrations: Traversable, **settings: Any) -> DatabaseSettings:
        template = await postgres_server.template(service, migrations)
        copy = await clone(postgres_server.admin_url(), template, f"test_{uuid4().hex[:12]}")
        made.append(copy.database)
        return copy.settings(**settings)

    yield make
    for name in made:
        await drop(postgres_server.admin_url(), name)
