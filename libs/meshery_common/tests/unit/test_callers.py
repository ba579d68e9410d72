"""Verifying assertions: which keys are believed, and for how long."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

import pytest
from joserfc.jwk import OKPKey

from meshery_common import callers
from meshery_common.callers import AssertionSigner, AssertionVerifier
from meshery_contracts.caller import Caller
from meshery_contracts.errors import Unauthenticated, Unavailable


class Identity:
    """Publishes keys, and counts how often it is asked."""

    def __init__(self) -> None:
        self.signers: list[AssertionSigner] = []
        self.asked = 0
        self.away = False

    def new_signer(self) -> AssertionSigner:
        signer = AssertionSigner(OKPKey.generate_key("Ed25519", private=True), str(uuid4()))
        self.signers.append(signer)
        return signer

    async def keys(self) -> Mapping[str, Mapping[str, Any]]:
        self.asked += 1
        if self.away:
            raise Unavailable("identity is away")
        return {one.key_id: one.public_jwk() for one in self.signers}


def signed(signer: AssertionSigner) -> str:
    """An assertion that was never seen before."""
    return signer.sign(Caller(user_id=uuid4(), organization_id=uuid4()), now=time.time())[0]


@pytest.fixture
def identity() -> Identity:
    """Identity with one key."""
    one = Identity()
    one.new_signer()
    return one


async def test_keys_are_fetched_once_and_again_for_an_unknown_one(
    identity: Identity, monkeypatch: pytest.MonkeyPatch
) -> None:
    verifier = AssertionVerifier(identity.keys)
    for _ in range(3):
        await verifier.verify(signed(identity.signers[0]))
    assert identity.asked == 1
    newer = identity.new_signer()
    with pytest.raises(Unauthenticated):
        await verifier.verify(signed(newer))
    assert identity.asked == 1
    monkeypatch.setattr(callers, "REFETCH_SECONDS", 0)
    await verifier.verify(signed(newer))
    assert identity.asked == 2


async def test_a_withdrawn_key_ends_although_no_other_is_seen(
    identity: Identity, monkeypatch: pytest.MonkeyPatch
) -> None:
    verifier = AssertionVerifier(identity.keys)
    leaked = identity.signers[0]
    await verifier.verify(signed(leaked))
    identity.signers.clear()
    identity.new_signer()
    await verifier.verify(signed(leaked))
    monkeypatch.setattr(callers, "FRESH_SECONDS", 0)
    with pytest.raises(Unauthenticated):
        await verifier.verify(signed(leaked))


async def test_known_keys_serve_on_while_identity_is_away(
    identity: Identity, monkeypatch: pytest.MonkeyPatch
) -> None:
    verifier = AssertionVerifier(identity.keys)
    await verifier.verify(signed(identity.signers[0]))
    monkeypatch.setattr(callers, "FRESH_SECONDS", 0)
    identity.away = True
    await verifier.verify(signed(identity.signers[0]))
    assert identity.asked == 2
