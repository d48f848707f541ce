"""The merge in a world of mishaps, judged by what people did and saw. A failing seed is printed and can be replayed:
`python -m tests.simulation SEED`."""

import os
import subprocess
import sys
import time

import pytest

from tests.simulation.campaigns import Campaign, play
from tests.simulation.histories import run
from tests.simulation.tallies import Tally

# Beside other workers of the test run, its own core is all there is.
WORKERS = 1 if "PYTEST_XDIST_WORKER" in os.environ else 2
LEAST, MOST = 1_000, 10_000
PORTION = 500
BUDGET_S = 150.0


@pytest.fixture(scope="module")
def tally() -> Tally:
    """As many histories as there is time for: all of them on two idle cores, the first thousand at least."""
    met, until_s = Tally(), time.monotonic() + BUDGET_S
    while met.histories < LEAST or (met.histories < MOST and time.monotonic() < until_s):
        met.add(play(Campaign(met.histories + 1, PORTION), WORKERS))
    return met


@pytest.mark.timeout(600)
def test_no_obligation_is_violated(tally: Tally) -> None:
    assert tally.violations == {}, f"replay with: python -m tests.simulation {next(iter(tally.violations))}"


@pytest.mark.parametrize(
    ("case", "per_thousand"),
    [
        ("edits", 20_000),
        ("conflicts", 8_000),
        ("parked", 1_200),
        ("races", 6_000),
        ("rejected", 1_800),
        ("normalised", 200),
        ("failed", 350),
        ("fenced", 7_000),
        ("reverts", 2_500),
        ("deletes_against_updates", 800),
        ("crashes", 250),
        ("repeats", 12_000),
        ("decisions", 600),
        ("triggers", 350),
        ("merged", 120),
        ("deadlines", 80),
        ("resolved", 10),
        ("braked", 8),
        ("oscillations", 10),
        ("amended", 40),
        ("stale_amendments", 25),
        ("looks_coalesced", 120),
        ("late_results", 130),
        ("lost_commands", 20),
        ("retries", 8),
        ("zombies", 180),
        ("clocks_an_hour_off", 450),
        ("forgotten", 10),
    ],
)
def test_the_hard_cases_are_met(tally: Tally, case: str, per_thousand: int) -> None:
    assert getattr(tally, case) >= per_thousand * tally.histories // 1000


def test_a_seed_makes_one_history() -> None:
    first, second = Tally(), Tally()
    run(7, tally=first)
    run(7, tally=second)
    assert first == second


def test_the_number_of_workers_changes_nothing() -> None:
    campaign = Campaign(900, 120)
    assert play(campaign, workers=1) == play(campaign, workers=2)


def test_a_history_is_replayed_by_its_seed() -> None:
    command = [sys.executable, "-m", "tests.simulation", "7"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1].startswith("1 histories, ")
    assert done.stdout.splitlines()[-1].endswith(": 0 violations")
