"""When the next request of an account may be sent: slower before the limit, not after it.

An account's limit is shared by every flow that uses it, and by people and programs we know nothing of. So a budget
keeps two counts: its own, of what the project allows (`Allowance`), and the application's, from its answers. Both
leave a reserve; the application's is spread over the time until it counts anew, so that the last request of a window is
sent near its end and never refused. No clock and no waiting in here: the caller passes the time (s, any origin).
"""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from connectors.http.limits import Standing, retry_at_s, standing

FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 300.0
FREE_SHARE = 0.5
# Applications tell the end of a window in whole seconds, rounded either way.
ROUNDING_S = 1.0
BUSY = frozenset({429, 503})


@dataclass(frozen=True, slots=True)
class Allowance:
    """At most so many requests in any window of this length, less `reserve`, the share left to the account's others."""

    requests: int
    window_s: float = 60.0
    reserve: float = 0.1

    @property
    def usable(self) -> int:
        """Requests of a window that are ours."""
        return max(1, int(self.requests * (1 - self.reserve)))


def pause_s(refusals: int, chance: float) -> float:
    """How long to wait (s) after so many refusals in a row (1: the first) that say no time. It doubles up to
    `LONGEST_PAUSE_S`; `chance` in [0, 1) takes up to half of it away, so that all that are refused together do not come
    again together."""
    return min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2.0 ** min(refusals - 1, 16)) * (1 - chance / 2)


class Budget:
    """One account's. `wait_s` before each request, `spend` when it is sent, `observe` with its answer. `chance` makes
    numbers from 0 to 1."""

    def __init__(self, allowance: Allowance, chance: Callable[[], float] = random.random) -> None:
        self._allowance = allowance
        self._chance = chance
        self._sent_s: list[float] = []
        self._told: Standing | None = None
        self._closed_until_s = float("-inf")
        self._refusals = 0
        self._pause_s = 0.0

    def wait_s(self, now_s: float) -> float:
        """How long to wait before the next request; 0: send it now."""
        return max(0.0, self._closed_until_s - now_s, self._own_wait_s(now_s), self._told_wait_s(now_s))

    def spend(self, now_s: float) -> None:
        """A request is sent now."""
        self._forget(now_s)
        self._sent_s.append(now_s)
        if self._told is not None:
            self._told = Standing(self._told.remaining - 1, self._told.reset_s, self._told.limit)

    def observe(self, status: int, headers: Mapping[str, str], now_s: float) -> None:
        """Take note of an answer: what is left, when to come again, that it was too much. Header names in any case."""
        lower = {name.lower(): value for name, value in headers.items()}
        told = standing(lower, now_s, self._allowance.window_s)
        if told is not None:
            self._told = told
        again_s = retry_at_s(lower, now_s)
        if status not in BUSY:
            self._refusals = 0
            return
        # Requests that were under way together are refused together: that is one refusal, not many.
        if not self._refusals or now_s >= self._closed_until_s:
            self._refusals += 1
            self._pause_s = pause_s(self._refusals, self._chance())
        self._closed_until_s = now_s + self._pause_s if again_s is None else again_s

    def _forget(self, now_s: float) -> None:
        oldest_s = now_s - self._allowance.window_s
        self._sent_s = [sent_s for sent_s in self._sent_s if sent_s > oldest_s]

    def _own_wait_s(self, now_s: float) -> float:
        self._forget(now_s)
        usable = self._allowance.usable
        if len(self._sent_s) < usable:
            return 0.0
        return self._sent_s[-usable] + self._allowance.window_s - now_s

    def _told_wait_s(self, now_s: float) -> float:
        """Free while more than half is left; then what is ours of the rest, evenly until the count begins anew."""
        told = self._told
        end_s = float("-inf") if told is None else told.reset_s + ROUNDING_S
        if told is None or now_s >= end_s:
            return 0.0
        limit = told.limit or self._allowance.requests
        ours = told.remaining - int(limit * self._allowance.reserve)
        if ours <= 0:
            return end_s - now_s
        if told.remaining > limit * FREE_SHARE or not self._sent_s:
            return 0.0
        return self._sent_s[-1] + (end_s - self._sent_s[-1]) / (ours + 1) - now_s
