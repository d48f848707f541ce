"""A line of those that wait for their turn: the most urgent first, and nobody waits for ever. Pure.

Of any `TURN_OF_THE_LAST` turns in a row at least one is that of whoever waits longest. So one who joins behind n others
has its turn after at most `TURN_OF_THE_LAST * (n + 1)`, however urgent those are that come later.
"""

import heapq
import itertools
from collections import deque
from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

TURN_OF_THE_LAST = 8
Waiting = TypeVar("Waiting", bound=Hashable)


@dataclass(slots=True, eq=False)
class _Place(Generic[Waiting]):
    waiting: Waiting
    left: bool = False


class Line(Generic[Waiting]):
    """Who waits. `join` at the end, `next` for whose turn it is, `leave` for who gives up."""

    def __init__(self) -> None:
        self._by_urgency: list[tuple[int, int, _Place[Waiting]]] = []
        self._by_age: deque[_Place[Waiting]] = deque()
        self._places: dict[Waiting, _Place[Waiting]] = {}
        self._numbers = itertools.count()
        self._passed_over = 0

    def __len__(self) -> int:
        return len(self._places)

    def __iter__(self) -> Iterator[Waiting]:
        """Everyone, whoever waits longest first. The line may change meanwhile."""
        return iter(list(self._places))

    def join(self, waiting: Waiting, urgency: int) -> None:
        """One more waits; less is more urgent, and of the same urgency whoever came first goes first."""
        place = self._places[waiting] = _Place(waiting)
        heapq.heappush(self._by_urgency, (urgency, next(self._numbers), place))
        self._by_age.append(place)

    def leave(self, waiting: Waiting) -> None:
        """One waits no more; one that is not there is nothing."""
        place = self._places.pop(waiting, None)
        if place is not None:
            place.left = True
            self._forget()

    def next(self) -> Waiting:
        """Whose turn it is, taken out of the line. Raises IndexError where nobody waits."""
        oldest = self._by_age[0]
        place = oldest if self._passed_over >= TURN_OF_THE_LAST - 1 else self._by_urgency[0][2]
        self._passed_over = 0 if place is oldest else self._passed_over + 1
        self.leave(place.waiting)
        return place.waiting

    def _forget(self) -> None:
        """The first of both orders are always such that still wait."""
        while self._by_urgency and self._by_urgency[0][2].left:
            heapq.heappop(self._by_urgency)
        while self._by_age and self._by_age[0].left:
            self._by_age.popleft()
