"""Wake-ups by NOTIFY, over one connection that is made again whenever it is lost."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import structlog

from meshery_common.background import pause
from meshery_common.database.connecting import CONNECT_ERRORS, connect_listener
from meshery_common.database.settings import DatabaseSettings

_log = structlog.get_logger(__name__)

_RECONNECT_SECONDS = 0.5
_PROBE_SECONDS = 15.0


class _Wakes:
    """An endless iterator that gives None for every wake-up, several at once as one."""

    def __init__(self) -> None:
        self._event = asyncio.Event()
        self._event.set()

    def wake(self) -> None:
        self._event.set()

    def __aiter__(self) -> AsyncIterator[None]:
        return self

    async def __anext__(self) -> None:
        await self._event.wait()
        self._event.clear()


class Listener:
    """The listening connection of one database; it is opened with the first subscription."""

    def __init__(self, settings: DatabaseSettings, schema: str) -> None:
        self._settings = settings
        self._schema = schema
        self._wakes: defaultdict[str, set[_Wakes]] = defaultdict(set)
        self._listening: set[str] = set()
        self._changed = asyncio.Event()

    @asynccontextmanager
    async def subscribed(self, channel: str) -> AsyncIterator[AsyncIterator[None]]:
        """Wake-ups on a channel for the time of the block. Channel names are written by us: `[a-z_]+`."""
        if not channel.replace("_", "").isalnum():
            raise ValueError(f"{channel!r} is no channel name")
        wakes = _Wakes()
        name = f"{self._schema}.{channel}"
        self._wakes[name].add(wakes)
        self._changed.set()
        try:
            yield wakes
        finally:
            self._wakes[name].discard(wakes)

    async def run(self) -> None:
        """Keep listening for ever."""
        await self._changed.wait()
        while True:
            try:
                raw = await connect_listener(self._settings, self._schema)
            except CONNECT_ERRORS as error:
                _log.debug("Cannot listen for notifications", reason=type(error).__name__)
                await pause(_RECONNECT_SECONDS)
                continue
            try:
                await self._serve(raw)
            except CONNECT_ERRORS as error:
                _log.debug("Lost the listening connection", reason=type(error).__name__)
            finally:
                raw.terminate()
            await pause(_RECONNECT_SECONDS)

    async def _serve(self, raw: Any) -> None:
        # The termination callback makes a lost connection show at once instead of at the next probe.
        raw.add_termination_listener(lambda _: self._changed.set())
        self._listening = set()
        while not raw.is_closed():
            self._changed.clear()
            for name in self._wakes.keys() - self._listening:
                await raw.add_listener(name, self._notified)
                self._listening.add(name)
                # From here on nothing is missed, but something may have been before.
                self._wake(name)
            try:
                async with asyncio.timeout(_PROBE_SECONDS):
                    await self._changed.wait()
            except TimeoutError:
                await raw.execute("select 1")

    def _notified(self, _connection: object, _pid: int, channel: str, _payload: object) -> None:
        self._wake(channel)

    def _wake(self, name: str) -> None:
        for wakes in self._wakes.get(name, ()):
            wakes.wake()
