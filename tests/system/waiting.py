"""Waiting for a condition: with a deadline, and with the last state in the failure."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import aiohttp

T = TypeVar("T")
_SHOWN_CHARACTERS = 1500
#: What a person tries again: an answer that was not expected (yet), a connection that broke.
_PASSING = (AssertionError, aiohttp.ClientError, TimeoutError, OSError)


async def until(
    expected: str,
    look: Callable[[], Awaitable[T]],
    good: Callable[[T], object] = bool,
    *,
    seconds: float = 30.0,
    pause: float = 0.1,
) -> T:
    """Look until it is good and give what was seen. Fails with what was expected and the last state."""
    give_up = time.monotonic() + seconds
    while True:
        try:
            seen = await look()
            if good(seen):
                return seen
            last: object = seen
        except _PASSING as error:
            last = f"{type(error).__name__}: {error}"
        if time.monotonic() > give_up:
            raise AssertionError(f"expected within {seconds:.0f} s: {expected}\nlast seen: {shown(last)}")
        await asyncio.sleep(pause)


def shown(value: Any) -> str:
    """A value for a failure's message, of bearable length."""
    text = value if isinstance(value, str) else repr(value)
    return (
        text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]} … ({len(text)} characters)"
    )
