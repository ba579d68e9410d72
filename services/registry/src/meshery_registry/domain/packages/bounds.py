"""What unpacking may not do: go over a limit, or use a name that leads out of its archive."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

from meshery_registry.domain.packages.limits import Limits

_MAX_PART_BYTES = 255
_MAX_PATH_BYTES = 1024
_DRIVE = re.compile(r"[A-Za-z]:")


class Refused(Exception):
    """An archive that is not taken: where in it, why, and how to mend it."""

    def __init__(self, reason: str, remedy: str, where: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.remedy = remedy
        self.where = where


class OverLimit(Refused):
    """A limit of the whole source, so that no part of it is taken."""


class Budget:
    """What is left of the limits of one source of so many bytes. Raises OverLimit."""

    def __init__(self, limits: Limits, packed_bytes: int) -> None:
        self.limits = limits
        self._packed_bytes = packed_bytes
        self._unpacked_bytes = 0
        self._files = 0

    def take(self, size: int) -> None:
        """Count some unpacked bytes."""
        self._unpacked_bytes += size
        if self._unpacked_bytes > self.limits.unpacked_bytes:
            raise OverLimit(
                f"Unpacked it has more than {self.limits.unpacked_bytes:,} bytes.",
                "Split it, one model each.",
            )
        most = max(self.limits.ratio_from_bytes, self.limits.ratio * self._packed_bytes)
        if self._unpacked_bytes > most:
            raise OverLimit(
                f"Unpacked it is more than {self.limits.ratio} times as large as packed, as archives are that are "
                "made to fill a memory.",
                "Send it unpacked, or packed less tightly.",
            )

    def add_file(self) -> None:
        """Count a file, folder or whatever else an archive lists."""
        self._files += 1
        if self._files > self.limits.files:
            raise OverLimit(f"It holds more than {self.limits.files:,} files.", "Split it, one model each.")


def safe_path(name: str) -> str:
    """The path of a file inside its archive, normalised; empty for its root. Raises Refused."""
    wrong = ""
    if not name.isprintable():
        wrong = "it has characters that no name has"
    elif "\\" in name or _DRIVE.match(name):
        wrong = "it is a path of Windows"
    elif name.startswith("/"):
        wrong = "it is absolute"
    elif ".." in name.split("/"):
        wrong = "it leads out of the archive"
    parts = [part for part in PurePosixPath(name).parts if part != "."]
    if any(len(part.encode()) > _MAX_PART_BYTES for part in parts) or len(name.encode()) > _MAX_PATH_BYTES:
        wrong = "it is too long"
    if wrong:
        raise Refused(
            f"It holds a file of an unsafe name: {wrong}.", "Pack the folder of the model itself.", name[:200]
        )
    return "/".join(parts)
