"""Following one kind of one cluster into its lane."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import aclosing

import structlog

from meshery_common.background import pause
from meshery_kube.clients import Client
from meshery_kube.events import (
    Change,
    ChangeType,
    Interrupted,
    Refused,
    SnapshotEnded,
    SnapshotStarted,
    WatchEvent,
)
from meshery_kube.kinds import Kind
from meshery_kube.watches import WatchOptions
from meshery_meshsync.domain.lanes import Lane
from meshery_meshsync.domain.objects import Conceal, Unreadable, observe, uid_of
from meshery_meshsync.service.publishing import Publisher

log = structlog.get_logger()

#: A message has to stay under the bus's limit of 8 MiB; etcd refuses objects far below it.
_MAX_OBJECT_BYTES = 6 * 1024 * 1024


class KindWatch:
    """The watch of one kind: never ends by itself."""

    def __init__(
        self,
        kube: Client,
        kind: Kind,
        lane: Lane,
        publisher: Publisher,
        conceal: Conceal,
        options: WatchOptions,
        changed: Callable[[Lane], None],
    ) -> None:
        self._kube = kube
        self._kind = kind
        self.lane = lane
        self._publisher = publisher
        self._conceal = conceal
        self._options = options
        self._changed = changed
        self._following: asyncio.Task[None] | None = None
        #: Why the API server does not let us list it; empty while it does.
        self.refused = ""
        #: Why there is no connection right now; empty while there is.
        self.interrupted = ""

    def relist(self) -> None:
        """List the kind anew, from now."""
        if self._following is not None:
            self._following.cancel()

    async def run(self) -> None:
        """Follow for ever."""
        while True:
            async with asyncio.TaskGroup() as group:
                self._following = group.create_task(self._follow())

    async def _follow(self) -> None:
        watch = self._kube.watching(self._kind, None, self._options)
        async with aclosing(watch.batches()) as batches:
            async for batch in batches:
                for event in batch:
                    self._take(event)
                self._publisher.wake()
                if not await self._publisher.room():
                    self._overflow()
                # A server that always has data ready would let nobody else run.
                await pause(0)

    def _take(self, event: WatchEvent) -> None:
        match event:
            case Change(type=change, raw=raw):
                self._take_object(change, raw)
            case SnapshotStarted():
                self.lane.snapshot_started()
            case SnapshotEnded():
                self.refused = self.interrupted = ""
                self.lane.snapshot_ended()
                self._changed(self.lane)
            case Refused(error=error):
                if not self.refused:
                    log.info("a kind may not be listed", kind=self._kind.qualified_name, error=str(error))
                self.refused = str(error)
                self._changed(self.lane)
            case Interrupted(error=error):
                self.interrupted = str(error)
                self._changed(self.lane)
            case _:
                if self.interrupted:
                    self.interrupted = ""
                    self._changed(self.lane)

    def _take_object(self, change: ChangeType, raw: bytes) -> None:
        self.interrupted = ""
        try:
            if change is ChangeType.DELETED:
                self.lane.drop(uid_of(raw))
                return
            observed = observe(raw, self._conceal)
        except Unreadable as error:
            log.warning("an object cannot be read", kind=self._kind.qualified_name, error=str(error))
            return
        if len(observed.body) > _MAX_OBJECT_BYTES:
            log.error(
                "an object is too large to be sent", kind=self._kind.qualified_name, bytes=len(observed.body)
            )
            return
        self.lane.set(observed)

    def _overflow(self) -> None:
        if self.lane.waiting_bytes:
            log.warning("a kind changes faster than it can be sent", kind=self._kind.qualified_name)
            self.lane.overflow()
            self._changed(self.lane)
