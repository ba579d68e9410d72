"""Messages are written as pydantic writes them, only faster."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from enum import StrEnum
from typing import Any
from uuid import UUID

import orjson
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field, field_serializer

from meshery_common.encoding import Encoded, encode
from meshery_contracts.messages import Message, PublicMessage


class Colour(StrEnum):
    """A word."""

    DARK_RED = "dark red"


class Inner(PublicMessage):
    """Something inside, shown to clients."""

    first_name: str = ""
    colour: Colour = Colour.DARK_RED
    row_count: int | None = Field(default=None, exclude_if=lambda count: count is None)


class Private(Message):
    """Something inside, not shown to clients."""

    last_name: str = ""
    go_name: str = Field(default="x", alias="GoName")


class Outer(PublicMessage):
    """Everything that messages are made of."""

    some_id: UUID
    made_at: datetime
    parts: list[Inner] = Field(default_factory=list)
    private: Private | None = None
    any_data: dict[str, Any] = Field(default_factory=dict)
    by_name: dict[str, Inner] = Field(default_factory=dict)
    ratio: float = 0.0
    names: tuple[str, ...] = ()


class Odd(Message):
    """Writes itself in its own way."""

    long_number: int

    @field_serializer("long_number")
    def _as_text(self, value: int) -> str:
        return str(value)


class WithOdd(PublicMessage):
    """Holds one that does."""

    odd_one: Odd


times = st.datetimes(timezones=st.just(UTC))
outers = st.builds(
    Outer,
    some_id=st.uuids(),
    made_at=times,
    parts=st.lists(
        st.builds(Inner, first_name=st.text(), row_count=st.none() | st.integers(0, 2)), max_size=3
    ),
    private=st.none() | st.builds(Private, last_name=st.text()),
    any_data=st.dictionaries(st.text(), st.integers(-(2**53), 2**53) | st.text() | st.none(), max_size=3),
    by_name=st.dictionaries(st.text(), st.builds(Inner), max_size=2),
    ratio=st.floats(allow_nan=False, allow_infinity=False),
    names=st.lists(st.text(), max_size=3).map(tuple),
)


@given(outers)
def test_the_same_json_as_pydantic_writes(message: Outer) -> None:
    written = orjson.loads(encode(message))
    expected = orjson.loads(message.model_dump_json(by_alias=True))
    # Fractions of a second are written with as many digits as they have, or with six.
    for one in (written, expected):
        for key in ("madeAt", "made_at"):
            one[key] = datetime.fromisoformat(one[key])
    assert written == expected


@given(outers)
def test_what_is_written_can_be_read(message: Outer) -> None:
    assert Outer.model_validate_json(encode(message)) == message


def test_both_spellings_for_clients_one_for_services() -> None:
    assert orjson.loads(encode(Inner(first_name="a"))) == {
        "firstName": "a",
        "first_name": "a",
        "colour": "dark red",
    }
    assert orjson.loads(encode(Private(last_name="a"))) == {"lastName": "a", "GoName": "x"}


def test_a_model_that_writes_itself_is_left_to_pydantic() -> None:
    assert orjson.loads(encode(Odd(long_number=2**60))) == {"longNumber": str(2**60)}
    assert orjson.loads(encode(WithOdd(odd_one=Odd(long_number=1))))["oddOne"] == {"longNumber": "1"}


def test_times_are_told_in_utc() -> None:
    there = datetime(2026, 1, 1, 12, tzinfo=timezone(timedelta(hours=2)))
    told = orjson.loads(encode(Outer(some_id=UUID(int=1), made_at=there)))["madeAt"]
    assert datetime.fromisoformat(told) == there


def test_a_field_can_be_left_out() -> None:
    assert not {"rowCount", "row_count"} & {*orjson.loads(encode(Inner()))}
    told = orjson.loads(encode(Inner(row_count=0)))
    assert (told["rowCount"], told["row_count"]) == (0, 0)


def test_what_was_written_before_is_sent_as_it_is() -> None:
    kept: Encoded[Inner] = Encoded(encode(Inner(first_name="a")))
    assert encode(kept) is kept.payload
