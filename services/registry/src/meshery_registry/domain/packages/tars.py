"""Tar archives, as a stream of members: ustar with the long names of GNU and pax.

Our own reader instead of `tarfile`: packages need little of the format, `tarfile` has known ways to be kept busy for
ever (CVE-2024-6232, CVE-2025-8194) in Pythons that we run on, and here every byte is counted while it is unpacked.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, Literal

from meshery_registry.domain.packages.bounds import Budget, Refused

_BLOCK: Final = 512
_CHUNK: Final = 256 * 1024
#: The longest header of a header: names and a few attributes.
_MAX_EXTENSION_BYTES: Final = 64 * 1024
_GZIP: Final = b"\x1f\x8b"
_MENDING: Final = "Pack it again and send it whole."


@dataclass(frozen=True, slots=True)
class Member:
    """Something that an archive lists. `read` gives its next bytes, at most as many as asked for."""

    name: str
    kind: Literal["file", "folder", "link", "device"]
    read: Callable[[int], bytes]


def is_tar(start: bytes) -> bool:
    """Whether bytes begin as a tar archive does: by its checksum, since old ones have no magic."""
    return len(start) >= _BLOCK and _has_checksum(start[:_BLOCK])


def tar_members(data: bytes, budget: Budget) -> Iterator[Member]:
    """The members of a tar archive, in order; each is to be read before the next. Raises Refused."""
    return _members(_Stream(iter((data,)), budget), needs_end=True)


def gzip_start(data: bytes, size: int) -> bytes:
    """The first bytes of what a gzip file holds; fewer if it is short or damaged."""
    try:
        return zlib.decompressobj(wbits=31).decompress(data[:_CHUNK], size)
    except zlib.error:
        return b""


def gzip_tar_members(data: bytes, budget: Budget) -> Iterator[Member]:
    """As `tar_members`, of a tar.gz. That it is whole is told by gzip's checksum."""
    return _members(_Stream(_gunzipped(data), budget), needs_end=False)


def gunzip(data: bytes, budget: Budget) -> Callable[[int], bytes]:
    """Reads what a gzip file holds. Raises Refused."""
    return _Stream(_gunzipped(data), budget).some


def _gunzipped(data: bytes) -> Iterator[bytes]:
    view = memoryview(data)
    position = 0
    while position < len(view):
        if bytes(view[position : position + 2]) != _GZIP:
            _check_zero(bytes(view[position:]))
            return
        unpacker = zlib.decompressobj(wbits=31)
        packed = b""
        while not unpacker.eof:
            if not packed:
                packed = bytes(view[position : position + _CHUNK])
                position += len(packed)
            at_end = not packed
            try:
                unpacked = unpacker.decompress(packed, _CHUNK)
            except zlib.error as error:
                raise Refused(f"It is damaged: {error}.", _MENDING) from None
            packed = unpacker.unconsumed_tail
            if unpacked:
                yield unpacked
            elif at_end and not unpacker.eof:
                raise Refused("It is cut off.", _MENDING)
        position -= len(unpacker.unused_data)


class _Stream:
    """Bytes in order, counted."""

    def __init__(self, chunks: Iterator[bytes], budget: Budget) -> None:
        self._chunks = chunks
        self._budget = budget
        self._rest = memoryview(b"")

    def some(self, most: int) -> bytes:
        """At least one byte unless it is at its end."""
        while not len(self._rest):
            chunk = next(self._chunks, None)
            if chunk is None:
                return b""
            self._rest = memoryview(chunk)
        taken, self._rest = bytes(self._rest[:most]), self._rest[most:]
        self._budget.take(len(taken))
        return taken

    def exactly(self, size: int) -> bytes:
        """So many bytes. Raises Refused when there are fewer."""
        parts = []
        while size:
            parts.append(self._some_more(size))
            size -= len(parts[-1])
        return b"".join(parts)

    def skip(self, size: int) -> None:
        while size:
            size -= len(self._some_more(min(size, _CHUNK)))

    def _some_more(self, most: int) -> bytes:
        found = self.some(most)
        if not found:
            raise Refused("It is cut off.", _MENDING)
        return found


