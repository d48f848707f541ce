"""How fast amendments go into the log: not faster than wanted, and only while live traffic is served."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Protocol

from duplex.replaying.errors import BehindError

LAG_LIMIT = 1000
CHECK_EVERY_S = 1.0
PATIENCE_S = 120.0


class Clock(Protocol):
    """Time, so that tests have theirs."""

    def now_s(self) -> float:
        """Seconds since any moment; it never goes back."""
        ...

    async def sleep(self, seconds: float) -> None: ...


class MonotonicClock:
    """The machine's."""

    def now_s(self) -> float:
        """Seconds since the machine started."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)


MACHINE = MonotonicClock()


@dataclass(slots=True)
class Pace:
    """So many in a second, evenly. Time in which nothing went is not made up for: no burst follows a wait."""

    rate_per_s: float
    _next_s: float = field(init=False, default=float("-inf"))

    def wait_s(self, now_s: float) -> float:
        """How long to wait before the next one goes, which counts as gone then."""
        goes_s = max(now_s, self._next_s)
        self._next_s = goes_s + 1 / self.rate_per_s
        return goes_s - now_s


@dataclass(slots=True)
class Gate:
    """Open while the processors are nearly at the end of their log: `lag` says how many events they are behind.

    Asked at most every CHECK_EVERY_S. `total` is how many amendments there are; `say` is told once of each wait.
    """

    lag: Callable[[], Awaitable[int]]
    total: int
    say: Callable[[str], None]
    clock: Clock = MACHINE
    _asked_s: float = field(init=False, default=float("-inf"))

    async def opened(self, sent: int) -> None:
        """Returns when the next amendment may go, so many having gone. Raises BehindError after PATIENCE_S."""
        began_s = self.clock.now_s()
        if began_s - self._asked_s < CHECK_EVERY_S:
            return
        lag = first = await self.lag()
        if first >= LAG_LIMIT:
            self.say(f"the processors are {first} events behind: waiting, live traffic comes first")
        while lag >= LAG_LIMIT:
            if self.clock.now_s() - began_s >= PATIENCE_S:
                raise BehindError(lag, PATIENCE_S, sent, self.total)
            await self.clock.sleep(CHECK_EVERY_S)
            lag = await self.lag()
        self._asked_s = self.clock.now_s()
