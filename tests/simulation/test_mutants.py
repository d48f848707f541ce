"""The oracle notices mistakes that look right. Here some of each kind, near seeds where they show; `make mutants`
plants all of them."""

import pytest

from streams.merge import fields, uncontended
from tests.simulation.mutants.catalogue import BY_NAME, MUTANTS, search
from tests.simulation.mutants.planting import StaleMutantError, edit

QUICK = 40
LEAST = 60


def _quick() -> list[str]:
    return [mutant.name for mutant in MUTANTS if mutant.name in QUICKLY_NOTICED]


QUICKLY_NOTICED = frozenset(
    (
        "every edit is causal",
        "an echo is treated as an edit",
        "a rejection is taken as applied",
        "positions are not checked",
        "acknowledged when sent",
        "a conflict is not recorded when the incoming wins",
        "a counter takes the later value",
        "a list forgets no element",
        "a deadline passes unnoticed",
        "rewriting is not noticed",
        "held looks are dropped",
        "a stale decision is accepted",
        "a refusal is not put on record",
        "an amendment overwrites what came since",
        "columns are compared one by one",
        "no fence at the sink",
        "state is written before the outputs",
        "no conditional write",
    )
)


@pytest.mark.parametrize("name", _quick())
def test_a_mistake_is_noticed(name: str) -> None:
    assert search(BY_NAME[name], QUICK).seed is not None


@pytest.mark.parametrize("name", BY_NAME)
def test_a_mistake_can_still_be_planted(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    plant = BY_NAME[name].plant
    if plant is not None:
        plant(monkeypatch)


def test_there_are_enough() -> None:
    assert len(BY_NAME) == len(MUTANTS) >= LEAST
    assert BY_NAME.keys() >= QUICKLY_NOTICED


def test_words_that_are_gone_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    planted = uncontended.merged
    with pytest.raises(StaleMutantError, match="shows has no 'nowhere' any more"):
        edit("fields.shows", "nowhere", "here")(monkeypatch)
    assert uncontended.merged is planted


def test_a_mistake_is_taken_out_again(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        edit("fields.shows", "return ", "return not ")(patch)
        planted = fields.shows.__code__
    assert fields.shows.__code__ is not planted
