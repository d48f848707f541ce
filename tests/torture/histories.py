"""The campaign of simulated histories: any number of them, one line at the end."""

import sys

from tests.simulation.campaigns import Campaign, Reporter, play


def campaign(first: int, count: int, workers: int) -> int:
    """Play histories; returns 0 if no obligation was violated."""
    given = Campaign(first, count)
    tally = play(given, workers, Reporter(given))
    sys.stdout.write(f"{tally}\n")
    return 1 if tally.violations else 0
