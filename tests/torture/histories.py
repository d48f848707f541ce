"""The campaign of simulated histories: any number of them, one line at the end."""

import sys
from pathlib import Path

from tests.simulation.campaigns import Campaign, Reporter, play
from tests.simulation.checkpoints import Checkpoint, OtherCampaignError


def campaign(first: int, count: int, workers: int, kept: Path | None = None) -> int:
    """Play histories; returns 0 if no obligation was violated. What was met is kept in a file, if one is given, and
    gone on with from there."""
    given = Campaign(first, count)
    checkpoint = Checkpoint(kept, given) if kept is not None else None
    try:
        begun = checkpoint.load() if checkpoint is not None else None
    except OtherCampaignError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    reporter = Reporter(given, save=checkpoint.save if checkpoint else None, done=begun.histories if begun else 0)
    tally = play(given, workers, reporter, begun)
    sys.stdout.write(f"{tally}\n")
    return 1 if tally.violations else 0
