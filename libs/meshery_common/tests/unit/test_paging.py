"""Orders, cursors and patterns, without a database."""

import base64
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, LiteralString
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshery_common.paging import OrderBy, Page, Predicate, SelectBuilder, Sort, contains
from meshery_contracts.errors import Invalid
from meshery_contracts.paging import PageReply, PageRequest

ORDER = OrderBy(
    columns={"updated_at": Sort("t.updated_at"), "name": Sort("t.name", str), "count": Sort("t.count", int)},
    default="updated_at desc",
    id_sql="t.id",
)


class Recorder:
    """Answers every statement with the rows it was given, and remembers what was asked."""

    def __init__(self, rows: Sequence[dict[str, Any]] = ()) -> None:
        self.rows = list(rows)
        self.asked: list[tuple[str, tuple[Any, ...]]] = []

    async def fetch(self, sql: LiteralString, *args: Any) -> Any:
        self.asked.append((sql, args))
        return self.rows

    async def fetchrow(self, sql: LiteralString, *args: Any) -> Any:
        raise AssertionError(sql)

    async def fetchval(self, sql: LiteralString, *args: Any) -> Any:
        self.asked.append((sql, args))
        return 7

    async def execute(self, sql: LiteralString, *args: Any) -> int:
        raise AssertionError(sql)


def a_list(name: str = "things") -> SelectBuilder:
    return SelectBuilder(name, "t.id, t.name", "things t")


def a_row(value: Any) -> dict[str, Any]:
    return {"cursor_value": value, "cursor_id": uuid4(), "cursor_total": 3}


async def a_cursor(value: Any, *, order: str = "", name: str = "things") -> str:
    page = await a_list(name).page(Recorder([a_row(value)] * 2), ORDER, PageRequest(page_size=1, order=order))
    assert page.next_cursor is not None
    return page.next_cursor


@pytest.mark.parametrize(
    ("wish", "chosen"),
    [
        ("updated_at desc", ("updated_at", True)),
        ("updatedAt ASC", ("updated_at", False)),
        ("name", ("name", False)),
        ("", ("updated_at", True)),
        ("password desc", ("updated_at", True)),
        ("name; drop table things", ("updated_at", True)),
        ("name sideways", ("updated_at", True)),
        ("NAME DESC", ("name", True)),
    ],
)
def test_an_order_is_one_of_the_lists_own(wish: str, chosen: tuple[str, bool]) -> None:
    assert ORDER.chosen(wish) == chosen


def test_a_default_that_is_no_column_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="names no column"):
        OrderBy(columns={"name": Sort("name", str)}, default="nmae asc", id_sql="id")


def test_wildcards_stand_for_themselves() -> None:
    assert contains(r"50%_\x") == r"%50\%\_\\x%"


async def test_values_are_bound_and_never_written() -> None:
    recorder = Recorder()
    builder = a_list().where("t.a = {} and t.b = {}", 1, "x'; --").where(Predicate("t.c = {}", (2,)))
    await builder.where("t.d is null").page(recorder, ORDER, PageRequest(order="name'; --", search="'"))
    sql, values = recorder.asked[0]
    assert values == (1, "x'; --", 2)
    assert "where (t.a = $1 and t.b = $2) and (t.c = $3) and (t.d is null)" in sql
    assert "--" not in sql


def test_places_and_values_must_agree() -> None:
    with pytest.raises(ValueError, match="2 places"):
        a_list().where("a = {} and b = {}", 1)


@pytest.mark.parametrize(
    ("order", "value"),
    [
        ("updated_at desc", datetime(2026, 1, 2, 3, 4, 5, 678901, UTC)),
        ("name asc", 'ä "quoted"'),
        ("count desc", -5),
    ],
)
async def test_a_cursor_goes_on_where_it_was_made(order: str, value: Any) -> None:
    recorder = Recorder()
    cursor = await a_cursor(value, order=order)
    page = await a_list().page(recorder, ORDER, PageRequest(cursor=cursor))
    sql, values = recorder.asked[0]
    column = order.split()[0]
    sign = "<" if order.endswith("desc") else ">"
    assert f"(t.{column}, t.id) {sign} ($1, $2)" in sql
    assert "count(*)" not in sql
    assert values[0] == value
    assert type(values[0]) is type(value)
    assert (page.total_count, page.page) == (3, 1)


@pytest.mark.parametrize(
    "cursor", ["", "x", "AAAA", "ä", "=" * 9, base64.urlsafe_b64encode(b"12345678[]").decode()]
)
async def test_what_is_no_cursor_is_refused(cursor: str) -> None:
    if not cursor:
        return
    with pytest.raises(Invalid) as caught:
        await a_list().page(Recorder(), ORDER, PageRequest(cursor=cursor))
    assert caught.value.problem.code == "cursor_invalid"


async def test_another_lists_cursor_is_refused() -> None:
    cursor = await a_cursor(datetime.now(UTC), name="others")
    with pytest.raises(Invalid):
        await a_list().page(Recorder(), ORDER, PageRequest(cursor=cursor))


@given(st.data())
async def test_a_changed_cursor_is_refused(data: st.DataObject) -> None:
    cursor = await a_cursor("x", order="name asc")
    at = data.draw(st.integers(0, len(cursor) - 1))
    other = data.draw(st.characters(codec="ascii").filter(lambda c: c != cursor[at]))
    raw = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
    changed = cursor[:at] + other + cursor[at + 1 :]
    try:
        same = base64.urlsafe_b64decode(changed + "=" * (-len(changed) % 4)) == raw
    except ValueError:
        same = False
    if same:  # the last character may carry bits that mean nothing
        return
    with pytest.raises(Invalid):
        await a_list().page(Recorder(), ORDER, PageRequest(cursor=changed))


async def test_a_page_after_the_end_still_knows_the_total() -> None:
    assert (await a_list().page(Recorder(), ORDER, PageRequest(page=9))).total_count == 7
    assert (await a_list().page(Recorder(), ORDER, PageRequest(page=0))).total_count == 0


def test_the_envelope_is_what_every_reply_of_a_list_begins_with() -> None:
    page = Page([], page=2, page_size=10, total_count=21, next_cursor="more")
    assert page.envelope == PageReply(**page.envelope).model_dump(by_alias=False, include=set(page.envelope))
    assert set(page.envelope) == set(PageReply.model_fields)
