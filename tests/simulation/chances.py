"""Chance, by a shorter way than the standard library's: the same seed gives the same draws."""

import random
from bisect import bisect
from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Protocol, TypeVar

Held = TypeVar("Held", covariant=True)


class Drawable(Protocol[Held]):
    """What one can be chosen of."""

    def __len__(self) -> int: ...

    def __getitem__(self, place: int, /) -> Held: ...


class Chance(random.Random):
    """As `random.Random`, draw for draw."""

    def below(self, limit: int) -> int:
        """A number from 0 to `limit` - 1."""
        bits = limit.bit_length()
        found = self.getrandbits(bits)
        while found >= limit:
            found = self.getrandbits(bits)
        return found

    def choice(self, seq: Drawable[Held]) -> Held:
        return seq[self.below(len(seq))]

    def randint(self, a: int, b: int) -> int:
        return a + self.below(b - a + 1)


class Lottery:
    """Draws names by weight, as `random.choices` does."""

    def __init__(self, pick: random.Random, weights: Mapping[str, float]) -> None:
        self._pick = pick
        self._names: Sequence[str] = tuple(weights)
        self._sums = tuple(accumulate(weights.values()))
        self._total = self._sums[-1] + 0.0

    def draw(self) -> str:
        """A name."""
        return self._names[bisect(self._sums, self._pick.random() * self._total, 0, len(self._names) - 1)]
