"""The windows that an answer leaves open, as the oracle's rows note them."""

import itertools

import pytest

from streams.merge.values import Row
from tests.simulation.applications.rows import ThingRow
from tests.simulation.lenses import Piece, SimpleLens
from tests.simulation.tables import Mistakes

ACT = 7


@pytest.fixture
def row() -> ThingRow:
    """A row with two fields in one column, and one by itself, as a user left it."""
    pieces = (Piece("joined", ("c", "d"), ("cd",)), Piece("plain", ("a",), ("a",)))
    made = ThingRow("shop", SimpleLens(pieces), Mistakes(), False)
    made.next_key = itertools.count(1).__next__
    edit(made, {"a": "v1", "cd": "v2|v3"}, 0)
    return made


def edit(row: ThingRow, after: Row, act: int = ACT) -> None:
    row.user_writes(after, 1, 1, act)


def test_an_edit_that_turned_back_a_lost_write_is_out_of_sight(row: ThingRow) -> None:
    row.api_writes({"cd": "v4|v5"}, 2, 2)
    edit(row, {"a": "v1", "cd": "v4|v3"})
    row.was_written(1, 3, {"cd": "v4|v5"})
    assert row.windows == {(ACT, "d")} and row.mistaken == set()


def test_an_edit_over_a_lost_write_reads_as_one_of_the_value_before(row: ThingRow) -> None:
    row.api_writes({"a": "v4"}, 2, 2)
    edit(row, {"a": "v5", "cd": "v2|v6"})
    row.was_written(1, 3, {"a": "v4"})
    assert row.mistaken == {("a", 1)} and row.windows == set()


def test_an_edit_that_was_answered_is_no_window(row: ThingRow) -> None:
    edit(row, {"a": "v5", "cd": "v2|v3"})
    row.api_writes({"cd": "v4|v3"}, 2, 2)
    row.was_written(2, 3, {"cd": "v4|v3"})
    assert not row.mistaken and not row.windows
