"""How statements are called in traces."""

from __future__ import annotations

import pytest

from meshery_common.database.traced import described


@pytest.mark.parametrize(
    ("sql", "name"),
    [
        ("select a\n from things where b = $1", "SELECT things"),
        ("select 1", "SELECT"),
        ("select x from unnest($1::text[])", "SELECT unnest"),
        ("insert into things (a) values ($1)", "INSERT things"),
        ("update things set a = $1", "UPDATE things"),
        ("delete from things where a in (select b from others)", "DELETE things"),
        ("with new as (insert into things select $1 returning a) select * from new", "INSERT things"),
        (
            "with mine as (select a from things for update) update others o set a = 1 from mine",
            "UPDATE others",
        ),
        ("with mine as (select a from things) select * from mine", "WITH things"),
        ("rollback; reset all", "ROLLBACK"),
        ("commit", "COMMIT"),
    ],
)
def test_a_statement_is_named_by_what_it_does_to_what(sql: str, name: str) -> None:
    assert described(sql)[1] == name


def test_the_text_is_one_line_of_bearable_length() -> None:
    text = described("select a\n    from things\n    where " + "a = $1 and " * 1000)[2]
    assert text.startswith("select a from things where a = $1")
    assert len(text) == 4000
