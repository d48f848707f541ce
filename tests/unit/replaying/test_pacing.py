"""Amendments go as fast as wanted and not faster, and wait for live traffic, but not for ever."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duplex.replaying.errors import BehindError
from duplex.replaying.pacing import CHECK_EVERY_S, LAG_LIMIT, PATIENCE_S, Gate, Pace
from tests.unit.replaying.clocks import Hand

ROUNDING_S = 1e-6


def went(rate_per_s: float, took_s: Iterable[float]) -> list[float]:
    """When each amendment went, if what was done before it took so long."""
    pace, now_s, found = Pace(rate_per_s), 0.0, []
    for each_s in took_s:
        now_s += each_s
        now_s += pace.wait_s(now_s)
        found.append(now_s)
    return found


def most_in_a_second(moments: list[float]) -> int:
    return max(sum(1 for other in moments if one <= other < one + 1 - ROUNDING_S) for one in moments)


def test_they_go_evenly_at_the_rate() -> None:
    assert went(4, [0] * 5) == [0, 0.25, 0.5, 0.75, 1]


def test_the_first_does_not_wait() -> None:
    assert Pace(0.1).wait_s(17) == 0


def test_what_takes_longer_than_the_rate_allows_is_not_held_up() -> None:
    assert went(4, [1] * 4) == [1, 2, 3, 4]


def test_a_wait_is_not_made_up_for() -> None:
    """Who has let live traffic through for a minute does not send a minute's amendments at once."""
    assert went(4, [0, 60, 0, 0]) == [0, 60, 60.25, 60.5]


@given(st.sampled_from([1, 7, 200]), st.lists(st.floats(0, 3), min_size=1, max_size=60))
def test_no_second_has_more_than_the_rate(rate_per_s: int, took_s: list[float]) -> None:
    assert most_in_a_second(went(rate_per_s, took_s)) <= rate_per_s


@dataclass
class Behind:
    """Processors that are so far behind, one figure after the other, and stay at the last."""

    figures: list[int]
    asked: int = 0

    async def lag(self) -> int:
        self.asked += 1
        return self.figures[min(self.asked, len(self.figures)) - 1]


@dataclass
class Made:
    gate: Gate
    behind: Behind
    clock: Hand
    said: list[str]


@pytest.fixture
def made() -> Callable[..., Made]:
    def make(*figures: int) -> Made:
        behind, clock, said = Behind(list(figures)), Hand(), list[str]()
        return Made(Gate(behind.lag, 50, said.append, clock), behind, clock, said)

    return make


async def test_processors_that_keep_up_are_not_waited_for(made: Callable[..., Made]) -> None:
    found = made(LAG_LIMIT - 1)
    await found.gate.opened(0)
    assert (found.clock.slept, found.said) == ([], [])


async def test_live_traffic_comes_first(made: Callable[..., Made]) -> None:
    found = made(5000, LAG_LIMIT, LAG_LIMIT - 1)
    await found.gate.opened(0)
    assert found.clock.slept == [CHECK_EVERY_S, CHECK_EVERY_S]
    assert found.said == ["the processors are 5000 events behind: waiting, live traffic comes first"]


async def test_the_broker_is_asked_once_a_second(made: Callable[..., Made]) -> None:
    found = made(0)
    for sent in range(40):
        await found.gate.opened(sent)
        await found.clock.sleep(CHECK_EVERY_S / 10)
    assert 4 <= found.behind.asked <= 5


async def test_traffic_that_comes_up_in_the_middle_is_let_through(made: Callable[..., Made]) -> None:
    found = made(0, 2000, 0)
    await found.gate.opened(0)
    await found.clock.sleep(CHECK_EVERY_S)
    await found.gate.opened(20)
    assert found.behind.asked == 3
    assert len(found.said) == 1


async def test_processors_that_stay_behind_are_not_waited_for_for_ever(made: Callable[..., Made]) -> None:
    found = made(9000, 4000, 3000)
    with pytest.raises(BehindError) as caught:
        await found.gate.opened(20)
    assert found.clock.at_s == PATIENCE_S
    for words in ("20 of 50 sent", "stayed 3000 events behind for 120 s", "Is `duplex run` running?"):
        assert words in str(caught.value)
