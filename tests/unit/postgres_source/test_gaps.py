"""The bookkeeping of numbers: nothing is given up that may still appear."""

from hypothesis import given
from hypothesis import strategies as st

from connectors.postgres.gaps import Fence, Wanted


def test_numbers_in_a_row_leave_no_gap() -> None:
    wanted = Wanted(1)
    wanted.take([1, 2, 3])
    assert (wanted.gaps, wanted.tail) == ([], 4)


def test_missing_numbers_become_gaps_and_are_filled() -> None:
    wanted = Wanted(1)
    wanted.take([3, 6])
    assert (wanted.gaps, wanted.tail) == ([(1, 2), (4, 5)], 7)
    wanted.take([2, 4, 8])
    assert (wanted.gaps, wanted.tail) == ([(1, 1), (5, 5), (7, 7)], 9)


def test_settling_drops_gaps_below_the_mark_only() -> None:
    wanted = Wanted(1)
    wanted.take([3, 9])
    wanted.settle(5)
    assert (wanted.gaps, wanted.tail) == ([(6, 8)], 10)
    wanted.settle(20)
    assert (wanted.gaps, wanted.tail) == ([], 21)


@given(st.lists(st.sets(st.integers(1, 60)), max_size=8))
def test_wanted_is_exactly_what_was_not_taken(looks: list[set[int]]) -> None:
    wanted, taken = Wanted(1), set[int]()
    for look in looks:
        new = sorted(look - taken)
        wanted.take(new)
        taken |= look
        asked = {number for low, high in wanted.gaps for number in range(low, high + 1)}
        assert asked == set(range(1, wanted.tail)) - taken


def holders(*names: str) -> frozenset[str]:
    return frozenset(names)


def test_free_log_settles_at_once() -> None:
    assert Fence().observe(7, holders()) == 7


def test_mark_waits_for_everyone_who_was_there_and_for_nobody_else() -> None:
    fence = Fence()
    assert fence.observe(7, holders("3/1", "4/1")) is None
    assert fence.observe(9, holders("4/1", "5/1")) is None
    assert fence.observe(12, holders("5/1")) == 7
    assert fence.observe(12, holders()) == 12


def test_transaction_prepared_meanwhile_is_waited_for() -> None:
    fence = Fence()
    fence.observe(7, holders("3/1"))
    assert fence.observe(8, holders("-1/812")) is None
    assert fence.observe(8, holders()) == 8


@given(st.lists(st.tuples(st.integers(0, 3), st.booleans()), max_size=60))
def test_no_mark_passes_a_number_still_held(steps: list[tuple[int, bool]]) -> None:
    """Writers draw numbers and end at will; whatever the fence says is settled, nobody still holds."""
    fence, drawn, held = Fence(), 0, dict[int, list[int]]()
    for writer, ends in steps:
        if ends:
            held.pop(writer, None)
        else:
            drawn += 1
            held.setdefault(writer, []).append(drawn)
        mark = fence.observe(drawn, frozenset(f"1/{name}" for name in held))
        if mark is not None:
            assert all(number > mark for numbers in held.values() for number in numbers)
