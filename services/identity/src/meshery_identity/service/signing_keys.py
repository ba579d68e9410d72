"""The keys that assertions are signed with: made at the first start, sealed at rest, replaced in time.

A new key is published some minutes before it signs, and an old one verifies for some minutes after: whoever
fetched the keys in between never sees a signature that he cannot check.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import orjson
import structlog
from joserfc.jwk import OKPKey

from meshery_common import seals
from meshery_common.callers import LEEWAY_SECONDS, LIFETIME_SECONDS, AssertionSigner
from meshery_common.clock import Clock, utc_now
from meshery_common.database import EVERY_ORGANIZATION, Database, Transaction
from meshery_common.ids import uuid7
from meshery_contracts.caller import Caller
from meshery_identity.store import SigningKeyStore, StoredSigningKey

log = structlog.get_logger()

#: How long a new key is published before it signs. Every replica looks for new keys more often than this.
ANNOUNCED_FOR = timedelta(minutes=5)
#: How long a key that signs no more still verifies.
KEPT_FOR = timedelta(seconds=2 * (LIFETIME_SECONDS + LEEWAY_SECONDS)) + ANNOUNCED_FOR


class SigningKeys:
    """The keys of this installation, and the one that signs now. Call `refresh` at the start and once a minute."""

    def __init__(
        self, db: Database, master_key: bytes, *, lifetime: timedelta, clock: Clock = utc_now
    ) -> None:
        self._db = db
        self._store = SigningKeyStore()
        self._master_key = master_key
        self._lifetime = lifetime
        self._clock = clock
        #: Newest first, opened.
        self._signers: list[tuple[datetime, AssertionSigner]] = []

    async def refresh(self) -> None:
        """Make, replace and forget keys as time demands, and read what other replicas did.

        Raises SealBrokenError when the keys were sealed with another master key.
        """
        now = self._clock()
        stored = list(await self._store.list(self._db.within(EVERY_ORGANIZATION)))
        if not stored or stored[0].signs_from + self._lifetime <= now or _outlived(stored, now):
            stored = await self._db.run(EVERY_ORGANIZATION, lambda tx: self._brought_up_to_date(tx, now))
        known = {signer.key_id: signer for _, signer in self._signers}
        self._signers = [(one.signs_from, known.get(str(one.key_id)) or self._opened(one)) for one in stored]

    async def replace(self) -> None:
        """Publish a new key now, whatever the age of the present one: when it may have leaked."""
        now = self._clock()
        async with self._db.transaction(EVERY_ORGANIZATION) as tx:
            await self._store.lock(tx)
            await self._make(tx, now, signs_from=now + ANNOUNCED_FOR)
        await self.refresh()

    def sign(self, caller: Caller) -> tuple[str, float]:
        """An assertion for the caller, and the second (epoch) it expires at."""
        now = self._clock()
        signer = next(
            (signer for signs_from, signer in self._signers if signs_from <= now), self._signers[-1][1]
        )
        return signer.sign(caller, now=now.timestamp())

    def public(self) -> list[dict[str, Any]]:
        """The public keys as JSON Web Keys, the one that signs last first."""
        return [signer.public_jwk() for _, signer in self._signers]

    async def by_id(self) -> Mapping[str, Mapping[str, Any]]:
        """The public keys by key id: identity verifies assertions itself, without asking over the bus."""
        stored = await self._store.list(self._db.within(EVERY_ORGANIZATION))
        return {str(one.key_id): one.public_jwk for one in stored}

    async def _brought_up_to_date(self, tx: Transaction, now: datetime) -> list[StoredSigningKey]:
        await self._store.lock(tx)
        # Looked at again: another replica may have been faster.
        stored = list(await self._store.list(tx))
        if not stored:
            stored.insert(0, await self._make(tx, now, signs_from=now))
        elif stored[0].signs_from + self._lifetime <= now:
            stored.insert(0, await self._make(tx, now, signs_from=now + ANNOUNCED_FOR))
        outlived = _outlived(stored, now)
        await self._store.delete(tx, [one.key_id for one in outlived])
        return [one for one in stored if one not in outlived]

    async def _make(self, tx: Transaction, now: datetime, *, signs_from: datetime) -> StoredSigningKey:
        key_id = uuid7()
        key = OKPKey.generate_key("Ed25519", private=True)
        private = orjson.dumps({**key.as_dict(private=True), "kid": str(key_id)})
        nonce = secrets.token_bytes(seals.NONCE_BYTES)
        stored = StoredSigningKey(
            key_id=key_id,
            public_jwk={**key.as_dict(private=False), "kid": str(key_id)},
            sealed_private_jwk=seals.seal(self._master_key, private, about=_about(key_id), nonce=nonce),
            signs_from=signs_from,
        )
        await self._store.insert(tx, stored, now)
        log.info("a signing key was made", key_id=str(key_id), signs_from=signs_from.isoformat())
        return stored

    def _opened(self, stored: StoredSigningKey) -> AssertionSigner:
        private = seals.unseal(self._master_key, stored.sealed_private_jwk, about=_about(stored.key_id))
        return AssertionSigner.from_jwk(orjson.loads(private))


def _about(key_id: object) -> str:
    return f"signing_keys|sealed_private_jwk|{key_id}"


def _outlived(stored: Sequence[StoredSigningKey], now: datetime) -> list[StoredSigningKey]:
    """Keys whose successor has signed for so long that nothing they signed is valid any more."""
    return [older for newer, older in pairwise(stored) if newer.signs_from + KEPT_FOR <= now]
