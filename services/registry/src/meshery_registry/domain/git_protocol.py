"""What is said to a git server over HTTP, as bytes: its refs, and the newest commit of one of them as a pack.

Version 0 of the protocol, which every server speaks. A copy of depth 1 needs one question and one answer.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from meshery_contracts.errors import Invalid, NotFound

ADVERTISEMENT_TYPE = "application/x-git-upload-pack-advertisement"
REQUEST_TYPE = "application/x-git-upload-pack-request"
_COMMIT = re.compile(r"[0-9a-f]{40}")
_FLUSH = b"0000"
_PACK_BAND, _ERROR_BAND = 1, 3


@dataclass(frozen=True, slots=True)
class Chosen:
    """Which object is wanted, what its ref is called for people, and which path in it. `tag` when it is a tag."""

    object_id: str
    name: str
    path: str
    tag: bool = False


def advertised_refs(answer: bytes) -> dict[str, str]:
    """Object ids by name of ref, of the answer to `info/refs`. Raises Invalid."""
    refs: dict[str, str] = {}
    for line in _lines(answer):
        if line is None or line.startswith(b"#"):
            continue
        object_id, _, name = line.partition(b"\0")[0].decode(errors="replace").strip().partition(" ")
        if not _COMMIT.fullmatch(object_id):
            raise _no_git("Its list of refs cannot be read; repositories with SHA-256 ids are not supported.")
        refs[name] = object_id
    if not refs or set(refs) == {"capabilities^{}"}:
        raise _no_git("It has no commits.")
    return refs


def chosen(refs: dict[str, str], ref: str, path: str, *, joined: bool) -> Chosen:
    """The object that is meant; with `joined` the ref is the beginning of `path`. Raises NotFound."""
    if joined and path:
        parts = path.split("/")
        # The longest ref wins: a branch `a/b` cannot exist beside a branch `a`, but a tag can.
        for end in range(len(parts), 0, -1):
            if found := _named(refs, "/".join(parts[:end]), "/".join(parts[end:])):
                return found
        raise _no_ref(parts[0])
    found = _named(refs, ref or "HEAD", path)
    if found is None:
        raise _no_ref(ref)
    return found


def wanted(object_id: str) -> bytes:
    """The body of the question for one object and what belongs to it, without its history."""
    lines = (f"want {object_id} side-band-64k ofs-delta shallow no-progress agent=meshery\n", "deepen 1\n")
    return b"".join(map(_line, lines)) + _FLUSH + _line("done\n")


def pack_of(answer: bytes) -> bytes:
    """The pack that came as answer to `wanted`. Raises Invalid."""
    pack = bytearray()
    for line in _lines(answer):
        if line is None or line.startswith((b"shallow ", b"unshallow ", b"NAK", b"ACK")):
            continue
        if line.startswith(b"ERR "):
            raise _no_git("It refuses to send the commit.")
        if line[:1] == bytes([_PACK_BAND]):
            pack += memoryview(line)[1:]
        elif line[:1] == bytes([_ERROR_BAND]):
            raise _no_git("It reported an error while it sent the commit.")
    if not pack.startswith(b"PACK"):
        raise _no_git("It did not send the commit.")
    return bytes(pack)


def _named(refs: dict[str, str], ref: str, path: str) -> Chosen | None:
    for name in (ref, f"refs/heads/{ref}", f"refs/tags/{ref}"):
        if name in refs and not name.endswith("^{}"):
            short = "" if ref == "HEAD" else ref.removeprefix("refs/heads/").removeprefix("refs/tags/")
            return Chosen(refs[name], short, path, tag=name.startswith("refs/tags/"))
    if _COMMIT.fullmatch(ref):
        return Chosen(ref, ref[:12], path)
    return None


def _lines(data: bytes) -> Iterator[bytes | None]:
    """The packets of an answer; None stands for a flush. Raises Invalid."""
    at = 0
    while at < len(data):
        try:
            size = int(data[at : at + 4], 16)
        except ValueError:
            raise _no_git("Its answer is not git's protocol.") from None
        if size < 4:
            yield None
            at += 4
            continue
        if at + size > len(data):
            raise _no_git("Its answer breaks off.")
        yield data[at + 4 : at + size].removesuffix(b"\n") if size < 1000 else data[at + 4 : at + size]
        at += size


def _line(text: str) -> bytes:
    return f"{len(text) + 4:04x}{text}".encode()


def _no_git(why: str) -> Invalid:
    return Invalid(
        "The git repository cannot be read.",
        code="git_unreadable",
        cause=why,
        remedy="Check the address with `git ls-remote`, or import an archive of the repository.",
    )


def _no_ref(ref: str) -> NotFound:
    return NotFound(
        f"The repository has no branch and no tag {ref!r}.",
        code="git_ref_unknown",
        remedy="Name an existing branch or tag, or leave it out for the default branch.",
    )
