"""The oracle notices each mistake that looks right, within a bounded search from a seed."""

import pytest

from tests.simulation.histories import run
from tests.simulation.mistakes import IN_THE_MERGE, IN_THE_WORLD
from tests.simulation.tables import Mistakes

SEARCH = 60
FIRST_SEED: dict[str, int] = {}


def _noticed(mistakes: Mistakes, first: int) -> bool:
    return any(run(seed, mistakes) for seed in range(first, first + SEARCH))


@pytest.mark.parametrize("name", IN_THE_MERGE)
def test_a_mistake_in_the_merge_is_noticed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    IN_THE_MERGE[name](monkeypatch)
    assert _noticed(Mistakes(), FIRST_SEED.get(name, 1))


@pytest.mark.parametrize("name", IN_THE_WORLD)
def test_a_mistake_in_the_world_is_noticed(name: str) -> None:
    assert _noticed(Mistakes(**{IN_THE_WORLD[name]: True}), 1)
