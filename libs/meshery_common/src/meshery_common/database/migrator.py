"""Brings a schema to the state the code expects.

Two sets of numbered files are applied, the runtime's own first and then the service's: `NNNN_words.sql`, each
once, in order, in a transaction of its own. A file whose first line is `-- no transaction` holds one statement
that PostgreSQL refuses in transactions (create index concurrently). Applied files never change; there is no way
back but forward. Works as the owner role.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any

import asyncpg
import structlog
from asyncpg import exceptions as pg

from meshery_common.database.connecting import connect_migrator
from meshery_common.database.errors import translated
from meshery_common.database.settings import DatabaseSettings
from meshery_contracts.errors import Unavailable

_log = structlog.get_logger(__name__)

_NAME = re.compile(r"(\d{4})_([a-z0-9_]+)\.sql")
_POLL_SECONDS = 0.1
_SAY_SO_SECONDS = 60.0
_LOCK_ATTEMPTS = 10

RUNTIME_SET = "runtime"
SERVICE_SET = "service"


class MigrationError(Exception):
    """The schema does not fit the code; starting would lose or spoil data."""


class SchemaBehind(MigrationError):
    """Migrations are missing, and this process may not apply them."""


class SchemaNewer(MigrationError):
    """The schema was written by a newer release than this one."""


class MigrationChanged(MigrationError):
    """A file was changed after it had been applied."""


class MigrationFailed(MigrationError):
    """A file could not be applied; what it did was undone, unless it runs outside of a transaction."""


@dataclass(frozen=True)
class Migration:
    """One file."""

    set_name: str
    version: int
    name: str
    sql: str

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.sql.encode()).hexdigest()

    @property
    def transactional(self) -> bool:
        first_line = self.sql.lstrip().partition("\n")[0]
        return first_line.strip().lower() != "-- no transaction"

    def __str__(self) -> str:
        return f"{self.set_name}/{self.name}"


def read_migrations(folder: Traversable, set_name: str) -> list[Migration]:
    """The files of a folder in order. Raises MigrationError on a wrong name or a number used twice."""
    migrations: dict[int, Migration] = {}
    for entry in folder.iterdir():
        if not entry.name.endswith(".sql"):
            continue
        match = _NAME.fullmatch(entry.name)
        if match is None:
            raise MigrationError(f"{entry.name}: name migrations NNNN_words.sql")
        migration = Migration(set_name, int(match[1]), entry.name, entry.read_text(encoding="utf-8"))
        other = migrations.setdefault(migration.version, migration)
        if other is not migration:
            raise MigrationError(f"{other} and {migration} have the same number")
    return [migrations[version] for version in sorted(migrations)]


async def prepare(settings: DatabaseSettings, *, schema: str, migrations: Traversable) -> None:
    """Apply what is missing when there is an owner role, else only check.

    Raises MigrationError (see its subclasses), or Unavailable when PostgreSQL goes away meanwhile.
    """
    wanted = [
        *read_migrations(files("meshery_common") / "migrations", RUNTIME_SET),
        *read_migrations(migrations, SERVICE_SET),
    ]
    try:
        raw = await connect_migrator(settings, schema)
        try:
            if settings.owner_url is None:
                await _check(raw, schema, wanted)
            else:
                await _migrate(raw, schema, wanted)
        finally:
            await raw.close()
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
        meaning = translated(error)
        if isinstance(meaning, Unavailable):
            raise meaning from None
        raise MigrationFailed(f"schema {schema}: {error}") from error


async def _check(raw: Any, schema: str, wanted: Sequence[Migration]) -> None:
    missing = _missing(schema, wanted, await _applied(raw, schema))
    if missing:
        raise SchemaBehind(
            f"schema {schema} is behind: {', '.join(map(str, missing))} not applied. "
            "Run the service's migration job, or give this process the owner role's address."
        )


async def _migrate(raw: Any, schema: str, wanted: Sequence[Migration]) -> None:
    if await raw.fetchval("select to_regnamespace($1)", schema) is None:
        raise MigrationError(
            f"schema {schema} does not exist: provision the service's roles and schema first"
        )
    await _lock(raw, schema)
    await raw.execute(
        """
        create table if not exists schema_migrations (
            set text not null,
            version integer not null,
            name text not null,
            sha256 text not null,
            applied_at timestamptz not null default now(),
            milliseconds integer not null,
            primary key (set, version)
        );
        comment on table schema_migrations is 'Which migrations this schema has; written by the migrator only.';
        """
    )
    await _keep_read_only(raw, schema)
    for migration in _missing(schema, wanted, await _applied(raw, schema)):
        await _apply(raw, schema, migration)
    # The lock goes with the session.


async def _lock(raw: Any, schema: str) -> None:
    """Wait for our turn. Polled: a waiting statement would hold a snapshot that CONCURRENTLY waits for."""
    began = said = time.monotonic()
    while not await raw.fetchval("select pg_try_advisory_lock(hashtextextended($1, 0))", f"migrate {schema}"):
        if time.monotonic() - said >= _SAY_SO_SECONDS:
            said = time.monotonic()
            _log.warning("Waiting for another process to migrate", schema=schema, seconds=round(said - began))
        await asyncio.sleep(_POLL_SECONDS)


async def _keep_read_only(raw: Any, schema: str) -> None:
    """Take back what default privileges gave the app role on the migrator's own table."""
    grantees = await raw.fetch(
        """
        select distinct grantee::regrole::text as role
        from pg_class c, aclexplode(c.relacl)
        where c.oid = to_regclass($1) and grantee <> c.relowner and grantee <> 0 and privilege_type <> 'SELECT'
        """,
        f"{schema}.schema_migrations",
    )
    for row in grantees:
        await raw.execute(f"revoke insert, update, delete, truncate on schema_migrations from {row['role']}")


