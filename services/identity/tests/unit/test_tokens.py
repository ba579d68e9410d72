"""Tokens as text."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshery_contracts.errors import Unauthenticated
from meshery_identity.domain import tokens
from meshery_identity.domain.tokens import KnownToken

NOW = datetime(2026, 7, 1, 12, 30, 45, 5, tzinfo=UTC)


def known(secret: str) -> KnownToken:
    return KnownToken(
        token_id=uuid4(),
        organization_id=uuid4(),
        user_id=uuid4(),
        name="ci",
        secret_sha256=tokens.sha256(secret),
        key_ids=None,
        expires_at=NOW + timedelta(days=1),
        last_used_at=None,
        revoked_at=None,
    )


@given(st.uuids(), st.binary(min_size=32, max_size=32), st.from_regex(r"[a-z0-9]{1,16}", fullmatch=True))
def test_what_is_written_is_read(token_id: UUID, secret: bytes, environment: str) -> None:
    text = tokens.write(environment, token_id, secret)
    presented = tokens.read(text)
    assert presented.token_id == token_id
    assert len(presented.secret) == 43
    assert text.startswith(f"mpy_{environment}_")
    assert tokens.secret_of(text) == presented.secret


@given(st.data())
def test_one_wrong_character_is_noticed(data: st.DataObject) -> None:
    text = tokens.write("local", UUID(int=7), bytes(range(32)))
    position = data.draw(st.integers(0, len(text) - 1))
    other = data.draw(st.sampled_from("Aa0_-z9"))
    changed = text[:position] + other + text[position + 1 :]
    if changed != text:
        with pytest.raises(Unauthenticated) as caught:
            tokens.read(changed)
        assert caught.value.problem.code == "token_malformed"


@pytest.mark.parametrize(
    "text", ["", "mpy_", "mpy_local_a_b", "eyJhbGciOi.x.y", "mpy_local_" + "a" * 75 + "\n"]
)
def test_other_texts_are_no_tokens(text: str) -> None:
    with pytest.raises(Unauthenticated):
        tokens.read(text)


def test_only_the_holder_of_the_secret_learns_why() -> None:
    presented = tokens.read(tokens.write("local", uuid4(), bytes(32)))
    good = known(presented.secret)
    assert tokens.check(presented, good, NOW) is good
    revoked = replace(good, revoked_at=NOW - timedelta(hours=1))
    expired = replace(good, expires_at=NOW)
    for kept, code in ((revoked, "token_revoked"), (expired, "token_expired"), (None, "token_unknown")):
        with pytest.raises(Unauthenticated) as caught:
            tokens.check(presented, kept, NOW)
        assert caught.value.problem.code == code
    for kept in (revoked, expired):
        with pytest.raises(Unauthenticated) as caught:
            tokens.check(presented, replace(kept, secret_sha256=tokens.sha256("another")), NOW)
        assert caught.value.problem.code == "token_unknown"


def test_the_last_use_is_noted_once_a_minute() -> None:
    token = known("x")
    assert tokens.needs_note(token, NOW)
    noted = replace(token, last_used_at=tokens.minute(NOW))
    assert not tokens.needs_note(noted, NOW + timedelta(seconds=10))
    assert tokens.needs_note(noted, NOW + timedelta(minutes=1))
