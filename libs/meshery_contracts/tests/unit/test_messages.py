"""Spellings of messages, bits of keys, words of errors."""

from __future__ import annotations

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshery_contracts import errors
from meshery_contracts.caller import Caller
from meshery_contracts.errors import STATUS, Forbidden, Problem, ProblemError, Word, error_from
from meshery_contracts.keys import ALL_BITS, BY_ID, LOCAL_BITS, ORDER, Key, bits_of, keys_of_bits
from meshery_contracts.messages import Message, PublicMessage


class Asked(Message):
    page_size: int = 25


class Answered(PublicMessage):
    total_count: int
    name: str


@pytest.mark.parametrize("spelling", ["pageSize", "page_size"])
def test_both_spellings_are_read(spelling: str) -> None:
    assert Asked.model_validate({spelling: 7, "unknown": 1}).page_size == 7


def test_between_services_one_spelling_is_written() -> None:
    assert Asked(page_size=7).model_dump_json() == '{"pageSize":7}'


def test_clients_get_both_spellings() -> None:
    written = Answered(total_count=3, name="x").model_dump(mode="json")
    assert written == {"totalCount": 3, "total_count": 3, "name": "x"}
    assert Answered.model_validate(written) == Answered(total_count=3, name="x")


@given(st.frozensets(st.sampled_from(ORDER)))
def test_keys_survive_the_way_through_bits(keys: frozenset[Key]) -> None:
    assert frozenset(keys_of_bits(bits_of(keys))) == keys
    caller = Caller(user_id=UUID(int=1), organization_id=UUID(int=2), key_bits=bits_of(keys))
    assert [key for key in ORDER if caller.holds(key)] == [key for key in ORDER if key in keys]


def test_bits_of_keys_that_this_release_does_not_know_are_ignored() -> None:
    assert keys_of_bits(1 << len(ORDER)) == ()


def test_every_key_has_an_id_of_its_own() -> None:
    assert len(BY_ID) == len(ORDER)
    assert LOCAL_BITS & ~ALL_BITS == 0


def test_a_missing_key_is_named() -> None:
    caller = Caller(user_id=UUID(int=1), organization_id=UUID(int=2))
    with pytest.raises(Forbidden) as caught:
        caller.require(Key.VIEW_DESIGNS)
    assert caught.value.problem.code == "key_missing"
    assert str(Key.VIEW_DESIGNS.id) in caught.value.problem.detail
    assert caught.value.problem.remediation


@pytest.mark.parametrize("word", list(Word))
def test_every_word_has_a_status_and_an_exception_that_survives_the_wire(word: Word) -> None:
    kinds = [one for one in vars(errors).values() if isinstance(one, type) and issubclass(one, ProblemError)]
    (kind,) = [one for one in kinds if one is not ProblemError and one.word is word]
    error = kind("Wrong.", code="some_code", cause="why", remedy="how")
    back = error_from(Problem.model_validate_json(error.problem.model_dump_json()))
    assert type(back) is kind
    assert back.problem == error.problem
    assert back.problem.status == STATUS[word]
