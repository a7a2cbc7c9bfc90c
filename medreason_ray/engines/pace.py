"""How fast an endpoint may be asked: requests or tokens a minute, spread evenly over it.

A window that fills at once and then stands still for a minute would meet the smaller windows that endpoints keep beside
the one they publish (OpenAI: 600 a minute may be held to as 10 a second). aiolimiter would do for requests, but it can
hand nothing back, and a reply is often a tenth of the tokens that had to be set aside for it.
"""

import asyncio
import math
import time
from collections.abc import Awaitable, Callable

# What an actor that was held up may catch up on; more would be a burst, less would lose a share of every minute to the
# event loop, which wakes a millisecond late.
CATCH_UP_S = 1.0
# While one waits, replies come back that were shorter than feared.
LOOK_AGAIN_S = 1.0


class Pace:
    """An allowance a minute. Used on one event loop, in the order of asking."""

    def __init__(
        self,
        per_minute: int,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._seconds_each = 60 / per_minute if per_minute else 0.0
        self._clock = clock
        self._sleep = sleep
        self._free_at = -math.inf
        self._turn = asyncio.Lock()

    async def take(self, amount: int) -> None:
        """Wait until all that was taken before is paid off by time; so more than a minute's allowance passes too."""
        if not self._seconds_each:
            return
        async with self._turn:
            while (wait := self._free_at - self._clock()) > 0:
                await self._sleep(min(wait, LOOK_AGAIN_S))
            self._free_at = max(self._free_at, self._clock() - CATCH_UP_S) + amount * self._seconds_each

    def settle(self, taken: int, used: int) -> None:
        """Hand back what was taken and not used, or pay what was used beyond."""
        self._free_at -= (taken - used) * self._seconds_each