async def _applied(raw: Any, schema: str) -> dict[tuple[str, int], Any]:
    if await raw.fetchval("select to_regclass($1)", f"{schema}.schema_migrations") is None:
        return {}
    rows = await raw.fetch(
        'select "set", version, name, sha256 from schema_migrations order by "set", version'
    )
    return {(row["set"], row["version"]): row for row in rows}


def _missing(
    schema: str, wanted: Sequence[Migration], applied: dict[tuple[str, int], Any]
) -> list[Migration]:
    """What is to be applied, in order, after checking that all else fits."""
    for set_name in (RUNTIME_SET, SERVICE_SET):
        newest = max((m.version for m in wanted if m.set_name == set_name), default=0)
        has = max((version for of, version in applied if of == set_name), default=0)
        if has > newest:
            raise SchemaNewer(
                f"schema {schema} is newer than this release: its {set_name} set is at version {has:04d}, "
                f"the code at {newest:04d}. Start a release that knows version {has:04d}."
            )
    missing = []
    for migration in wanted:
        row = applied.get((migration.set_name, migration.version))
        if row is None:
            missing.append(migration)
        elif row["sha256"] != migration.sha256:
            raise MigrationChanged(
                f"{migration} was changed after it had been applied to schema {schema} as {row['name']}: "
                "restore the file and put the change into a new one"
            )
        elif any(earlier.set_name == migration.set_name for earlier in missing):
            raise MigrationError(
                f"{missing[0]} is not applied to schema {schema}, but {migration} after it is: "
                "give the new file the next free number"
            )
    return missing


async def _apply(raw: Any, schema: str, migration: Migration) -> None:
    began = time.monotonic()
    for attempt in range(1, _LOCK_ATTEMPTS + 1):
        try:
            if migration.transactional:
                async with raw.transaction():
                    await raw.execute(migration.sql)
                    await _record(raw, migration, began)
            else:
                await raw.execute(migration.sql)
                await _record(raw, migration, began)
            break
        except pg.LockNotAvailableError as error:
            # Let the statements in front of us go through, and those behind us, before trying again.
            if attempt == _LOCK_ATTEMPTS:
                raise MigrationFailed(f"{migration}: the tables of schema {schema} stayed locked") from error
            await asyncio.sleep(attempt * 0.2)
        except asyncpg.PostgresError as error:
            if isinstance(translated(error), Unavailable):
                raise
            raise MigrationFailed(
                f"{migration} on schema {schema}: {error} (SQLSTATE {error.sqlstate})"
            ) from error
    _log.info("Migrated", schema=schema, migration=str(migration), seconds=round(time.monotonic() - began, 3))


async def _record(raw: Any, migration: Migration, began: float) -> None:
    await raw.execute(
        'insert into schema_migrations ("set", version, name, sha256, milliseconds) values ($1, $2, $3, $4, $5)',
        migration.set_name,
        migration.version,
        migration.name,
        migration.sha256,
        round((time.monotonic() - began) * 1000),
    )
