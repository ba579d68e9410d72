"""The migrator and the roles: what is applied, by whom, and what is refused."""

import asyncio
import shutil
from importlib.resources import files
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest

from meshery_common.database import (
    EVERY_ORGANIZATION,
    Database,
    DatabaseSettings,
    MigrationChanged,
    MigrationError,
    MigrationFailed,
    SchemaBehind,
    SchemaNewer,
    StatementFailed,
)
from meshery_common.database.migrator import read_migrations
from meshery_common.database.provision import ServiceDatabase, drop, provision
from meshery_testkit.postgres import PostgresForTests

RUNTIME = [
    ("runtime", one.version) for one in read_migrations(files("meshery_common") / "migrations", "runtime")
]
HISTORY = 'select "set", version from schema_migrations order by applied_at, "set", version'


@pytest.fixture
async def empty(postgres_server: PostgresForTests):  # type: ignore[no-untyped-def]
    """A provisioned service whose schema is empty."""
    made = await provision(
        postgres_server.admin_url(),
        "things",
        database=f"test_{uuid4().hex[:12]}",
        app_password="app",
        owner_password="owner",
    )
    yield made
    await drop(postgres_server.admin_url(), made.database)


@pytest.fixture
def folder(tmp_path: Path, migrations: Path) -> Path:
    """A copy of the migrations, to change."""
    return Path(shutil.copytree(migrations, tmp_path / "migrations"))


async def opened(settings: DatabaseSettings, folder: Path) -> list[tuple[str, int]]:
    async with Database.open(settings, schema="things", migrations=folder) as db:
        return [(row["set"], row["version"]) for row in await db.fetch(EVERY_ORGANIZATION, HISTORY)]


async def test_the_runtimes_files_come_first_then_the_services(empty: ServiceDatabase, folder: Path) -> None:
    (folder / "0002_more.sql").write_text("alter table things add column more text;")
    assert await opened(empty.settings(), folder) == [*RUNTIME, ("service", 1), ("service", 2)]
    (folder / "0003_index.sql").write_text(
        "-- no transaction\ncreate index concurrently things_more on things (more);"
    )
    assert (await opened(empty.settings(), folder))[-1] == ("service", 3)


async def test_of_five_racing_processes_exactly_one_applies_each_file(
    empty: ServiceDatabase, folder: Path
) -> None:
    # Applied twice this would fail, applied by two at once it would count to more than one.
    (folder / "0002_once.sql").write_text("create table once (n integer); insert into once values (1);")
    (folder / "0003_index.sql").write_text("-- no transaction\ncreate index concurrently once_n on once (n);")
    histories = await asyncio.gather(*(opened(empty.settings(), folder) for _ in range(5)))
    assert all(len(history) == len(RUNTIME) + 3 for history in histories)
    async with Database.open(empty.settings(), schema="things", migrations=folder) as db:
        assert await db.fetchval(EVERY_ORGANIZATION, "select count(*) from once") == 1


async def test_a_changed_file_is_named(empty: ServiceDatabase, folder: Path) -> None:
    await opened(empty.settings(), folder)
    file = folder / "0001_things.sql"
    file.write_text(file.read_text() + "-- later thought\n")
    with pytest.raises(MigrationChanged, match=r"service/0001_things\.sql"):
        await opened(empty.settings(), folder)


async def test_a_failing_file_leaves_nothing_behind(empty: ServiceDatabase, folder: Path) -> None:
    (folder / "0002_bad.sql").write_text("create table half (n integer); select nonsense;")
    with pytest.raises(MigrationFailed, match=r"service/0002_bad\.sql.*nonsense"):
        await opened(empty.settings(), folder)
    (folder / "0002_bad.sql").write_text("create table half (n integer);")
    assert (await opened(empty.settings(), folder))[-1] == ("service", 2)


async def test_without_the_owner_role_a_missing_file_stops_the_start(
    empty: ServiceDatabase, folder: Path
) -> None:
    app_only = empty.settings().model_copy(update={"owner_url": None})
    with pytest.raises(SchemaBehind, match="runtime/0001"):
        await opened(app_only, folder)
    await opened(empty.settings(), folder)
    assert await opened(app_only, folder) == [*RUNTIME, ("service", 1)]
    (folder / "0002_more.sql").write_text("select 1;")
    with pytest.raises(SchemaBehind, match=r"service/0002_more\.sql"):
        await opened(app_only, folder)


