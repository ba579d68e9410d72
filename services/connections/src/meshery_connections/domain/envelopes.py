"""Secrets at rest: AES-256-GCM under a data key of the organisation, which a master key wraps.

A sealed secret is `0x01 | data key version (4 bytes) | nonce (12 bytes) | ciphertext with tag`. What it is
about (table, column, row, organisation, key version) is authenticated with it, so that a secret copied to another
row does not open. Master keys only wrap: changing one rewrites 40 bytes per organisation.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap, aes_key_wrap

KEY_BYTES = 32
NONCE_BYTES = 12
_FORMAT = 1
_HEAD_BYTES = 5


class EnvelopeError(Exception):
    """A secret or a data key does not open: another key, another row, or changed bytes."""


@dataclass(frozen=True)
class Place:
    """Where a sealed secret lies."""

    table: str
    column: str
    row_id: UUID
    organization_id: UUID

    def bound(self, version: int) -> bytes:
        """What is authenticated with the secret."""
        return f"{self.table}|{self.column}|{self.row_id}|{self.organization_id}|{version}".encode()


@dataclass(frozen=True)
class MasterKey:
    """A key that wraps data keys, with a name that tells nothing of it."""

    id: str
    key: bytes = field(repr=False)

    @classmethod
    def of(cls, key: bytes) -> MasterKey:
        """The master key with these bytes."""
        return cls(hashlib.sha256(b"meshery connections master key " + key).hexdigest()[:16], key)

    def derived(self, purpose: str) -> bytes:
        """Another key for another purpose."""
        return hmac.digest(self.key, f"meshery connections {purpose}".encode(), "sha256")


@dataclass(frozen=True)
class DataKey:
    """What the secrets of one organisation are sealed with."""

    version: int
    key: bytes = field(repr=False)


def read_master_keys(content: str) -> tuple[MasterKey, ...]:
    """The keys of a master key file, the current one first. Raises ValueError; never quotes the content."""
    found = []
    for number, line in enumerate(content.splitlines(), 1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        try:
            key = base64.b64decode(text, altchars=b"-_" if set(text) & set("-_") else None, validate=True)
        except (binascii.Error, ValueError):
            raise ValueError(f"line {number} is not base64") from None
        if len(key) != KEY_BYTES:
            raise ValueError(f"line {number} holds {len(key)} bytes instead of {KEY_BYTES}")
        found.append(MasterKey.of(key))
    if not found:
        raise ValueError("it holds no key")
    return tuple(found)


def wrap(master: MasterKey, data_key: bytes) -> bytes:
    """A data key as it is stored."""
    return aes_key_wrap(master.key, data_key)


def unwrap(masters: Sequence[MasterKey], master_key_id: str, wrapped: bytes) -> bytes:
    """A stored data key. Raises EnvelopeError when its master key is not there, or the bytes were changed."""
    for master in masters:
        if master.id == master_key_id:
            try:
                return aes_key_unwrap(master.key, wrapped)
            except (InvalidUnwrap, ValueError):
                raise EnvelopeError(f"a data key under master key {master_key_id} was changed") from None
    raise EnvelopeError(f"master key {master_key_id} is missing")


def seal(key: DataKey, secret: bytes, place: Place, nonce: bytes) -> bytes:
    """Seal a secret; `nonce` are fresh random bytes."""
    head = bytes([_FORMAT]) + key.version.to_bytes(4)
    return head + nonce + AESGCM(key.key).encrypt(nonce, secret, place.bound(key.version))


def version_of(sealed: bytes) -> int:
    """Which version of the organisation's data key opens this. Raises EnvelopeError."""
    if len(sealed) < _HEAD_BYTES + NONCE_BYTES or sealed[0] != _FORMAT:
        raise EnvelopeError("not sealed, or by a newer release")
    return int.from_bytes(sealed[1:_HEAD_BYTES])


def unseal(key: DataKey, sealed: bytes, place: Place) -> bytes:
    """The secret. Raises EnvelopeError."""
    nonce, ciphertext = sealed[_HEAD_BYTES : _HEAD_BYTES + NONCE_BYTES], sealed[_HEAD_BYTES + NONCE_BYTES :]
    try:
        return AESGCM(key.key).decrypt(nonce, ciphertext, place.bound(key.version))
    except InvalidTag:
        raise EnvelopeError(f"{place.table} {place.row_id}: changed, or moved from another row") from None
