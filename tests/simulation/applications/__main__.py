"""`python -m tests.simulation.applications SEED` replays one history; `--histories N --seed S` runs a campaign."""

import sys

from tests.simulation.applications.campaigns import APPLICATIONS, campaign, reported
from tests.simulation.campaigns import Campaign, parser


def main() -> int:
    """0 when no obligation was violated."""
    given = parser(APPLICATIONS.module, __doc__, histories=500).parse_args()
    if given.replay is None:
        return campaign(given.seed, given.histories, given.workers)
    tally = reported(Campaign(given.replay, 1), 1)
    print(tally)
    return 1 if tally.violations else 0


if __name__ == "__main__":
    sys.exit(main())
