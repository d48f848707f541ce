"""One text in several columns, and several texts in one column."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.mapping import joins
from tests.unit.mapping.lenses import lens_of

PART = st.none() | st.text(alphabet="ab ,-é", max_size=6)
SEPARATORS = st.sampled_from([" ", ", ", "-", "::"])


@given(st.text(alphabet="ab ,-é:", max_size=20), SEPARATORS, st.lists(PART, min_size=2, max_size=4))
def test_no_text_is_lost_wherever_it_is_split(text: str, separator: str, held: list[str | None]) -> None:
    parts = joins.distribute(text, separator, held)
    assert len(parts) == len(held)
    assert joins.join(parts, separator) == joins.normal(text, separator)


@given(st.text(alphabet="ab ,-:", max_size=20), SEPARATORS)
def test_the_normal_form_is_normal(text: str, separator: str) -> None:
    once = joins.normal(text, separator)
    assert joins.normal(once, separator) == once


@pytest.mark.parametrize(
    ("text", "held", "parts"),
    [
        ("Anna Lopez", [None, None], ["Anna", "Lopez"]),
        ("Anna Maria Lopez", [None, None], ["Anna", "Maria Lopez"]),
        ("Anna Maria Gomez", ["Anna Maria", "Lopez"], ["Anna Maria", "Gomez"]),
        ("Eva Maria Lopez", ["Anna Maria", "Lopez"], ["Eva Maria", "Lopez"]),
        ("Madonna", [None, None], ["Madonna", None]),
        ("Madonna", ["Louise", "Ciccone"], ["Madonna", ""]),
        ("  Anna   Lopez ", [None, None], ["Anna", "Lopez"]),
        ("", ["Anna", "Lopez"], ["", ""]),
        ("", [None, None], ["", ""]),
        ("a b c d", ["a", None, "d"], ["a", "b c", "d"]),
    ],
)
def test_parts_that_still_fit_stay(text: str, held: list[str | None], parts: list[str | None]) -> None:
    assert joins.distribute(text, " ", held) == parts


NAME = {"join": ["first", "last"]}


@given(PART, PART)
def test_a_row_that_shows_the_name_is_not_split_anew(first: str | None, last: str | None) -> None:
    lens = lens_of({}, NAME, first="text", last="character varying(40)")
    row = {"first": first, "last": last}
    assert lens.put(lens.get(row), row) == row


@given(st.none() | st.text(max_size=20), PART, PART)
def test_a_name_written_is_the_name_read(name: str | None, first: str | None, last: str | None) -> None:
    lens = lens_of({}, NAME, first="text", last="text")
    expected = None if name is None else joins.normal(name, " ")
    assert lens.get(lens.put({"f": name}, {"first": first, "last": last})) == {"f": expected}
    assert lens.get(lens.put({"f": name}, None)) == {"f": expected}


SPLIT = {"first": {"split": "full"}, "last": {"split": "full"}}


@pytest.mark.parametrize(
    ("full", "members"),
    [
        ("Anna Maria Lopez", ("Anna", "Maria Lopez")),
        ("Madonna", ("Madonna", None)),
        (None, (None, None)),
        ("", ("", None)),
    ],
)
def test_a_group_shares_one_column(full: str | None, members: tuple[str | None, ...]) -> None:
    lens = lens_of({"group": ["first", "last"]}, SPLIT, full="text")
    assert lens.get({"full": full}) == {"f": members}
    assert lens.put({"f": members}, {"full": "Someone Else"}) == {"full": full}


def test_a_group_that_the_column_cannot_tell_apart_comes_to_rest() -> None:
    lens = lens_of({"group": ["first", "last"]}, SPLIT, full="text")
    row = lens.put({"f": ("Anna Maria", "Lopez")}, None)
    assert lens.put(lens.get(row), row) == row == lens.put({"f": ("Anna Maria", "Lopez")}, row)
