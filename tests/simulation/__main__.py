"""`python -m tests.simulation SEED` replays one history; `--histories N --seed S` runs a campaign."""

import argparse
import sys
from typing import get_args

from tests.simulation import baselines
from tests.simulation.campaigns import Campaign, Reporter, play
from tests.simulation.themes import Theme


def main() -> int:
    """0 when no obligation was violated."""
    given = _arguments()
    first, count = (given.replay, 1) if given.replay is not None else (given.seed, given.histories)
    campaign = Campaign(first, count, given.theme)
    if given.baseline is not None:
        print(baselines.report(given.baseline, campaign, given.workers))
        return 0
    tally = play(campaign, given.workers, Reporter(campaign))
    print(tally)
    return 1 if tally.violations else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("replay", nargs="?", type=int, metavar="SEED", help="replay this one history")
    parser.add_argument("--histories", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1, help="of the first history; the next ones follow")
    parser.add_argument("--workers", type=int, default=1, help="processes; the outcome is the same for any number")
    parser.add_argument("--theme", choices=get_args(Theme), help="what all histories are about; else the seed decides")
    parser.add_argument("--baseline", choices=baselines.NAMES, help="what another way of merging would have lost")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
