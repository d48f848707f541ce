"""Many histories, over several processes. Which seeds are played does not depend on how many there are."""

import multiprocessing
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tests.simulation.applications.histories import run
from tests.simulation.applications.tallies import Tally

CHUNK = 5
EVERY_S = 10.0
REPLAY = "python -m tests.simulation.applications"


@dataclass(frozen=True, slots=True)
class Campaign:
    """Which histories: `count` seeds from `first` on."""

    first: int
    count: int

    def chunks(self) -> Iterator[range]:
        """The seeds in portions."""
        end = self.first + self.count
        for start in range(self.first, end, CHUNK):
            yield range(start, min(start + CHUNK, end))


def play(campaign: Campaign, workers: int = 1, told: Callable[[Tally, Tally], None] | None = None) -> Tally:
    """Play a campaign. `told` hears after each portion what it met, and what all of them met so far."""
    tally = Tally()
    if workers == 1:
        _collect(map(_portion, campaign.chunks()), tally, told)
        return tally
    with multiprocessing.get_context("spawn").Pool(workers) as pool:
        _collect(pool.imap(_portion, campaign.chunks()), tally, told)
    return tally


def _portion(seeds: range) -> Tally:
    tally = Tally()
    for seed in seeds:
        run(seed, tally)
    return tally


def _collect(portions: Iterator[Tally], tally: Tally, told: Callable[[Tally, Tally], None] | None) -> None:
    for portion in portions:
        tally.add(portion)
        if told is not None:
            told(portion, tally)


@dataclass
class Reporter:
    """Prints violations at once, with how to replay them, and a line on progress now and then (to stderr)."""

    campaign: Campaign

    def __post_init__(self) -> None:
        self.began = self.last = time.monotonic()

    def __call__(self, portion: Tally, tally: Tally) -> None:
        for seed, sentences in portion.violations.items():
            for sentence in sentences:
                print(f"seed {seed}: {sentence}")
            print(f"  replay it: {REPLAY} {seed}", flush=True)
        now = time.monotonic()
        if now - self.last >= EVERY_S:
            self.last = now
            done = f"{tally.histories} of {self.campaign.count}"
            print(f"{done} histories, {len(tally.violations)} violations so far", file=sys.stderr)


def campaign(first: int, count: int, workers: int) -> int:
    """Play histories; returns 0 if no obligation was violated."""
    given = Campaign(first, count)
    tally = play(given, workers, Reporter(given))
    print(tally.details())
    for name in tally.missing():
        print(f"not met: {name}")
    print(tally)
    return 1 if tally.violations or tally.missing() else 0
