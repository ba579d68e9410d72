"""Copies of databases are fresh, apart, and gone afterwards."""

from pathlib import Path

import pytest

from meshery_common.database import EVERY_ORGANIZATION, Database
from meshery_testkit.postgres import DatabaseFactory


@pytest.fixture
def migrations(tmp_path: Path) -> Path:
    (tmp_path / "0001_notes.sql").write_text("create table notes (text text not null);")
    return tmp_path


@pytest.mark.parametrize("_time", [1, 2])
async def test_each_copy_is_empty_and_apart(
    database_for: DatabaseFactory, migrations: Path, _time: int
) -> None:
    first = await database_for("notes-of-mine", migrations, pool_max=3)
    second = await database_for("notes-of-mine", migrations)
    assert first.pool_max == 3
    async with (
        Database.open(first, schema="notes_of_mine", migrations=migrations) as one,
        Database.open(second, schema="notes_of_mine", migrations=migrations) as other,
    ):
        assert await one.fetchval(EVERY_ORGANIZATION, "select count(*) from notes") == 0
        await one.execute(EVERY_ORGANIZATION, "insert into notes values ('x')")
        assert await other.fetchval(EVERY_ORGANIZATION, "select count(*) from notes") == 0
