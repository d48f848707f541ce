"""The merge in a world of mishaps, judged by what people did and saw. A failing seed is printed and can be replayed:
`python -m tests.simulation SEED`."""

import subprocess
import sys

import pytest

from tests.simulation.histories import run
from tests.simulation.tallies import Tally

HISTORIES = 320


@pytest.fixture(scope="module")
def tally() -> Tally:
    met = Tally()
    for seed in range(1, HISTORIES + 1):
        run(seed, tally=met)
    return met


def test_no_obligation_is_violated(tally: Tally) -> None:
    assert tally.violations == {}, f"replay with: python -m tests.simulation {next(iter(tally.violations))}"


@pytest.mark.parametrize(
    ("case", "floor"),
    [
        ("edits", 5000),
        ("conflicts", 1000),
        ("parked", 200),
        ("races", 800),
        ("rejected", 400),
        ("normalised", 60),
        ("failed", 40),
        ("fenced", 300),
        ("reverts", 500),
        ("deletes_against_updates", 150),
        ("crashes", 120),
        ("repeats", 2000),
        ("decisions", 200),
        ("triggers", 80),
    ],
)
def test_the_hard_cases_are_met(tally: Tally, case: str, floor: int) -> None:
    assert getattr(tally, case) >= floor


def test_a_seed_makes_one_history() -> None:
    first, second = Tally(), Tally()
    run(7, tally=first)
    run(7, tally=second)
    assert first == second


def test_a_history_is_replayed_by_its_seed() -> None:
    command = [sys.executable, "-m", "tests.simulation", "7"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1].startswith("1 histories, ")
    assert done.stdout.splitlines()[-1].endswith(": 0 violations")
