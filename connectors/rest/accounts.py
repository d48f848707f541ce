"""The turn of each request: an account's budget and its limit of requests at once, shared by all that use it.

Who waits stands in one line, the most urgent first (`connectors.http.urgency`, `connectors.http.lines`).
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Protocol
from weakref import WeakValueDictionary

from prometheus_client import Counter

from connectors.http.budgets import Allowance, Budget
from connectors.http.lines import Line
from connectors.http.urgency import urgency

WAITED = Counter("duplex_rest_wait_seconds_total", "Seconds that requests waited for their turn.", ["account"])
LONGEST_NAP_S = 5.0
_accounts: "WeakValueDictionary[tuple[str, Allowance, int], Account]" = WeakValueDictionary()


class PatienceError(Exception):
    """The turn would come too late. `wait_s` is how long it would have been."""

    def __init__(self, wait_s: float) -> None:
        limited = f"its limits allow the next request in {wait_s:.0f} s only"
        super().__init__(limited if wait_s else "too many requests were under way, or more urgent")
        self.wait_s = wait_s


class Timer(Protocol):
    """Something that will happen."""

    def cancel(self) -> None: ...


Later = Callable[[float, Callable[[], None]], Timer]
"""Has something happen in so many seconds."""


@dataclass(slots=True, eq=False)
class _Ticket:
    called: asyncio.Future[None]
    deadline_s: float


class Account:
    """One account's requests. `clock_s`: the wall clock, for answers tell dates; `later`: the loop's unless given."""

    def __init__(
        self,
        name: str,
        allowance: Allowance,
        concurrency: int,
        clock_s: Callable[[], float] = time.time,
        later: Later | None = None,
    ) -> None:
        self.name = name
        self._budget = Budget(allowance)
        self._concurrency = concurrency
        self._clock_s = clock_s
        self._later = later
        self._loop: asyncio.AbstractEventLoop | None = None
        self._free = concurrency
        self._line: Line[_Ticket] = Line()
        self._timer: Timer | None = None

    @asynccontextmanager
    async def turn(self, patience_s: float) -> AsyncIterator[None]:
        """Within it, one request may be sent. Raises PatienceError."""
        self._live_in(asyncio.get_running_loop())
        await self._called(patience_s)
        try:
            yield
        finally:
            self._give_back()

    def observe(self, status: int, headers: Mapping[str, str]) -> None:
        """What an answer said of the limits."""
        self._budget.observe(status, headers, self._clock_s())

    def _live_in(self, loop: asyncio.AbstractEventLoop) -> None:
        """Who waits does so in a loop, and an account may outlive one: the budget goes on, the line begins anew."""
        if self._loop is not loop:
            self._loop, self._timer = loop, None
            self._free, self._line = self._concurrency, Line()

    async def _called(self, patience_s: float) -> None:
        began_s = self._clock_s()
        ticket = _Ticket(asyncio.get_running_loop().create_future(), began_s + patience_s)
        self._line.join(ticket, urgency())
        self._call()
        try:
            await ticket.called
        except asyncio.CancelledError:
            self._line.leave(ticket)
            if not ticket.called.cancelled():
                # It was called just before it gave up.
                self._give_back()
            raise
        WAITED.labels(self.name).inc(max(0.0, self._clock_s() - began_s))

    def _give_back(self) -> None:
        self._free += 1
        self._call()

    def _call(self) -> None:
        """Give every turn that there is; see again when there may be another."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        now_s = self._clock_s()
        while self._line and self._free and self._budget.wait_s(now_s) <= 0:
            ticket = self._line.next()
            if not ticket.called.done():
                self._free -= 1
                self._budget.spend(now_s)
                ticket.called.set_result(None)
        wait_s = self._budget.wait_s(now_s)
        self._dismiss(now_s, wait_s)
        if self._line:
            nap_s = min(wait_s, LONGEST_NAP_S) if self._free else LONGEST_NAP_S
            self._timer = (self._later or asyncio.get_running_loop().call_later)(nap_s, self._call)

    def _dismiss(self, now_s: float, wait_s: float) -> None:
        """Let nobody wait for what will come too late."""
        for ticket in self._line:
            if now_s + wait_s > ticket.deadline_s:
                self._line.leave(ticket)
                if not ticket.called.done():
                    ticket.called.set_exception(PatienceError(wait_s))


def account(name: str, allowance: Allowance, concurrency: int) -> Account:
    """The account of this name and these limits in this process; forgotten when nobody has it."""
    key = (name, allowance, concurrency)
    found = _accounts.get(key)
    if found is None:
        found = _accounts[key] = Account(name, allowance, concurrency)
    return found
