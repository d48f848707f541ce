"""A clock for what waits between amendments."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

Act = Callable[[], Awaitable[None]]


@dataclass
class Hand:
    """A clock that only sleepers move; while the first long sleep lasts, `meanwhile` happens."""

    meanwhile: Act | None = None
    at_s: float = 0.0
    slept: list[float] = field(default_factory=list)

    def now_s(self) -> float:
        return self.at_s

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.at_s += seconds
        act, self.meanwhile = (self.meanwhile, None) if seconds >= 1 else (None, self.meanwhile)
        if act is not None:
            await act()
