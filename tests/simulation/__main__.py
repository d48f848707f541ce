"""`python -m tests.simulation SEED` replays one history; `--histories N --seed S` runs a campaign."""

import argparse
import sys
from typing import get_args

from tests.simulation import baselines
from tests.simulation.campaigns import MERGE, Campaign, Reporter, parser, play
from tests.simulation.tallies import Tally
from tests.simulation.themes import Theme


def main() -> int:
    """0 when no obligation was violated."""
    given = _arguments()
    first, count = (given.replay, 1) if given.replay is not None else (given.seed, given.histories)
    campaign = Campaign(first, count, given.theme)
    if given.baseline is not None:
        print(baselines.report(given.baseline, campaign, given.workers))
        return 0
    tally = play(campaign, given.workers, Reporter[Tally](campaign))
    print(tally)
    return 1 if tally.violations else 0


def _arguments() -> argparse.Namespace:
    found = parser(MERGE.module, __doc__, histories=1000)
    found.add_argument("--theme", choices=get_args(Theme), help="what all histories are about; else the seed decides")
    found.add_argument("--baseline", choices=baselines.NAMES, help="what another way of merging would have lost")
    return found.parse_args()


if __name__ == "__main__":
    sys.exit(main())
