"""Ids that sort by the time they were made, so that new rows lie together in an index."""

from __future__ import annotations

import os
import time
from uuid import UUID

_VERSION_AND_VARIANT = 0x7 << 76 | 0x2 << 62
_RANDOM_BITS = ~(0xF << 76 | 0x3 << 62) & ((1 << 80) - 1)


def uuid7() -> UUID:
    """A new id: milliseconds since 1970, then 74 random bits (RFC 9562, version 7)."""
    milliseconds = time.time_ns() // 1_000_000
    random = int.from_bytes(os.urandom(10)) & _RANDOM_BITS
    return UUID(int=(milliseconds & 0xFFFF_FFFF_FFFF) << 80 | _VERSION_AND_VARIANT | random)
