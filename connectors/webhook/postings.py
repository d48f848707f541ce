"""Deliveries on their way to Kafka, and the requests that wait for them: each only for so long."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from connectors.errors import ConnectorsError
from connectors.webhook.rooms import Lease

Headers = Sequence[tuple[str, bytes]]
COARSE_S = 0.05


@dataclass(eq=False)
class NotKeptError(ConnectorsError):
    """A delivery that is not in Kafka, or not known to be: its sender should come again. `full`: because too many wait;
    `too_large`: because the topic takes no message of this size."""

    system: str
    reason: str
    full: bool = False
    too_large: bool = False

    def __str__(self) -> str:
        return f"{self.system}: a delivery was not kept: {self.reason}"


@dataclass(slots=True, eq=False)
class Posting:
    """A delivery on its way, and the requests that wait for it: the first, and any copies that came meanwhile.

    `lease`: the memory of its body, given back when it is settled, whoever still waits.
    """

    key: bytes
    value: bytes
    headers: Headers
    lease: Lease | None = None
    waiters: list[asyncio.Future[None]] = field(default_factory=list)

    def waiter(self) -> asyncio.Future[None]:
        """A future of the caller's own: it ends when the delivery is safe, or raises NotKeptError."""
        made: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.waiters.append(made)
        return made

    def settle(self, error: NotKeptError | None) -> None:
        """Let everyone know."""
        if self.lease is not None:
            self.lease.give_back()
        for waiter in self.waiters:
            if waiter.done():
                continue
            if error is None:
                waiter.set_result(None)
            else:
                waiter.set_exception(error)


class Waits:
    """Ends waits that last too long, with an error. One timer for all of them: they end in the order they began."""

    def __init__(self, longest_s: float, error: Callable[[], Exception]) -> None:
        self._longest_s = longest_s
        self._error = error
        self._waits: deque[tuple[float, asyncio.Future[None]]] = deque()
        self._timer: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._waits)

    def add(self, waiter: "asyncio.Future[None]") -> None:
        """One more waits from now on."""
        loop = waiter.get_loop()
        self._waits.append((loop.time() + self._longest_s, waiter))
        if self._timer is None:
            self._timer = loop.call_later(self._longest_s, self._look)

    def _look(self) -> None:
        loop = asyncio.get_running_loop()
        now_s, self._timer = loop.time(), None
        while self._waits and (self._waits[0][0] <= now_s or self._waits[0][1].done()):
            waiter = self._waits.popleft()[1]
            if not waiter.done():
                waiter.set_exception(self._error())
        if self._waits:
            # A little late, so that there are few looks where there are many waits.
            self._timer = loop.call_later(max(COARSE_S, self._waits[0][0] - now_s), self._look)
