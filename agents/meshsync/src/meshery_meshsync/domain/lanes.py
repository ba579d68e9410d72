"""One kind of one cluster, between the watch that fills it and the frames that are cut from it.

Per object a lane keeps 16 bytes of digests under the uid, and the JSON only of what waits to be sent. While it
is `SILENT` nothing waits: what inventory holds is not known, and is found out by comparing digests. What waits
is one entry per object: the latest wins, and a `drop` is never overtaken, because the entry is the object's own.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

from meshery_meshsync.domain.frames import EpochEnd, KindName, drop_entry, hex_digest, set_entry, touch_entry
from meshery_meshsync.domain.objects import Observed, stamped, unpack_uid


class Mode(Enum):
    """What a lane does with what it sees."""

    #: Keep digests, send nothing: nobody knows yet what inventory holds.
    SILENT = "silent"
    #: Send what changes.
    SENDING = "sending"
    #: Send every object anew.
    EPOCH = "epoch"


class Cut(NamedTuple):
    """The parts of a frame that the lane knows."""

    entries: list[bytes]
    epoch: int
    begin: bool
    end: EpochEnd | None


@dataclass(frozen=True, slots=True)
class Claim:
    """What inventory should hold after the frame at `position`."""

    number: int
    count: int
    digest: str
    position: int


@dataclass(slots=True)
class _Waiting:
    entry: bytes
    touch: bool
    #: The object's digest as inventory has it or will have it before this entry; None when it has no such object.
    before: int | None
    after: int | None


class Lane:
    """See the module."""

    def __init__(self, token: str, kind: KindName, *, silent: bool) -> None:
        self.token = token
        self.kind = kind
        self.mode = Mode.SILENT if silent else Mode.EPOCH
        #: The watch has to list anew, and the next snapshot is sent as an epoch.
        self.wants_epoch = not silent
        #: The snapshot is complete: `count` is what the cluster holds.
        self.complete = False
        #: Nothing is cut meanwhile: a comparison is under way.
        self.held = False
        self.waiting_bytes = 0
        #: Position of the last frame cut.
        self.position = 0
        self._known: dict[bytes, bytes] = {}
        self._known_digest = 0
        self._waiting: dict[bytes, _Waiting] = {}
        self._sent_count = 0
        self._sent_digest = 0
        self._seen: set[bytes] | None = None
        self._epoch = 0
        self._begun = False
        self._claims = 0
        #: Inventory has agreed, or everything was sent, since the lane was last silent: going on is safe.
        self._proven = False
        #: Inventory has agreed.
        self._agreed = False
        #: Inventory holds nothing of the kind.
        self._blank = not silent

    @property
    def count(self) -> int:
        """Objects of the kind in the cluster, as far as they were seen."""
        return len(self._known)

    @property
    def waiting(self) -> int:
        """Entries that wait to be sent."""
        return len(self._waiting)

    @property
    def ready(self) -> bool:
        """Whether a frame can be cut."""
        if self.held or self.mode is Mode.SILENT:
            return False
        return bool(self._waiting) or (self.mode is Mode.EPOCH and self.complete)

    @property
    def synced(self) -> bool:
        """Whether inventory has agreed, so that it holds what the cluster holds but for what is under way."""
        return self.complete and self.mode is Mode.SENDING and self._agreed

    # --- from the watch -----------------------------------------------------------------------------------

    def snapshot_started(self) -> None:
        """All objects follow; a snapshot that was not finished is void."""
        self.complete = False
        if self.wants_epoch or self.mode is Mode.EPOCH:
            self.wants_epoch = False
            self._forget_waiting()
            self.mode = Mode.EPOCH
            self.held = self._begun = self._agreed = False
            self._seen = None
            self._sent_count = self._sent_digest = 0
            self._forget_known()
        elif self.mode is Mode.SILENT:
            self._seen = None
            self._forget_known()
        else:
            # What inventory holds is known: only the difference has to be sent.
            self._seen = set()

    def snapshot_ended(self) -> None:
        """What was known and did not come again is gone."""
        if self._seen is not None:
            for key in self._known.keys() - self._seen:
                self.drop(key)
            self._seen = None
        self.complete = True
        if self.mode is Mode.EPOCH and self._blank and not self._waiting:
            # Nothing there and nothing stored: an epoch would say nothing. Half of all kinds are like that.
            self.mode, self._proven = Mode.SENDING, True

    def set(self, observed: Observed) -> None:
        """An object was added, changed, or listed."""
        key = observed.key
        digest = stamped(observed.content, observed.resource_version)
        old = self._known.get(key)
        if self._seen is not None:
            self._seen.add(key)
        new = observed.content + digest
        if old == new:
            return
        self._known[key] = new
        before, after = _stamp(old), int.from_bytes(digest)
        self._known_digest ^= (before or 0) ^ after
        if self.mode is Mode.SILENT:
            return
        waiting = self._waiting.get(key)
        touch = old is not None and old[:8] == observed.content and (waiting is None or waiting.touch)
        if touch:
            entry = touch_entry(unpack_uid(key), observed.resource_version, digest)
        else:
            entry = set_entry(unpack_uid(key), observed.resource_version, digest, observed.body)
        self._wait(key, waiting, _Waiting(entry, touch, before, after))

    def drop(self, key: bytes) -> None:
        """An object is gone from the cluster."""
        old = self._known.pop(key, None)
        if self._seen is not None:
            self._seen.discard(key)
        if old is None:
            return  # within an epoch: its end drops what was not sent again
        before = _stamp(old)
        self._known_digest ^= before or 0
        if self.mode is Mode.SILENT:
            return
        self._wait(key, self._waiting.get(key), _Waiting(drop_entry(unpack_uid(key)), False, before, None))

    def overflow(self) -> None:
        """Too much waits: forget it, and find out by digests later what inventory lacks."""
        # `_seen` stays: a snapshot that is under way still has to tell what is gone.
        self._forget_waiting()
        self.mode = Mode.SILENT
        self.held = self._proven = self._agreed = False
        self._claims += 1

    def emptied(self) -> None:
        """The cluster no longer serves the kind: an epoch without objects is all that is left to send."""
        self.wants_epoch = True
        self.snapshot_started()
        self.snapshot_ended()

    # --- to the frames ------------------------------------------------------------------------------------

    def cut(self, position: int, max_entries: int, max_bytes: int) -> Cut:
        """Take the next frame's worth. Call it only when `ready`."""
        taken: list[bytes] = []
        entries: list[bytes] = []
        size = 0
        for key, waiting in self._waiting.items():
            if entries and (len(entries) == max_entries or size + len(waiting.entry) > max_bytes):
                break
            taken.append(key)
            entries.append(waiting.entry)
            size += len(waiting.entry)
            self._sent_digest ^= (waiting.before or 0) ^ (waiting.after or 0)
            self._sent_count += (waiting.after is not None) - (waiting.before is not None)
        for key in taken:
            del self._waiting[key]
        self.waiting_bytes -= size
        self.position = position
        self._blank = False
        if self.mode is not Mode.EPOCH:
            return Cut(entries, 0, False, None)
        begin = not self._begun
        if begin:
            self._epoch, self._begun = position, True
        end = None
        if self.complete and not self._waiting:
            end = EpochEnd(self._sent_count, hex_digest(self._sent_digest))
            self.mode, self._proven = Mode.SENDING, True
        return Cut(entries, self._epoch, begin, end)

    # --- comparing ----------------------------------------------------------------------------------------

    def claim(self) -> Claim | None:
        """What inventory should hold by now; nothing is cut until `judged`. None while there is nothing to compare."""
        if not self.complete or self.mode is Mode.EPOCH or self.wants_epoch:
            return None
        if self.mode is Mode.SILENT:
            # From now on changes wait, so that they are not lost when inventory turns out to agree.
            self.mode = Mode.SENDING
            self._sent_count, self._sent_digest = len(self._known), self._known_digest
            self._proven = False
        self.held = True
        self._claims += 1
        return Claim(self._claims, self._sent_count, hex_digest(self._sent_digest), self.position)

    def judged(self, claim: Claim, *, equal: bool) -> bool:
        """Inventory's word on a claim; True when the kind has to be listed anew."""
        if claim.number != self._claims or not self.held:
            return False
        self.held = False
        if equal:
            self._proven = self._agreed = True
            return False
        self.overflow()
        self.wants_epoch = True
        return True

    def unjudged(self, claim: Claim) -> None:
        """No word came. A lane that was sending goes on; one that was silent is silent again."""
        if claim.number == self._claims and self.held:
            self.held = False
            if not self._proven:
                self.overflow()

    # ------------------------------------------------------------------------------------------------------

    def _wait(self, key: bytes, earlier: _Waiting | None, now: _Waiting) -> None:
        if earlier is not None:
            now.before = earlier.before
            self.waiting_bytes -= len(earlier.entry)
        self._waiting[key] = now
        self.waiting_bytes += len(now.entry)

    def _forget_waiting(self) -> None:
        self._waiting = {}
        self.waiting_bytes = 0

    def _forget_known(self) -> None:
        self._known = {}
        self._known_digest = 0


def _stamp(known: bytes | None) -> int | None:
    return None if known is None else int.from_bytes(known[8:])
