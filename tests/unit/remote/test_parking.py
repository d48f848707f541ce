"""When a command that waits is tried again."""

from hypothesis import given
from hypothesis import strategies as st

from connectors.remote.parking import FIRST_PAUSE_US, LONGEST_PAUSE_US, Parking, pause_us
from schemas.messages import Command
from tests.conformance.commands import Commander
from tests.unit.remote.bench import START_US, DictNotes


def commands(count: int) -> list[Command]:
    """Of as many records."""
    commander = Commander(system="blog")
    return [commander.update("[1]", ({"name": "Ada"}, {"name": "Countess"})) for _ in range(count)]


@given(st.integers(0, 10_000), st.floats(0, 1, exclude_max=True))
def test_chance_takes_at_most_half_of_a_pause(tries: int, chance: float) -> None:
    whole_us = pause_us(tries, 0.0)
    assert whole_us // 2 <= pause_us(tries, chance) <= whole_us <= LONGEST_PAUSE_US


def test_pauses_double_up_to_a_limit() -> None:
    assert [pause_us(tries, 0.0) // FIRST_PAUSE_US for tries in range(4)] == [1, 2, 4, 8]
    assert pause_us(16, 0.0) == LONGEST_PAUSE_US


async def test_a_command_is_due_when_chance_says_first_and_after_each_try() -> None:
    drawn = iter([0.5, 1.0])
    parking, (one,) = Parking("blog", DictNotes(), lambda: next(drawn)), commands(1)
    await parking.park(one, "busy", START_US)
    first_us = START_US + FIRST_PAUSE_US * 3 // 4
    assert (parking.due(first_us - 1), parking.due(first_us)) == ([], [one])
    parking.failed(one, first_us)
    second_us = first_us + FIRST_PAUSE_US  # twice as long, and half of it
    assert (parking.due(second_us - 1), parking.due(second_us)) == ([], [one])


async def test_commands_that_failed_together_are_not_tried_again_together() -> None:
    parking, ours = Parking("blog", DictNotes()), commands(20)
    for one in ours:
        await parking.park(one, "busy", START_US)
    half_us, whole_us = START_US + FIRST_PAUSE_US // 2, START_US + FIRST_PAUSE_US
    assert parking.due(half_us - 1) == []
    assert 0 < len(parking.due((half_us + whole_us) // 2)) < len(ours)
    assert len(parking.due(whole_us)) == len(ours)
