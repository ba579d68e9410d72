"""Small secrets at rest: AES-256-GCM under the master key, bound to the row they belong to.

A seal is: version, fingerprint of the master key, nonce, ciphertext with tag. The fingerprint tells a wrong
master key from a changed row, and lets a later release open with one key and seal with another.
"""

from __future__ import annotations

import base64
import binascii
import hashlib

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

MASTER_KEY_BYTES = 32
NONCE_BYTES = 12
_VERSION = b"\x01"
_FINGERPRINT_BYTES = 4


class SealBrokenError(Exception):
    """What is sealed cannot be opened: another master key, another row, or changed bytes."""


def read_master_key(content: bytes) -> bytes:
    """The master key from a file's content: 32 bytes as base64, or raw. Raises ValueError."""
    if len(content) == MASTER_KEY_BYTES:
        return content
    try:
        key = base64.b64decode(content.strip(), altchars=b"-_", validate=True)
    except binascii.Error as error:
        raise ValueError("it is not base64") from error
    if len(key) != MASTER_KEY_BYTES:
        raise ValueError(f"it has {len(key)} bytes instead of {MASTER_KEY_BYTES}")
    return key


def write_master_key(key: bytes) -> bytes:
    """The content of a master key's file."""
    return base64.b64encode(key) + b"\n"


def seal(master_key: bytes, secret: bytes, *, about: str, nonce: bytes) -> bytes:
    """Seal a secret. `about` names its place, e.g. table and row; `nonce` are fresh random bytes."""
    head = _VERSION + _fingerprint(master_key)
    return head + nonce + AESGCM(master_key).encrypt(nonce, secret, head + about.encode())


def unseal(master_key: bytes, sealed: bytes, *, about: str) -> bytes:
    """The secret. Raises SealBrokenError."""
    head, rest = sealed[: 1 + _FINGERPRINT_BYTES], sealed[1 + _FINGERPRINT_BYTES :]
    if head[:1] != _VERSION:
        raise SealBrokenError(f"{about}: sealed by a newer release")
    if head[1:] != _fingerprint(master_key):
        raise SealBrokenError(f"{about}: sealed with another master key")
    try:
        return AESGCM(master_key).decrypt(rest[:NONCE_BYTES], rest[NONCE_BYTES:], head + about.encode())
    except InvalidTag as error:
        raise SealBrokenError(f"{about}: changed, or moved from another row") from error


def _fingerprint(master_key: bytes) -> bytes:
    return hashlib.sha256(b"meshery master key " + master_key).digest()[:_FINGERPRINT_BYTES]
