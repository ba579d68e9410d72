"""What a watch tells. A consumer that keeps a copy of a kind treats them so:

SnapshotStarted  begin a new epoch; an unfinished one is void
Change           ADDED and MODIFIED: store; DELETED: drop (before SnapshotEnded all are ADDED,
                 apart from what changes while the server sends the snapshot)
SnapshotEnded    drop what was stored before the epoch and not seen in it
Bookmark         nothing changed up to here; proof of life
Interrupted      the copy is getting old; the watch comes back by itself
Refused          the server does not let us; asked again seldom: show it, or stop watching
"""

from dataclasses import dataclass, field
from enum import Enum, StrEnum
from typing import Any

from meshery_kube.errors import KubeError
from meshery_kube.pages import decode_object


class ChangeType(StrEnum):
    """What happened to an object."""

    ADDED = "ADDED"
    MODIFIED = "MODIFIED"
    DELETED = "DELETED"


class SnapshotMode(Enum):
    """How the initial objects come: by the watch itself, or by a paged list before it."""

    STREAMED = "streamed"
    LISTED = "listed"


@dataclass(frozen=True, slots=True)
class SnapshotStarted:
    """All objects follow as Changes, up to a SnapshotEnded."""

    mode: SnapshotMode


@dataclass(frozen=True, slots=True)
class Change:
    """One object was added, modified or deleted. `raw` is its JSON, apiVersion and kind in it."""

    type: ChangeType
    raw: bytes = field(repr=False)

    @property
    def object(self) -> dict[str, Any]:
        """Decoded anew at each use. Raises ProtocolError."""
        return decode_object(self.raw)


@dataclass(frozen=True, slots=True)
class SnapshotEnded:
    """The snapshot is complete; `count` is the number of Changes in it."""

    resource_version: str
    count: int


@dataclass(frozen=True, slots=True)
class Bookmark:
    """The server's word that nothing before this version is missing."""

    resource_version: str


@dataclass(frozen=True, slots=True)
class Interrupted:
    """The watch broke and goes on after `retry_seconds`, with a new snapshot if `relist`."""

    error: KubeError
    retry_seconds: float
    relist: bool


@dataclass(frozen=True, slots=True)
class Refused:
    """No right (401, 403), no such kind (404) or verb (405, 406); tried again after a while."""

    error: KubeError
    retry_seconds: float


WatchEvent = SnapshotStarted | Change | SnapshotEnded | Bookmark | Interrupted | Refused
