"""A conflict in one line, and as data."""

import msgspec

from duplex.conflicts import views
from duplex.conflicts.book import Book, Entry
from duplex.conflicts.watching import happening, take
from schemas.messages import Side
from tests.unit.conflicts.scenes import CODEC, START_US, conflict

NOW_US = START_US + 60_000_000


def line(**more: object) -> str:
    made = conflict(**more)  # type: ignore[arg-type]
    one = views.shown(Entry(made, made, made.winner == "parked"), "3fa85f64/1", "ada@example.com")
    return views.line(one, NOW_US)


def test_an_open_conflict_in_one_line() -> None:
    assert line() == (
        '3fa85f64/1  contact ada@example.com phone:  crm "2" (1 min ago) | erp "3" (1 min ago)  open for 1 min'
    )


def test_deadline_rule_and_load_are_said() -> None:
    assert line(due_us=NOW_US + 5_000_000).endswith("open for 1 min, due in 5 s")
    assert line(rule="brake").endswith("open for 1 min (brake)")
    assert line(winner="current", rule="newest").endswith("newest: current")
    assert '"2" (loaded)' in line(current=Side(system="crm", value='"2"', ts_us=0))


def test_existence_is_told_in_words() -> None:
    deleted = Side(system="erp", value=None, ts_us=START_US)
    edits = Side(system="erp", value='[["phone","5"]]', ts_us=START_US)
    lives = Side(system="crm", value="true", ts_us=START_US)
    assert "contact ada@example.com:  crm lives (1 min ago) | erp deleted" in line(
        field="$", current=lives, incoming=deleted
    )
    assert 'erp with phone "5"' in line(field="$", current=lives, incoming=edits)


def test_a_long_value_is_cut() -> None:
    assert views.cut("x" * 100, 10) == "x" * 9 + "…"


def test_data_has_the_values_themselves() -> None:
    made = conflict(field="address", incoming=Side(system="erp", value='["a","b"]', ts_us=1))
    found = msgspec.to_builtins(views.shown(Entry(made, made, True), "3fa85f64/1", None))
    assert (found["incoming"]["value"], found["state"], found["due_us"]) == (["a", "b"], "open", None)


def test_happenings() -> None:
    book = Book(CODEC)
    first, changed = conflict(), conflict(ts_us=START_US + 1)
    ended, decided = conflict(winner="incoming", rule="decision"), conflict(2, winner="current", rule="newest")
    seen = [take(book, CODEC.encode(each)) for each in (first, changed, ended, decided)]
    assert [each.happening for each in seen if each] == ["opened", "changed", "ended", "decided"]
    assert take(book, None) is None
    assert happening(None, Entry(first, first, True)) == "opened"
