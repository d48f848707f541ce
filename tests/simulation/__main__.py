"""`python -m tests.simulation SEED` replays one history; `--histories N --seed S` runs a campaign."""

import argparse
import sys

from tests.simulation.histories import Tally, run


def main() -> int:
    """0 when no obligation was violated."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("replay", nargs="?", type=int, metavar="SEED", help="replay this one history")
    parser.add_argument("--histories", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1, help="of the first history; the next ones follow")
    given = parser.parse_args()
    first, count = (given.replay, 1) if given.replay is not None else (given.seed, given.histories)
    tally = Tally()
    for seed in range(first, first + count):
        for sentence in run(seed, tally=tally):
            print(f"seed {seed}: {sentence}", flush=True)
    print(
        f"{tally.histories} histories, {tally.edits} edits, {tally.conflicts} conflicts, {tally.faults} faults: "
        f"{len(tally.violations)} violations"
    )
    return 1 if tally.violations else 0


if __name__ == "__main__":
    sys.exit(main())
