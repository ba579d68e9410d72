"""One asks for many: who wants the same thing at the same time waits for the first one's answer.

The first may give up, because his client has gone: then the next of those who wait asks.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

KeyT = TypeVar("KeyT", bound=Hashable)
ValueT = TypeVar("ValueT")


class Asking(Generic[KeyT, ValueT]):
    """What is being asked right now, by key."""

    def __init__(self) -> None:
        self._running: dict[KeyT, asyncio.Future[ValueT]] = {}

    async def once(self, key: KeyT, ask: Callable[[], Awaitable[ValueT]]) -> ValueT:
        """The answer for this key: of whoever asks already, or of `ask`. Raises what asking raised."""
        while (running := self._running.get(key)) is not None:
            try:
                return await asyncio.shield(running)
            except asyncio.CancelledError:
                task = asyncio.current_task()
                if not running.cancelled() or (task is not None and task.cancelling()):
                    raise
        future = self._running[key] = asyncio.get_running_loop().create_future()
        try:
            value = await ask()
        except Exception as error:
            future.set_exception(error)
            future.exception()  # seen: nobody else may be waiting
            raise
        except BaseException:
            future.cancel()
            raise
        else:
            future.set_result(value)
            return value
        finally:
            del self._running[key]
