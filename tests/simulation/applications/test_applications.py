"""Applications without a log in a world of mishaps, judged by what people did and saw. A failing seed is printed and
can be replayed: `python -m tests.simulation.applications SEED`."""

import subprocess
import sys

import pytest

from tests.simulation.applications.campaigns import play
from tests.simulation.applications.faults import BY_NAME, FAULTS, search
from tests.simulation.applications.histories import run
from tests.simulation.applications.tallies import FAULTS as MISHAPS
from tests.simulation.applications.tallies import FLOOR_HISTORIES, Tally
from tests.simulation.campaigns import Campaign

FIRST, COUNT = 100, 45
MOST_MISSING = 2
LEAST_FAULTS = 8
QUICKLY_NOTICED = {
    "what was answered is not noted": 10,
    "a create whose answer was lost is sent again blindly": 10,
    "a listing is trusted: what it lacks is gone": 15,
}


@pytest.fixture(scope="module")
def tally() -> Tally:
    """A part of the campaign."""
    return play(Campaign(FIRST, COUNT))


@pytest.mark.timeout(600)
def test_no_obligation_is_violated(tally: Tally) -> None:
    assert tally.violations == {}, (
        f"replay with: python -m tests.simulation.applications {next(iter(tally.violations))}"
    )


def test_nearly_every_fault_is_met(tally: Tally) -> None:
    """A campaign of a hundred must meet them all."""
    assert len(set(MISHAPS) - set(tally.met)) <= MOST_MISSING


def test_a_history_is_about_something(tally: Tally) -> None:
    assert tally.edits >= 40 * tally.histories
    assert tally.conflicts >= 8 * tally.histories
    assert tally.faults >= 20 * tally.histories


def test_windows_are_rare(tally: Tally) -> None:
    assert sum(tally.windows.values()) <= tally.edits // 20


def test_a_fault_that_was_not_met_is_named() -> None:
    assert Tally(histories=FLOOR_HISTORIES, met=dict.fromkeys(MISHAPS[1:], 1)).missing() == [MISHAPS[0]]
    assert Tally(histories=1).missing() == []


def test_a_seed_makes_one_history() -> None:
    first, second = Tally(), Tally()
    run(3, first)
    run(3, second)
    assert first == second


@pytest.mark.timeout(120)
def test_a_history_is_replayed_by_its_seed_whatever_the_process() -> None:
    here = Tally()
    run(8, here)
    command = [sys.executable, "-m", "tests.simulation.applications", "8"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=100)
    assert done.stdout.splitlines()[-1] == str(here), done.stdout + done.stderr


@pytest.mark.parametrize("name", BY_NAME)
def test_a_mistake_can_still_be_planted(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    BY_NAME[name].plant(monkeypatch)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", QUICKLY_NOTICED)
def test_a_mistake_is_noticed(name: str) -> None:
    assert search(BY_NAME[name], QUICKLY_NOTICED[name]).seed is not None


@pytest.mark.timeout(120)
def test_a_mistake_that_no_history_is_played_for_is_noticed_by_the_test_that_is_named() -> None:
    command = [sys.executable, "-m", "tests.simulation.applications.faults", "--histories", "0", "--workers", "1"]
    done = subprocess.run([*command, "--only", "flows wait"], capture_output=True, text=True, check=False, timeout=100)
    assert (done.returncode, "test_flows.py::" in done.stdout) == (0, True), done.stdout + done.stderr


def test_there_are_enough_mistakes() -> None:
    assert len(BY_NAME) == len(FAULTS) >= LEAST_FAULTS
