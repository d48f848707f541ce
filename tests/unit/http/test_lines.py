"""Who waits in a line has a turn: the urgent sooner, everybody within a bound."""

import random

import pytest

from connectors.http.lines import TURN_OF_THE_LAST, Line
from connectors.http.urgency import FIRST, urgency, urgent


def emptied(line: Line[str]) -> list[str]:
    """Everyone in the order of their turns."""
    return [line.next() for _ in range(len(line))]


def test_the_urgent_go_first_and_of_the_same_urgency_who_came_first() -> None:
    line: Line[str] = Line()
    for name, urgency_ in (("poll", 3), ("sweep", 8), ("hook", 1), ("poll again", 3), ("hook again", 1)):
        line.join(name, urgency_)
    assert list(line) == ["poll", "sweep", "hook", "poll again", "hook again"]
    assert emptied(line) == ["hook", "hook again", "poll", "poll again", "sweep"]
    assert not line
    with pytest.raises(IndexError):
        line.next()


def test_who_gives_up_has_no_turn() -> None:
    line: Line[str] = Line()
    for name in ("a", "b", "c"):
        line.join(name, 5)
    line.leave("a")
    line.leave("b")
    line.leave("b")
    assert emptied(line) == ["c"]


def test_the_least_urgent_has_its_turn_though_others_never_cease() -> None:
    line: Line[str] = Line()
    line.join("sweep", 9)
    turns = list[str]()
    while "sweep" not in turns:
        line.join(f"hook {len(turns)}", 1)
        turns.append(line.next())
    assert len(turns) == TURN_OF_THE_LAST


@pytest.mark.parametrize("seed", range(20))
def test_nobody_waits_longer_than_the_bound(seed: int) -> None:
    chance, line, turn = random.Random(seed), Line[int](), 0
    latest: dict[int, int] = {}
    for number in range(2000):
        if chance.random() < 0.55:
            latest[number] = turn + TURN_OF_THE_LAST * (len(line) + 1)
            line.join(number, chance.choice((1, 1, 1, 3, 8, 9)))
        elif line:
            turn += 1
            assert turn <= latest[line.next()]
        if line and chance.random() < 0.05:
            line.leave(chance.choice(list(line)))


def test_urgency_is_said_around_what_is_done() -> None:
    assert urgency() == FIRST
    with urgent(8):
        assert urgency() == 8
        with urgent(FIRST):
            assert urgency() == FIRST
        assert urgency() == 8
    assert urgency() == FIRST
