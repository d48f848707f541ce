"""`python -m tests.simulation.applications SEED` replays one history; `--histories N --seed S` runs a campaign."""

import argparse
import sys

from tests.simulation.applications.campaigns import Campaign, Reporter, campaign, play


def main() -> int:
    """0 when no obligation was violated."""
    given = _arguments()
    if given.replay is None:
        return campaign(given.seed, given.histories, given.workers)
    one = Campaign(given.replay, 1)
    tally = play(one, 1, Reporter(one))
    print(tally)
    return 1 if tally.violations else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation.applications", description=__doc__)
    parser.add_argument("replay", nargs="?", type=int, metavar="SEED", help="replay this one history")
    parser.add_argument("--histories", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1, help="of the first history; the next ones follow")
    parser.add_argument("--workers", type=int, default=1, help="processes; the outcome is the same for any number")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
