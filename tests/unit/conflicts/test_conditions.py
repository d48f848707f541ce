"""Which conflicts a list, a bulk decision or a watch is about."""

import pytest

from duplex.conflicts.book import Entry
from duplex.conflicts.conditions import FACTS, Condition, Wanted, counted
from duplex.conflicts.durations import length_us, moment_us
from duplex.conflicts.errors import ConditionError, DurationError
from schemas.messages import Side
from tests.unit.conflicts.scenes import OTHER, RECORD, START_US, conflict

NOW_US = START_US + 3_600_000_000


def entry(**more: object) -> Entry:
    made = conflict(**more)  # type: ignore[arg-type]
    return Entry(made, made, made.winner == "parked")


def holds(source: str, **more: object) -> bool:
    return Condition(source).holds(entry(**more), NOW_US)


def test_every_name_has_a_value() -> None:
    for name in FACTS:
        assert holds(f"[{name}].size() == 1")


@pytest.mark.parametrize(
    "source",
    [
        'field == "phone" && incoming.system == "crm" || current.value == "2"',
        "age_s >= 3600 && current.age_s >= 3600",
        'since < timestamp("2030-01-01T00:00:00Z") && due == null',
        'state == "open" && version == 4 && kind == "value"',
        'record.startsWith("3fa85f64") && [1, 2].exists(n, n == 2)',
    ],
)
def test_a_condition_that_holds(source: str) -> None:
    assert holds(source)


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("field ==", "Syntax error"),
        ('feild == "phone"', "there is no feild"),
        ("field", "'phone', and not true or false"),
    ],
)
def test_a_condition_that_cannot_be_used_is_named_with_its_fault(source: str, why: str) -> None:
    with pytest.raises(ConditionError, match=why) as raised:
        holds(source)
    assert source in str(raised.value)


def test_a_condition_that_a_value_cannot_be_asked_does_not_match_and_is_counted() -> None:
    condition = Condition('current.value.startsWith("2")')
    gone = Side(system="crm", value=None, ts_us=0)
    assert [condition.holds(each, NOW_US) for each in (entry(), entry(current=gone))] == [True, False]
    assert condition.failed == 1
    assert "startsWith" in condition.reason


@pytest.mark.parametrize(
    "wanted",
    [
        Wanted(entity="contact", field="phone", rule="manual", kind="value", record=RECORD[:8]),
        Wanted(system="crm"),
        Wanted(system="erp"),
        Wanted(since_us=START_US, before_us=START_US),
        Wanted(standing="all", condition=Condition('field == "phone"')),
    ],
)
def test_a_filter_that_matches(wanted: Wanted) -> None:
    assert wanted.matches(entry(), NOW_US)


@pytest.mark.parametrize(
    "wanted",
    [
        Wanted(standing="decided"),
        Wanted(entity="invoice"),
        Wanted(field="credit"),
        Wanted(system="shop"),
        Wanted(rule="brake"),
        Wanted(kind="refused"),
        Wanted(record=OTHER),
        Wanted(since_us=START_US + 1),
        Wanted(before_us=START_US - 1),
        Wanted(condition=Condition('field == "credit"')),
    ],
)
def test_a_filter_that_does_not_match(wanted: Wanted) -> None:
    assert not wanted.matches(entry(), NOW_US)


def test_the_oldest_come_first_and_are_counted_by_field() -> None:
    young, old = entry(number=1, ts_us=START_US + 1), entry(number=2)
    assert Wanted().among([young, old], NOW_US) == [old, young]
    assert counted([young, old, entry(number=3, field="credit")]) == {"contact.phone": 2, "contact.credit": 1}


def test_lengths_and_moments() -> None:
    assert length_us("2d", "--older-than") == 172_800_000_000
    assert moment_us("1h", "--since", NOW_US) == START_US
    assert (
        moment_us("1970-01-01T00:00:01Z", "--since", 0) == moment_us("1970-01-01T00:00:01", "--since", 0) == 1_000_000
    )
    for text in ("2", "soon", "-1d", ""):
        with pytest.raises(DurationError, match="--since"):
            moment_us(text, "--since", 0)
