"""How much memory large things may take at once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from meshery_contracts.errors import Unavailable


class Room:
    """So many bytes and no more. Who finds no room is refused: to wait for some while holding some may never end."""

    def __init__(self, size: int) -> None:
        self._size = size
        #: What is taken right now, in bytes.
        self.taken = 0

    @contextmanager
    def take(self, size: int) -> Iterator[None]:
        """Take so many bytes for the time of the block. Raises Unavailable when they are not free."""
        if self.taken + size > self._size:
            raise Unavailable(
                "Too many large things are under way.",
                code="overloaded",
                cause=f"{self.taken:,} of {self._size:,} bytes are taken, {size:,} more are needed.",
                remedy="Try again in a moment, or run more replicas.",
                retry_after_seconds=1,
            )
        self.taken += size
        try:
            yield
        finally:
            self.taken -= size
