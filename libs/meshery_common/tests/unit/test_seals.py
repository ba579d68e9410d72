"""Secrets at rest."""

from __future__ import annotations

import base64
import os

import pytest

from meshery_common import seals
from meshery_common.seals import SealBrokenError

KEY = bytes(range(32))
NONCE = bytes(12)


def test_a_seal_opens_in_its_place_only() -> None:
    sealed = seals.seal(KEY, b"secret", about="table|row 1", nonce=NONCE)
    assert seals.unseal(KEY, sealed, about="table|row 1") == b"secret"
    assert b"secret" not in sealed
    with pytest.raises(SealBrokenError, match="moved from another row"):
        seals.unseal(KEY, sealed, about="table|row 2")
    with pytest.raises(SealBrokenError, match="another master key"):
        seals.unseal(os.urandom(32), sealed, about="table|row 1")
    with pytest.raises(SealBrokenError, match="newer release"):
        seals.unseal(KEY, b"\x02" + sealed[1:], about="table|row 1")


def test_every_changed_byte_is_noticed() -> None:
    sealed = seals.seal(KEY, b"secret", about="row", nonce=NONCE)
    for position in range(len(sealed)):
        changed = bytearray(sealed)
        changed[position] ^= 1
        with pytest.raises(SealBrokenError):
            seals.unseal(KEY, bytes(changed), about="row")


def test_master_keys_are_read_as_base64_or_raw() -> None:
    assert seals.read_master_key(seals.write_master_key(KEY)) == KEY
    assert seals.read_master_key(KEY) == KEY
    assert seals.read_master_key(base64.urlsafe_b64encode(b"\xff" * 32)) == b"\xff" * 32
    for content in (b"", b"short", base64.b64encode(bytes(16)), b"#" * 44):
        with pytest.raises(ValueError, match="it "):
            seals.read_master_key(content)
