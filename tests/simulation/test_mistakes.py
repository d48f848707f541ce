"""The oracle notices each mistake that looks right, within a bounded search from a seed."""

import pytest

from tests.simulation.histories import run
from tests.simulation.mistakes import IN_THE_MERGE, IN_THE_WORLD
from tests.simulation.tables import Mistakes

SEARCH = 60
# Some take thousands of histories to meet: for these the search starts where one is known.
FIRST_SEED = {
    "seen is always the greatest": 40,
    "a stamp is not lifted above its ancestor": 890,
    "a delete is decided while others are parked": 40,
    "our write over a candidate keeps it held": 40,
    "an edit of a tombstone leaves seen as it was": 1360,
    "the dead values win over the reviving edit": 80,
    "a lossy row is adopted upward": 565,
    "parked edits overwrite what came since": 60,
}


def _noticed(mistakes: Mistakes, first: int) -> bool:
    return any(run(seed, mistakes) for seed in range(first, first + SEARCH))


@pytest.mark.parametrize("name", IN_THE_MERGE)
def test_a_mistake_in_the_merge_is_noticed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    IN_THE_MERGE[name](monkeypatch)
    assert _noticed(Mistakes(), FIRST_SEED.get(name, 1))


@pytest.mark.parametrize("name", IN_THE_WORLD)
def test_a_mistake_in_the_world_is_noticed(name: str) -> None:
    assert _noticed(Mistakes(**{IN_THE_WORLD[name]: True}), 1)
