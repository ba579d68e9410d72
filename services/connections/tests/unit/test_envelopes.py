"""Sealing and opening, and everything that must not open."""

from __future__ import annotations

import base64
from dataclasses import replace
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshery_connections.domain import envelopes
from meshery_connections.domain.envelopes import DataKey, EnvelopeError, MasterKey, Place

KEY = DataKey(3, bytes(range(32)))
PLACE = Place("credentials", "sealed", UUID(int=1), UUID(int=2))
NONCE = bytes(12)
MASTER = MasterKey.of(b"m" * 32)


@given(st.binary(max_size=5000))
def test_what_is_sealed_opens(secret: bytes) -> None:
    sealed = envelopes.seal(KEY, secret, PLACE, NONCE)
    assert envelopes.version_of(sealed) == 3
    assert envelopes.unseal(KEY, sealed, PLACE) == secret
    assert len(secret) < 8 or secret not in sealed


@pytest.mark.parametrize(
    "place",
    [
        replace(PLACE, table="connections"),
        replace(PLACE, column="metadata"),
        replace(PLACE, row_id=UUID(int=9)),
        replace(PLACE, organization_id=UUID(int=9)),
    ],
)
def test_a_secret_moved_elsewhere_does_not_open(place: Place) -> None:
    with pytest.raises(EnvelopeError):
        envelopes.unseal(KEY, envelopes.seal(KEY, b"secret", PLACE, NONCE), place)


@given(st.integers(min_value=0, max_value=38), st.integers(min_value=1, max_value=255))
def test_a_changed_byte_is_noticed(position: int, change: int) -> None:
    sealed = bytearray(envelopes.seal(KEY, b"secret", PLACE, NONCE))
    sealed[position % len(sealed)] ^= change
    with pytest.raises(EnvelopeError):
        envelopes.unseal(replace(KEY, version=envelopes.version_of(bytes(sealed))), bytes(sealed), PLACE)


def test_the_key_version_is_bound() -> None:
    sealed = envelopes.seal(KEY, b"secret", PLACE, NONCE)
    with pytest.raises(EnvelopeError):
        envelopes.unseal(replace(KEY, version=4), sealed, PLACE)


def test_a_data_key_opens_with_any_of_the_master_keys_but_no_other() -> None:
    other = MasterKey.of(b"o" * 32)
    wrapped = envelopes.wrap(MASTER, KEY.key)
    assert len(wrapped) == 40
    assert envelopes.unwrap((other, MASTER), MASTER.id, wrapped) == KEY.key
    with pytest.raises(EnvelopeError):
        envelopes.unwrap((other,), MASTER.id, wrapped)
    with pytest.raises(EnvelopeError):
        envelopes.unwrap((replace(other, id=MASTER.id),), MASTER.id, wrapped)


def test_the_file_of_master_keys() -> None:
    two = (
        "# the new one\n"
        + base64.b64encode(b"n" * 32).decode()
        + "\n"
        + "\n"
        + base64.b64encode(MASTER.key).decode()
    )
    assert [one.key for one in envelopes.read_master_keys(two)] == [b"n" * 32, MASTER.key]


@pytest.mark.parametrize("content", ["", "# nothing\n", "short\n", "!!!\n", "aGVsbG8=\n"])
def test_a_file_that_holds_no_key_is_refused_without_a_quote(content: str) -> None:
    with pytest.raises(ValueError) as caught:
        envelopes.read_master_keys(content)
    assert "aGVsbG8" not in str(caught.value)


def test_nothing_secret_is_in_a_repr() -> None:
    assert repr(MASTER.key) not in repr(MASTER)
    assert repr(KEY.key) not in repr(KEY)
    assert MASTER.derived("a") != MASTER.derived("b")
