"""Following all objects of a kind, for ever: snapshot, changes, reconnects, fresh snapshots.

The behaviour is client-go's reflector (k8s.io/client-go tools/cache/reflector.go), the streaming
list is KEP-3157. Per object nothing is parsed but the few bytes that tell its event type.
"""

import asyncio
import random
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass

import msgspec

from meshery_kube.errors import (
    ApiError,
    BadRequest,
    Expired,
    Forbidden,
    Invalid,
    KubeError,
    MethodNotAllowed,
    NotAcceptable,
    NotFound,
    ProtocolError,
    Timeout,
    TooManyRequests,
    Unauthorized,
    Unavailable,
    api_error,
)
from meshery_kube.events import (
    Bookmark,
    Change,
    ChangeType,
    Interrupted,
    Refused,
    SnapshotEnded,
    SnapshotMode,
    SnapshotStarted,
    WatchEvent,
)
from meshery_kube.kinds import Kind
from meshery_kube.limits import Backoff
from meshery_kube.lines import LineSplitter
from meshery_kube.objects import METADATA, PAGE_SIZE, Objects
from meshery_kube.pages import Selection, decode, decode_object
from meshery_kube.statuses import status_from_object
from meshery_kube.streaming import StreamingSupport
from meshery_kube.transports import JSON, Call, Query, Transport

_REFUSALS = (Unauthorized, Forbidden, NotFound, MethodNotAllowed, NotAcceptable)
_END_OF_SNAPSHOT = "k8s.io/initial-events-end"
_CHANGES = {
    b'{"type":"ADDED"': ChangeType.ADDED,
    b'{"type":"MODIFIED"': ChangeType.MODIFIED,
    b'{"type":"DELETED"': ChangeType.DELETED,
}
_OBJECT = b',"object":'


@dataclass(frozen=True, slots=True)
class WatchOptions:
    """How a watch behaves; the defaults suit a real cluster. Times in seconds.

    `lifetime` bounds one connection (drawn at random between the two). `idle` without a byte means
    the connection is dead: bookmarks come about once a minute. `first_idle` is the same while the
    snapshot is streamed, where silence means that the server knows no streamed snapshots;
    `snapshot` bounds that phase as a whole. After `healthy` the back-off starts afresh. `refused`
    is the pause after a 403, 404 and the like. `snapshot_gate` limits how many watches take their
    snapshot at once. `resume_from` skips the snapshot and goes on from that resource version.
    """

    streaming: bool = True
    page_size: int = PAGE_SIZE
    lifetime: tuple[float, float] = (300.0, 600.0)
    idle: float = 150.0
    first_idle: float = 20.0
    snapshot: float = 600.0
    healthy: float = 120.0
    refused: float = 300.0
    first_pause: float = 0.8
    longest_pause: float = 30.0
    max_line_bytes: int = 128 << 20
    snapshot_gate: asyncio.Semaphore | None = None
    resume_from: str | None = None


