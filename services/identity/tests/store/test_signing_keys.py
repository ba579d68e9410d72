"""Signing keys over their whole life, with a clock that is moved by hand."""

from __future__ import annotations

import asyncio
import json
from base64 import urlsafe_b64decode
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from meshery_common.callers import AssertionVerifier
from meshery_common.database import EVERY_ORGANIZATION, Database
from meshery_common.seals import SealBrokenError
from meshery_contracts.caller import Caller
from meshery_contracts.errors import Unauthenticated
from meshery_identity.service import SigningKeys
from meshery_identity.service.signing_keys import ANNOUNCED_FOR, KEPT_FOR

MASTER = bytes(32)
LIFETIME = timedelta(days=30)
CALLER = Caller(user_id=uuid4(), organization_id=uuid4())


class Time:
    """A clock. Begins now, because verifiers use the machine's."""

    def __init__(self) -> None:
        self.now = datetime.now(UTC)

    def __call__(self) -> datetime:
        return self.now


def keys_of(db: Database, time: Time, master: bytes = MASTER) -> SigningKeys:
    return SigningKeys(db, master, lifetime=LIFETIME, clock=time)


def signed_with(keys: SigningKeys) -> str:
    """The id of the key that signs now."""
    header = keys.sign(CALLER)[0].split(".")[0]
    key_id: str = json.loads(urlsafe_b64decode(header + "=="))["kid"]
    return key_id


async def test_a_key_is_replaced_without_a_gap(db: Database) -> None:
    time = Time()
    keys = keys_of(db, time)
    await keys.refresh()
    first = signed_with(keys)
    assert [one["kid"] for one in keys.public()] == [first]

    time.now += LIFETIME
    await keys.refresh()
    second, old = (one["kid"] for one in keys.public())
    # Published, but the old one signs until everybody can know the new one.
    assert old == first
    assert signed_with(keys) == first
    time.now += ANNOUNCED_FOR
    assert signed_with(keys) == second

    await keys.refresh()
    assert len(keys.public()) == 2
    time.now += KEPT_FOR
    await keys.refresh()
    assert [one["kid"] for one in keys.public()] == [second]
    assert list(await keys.by_id()) == [second]


async def test_an_assertion_outlives_the_replacement_of_its_key(db: Database) -> None:
    time = Time()
    keys = keys_of(db, time)
    await keys.refresh()
    verifier = AssertionVerifier(keys.by_id)
    before = keys.sign(CALLER)[0]
    await keys.replace()
    assert len(keys.public()) == 2
    assert await verifier.verify(before) == CALLER
    assert await AssertionVerifier(keys.by_id).verify(before) == CALLER


async def test_a_replaced_key_is_known_to_other_replicas_before_it_signs(db: Database) -> None:
    time = Time()
    one, other = keys_of(db, time), keys_of(db, time)
    await one.refresh()
    await other.refresh()
    await one.replace()
    assert signed_with(one) == signed_with(other)
    await other.refresh()
    time.now += ANNOUNCED_FOR
    assert signed_with(one) == signed_with(other)


async def test_replicas_make_one_key_together(db: Database) -> None:
    time = Time()
    replicas = [keys_of(db, time) for _ in range(4)]
    await asyncio.gather(*(one.refresh() for one in replicas))
    assert len({signed_with(one) for one in replicas}) == 1
    time.now += LIFETIME
    await asyncio.gather(*(one.refresh() for one in replicas))
    assert all(len(one.public()) == 2 for one in replicas)


async def test_a_key_that_was_moved_or_belongs_to_another_master_is_refused(db: Database) -> None:
    time = Time()
    await keys_of(db, time).refresh()
    with pytest.raises(SealBrokenError):
        await keys_of(db, time, bytes(31) + b"1").refresh()
    await db.execute(EVERY_ORGANIZATION, "update signing_keys set key_id = $1", uuid4())
    with pytest.raises(SealBrokenError):
        await keys_of(db, time).refresh()


async def test_nothing_private_is_published_or_kept_open(db: Database) -> None:
    keys = keys_of(db, Time())
    await keys.refresh()
    (published,) = keys.public()
    assert "d" not in published
    row = await db.fetchrow(EVERY_ORGANIZATION, "select public_jwk, sealed_private_jwk from signing_keys")
    assert row is not None
    assert "d" not in row["public_jwk"]
    assert b"OKP" not in row["sealed_private_jwk"]


async def test_a_forgotten_key_verifies_no_more(db: Database) -> None:
    keys = keys_of(db, Time())
    await keys.refresh()
    assertion = keys.sign(CALLER)[0]
    await db.execute(EVERY_ORGANIZATION, "delete from signing_keys")
    with pytest.raises(Unauthenticated):
        await AssertionVerifier(keys.by_id).verify(assertion)