class _Content:
    """What is left of one member."""

    def __init__(self, stream: _Stream, size: int) -> None:
        self._stream = stream
        self._left = size
        self._padding = -size % _BLOCK

    def read(self, most: int) -> bytes:
        found = self._stream.exactly(min(most, self._left))
        self._left -= len(found)
        return found

    def skip(self) -> None:
        self._stream.skip(self._left + self._padding)
        self._left = self._padding = 0


def _members(stream: _Stream, *, needs_end: bool) -> Iterator[Member]:
    # What the header before has to say of the next member.
    extension: dict[str, str] = {}
    while True:
        start = stream.some(_BLOCK)
        if not start and not needs_end:
            return
        header = start + stream.exactly(_BLOCK - len(start))
        if _is_zero(header):
            # To its very end, so that gzip's checksum is reached.
            while rest := stream.some(_CHUNK):
                _check_zero(rest)
            return
        if not _has_checksum(header):
            raise Refused("It is damaged: the checksum of a header is wrong.", _MENDING)
        flag = chr(header[156])
        size = _number(extension.get("size", "")) if "size" in extension else _octal(header[124:136])
        content = _Content(stream, size)
        if flag in "xgLK":
            told = content.read(_MAX_EXTENSION_BYTES + 1)
            content.skip()
            extension |= _extension(flag, told)
            continue
        yield Member(extension.get("path") or _name(header), _kind(flag, extension), content.read)
        content.skip()
        extension = {}


def _extension(flag: str, told: bytes) -> dict[str, str]:
    if len(told) > _MAX_EXTENSION_BYTES:
        raise Refused("The attributes of a file are too long.", "Pack it without extended attributes.")
    if flag == "L":
        return {"path": _text(told.rstrip(b"\0"))}
    found = {}
    while flag == "x" and told:
        length, _, rest = told.partition(b" ")
        size = _number(_text(length))
        key, is_pair, written = rest[: size - len(length) - 1].partition(b"=")
        if size > len(told) or not is_pair or not written.endswith(b"\n"):
            raise Refused("It is damaged: the attributes of a file are not readable.", _MENDING)
        if key in (b"path", b"size") or key.startswith(b"GNU.sparse"):
            found[_text(key)] = _text(written[:-1])
        told = told[size:]
    return found


def _kind(flag: str, extension: dict[str, str]) -> Literal["file", "folder", "link", "device"]:
    if any(key.startswith("GNU.sparse") for key in extension):
        return "device"
    if flag in "0\x007":
        return "file"
    if flag == "5":
        return "folder"
    return "link" if flag in "12" else "device"


def _name(header: bytes) -> str:
    name = _text(header[:100].partition(b"\0")[0])
    prefix = _text(header[345:500].partition(b"\0")[0]) if header[257:263] == b"ustar\0" else ""
    return f"{prefix}/{name}" if prefix else name


def _text(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        raise Refused("A name in it is not UTF-8.", "Pack it again with names in UTF-8.") from None


def _is_zero(data: bytes) -> bool:
    return data.count(0) == len(data)


def _check_zero(data: bytes) -> None:
    if not _is_zero(data):
        raise Refused("Behind its end stands something else.", _MENDING)


def _octal(field: bytes) -> int:
    if field[0] & 0x80:
        return int.from_bytes(field) & ~(0xFF << 88)
    digits = field.strip(b" \0")
    if not digits:
        return 0
    if not all(0x30 <= digit <= 0x37 for digit in digits):
        raise Refused("It is damaged: a header has no readable size.", _MENDING)
    return int(digits, 8)


def _number(digits: str) -> int:
    if not digits.isascii() or not digits.isdigit() or len(digits) > 18:
        raise Refused("It is damaged: a size is no number.", _MENDING)
    return int(digits)


def _has_checksum(header: bytes) -> bool:
    told = header[148:156].strip(b" \0")
    if not told or not all(0x30 <= digit <= 0x37 for digit in told):
        return False
    return int(told, 8) == sum(header) - sum(header[148:156]) + 8 * 0x20
