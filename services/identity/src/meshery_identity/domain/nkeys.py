"""NATS's own key format: Ed25519 keys as base32 text whose first letter tells what they are for."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

#: First byte of a public key: `A...` accounts, `N...` servers, `U...` users.
ACCOUNT = 0
SERVER = 13 << 3
USER = 20 << 3
_SEED = 18 << 3


@dataclass(frozen=True)
class Signer:
    """A private key and the text of its public half."""

    private: Ed25519PrivateKey
    public: str

    def sign(self, message: bytes) -> bytes:
        """The signature, 64 bytes."""
        return self.private.sign(message)


def signer_of(seed: str, kind: int) -> Signer:
    """The signer of a seed (`S...`). Raises ValueError when it is no seed, or one of another kind."""
    raw = _decoded(seed)
    if len(raw) != 34 or raw[0] & 0xF8 != _SEED or (raw[0] & 7) << 5 | raw[1] >> 3 != kind:
        raise ValueError("no seed of the wanted kind")
    private = Ed25519PrivateKey.from_private_bytes(raw[2:])
    public = private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    return Signer(private, _encoded(bytes([kind]) + public))


def public_key(text: str, kind: int) -> Ed25519PublicKey:
    """The public key that the text stands for. Raises ValueError."""
    raw = _decoded(text)
    if len(raw) != 33 or raw[0] != kind:
        raise ValueError("no public key of the wanted kind")
    return Ed25519PublicKey.from_public_bytes(raw[1:])


def _decoded(text: str) -> bytes:
    """The bytes of base32 text without its checksum."""
    try:
        raw = base64.b32decode(text + "=" * (-len(text) % 8))
    except binascii.Error as error:
        raise ValueError("not base32") from error
    body, checksum = raw[:-2], raw[-2:]
    if binascii.crc_hqx(body, 0).to_bytes(2, "little") != checksum:
        raise ValueError("the checksum does not fit")
    return body


def _encoded(body: bytes) -> str:
    checksum = binascii.crc_hqx(body, 0).to_bytes(2, "little")
    return base64.b32encode(body + checksum).decode().rstrip("=")
