"""The turn of each request: an account's budget and its limit of requests at once, shared by all that use it."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from weakref import WeakValueDictionary

from prometheus_client import Counter

from connectors.http.budgets import Allowance, Budget

WAITED = Counter("duplex_rest_wait_seconds_total", "Seconds that requests waited for their turn.", ["account"])
LONGEST_NAP_S = 5.0
_accounts: "WeakValueDictionary[tuple[str, Allowance, int], Account]" = WeakValueDictionary()


class PatienceError(Exception):
    """The turn would come too late. `wait_s` is how long it would have been."""

    def __init__(self, wait_s: float) -> None:
        super().__init__(f"its limits allow the next request in {wait_s:.0f} s only")
        self.wait_s = wait_s


class Account:
    """One account's requests. `clock_s` is the wall clock: answers tell dates."""

    def __init__(self, name: str, allowance: Allowance, concurrency: int, clock_s: Callable[[], float] = time.time):
        self.name = name
        self._budget = Budget(allowance)
        self._concurrency = concurrency
        self._clock_s = clock_s
        self._loop: asyncio.AbstractEventLoop | None = None
        self._places = asyncio.Semaphore(concurrency)
        self._queue = asyncio.Lock()

    @asynccontextmanager
    async def turn(self, patience_s: float) -> AsyncIterator[None]:
        """Within it, one request may be sent. First come, first served. Raises PatienceError."""
        self._live_in(asyncio.get_running_loop())
        async with self._places:
            await self._wait(patience_s)
            yield

    def observe(self, status: int, headers: Mapping[str, str]) -> None:
        """What an answer said of the limits."""
        self._budget.observe(status, headers, self._clock_s())

    def _live_in(self, loop: asyncio.AbstractEventLoop) -> None:
        """Locks belong to a loop, and an account may outlive one: the budget goes on, the locks begin anew."""
        if self._loop is not loop:
            self._loop = loop
            self._places, self._queue = asyncio.Semaphore(self._concurrency), asyncio.Lock()

    async def _wait(self, patience_s: float) -> None:
        began_s = self._clock_s()
        async with self._queue:
            while (wait_s := self._budget.wait_s(self._clock_s())) > 0:
                if self._clock_s() - began_s + wait_s > patience_s:
                    raise PatienceError(wait_s)
                await asyncio.sleep(min(wait_s, LONGEST_NAP_S))
            self._budget.spend(self._clock_s())
        WAITED.labels(self.name).inc(max(0.0, self._clock_s() - began_s))


def account(name: str, allowance: Allowance, concurrency: int) -> Account:
    """The account of this name and these limits in this process; forgotten when nobody has it."""
    key = (name, allowance, concurrency)
    found = _accounts.get(key)
    if found is None:
        found = _accounts[key] = Account(name, allowance, concurrency)
    return found
