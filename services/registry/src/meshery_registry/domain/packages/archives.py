"""Archives, and archives inside of them, to files in memory. Nothing is ever written to disk.

A single bad file or an inner archive that is broken is refused by itself; a limit that is passed, or an unsafe name,
refuses everything that came with it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from meshery_registry.domain.entities import Refusal
from meshery_registry.domain.packages.bounds import Budget, OverLimit, Refused, safe_path
from meshery_registry.domain.packages.images import image_layers, image_root
from meshery_registry.domain.packages.limits import Limits
from meshery_registry.domain.packages.tars import (
    Member,
    gunzip,
    gzip_start,
    gzip_tar_members,
    is_tar,
    tar_members,
)
from meshery_registry.domain.packages.zips import is_zip, zip_members

_START: Final = 512
_CHUNK: Final = 1024 * 1024
_READ: Final = (".json", ".yaml", ".yml", ".rego")
#: What others put into archives beside the files that people mean.
_LITTER: Final = ("__MACOSX/", "/.git/", "/.DS_Store", "/._")
_FOREIGN: Final = {
    b"BZh": "bzip2",
    b"\xfd7zXZ\x00": "xz",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"7z\xbc\xaf": "7-Zip",
    b"Rar!": "RAR",
}
#: Parts of an image, which have no names of their own.
_BLOBS: Final = ("/blobs/sha256/", "/blobs/sha512/")


_MEMBERS: Final = {"zip": zip_members, "tar": tar_members, "gzip": gzip_tar_members}
#: With this before its name, a layer takes away what a layer below it has.
_TAKEN_AWAY: Final = ".wh."
_ALL_TAKEN_AWAY: Final = ".wh..wh..opq"


@dataclass(slots=True)
class Unpacked:
    """The files of a source that may hold definitions, by path, and what was not taken."""

    files: dict[str, bytes] = field(default_factory=dict)
    refused: list[Refusal] = field(default_factory=list)


def unpacked(name: str, data: bytes, limits: Limits) -> Unpacked:
    """One file: its own content, or what is in it. A hostile one gives nothing but its refusal."""
    if len(data) > limits.packed_bytes:
        return _refused(name, _too_large(len(data), limits.packed_bytes))
    found = Unpacked()
    try:
        _Unpacker(Budget(limits, len(data)), found).put(name, data, inside="")
    except Refused as error:
        return _refused(name, error)
    return found


def unpacked_folder(files: Mapping[str, bytes], limits: Limits) -> Unpacked:
    """The files of a folder, with the archives among them opened."""
    size = sum(len(data) for data in files.values())
    if size > limits.unpacked_bytes:
        return _refused("", _too_large(size, limits.unpacked_bytes))
    found = Unpacked()
    unpacker = _Unpacker(Budget(limits, size), found)
    try:
        for path, data in files.items():
            unpacker.budget.add_file()
            unpacker.put_inner(safe_path(path), data)
    except Refused as error:
        return _refused("", error)
    return found


def _refused(name: str, error: Refused) -> Unpacked:
    where = "/".join(filter(None, (name, error.where)))
    return Unpacked({}, [Refusal("file", where, error.reason, where, error.remedy)])


def _too_large(size: int, most: int) -> OverLimit:
    return OverLimit(f"It has {size:,} bytes, {most:,} are allowed.", "Split it, one model each.")


class _Unpacker:
    """Opens what is packed and keeps what may be read."""

    def __init__(self, budget: Budget, found: Unpacked) -> None:
        self.budget = budget
        self._found = found
        self._folded: set[str] = set()

    def put(self, path: str, data: bytes, *, inside: str | None = None, depth: int = 0) -> None:
        """Keep a file, or the files in it under `inside` (None: under its own path). Raises Refused."""
        below = f"{path}/" if inside is None else inside
        form = _form(data[:_START])
        if form is None:
            # What somebody sends by itself is meant, whatever it is called.
            if inside == "" or _is_readable(path, data):
                self._keep(path, data)
            return
        if form == "gzip" and not is_tar(gzip_start(data, _START)):
            self._check_depth(path, depth)
            self.put(path.removesuffix(".gz"), self._gunzipped(data), inside=inside, depth=depth + 1)
            return
        files = self._files(self._members(form, data, path, depth), below)
        root = image_root(files)
        if root is not None:
            self._put_image(files, root, below, depth)
        for name, content in files.items():
            if root is None or not name.startswith(root):
                self.put_inner(f"{below}{name}", content, depth)

    def _members(self, form: str, data: bytes, path: str, depth: int) -> Iterator[Member]:
        if form in _FOREIGN.values():
            raise Refused(f"It is packed with {form}, which is not read.", "Pack it as zip or tar.gz.")
        self._check_depth(path, depth)
        return _MEMBERS[form](data, self.budget)

    def _check_depth(self, path: str, depth: int) -> None:
        if depth >= self.budget.limits.depth:
            most = self.budget.limits.depth
            raise OverLimit(f"Archives lie in archives more than {most} deep.", "Pack it less often.", path)

    def put_inner(self, path: str, data: bytes, depth: int = -1) -> None:
        """As `put`, of a file among others: if it is broken, they are not. Raises OverLimit, for all of them."""
        try:
            self.put(path, data, depth=depth + 1)
        except OverLimit:
            raise
        except Refused as error:
            where = "/".join(filter(None, (path, error.where)))
            self._refuse(path, error.reason, error.remedy, where)

    def _gunzipped(self, data: bytes) -> bytes:
        content = _read_all(gunzip(data, self.budget), self.budget.limits.packed_bytes)
        if content is None:
            raise Refused("Unpacked it is too large for one file.", "Split it.")
        return content

    def _put_image(self, files: Mapping[str, bytes], root: str, below: str, depth: int) -> None:
        """The files of an image: each layer over those before it."""
        merged: dict[str, bytes] = {}
        for name, layer in image_layers(files, root):
            form = _form(layer[:_START])
            if form is None:
                merged[safe_path(name)] = layer
                continue
            members = self._members(form, layer, f"{below}{root}{name}", depth + 1)
            own = self._files(members, f"{below}{root}{name}/")
            merged = {path: data for path, data in merged.items() if not _is_taken_away(path, own)}
            merged |= {path: data for path, data in own.items() if _TAKEN_AWAY not in path}
        for path, data in merged.items():
            self.put_inner(f"{below}{root}{path}", data, depth + 1)

    def _files(self, members: Iterator[Member], below: str) -> dict[str, bytes]:
        """The members of one archive that are worth a look."""
        files: dict[str, bytes] = {}
        folded: set[str] = set()
        for member in members:
            self.budget.add_file()
            path = safe_path(member.name)
            if member.kind == "folder" or any(litter in f"/{path}" for litter in _LITTER):
                continue
            if path.casefold() in folded:
                raise Refused(
                    "It holds two files of one name, capitals aside.", "Leave one of them out.", path
                )
            folded.add(path.casefold())
            if member.kind != "file":
                self._refuse(
                    path, f"It is a {member.kind}, not a file.", "Pack the file itself.", below + path
                )
                continue
            content = self._content(member, path, below)
            if content is not None:
                files[path] = content
        return files

    def _content(self, member: Member, path: str, below: str) -> bytes | None:
        start = member.read(_START)
        limits = self.budget.limits
        packed = _form(start) is not None
        if not (packed or _is_readable(path, start)):
            return None
        most = limits.packed_bytes if packed else limits.file_bytes
        rest = _read_all(member.read, most - len(start))
        if rest is not None:
            return start + rest
        self._refuse(path, f"It has more than {most:,} bytes.", "Split it.", below + path)
        return None

    def _keep(self, path: str, data: bytes) -> None:
        if len(data) > self.budget.limits.file_bytes:
            most = self.budget.limits.file_bytes
            self._refuse(path, f"It has more than {most:,} bytes.", "Split it.", path)
            return
        if path.casefold() in self._folded:
            raise Refused("It holds two files of one name, capitals aside.", "Leave one of them out.", path)
        self._folded.add(path.casefold())
        self._found.files[path] = data

    def _refuse(self, path: str, reason: str, remedy: str, where: str) -> None:
        self._found.refused.append(Refusal("file", path, reason, where, remedy))


def _form(start: bytes) -> str | None:
    """How something is packed; None: it is not."""
    if is_zip(start):
        return "zip"
    if start[:2] == b"\x1f\x8b":
        return "gzip"
    for magic, form in _FOREIGN.items():
        if start.startswith(magic):
            return form
    return "tar" if is_tar(start) else None


def _is_readable(path: str, start: bytes) -> bool:
    """Whether a file may hold definitions, by its name, or for want of one by how it begins."""
    name = path.rpartition("/")[2].lower()
    if (
        name.startswith(_TAKEN_AWAY)
        or name.endswith(_READ)
        or name == "oci-layout"
        or any(blobs in f"/{path}" for blobs in _BLOBS)
    ):
        return True
    return "." not in name and start.lstrip()[:1] in (b"{", b"[")


def _is_taken_away(path: str, layer: Mapping[str, bytes]) -> bool:
    """Whether a layer hides a file of the layers below: by itself, or a folder that it lies in."""
    while path:
        folder, slash, name = path.rpartition("/")
        if f"{folder}{slash}{_TAKEN_AWAY}{name}" in layer or f"{folder}{slash}{_ALL_TAKEN_AWAY}" in layer:
            return True
        path = folder
    return False


def _read_all(read: Callable[[int], bytes], most: int) -> bytes | None:
    """Everything, or None when it is more than that."""
    parts = []
    while part := read(min(_CHUNK, most + 1)):
        parts.append(part)
        most -= len(part)
        if most < 0:
            return None
    return b"".join(parts)
