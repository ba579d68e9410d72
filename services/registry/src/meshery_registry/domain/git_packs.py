"""A git pack to the files of its commit, within limits: nothing is written to disk, links are left out."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from meshery_contracts.errors import Invalid, NotFound, TooLarge

_COMMIT, _TREE, _BLOB, _TAG, _OFFSET_DELTA, _ID_DELTA = 1, 2, 3, 4, 6, 7
_NAMES = {_COMMIT: b"commit", _TREE: b"tree", _BLOB: b"blob", _TAG: b"tag"}
_HEADER_BYTES, _ID_BYTES = 12, 20
_DEEPEST = 64
#: Everything else in a repository is not read: sources, pictures, documentation.
_ENDINGS = (".yaml", ".yml", ".json", ".tgz", ".tar.gz", ".tar", ".zip", ".svg", ".rego", ".tpl")


@dataclass(frozen=True, slots=True)
class PackLimits:
    """Sizes in bytes: of all objects, of one file."""

    unpacked_bytes: int
    file_bytes: int
    files: int


@dataclass(frozen=True, slots=True)
class _Object:
    kind: int
    body: bytes


def files_of_pack(pack: bytes, object_id: str, path: str, limits: PackLimits) -> dict[str, bytes]:
    """Files by path below `path` (or the one file that it names) of a commit or tag.

    Raises Invalid for a damaged pack, NotFound for a path that the commit lacks, TooLarge.
    """
    try:
        objects = _Unpacking(pack, limits.unpacked_bytes).objects()
        tree = _tree_of(objects, object_id)
        found = _at(objects, tree, path)
        if isinstance(found, bytes):
            return {path.rpartition("/")[2]: found}
        files: dict[str, bytes] = {}
        for name, body in _walk(objects, found, "", 0):
            if len(body) > limits.file_bytes:
                continue
            files[name] = body
            if len(files) > limits.files:
                raise TooLarge(
                    f"The repository has more than {limits.files:,} files that could hold definitions.",
                    code="git_too_large",
                    remedy="Name the folder that holds them.",
                )
        return files
    except (IndexError, KeyError, ValueError, zlib.error) as error:
        raise Invalid("The git server sent a damaged pack.", code="git_unreadable") from error


class _Unpacking:
    """Reads a pack from front to back."""

    def __init__(self, pack: bytes, limit: int) -> None:
        self._pack = pack
        self._left = limit
        self._at = _HEADER_BYTES
        self._by_offset: dict[int, _Object] = {}
        self._by_id: dict[bytes, _Object] = {}

    def objects(self) -> dict[bytes, _Object]:
        """All objects by their ids."""
        if (
            self._pack[:4] != b"PACK"
            or hashlib.sha1(self._pack[:-_ID_BYTES], usedforsecurity=False).digest()
            != (self._pack[-_ID_BYTES:])
        ):
            raise ValueError("checksum")
        for _ in range(int.from_bytes(self._pack[8:_HEADER_BYTES])):
            start = self._at
            read = self._object(start)
            self._by_offset[start] = read
            header = b"%s %d\0" % (_NAMES[read.kind], len(read.body))
            self._by_id[hashlib.sha1(header + read.body, usedforsecurity=False).digest()] = read
        return self._by_id

    def _object(self, start: int) -> _Object:
        byte = self._byte()
        kind, size, shift = byte >> 4 & 7, byte & 15, 4
        while byte & 128:
            byte = self._byte()
            size |= (byte & 127) << shift
            shift += 7
        if kind == _OFFSET_DELTA:
            base = self._by_offset[start - self._distance()]
        elif kind == _ID_DELTA:
            base = self._by_id[self._pack[self._at : self._at + _ID_BYTES]]
            self._at += _ID_BYTES
        else:
            return _Object(kind, self._inflated(size))
        return _Object(base.kind, self._patched(base.body, self._inflated(size)))

    def _byte(self) -> int:
        self._at += 1
        return self._pack[self._at - 1]

    def _distance(self) -> int:
        byte = self._byte()
        distance = byte & 127
        while byte & 128:
            byte = self._byte()
            distance = (distance + 1) << 7 | byte & 127
        return distance

    def _take(self, size: int) -> None:
        self._left -= size
        if self._left < 0:
            raise TooLarge(
                "The repository is larger than what is unpacked.",
                code="git_too_large",
                remedy="Import an archive of the folder that holds the definitions.",
            )

    def _inflated(self, size: int) -> bytes:
        self._take(size)
        unpacker = zlib.decompressobj()
        # A compressed text is never longer than this; a view, because slicing would copy the pack for each object.
        end = min(self._at + size + size // 100 + 1024, len(self._pack))
        body = unpacker.decompress(memoryview(self._pack)[self._at : end], size + 1)
        if len(body) != size or not unpacker.eof:
            raise ValueError("length")
        self._at = end - len(unpacker.unused_data)
        return body

    def _patched(self, base: bytes, delta: bytes) -> bytes:
        at, base_size = _size(delta, 0)
        at, size = _size(delta, at)
        if base_size != len(base):
            raise ValueError("base")
        self._take(size)
        made = bytearray()
        while at < len(delta):
            order = delta[at]
            at += 1
            if order & 128:
                offset = length = 0
                for bit in range(4):
                    if order & 1 << bit:
                        offset |= delta[at] << 8 * bit
                        at += 1
                for bit in range(3):
                    if order & 16 << bit:
                        length |= delta[at] << 8 * bit
                        at += 1
                length = length or 0x10000
                if offset + length > len(base):
                    raise ValueError("copy")
                made += base[offset : offset + length]
            elif order:
                made += delta[at : at + order]
                at += order
            else:
                raise ValueError("reserved")
            if len(made) > size:
                raise ValueError("length")
        if len(made) != size:
            raise ValueError("length")
        return bytes(made)


def _size(delta: bytes, at: int) -> tuple[int, int]:
    """Where the next thing begins, and the number that stood before it."""
    size = shift = 0
    while True:
        byte = delta[at]
        at += 1
        size |= (byte & 127) << shift
        shift += 7
        if not byte & 128:
            return at, size


def _tree_of(objects: dict[bytes, _Object], object_id: str) -> bytes:
    """The id of the root folder of a commit, or of the commit that a tag names."""
    found = objects[bytes.fromhex(object_id)]
    while found.kind == _TAG:
        found = objects[_first_id(found.body)]
    if found.kind != _COMMIT:
        raise ValueError("no commit")
    return _first_id(found.body)


def _first_id(body: bytes) -> bytes:
    return bytes.fromhex(body.partition(b"\n")[0].split(b" ")[1].decode())


def _entries(body: bytes) -> Iterator[tuple[str, str, bytes]]:
    """Mode, name and id of each entry of a folder."""
    at = 0
    while at < len(body):
        end = body.index(b"\0", at)
        mode, _, name = body[at:end].partition(b" ")
        yield mode.decode(), name.decode(errors="replace"), body[end + 1 : end + 1 + _ID_BYTES]
        at = end + 1 + _ID_BYTES


def _at(objects: dict[bytes, _Object], tree: bytes, path: str) -> bytes | _Object:
    """The folder at a path, or the content of the file there."""
    found = objects[tree]
    for part in filter(None, path.split("/")):
        inside = dict[str, bytes]() if found.kind != _TREE else {n: i for _, n, i in _entries(found.body)}
        if part not in inside or inside[part] not in objects:
            raise NotFound(
                f"The repository has no {path!r} at this ref.",
                code="git_path_unknown",
                remedy="Check the path; upper and lower case matter.",
            )
        found = objects[inside[part]]
    return found.body if found.kind == _BLOB else found


def _walk(
    objects: dict[bytes, _Object], tree: _Object, above: str, depth: int
) -> Iterator[tuple[str, bytes]]:
    """Regular files that may hold definitions, with their paths."""
    if depth > _DEEPEST:
        raise ValueError("depth")
    for mode, name, object_id in _entries(tree.body):
        path = f"{above}{name}"
        if mode == "40000" and object_id in objects:
            yield from _walk(objects, objects[object_id], f"{path}/", depth + 1)
        elif mode.startswith("100") and name.lower().endswith(_ENDINGS):
            yield path, objects[object_id].body
