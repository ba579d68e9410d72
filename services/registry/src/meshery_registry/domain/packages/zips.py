"""Zip archives, as a stream of members."""

from __future__ import annotations

import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from io import BytesIO
from typing import Literal

from meshery_registry.domain.packages.bounds import Budget, OverLimit, Refused
from meshery_registry.domain.packages.tars import Member

_LISTED = b"PK\x01\x02"
_ENCRYPTED = 0x1
_UNIX = 3
_METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}
#: What `zipfile` raises over an archive that is none.
_DAMAGES = (
    *(zipfile.BadZipFile, zlib.error, struct.error),
    *(EOFError, ValueError, LookupError, OSError, NotImplementedError),
)


def is_zip(start: bytes) -> bool:
    """Whether bytes begin as a zip archive does."""
    return start[:4] in (b"PK\x03\x04", b"PK\x05\x06")


def zip_members(data: bytes, budget: Budget) -> Iterator[Member]:
    """The members of a zip archive. Raises Refused."""
    if data.count(_LISTED) > budget.limits.files:
        raise OverLimit(f"It holds more than {budget.limits.files:,} files.", "Split it, one model each.")
    try:
        with zipfile.ZipFile(BytesIO(data)) as archive:
            for info in archive.infolist():
                yield from _member(archive, info, budget)
    except _DAMAGES as error:
        raise _damaged(error) from None


def _member(archive: zipfile.ZipFile, info: zipfile.ZipInfo, budget: Budget) -> Iterator[Member]:
    # `filename` ends at a NUL and has its backslashes turned: what was written is judged.
    name = info.orig_filename
    if info.flag_bits & _ENCRYPTED:
        raise Refused("It is encrypted.", "Pack it without a password.", name[:200])
    if info.compress_type not in _METHODS:
        raise Refused("It is packed by a method other than deflate.", "Pack it with deflate.", name[:200])
    kind = _kind(info)
    if kind != "file":
        yield Member(name, kind, lambda _: b"")
        return
    with archive.open(info) as content:

        def read(most: int) -> bytes:
            try:
                found = content.read(most)
            except _DAMAGES as error:
                raise _damaged(error) from None
            budget.take(len(found))
            return found

        yield Member(name, kind, read)


def _damaged(error: Exception) -> Refused:
    return Refused(f"It is damaged: {str(error)[:200]}.", "Pack it again and send it whole.")


def _kind(info: zipfile.ZipInfo) -> Literal["file", "folder", "link", "device"]:
    mode = info.external_attr >> 16 if info.create_system == _UNIX else 0
    if stat.S_ISLNK(mode):
        return "link"
    if info.is_dir():
        return "folder"
    return "file" if not stat.S_IFMT(mode) or stat.S_ISREG(mode) else "device"