async def test_a_newer_schema_names_both_versions(empty: ServiceDatabase, folder: Path) -> None:
    (folder / "0002_more.sql").write_text("select 1;")
    await opened(empty.settings(), folder)
    (folder / "0002_more.sql").unlink()
    for settings in (empty.settings(), empty.settings().model_copy(update={"owner_url": None})):
        with pytest.raises(SchemaNewer, match=r"0002.*0001"):
            await opened(settings, folder)


async def test_names_and_numbers_are_checked(empty: ServiceDatabase, folder: Path) -> None:
    (folder / "2_more.sql").write_text("select 1;")
    with pytest.raises(MigrationError, match="NNNN_words"):
        await opened(empty.settings(), folder)
    (folder / "2_more.sql").rename(folder / "0001_more.sql")
    with pytest.raises(MigrationError, match="same number"):
        await opened(empty.settings(), folder)
    (folder / "0001_more.sql").rename(folder / "0003_more.sql")
    await opened(empty.settings(), folder)
    (folder / "0002_late.sql").write_text("select 1;")
    with pytest.raises(MigrationError, match="next free number"):
        await opened(empty.settings(), folder)


@pytest.mark.parametrize(
    "sql",
    [
        "create table mine (n integer)",
        "create temporary table mine (n integer)",
        "drop table things",
        "alter table things disable row level security",
        "alter policy organization on things using (true)",
        "truncate things",
        "create schema mine",
        "create function f() returns integer language sql return 1",
        "create table public.mine (n integer)",
        "delete from schema_migrations",
        "insert into schema_migrations values ('service', 9, 'x', 'x', now(), 1)",
        "set role things_owner",
        "create role mine",
    ],
)
async def test_the_app_role_changes_rows_and_nothing_else(db: Database, sql: str) -> None:
    with pytest.raises(StatementFailed) as caught:
        await db.execute(EVERY_ORGANIZATION, sql)
    assert caught.value.sqlstate == "42501"


async def test_a_service_cannot_see_another_ones_schema(
    postgres_server: PostgresForTests, empty: ServiceDatabase, migrations: Path
) -> None:
    await opened(empty.settings(), migrations)
    other = await provision(postgres_server.admin_url(), "other-service", database=empty.database)
    assert other.schema == "other_service"
    for url in (other.app_url, other.owner_url):
        raw = await asyncpg.connect(url)
        try:
            for sql in ("select * from things.things", "create table things.x (n integer)"):
                with pytest.raises(asyncpg.InsufficientPrivilegeError):
                    await raw.execute(sql)
        finally:
            await raw.close()


async def test_provisioning_again_changes_passwords_and_keeps_rows(
    postgres_server: PostgresForTests, empty: ServiceDatabase, migrations: Path
) -> None:
    await opened(empty.settings(), migrations)
    again = await provision(
        postgres_server.admin_url(),
        "things",
        database=empty.database,
        app_password="app",
        owner_password="owner",
    )
    assert again == empty
    assert await opened(again.settings(), migrations) == [*RUNTIME, ("service", 1)]


async def test_policies_hold_for_the_owner_too(empty: ServiceDatabase, migrations: Path) -> None:
    await opened(empty.settings(), migrations)
    raw = await asyncpg.connect(empty.owner_url)
    try:
        await raw.execute(
            "set search_path = things; set meshery.organization = '*'; "
            "insert into things (thing_id, organization_id, owner_id, name) values "
            "(gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), 'x'); reset meshery.organization"
        )
        assert await raw.fetchval("select count(*) from things") == 0
    finally:
        await raw.close()


async def test_a_connection_without_a_scope_sees_no_rows(db: Database, settings: DatabaseSettings) -> None:
    for table in ("things", "operations", "grants", "memberships"):
        assert await db.fetchval(
            EVERY_ORGANIZATION, "select relforcerowsecurity from pg_class where oid = to_regclass($1)", table
        )
    await db.execute(
        EVERY_ORGANIZATION,
        "insert into things (thing_id, organization_id, owner_id, name) select $1, $1, $1, 'x'",
        uuid4(),
    )
    raw = await asyncpg.connect(settings.app_url.get_secret_value())
    try:
        assert await raw.fetchval("select count(*) from things.things") == 0
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await raw.execute(
                "insert into things.things (thing_id, organization_id, owner_id, name) "
                "select gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), 'x'"
            )
    finally:
        await raw.close()