class Watch:
    """One endless watch. Use each object once, by `events()` or `batches()`, inside aclosing()."""

    def __init__(
        self,
        transport: Transport,
        support: StreamingSupport,
        kind: Kind,
        selection: Selection,
        options: WatchOptions,
    ) -> None:
        self._transport = transport
        self._objects = Objects(transport)
        self._support = support
        self._kind = kind
        self._selection = selection
        self._options = options
        self._version = options.resume_from
        self._last: bytes | None = None
        self._streaming = options.streaming
        self._page_size = options.page_size
        self._backoff = Backoff(options.first_pause, options.longest_pause)
        self._fruitless = 0
        self._unfinished = 0

    @property
    def resource_version(self) -> str | None:
        """From where the watch would go on; None while there is no snapshot. Opaque."""
        if self._last is not None:
            # Read from the last object only when somebody asks: never once per object.
            last, self._last = self._last, None
            try:
                self._version = decode(_Versioned, last).metadata.resourceVersion or None
            except ProtocolError:
                self._version = None  # a mangled object: a new snapshot repairs whatever it was
        return self._version

    async def events(self) -> AsyncGenerator[WatchEvent, None]:
        """One event after the other, for ever. Never raises KubeError: faults are events."""
        async with aclosing(self.batches()) as batches:
            async for batch in batches:
                for event in batch:
                    yield event

    async def batches(self) -> AsyncGenerator[list[WatchEvent], None]:
        """The same in lists, as they come from the network: cheaper for those who write batches."""
        loop = asyncio.get_running_loop()
        while True:
            began = loop.time()
            try:
                async with aclosing(self._round()) as batches:
                    async for batch in batches:
                        if type(batch[-1]) is not SnapshotStarted:
                            self._fruitless = 0
                        yield batch
                continue
            except _NoStreaming:
                self._streaming = False
                continue
            except KubeError as error:
                failure = error
            if loop.time() - began >= self._options.healthy:
                self._backoff.reset()
            event = self._judge(failure)
            yield [event]
            await asyncio.sleep(event.retry_seconds)

    def _judge(self, error: KubeError) -> Interrupted | Refused:
        """What a failure means for the next round."""
        known = self.resource_version
        if isinstance(error, _REFUSALS):
            if isinstance(error, NotFound):
                self._version = None  # a kind that comes back has a history of its own
            pause = self._options.refused * (0.9 + 0.2 * random.random())  # noqa: S311 — jitter
            return Refused(error, pause)
        self._fruitless += 1
        if isinstance(error, Expired):
            if known is None:
                # The list took longer than the server's history lasts: ask for larger pages, and
                # at last for everything at once, as client-go's pager does.
                self._page_size = self._page_size * 4 if self._page_size < 8_000 else 0
            self._version = None
        elif isinstance(error, ApiError) and (
            self._fruitless > 3 or any(c.reason == _FUTURE for c in error.causes)
        ):
            # A version that the server does not understand (etcd restored from a backup).
            self._version = None
        after = error.retry_after if isinstance(error, TooManyRequests | Unavailable) else None
        return Interrupted(error, self._backoff.pause(after), relist=self._version is None)

    async def _round(self) -> AsyncGenerator[list[WatchEvent], None]:
        """One connection's worth, or one listed snapshot."""
        version = self.resource_version
        if version is not None:
            source = self._stream(version)
        elif self._streaming and await self._support.usable(self._kind):
            source = self._stream(None)
        else:
            source = self._listed()
        gate = self._options.snapshot_gate if version is None else None
        async with aclosing(source) as batches:
            if gate is None:
                async for batch in batches:
                    yield batch
                return
            async with _Released(gate) as held:
                async for batch in batches:
                    if self._version is not None:  # the snapshot is complete
                        held.release()
                    yield batch

    async def _listed(self) -> AsyncGenerator[list[WatchEvent], None]:
        """A snapshot by a paged list. A token that expires starts it anew (see _judge)."""
        first: list[WatchEvent] = [SnapshotStarted(SnapshotMode.LISTED)]
        count = 0
        token = ""
        while True:
            page = await self._objects.page(
                self._kind, self._selection, page_size=self._page_size, continue_token=token
            )
            yield [*first, *(Change(ChangeType.ADDED, item) for item in page.items)]
            first = []
            count += len(page.items)
            token = page.continue_token
            if not token:
                break
        if not page.resource_version:
            raise ProtocolError(f"the list of {self._kind.plural} has no resource version")
        self._version = page.resource_version
        self._page_size = self._options.page_size
        yield [SnapshotEnded(page.resource_version, count)]

    def _query(self, version: str | None) -> Query:
        low, high = self._options.lifetime
        seconds = low + (high - low) * random.random()  # noqa: S311 — spreads reconnects
        query: Query = (
            *self._selection.query(),
            ("watch", "true"),
            ("allowWatchBookmarks", "true"),
            ("timeoutSeconds", str(max(1, round(seconds)))),
        )
        if version is None:
            return (
                *query,
                ("sendInitialEvents", "true"),
                ("resourceVersionMatch", "NotOlderThan"),
            )
        return (*query, ("resourceVersion", version))

    async def _stream(self, version: str | None) -> AsyncGenerator[list[WatchEvent], None]:
        """One watch connection; with `version` None it begins with the snapshot."""
        options = self._options
        loop = asyncio.get_running_loop()
        snapshot = version is None
        until = loop.time() + options.snapshot
        splitter = LineSplitter(options.max_line_bytes)
        call = Call(
            "GET",
            self._kind.collection_path(self._selection.namespace),
            self._query(version),
            accept=METADATA if self._selection.metadata_only else JSON,
        )
        count = 0
        began = loop.time()
        try:
            async with self._transport.stream(call) as stream:
                if snapshot:
                    yield [SnapshotStarted(SnapshotMode.STREAMED)]
                while True:
                    try:
                        chunk = await stream.read(options.first_idle if snapshot else options.idle)
                    except Timeout:
                        if snapshot:
                            raise _NoStreaming from None
                        raise
                    if not chunk:
                        break
                    batch, failure = self._decode_all(splitter.feed(chunk), snapshot, count)
                    snapshot = snapshot and self._version is None
                    count += len(batch)
                    if batch:
                        yield batch
                    if failure is not None:
                        raise failure
                    if snapshot and loop.time() > until:
                        raise _NoStreaming
        except (Invalid, BadRequest) as error:
            if not snapshot:
                raise
            if "sendInitialEvents" in error.status.message:
                self._support.refused(self._kind)
            raise _NoStreaming from None
        if snapshot:
            # Perhaps the server is being restarted; twice in a row it is its way.
            self._unfinished += 1
            if self._unfinished > 1:
                raise _NoStreaming
            raise ProtocolError(f"the watch of {self._kind.plural} ended within its snapshot")
        self._unfinished = 0
        if not count and loop.time() - began < min(1.0, options.first_pause):
            raise ProtocolError(f"the watch of {self._kind.plural} ends at once")

    def _decode_all(
        self, lines: list[bytes], snapshot: bool, count: int
    ) -> tuple[list[WatchEvent], KubeError | None]:
        """The events of `lines`, and what ended them early: what came before must not be lost."""
        batch: list[WatchEvent] = []
        try:
            for line in lines:
                event = self._decode(line, snapshot, count + len(batch))
                if event is not None:
                    batch.append(event)
                    snapshot = snapshot and type(event) is not SnapshotEnded
        except KubeError as error:
            return batch, error
        return batch, None

    def _decode(self, line: bytes, snapshot: bool, count: int) -> WatchEvent | None:
        """The event in a line; None for an empty one. Raises ApiError for an ERROR event."""
        comma = line.find(_OBJECT, 0, 64)
        change = _CHANGES.get(line[:comma]) if comma > 0 else None
        if change is not None:
            # The form that Go's encoder writes: the object is all between here and the last brace.
            raw = line[comma + len(_OBJECT) : -1]
        elif not line.strip():
            return None
        else:
            envelope = decode(_Envelope, line)
            raw = bytes(envelope.object)
            if envelope.type == "BOOKMARK":
                return self._bookmark(raw, snapshot, count)
            if envelope.type == "ERROR":
                status = status_from_object(decode_object(raw), code=500)
                raise api_error(status, f"WATCH {self._kind.qualified_name}")
            if envelope.type not in ChangeType.__members__:
                return None  # a type that a newer server has: not an error by the API's rules
            change = ChangeType(envelope.type)
        if not snapshot:
            self._last = raw
        return Change(change, raw)

    def _bookmark(self, raw: bytes, snapshot: bool, count: int) -> WatchEvent | None:
        metadata = decode(_Versioned, raw).metadata
        version = metadata.resourceVersion
        if snapshot:
            if (metadata.annotations or {}).get(_END_OF_SNAPSHOT) != "true":
                return None  # no version to resume from: the snapshot is not complete yet
            if not version:
                raise ProtocolError(f"the snapshot of {self._kind.plural} ends without a version")
            self._version = version
            return SnapshotEnded(version, count)
        known = self.resource_version
        if known and known.isdecimal() and version.isdecimal() and int(version) < int(known):
            # Time went backwards: etcd was restored from a backup, and our copy is of the future.
            self._version = None
            raise _WentBack(f"the history of {self._kind.plural} went backwards")
        self._version = version
        return Bookmark(version)


_FUTURE = "ResourceVersionTooLarge"
"""Cause of a 504 when we ask for a version that the server does not have (yet)."""


class _NoStreaming(Exception):
    """The server does not stream snapshots: list instead."""


class _WentBack(KubeError):
    """The server's history is older than what we have seen."""


class _Released:
    """Holds a semaphore until released, at the latest until left."""

    def __init__(self, gate: asyncio.Semaphore) -> None:
        self._gate = gate
        self._held = False

    async def __aenter__(self) -> "_Released":
        await self._gate.acquire()
        self._held = True
        return self

    async def __aexit__(self, *_: object) -> None:
        self.release()

    def release(self) -> None:
        if self._held:
            self._held = False
            self._gate.release()


class _Meta(msgspec.Struct):
    resourceVersion: str = ""
    annotations: dict[str, str] | None = None


class _Versioned(msgspec.Struct):
    metadata: _Meta = msgspec.field(default_factory=_Meta)


class _Envelope(msgspec.Struct):
    type: str
    object: msgspec.Raw
