"""Client-side limits: how fast we ask, and how long we wait before asking again."""

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass, field


class RateLimiter:
    """At most `rate` requests a second on average, `burst` at once (GCRA: one number of state).

    None while it is `lifted`.
    """

    def __init__(self, rate: float, burst: int) -> None:
        self._interval = 1.0 / rate
        self._slack = self._interval * max(burst - 1, 0)
        self._next_at = 0.0
        self.lifted = False

    async def take(self) -> None:
        """Wait for our turn. Turns are given in the order of asking."""
        if self.lifted:
            return
        now = asyncio.get_running_loop().time()
        turn = max(self._next_at, now - self._slack)
        self._next_at = turn + self._interval
        if turn > now:
            await asyncio.sleep(turn - now)


@dataclass(slots=True)
class Backoff:
    """Growing pauses between attempts, as in client-go's reflector: 0.8 s to 30 s, jitter 1.0.

    All times in seconds. A pause lies between the current step and `1 + jitter` times it.
    """

    first: float = 0.8
    longest: float = 30.0
    factor: float = 2.0
    jitter: float = 1.0
    draw: Callable[[], float] = random.random
    _step: float = field(default=0.0, repr=False)

    def pause(self, at_least: float | None = None) -> float:
        """The next pause; `at_least` is what the server asked for (Retry-After)."""
        self._step = min(self.longest, self._step * self.factor if self._step else self.first)
        jittered = self._step * (1.0 + self.jitter * self.draw())
        return jittered if at_least is None else max(at_least, 0.0) + jittered - self._step

    def reset(self) -> None:
        """Start again with the shortest pause: things went well for a while."""
        self._step = 0.0
