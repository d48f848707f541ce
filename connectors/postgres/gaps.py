"""Which numbers of a log are still to come: the core of the relay, without a database.

A sequence hands out numbers in an order, transactions commit in another, and some roll back. So a reader that only
looks past the greatest number it saw loses entries. Here every number at or below the greatest one seen is either
published, or *wanted*; nothing wanted is given up until it is certain that nobody can still commit it.

Certain is: everybody who held the log's write lock when the number had been drawn is gone (`Fence`). For a lock is
taken before a number is drawn, and let go after the commit can be seen.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

Range = tuple[int, int]
PREPARED = "-1/"


@dataclass(slots=True)
class Wanted:
    """The numbers to ask for: `gaps` (ranges, ends included, ascending), and everything from `tail` on."""

    tail: int
    gaps: list[Range] = field(default_factory=list)

    def take(self, numbers: Sequence[int]) -> None:
        """These numbers, ascending, were seen: all that one snapshot showed of the wanted ones up to the last."""
        if not numbers:
            return
        if numbers[0] == self.tail and numbers[-1] - numbers[0] + 1 == len(numbers):
            self.tail = numbers[-1] + 1
            return
        top = max(numbers[-1], self.tail - 1)
        ranges = self.gaps if top < self.tail else [*self.gaps, (self.tail, top)]
        self.gaps = list(_without(ranges, numbers))
        self.tail = top + 1

    def settle(self, mark: int) -> None:
        """Nothing at or below `mark` can still appear."""
        if self.gaps and self.gaps[0][0] <= mark:
            self.gaps = [(max(low, mark + 1), high) for low, high in self.gaps if high > mark]
        self.tail = max(self.tail, mark + 1)


def _without(ranges: Iterable[Range], numbers: Sequence[int]) -> Iterable[Range]:
    """The ranges less these numbers; both ascending."""
    place = 0
    for low, high in ranges:
        start = low
        while place < len(numbers) and numbers[place] <= high:
            if numbers[place] > start:
                yield start, numbers[place] - 1
            start = max(start, numbers[place] + 1)
            place += 1
        if start <= high:
            yield start, high


@dataclass(slots=True)
class Fence:
    """Finds the greatest number up to which no transaction is left that could still commit one."""

    last: int = 0
    holders: frozenset[str] | None = None

    def observe(self, last: int, holders: frozenset[str]) -> int | None:
        """One look: the greatest number drawn, and who held the lock after that. Returns a mark, if one was reached.

        What is at or below the mark is committed or rolled back *now*: a snapshot taken after this call shows it.
        A prepared transaction may go on under another name, so any that is there counts as one of the old holders.
        """
        reached = None
        if self.holders is not None:
            self.holders = frozenset(one for one in holders if one in self.holders or one.startswith(PREPARED))
            if not self.holders:
                reached, self.holders = self.last, None
        if self.holders is None:
            self.last, self.holders = last, holders
            if not holders:
                reached, self.holders = last, None
        return reached
