"""Many histories, over several processes. Which seeds are played does not depend on how many there are."""

import gc
import multiprocessing
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

from tests.simulation.histories import run
from tests.simulation.tallies import Tally
from tests.simulation.themes import Theme

CHUNK = 50


@dataclass(frozen=True, slots=True)
class Campaign:
    """Which histories: `count` seeds from `first` on, all of one theme if that is given."""

    first: int
    count: int
    theme: Theme | None = None

    def chunks(self, done: int = 0) -> Iterator[range]:
        """The seeds in portions, but for the first `done`."""
        end = self.first + self.count
        for start in range(self.first + done, end, CHUNK):
            yield range(start, min(start + CHUNK, end))


def play(
    campaign: Campaign,
    workers: int = 1,
    told: Callable[[Tally, Tally], None] | None = None,
    begun: Tally | None = None,
) -> Tally:
    """Play a campaign, or the rest of one that has `begun`. `told` hears after each portion what it met, and what all
    of them met so far."""
    tally = begun or Tally()
    done = tally.histories
    portion = partial(_portion, campaign.theme)
    if workers == 1:
        _collect(map(portion, campaign.chunks(done)), tally, told)
        return tally
    with multiprocessing.get_context("spawn").Pool(workers) as pool:
        _collect(pool.imap(portion, campaign.chunks(done)), tally, told)
    return tally


def _portion(theme: Theme | None, seeds: range) -> Tally:
    tally = Tally()
    with _no_search_for_garbage():
        for seed in seeds:
            run(seed, tally=tally, theme=theme)
    return tally


@contextmanager
def _no_search_for_garbage() -> Iterator[None]:
    """A history leaves no circles behind: to look for them time and again is a tenth of the work."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _collect(portions: Iterator[Tally], tally: Tally, told: Callable[[Tally, Tally], None] | None) -> None:
    for portion in portions:
        tally.add(portion)
        if told is not None:
            told(portion, tally)


@dataclass
class Reporter:
    """Prints violations at once, with how to replay them, and a line on progress now and then (to stderr); then it also
    saves what was met. `done` histories were played before."""

    campaign: Campaign
    every_s: float = 10.0
    save: Callable[[Tally], None] | None = None
    done: int = 0

    def __post_init__(self) -> None:
        self.began = self.last = time.monotonic()

    def __call__(self, portion: Tally, tally: Tally) -> None:
        theme = f" --theme {self.campaign.theme}" if self.campaign.theme else ""
        for seed, sentences in portion.violations.items():
            for sentence in sentences:
                print(f"seed {seed}: {sentence}")
            print(f"  replay it: python -m tests.simulation {seed}{theme}", flush=True)
        now = time.monotonic()
        is_due = now - self.last >= self.every_s
        if self.save is not None and (is_due or tally.histories == self.campaign.count):
            self.save(tally)
        if is_due:
            self.last = now
            rate = (tally.histories - self.done) / (now - self.began)
            done = f"{tally.histories} of {self.campaign.count}"
            print(f"{done} histories, {rate:.0f}/s, {len(tally.violations)} violations so far", file=sys.stderr)
