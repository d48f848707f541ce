"""Many histories, over several processes. Which seeds are played does not depend on how many there are.

What is played is one of several: the merge alone (`MERGE`), or the engine of applications as well
(`tests.simulation.applications.campaigns.APPLICATIONS`).
"""

import argparse
import gc
import multiprocessing
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Generic, Protocol, Self, TypeVar

from tests.simulation.histories import run
from tests.simulation.tallies import Tally
from tests.simulation.themes import Theme

CHUNK = 50


class Met(Protocol):
    """What histories met, and which obligations they violated: sentences by seed."""

    histories: int
    violations: dict[int, list[str]]

    def add(self, other: Self) -> None: ...


M = TypeVar("M", bound=Met)


@dataclass(frozen=True, slots=True)
class Played(Generic[M]):
    """What a campaign plays. `portion` plays some seeds, all of one theme if that is given; `nothing` is a tally before
    the first; `size` is how many seeds make a portion; `module` replays one of them."""

    portion: Callable[[Theme | None, range], M]
    nothing: Callable[[], M]
    size: int
    module: str


@dataclass(frozen=True, slots=True)
class Campaign:
    """Which histories: `count` seeds from `first` on, all of one theme if that is given."""

    first: int
    count: int
    theme: Theme | None = None

    def chunks(self, size: int = CHUNK, done: int = 0) -> Iterator[range]:
        """The seeds in portions, but for the first `done`."""
        end = self.first + self.count
        for start in range(self.first + done, end, size):
            yield range(start, min(start + size, end))


def play_any(
    played: Played[M],
    campaign: Campaign,
    workers: int = 1,
    told: Callable[[M, M], None] | None = None,
    begun: M | None = None,
) -> M:
    """Play a campaign, or the rest of one that has `begun`. `told` hears after each portion what it met, and what all
    of them met so far."""
    tally = begun or played.nothing()
    portion, chunks = partial(played.portion, campaign.theme), campaign.chunks(played.size, tally.histories)
    if workers == 1:
        _collect(map(portion, chunks), tally, told)
        return tally
    with multiprocessing.get_context("spawn").Pool(workers) as pool:
        _collect(pool.imap(portion, chunks), tally, told)
    return tally


def _merged(theme: Theme | None, seeds: range) -> Tally:
    tally = Tally()
    with _no_search_for_garbage():
        for seed in seeds:
            run(seed, tally=tally, theme=theme)
    return tally


MERGE = Played(_merged, Tally, CHUNK, "tests.simulation")
play = partial(play_any, MERGE)


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


def _collect(portions: Iterator[M], tally: M, told: Callable[[M, M], None] | None) -> None:
    for portion in portions:
        tally.add(portion)
        if told is not None:
            told(portion, tally)


@dataclass
class Reporter(Generic[M]):
    """Prints violations at once, with how to replay them, and a line on progress now and then (to stderr); then it also
    saves what was met. `done` histories were played before."""

    campaign: Campaign
    every_s: float = 10.0
    save: Callable[[M], None] | None = None
    done: int = 0
    module: str = MERGE.module

    def __post_init__(self) -> None:
        self.began = self.last = time.monotonic()

    def __call__(self, portion: M, tally: M) -> None:
        theme = f" --theme {self.campaign.theme}" if self.campaign.theme else ""
        for seed, sentences in portion.violations.items():
            for sentence in sentences:
                print(f"seed {seed}: {sentence}")
            print(f"  replay it: python -m {self.module} {seed}{theme}", flush=True)
        now = time.monotonic()
        is_due = now - self.last >= self.every_s
        if self.save is not None and (is_due or tally.histories == self.campaign.count):
            self.save(tally)
        if is_due:
            self.last = now
            rate = (tally.histories - self.done) / (now - self.began)
            done = f"{tally.histories} of {self.campaign.count}"
            print(f"{done} histories, {rate:.0f}/s, {len(tally.violations)} violations so far", file=sys.stderr)


def parser(module: str, description: str | None, histories: int) -> argparse.ArgumentParser:
    """What every campaign can be told: which seed, or how many from which on, over how many processes."""
    found = argparse.ArgumentParser(prog=f"python -m {module}", description=description)
    found.add_argument("replay", nargs="?", type=int, metavar="SEED", help="replay this one history")
    found.add_argument("--histories", type=int, default=histories)
    found.add_argument("--seed", type=int, default=1, help="of the first history; the next ones follow")
    found.add_argument("--workers", type=int, default=1, help="processes; the outcome is the same for any number")
    return found
