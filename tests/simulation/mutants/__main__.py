"""`python -m tests.simulation.mutants` plants each mistake of the catalogue and looks for a history that shows it."""

import argparse
import sys
from functools import partial
from multiprocessing import get_context

from tests.simulation.mutants.catalogue import BY_NAME, MUTANTS, Finding, search_by_name

ENOUGH = 0.95


def main() -> int:
    """0 when nearly all mistakes were noticed, and every other one is explained."""
    given = _arguments()
    names = [mutant.name for mutant in MUTANTS if given.only in mutant.name]
    with get_context("spawn").Pool(given.workers) as pool:
        findings = []
        for finding in pool.imap(partial(search_by_name, given.histories), names):
            print(_line(finding), flush=True)
            findings.append(finding)
    killed = sum(finding.seed is not None for finding in findings)
    print(f"{killed} of {len(findings)} killed")
    unexplained = any(f.seed is None and not BY_NAME[f.name].survives for f in findings)
    return 1 if unexplained or killed < ENOUGH * len(findings) else 0


def _line(finding: Finding) -> str:
    if finding.seed is None:
        why = BY_NAME[finding.name].survives or "NOT EXPLAINED"
        return f"{finding.name:58} survived {finding.histories} histories: {why}"
    if "::" in finding.sentence:
        return f"{finding.name:58} by {finding.obligation}"
    return f"{finding.name:58} seed {finding.seed}, after {finding.histories}, by {finding.obligation}"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation.mutants", description=__doc__)
    parser.add_argument("--histories", type=int, default=600, help="to search at most, for each")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--only", default="", metavar="WORDS", help="only mistakes with these words in their name")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
