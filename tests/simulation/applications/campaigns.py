"""Campaigns of applications without a log: what one plays, and what it must have met."""

from functools import partial

from tests.simulation.applications.histories import run
from tests.simulation.applications.tallies import Tally
from tests.simulation.campaigns import Campaign, Played, Reporter, play_any
from tests.simulation.themes import Theme


def _portion(theme: Theme | None, seeds: range) -> Tally:
    """The seed decides what a history of applications is about."""
    tally = Tally()
    for seed in seeds:
        run(seed, tally)
    return tally


APPLICATIONS = Played(_portion, Tally, 5, "tests.simulation.applications")
play = partial(play_any, APPLICATIONS)


def reported(given: Campaign, workers: int) -> Tally:
    """Play a campaign, and print violations at once."""
    return play(given, workers, Reporter[Tally](given, module=APPLICATIONS.module))


def campaign(first: int, count: int, workers: int) -> int:
    """Play histories; returns 0 if no obligation was violated, and every mishap was met."""
    tally = reported(Campaign(first, count), workers)
    print(tally.details())
    for name in tally.missing():
        print(f"not met: {name}")
    print(tally)
    return 1 if tally.violations or tally.missing() else 0
