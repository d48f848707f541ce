"""An event loop whose time passes only when nobody has anything to do: an hour goes by in as long as its work takes."""

import asyncio
import selectors
from collections.abc import Callable

MOST_TURNS = 2_000_000


class StandstillError(Exception):
    """Nobody will ever do anything again, or somebody turns round and round without any time passing."""


class VirtualLoop(asyncio.SelectorEventLoop):
    """Timers fire in their order, one after the other, at once. There is no outside world: nothing is ever read."""

    def __init__(self) -> None:
        self._now_s = 0.0
        super().__init__(_Sleepless(self._pass_by))

    def time(self) -> float:
        """The time, s, from 0 on."""
        return self._now_s

    def _pass_by(self, seconds: float) -> None:
        self._now_s += seconds


class _Sleepless(selectors.SelectSelector):
    def __init__(self, pass_by: Callable[[float], None]) -> None:
        super().__init__()
        self._pass_by = pass_by
        self._turns = 0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self._turns += 1
        if timeout is None or self._turns > MOST_TURNS:
            raise StandstillError("nothing is left to wait for" if timeout is None else "too many turns")
        if timeout > 0:
            self._pass_by(timeout)
        return []
