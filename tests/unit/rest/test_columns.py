"""Values of columns: read, compared, and written back."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.base import ColumnInfo
from connectors.remote.values import Columns
from connectors.rest import json_texts, tagging
from connectors.rest.api import since
from connectors.rest.columns import Column, compiled, us_of
from connectors.rest.declaration import ColumnRule
from connectors.rest.paths import Lack, place


def column(kind: str, tagged: bool = False, **rule: Any) -> Column:
    return compiled("c", ColumnRule.model_validate({"type": kind, **rule}), False, tagged, "columns.c")


@pytest.mark.parametrize(
    ("kind", "raw", "value"),
    [
        ("text", "a", "a"),
        ("text", 7, "7"),
        ("text", Decimal("1.50"), "1.5"),
        ("text", {"a": 1}, {"a": 1}),
        ("bigint", "12", 12),
        ("bigint", Decimal("12.0"), 12),
        ("bigint", 2**70, 2**70),
        ("bigint", "many", "many"),
        ("numeric", Decimal("12.30"), "12.3"),
        ("numeric", "12.30", "12.3"),
        ("numeric", 100, "100"),
        ("numeric", Decimal("1E+3"), "1000"),
        ("numeric", "n/a", "n/a"),
        ("numeric", True, True),
        ("double precision", 1, 1.0),
        ("boolean", 1, True),
        ("boolean", 0, False),
        ("boolean", "TRUE", True),
        ("boolean", "perhaps", "perhaps"),
        ("date", "2026-01-02", "2026-01-02"),
        ("date", "2026-01-02T00:00:00Z", "2026-01-02"),
        ("date", "2026-01-02T10:00:00Z", "2026-01-02T10:00:00Z"),
        ("timestamptz", "2026-01-02T03:04:05.100+02:00", "2026-01-02T01:04:05.1Z"),
        ("timestamptz", "2026-01-02T03:04:05", "2026-01-02T03:04:05"),
        ("timestamptz", "soon", "soon"),
        ("timestamp", "2026-01-02T03:04:05.000", "2026-01-02T03:04:05"),
        ("uuid", "A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"),
        ("jsonb", {"a": [1]}, {"a": [1]}),
        ("text[]", ["a", None, 3], ["a", None, "3"]),
        ("text[]", "a,b", "a,b"),
    ],
)
def test_what_is_read(kind: str, raw: Any, value: Any) -> None:
    assert column(kind).of({"c": raw}) == value


@pytest.mark.parametrize(
    ("rule", "raw", "value", "sent"),
    [
        ({"format": "epoch_s"}, 1767323045, "2026-01-02T03:04:05Z", 1767323045),
        ({"format": "epoch_ms"}, 1767323045600, "2026-01-02T03:04:05.6Z", 1767323045600),
        ({"zone": "Europe/Berlin"}, "2026-07-02T03:04:05", "2026-07-02T01:04:05Z", "2026-07-02T03:04:05"),
        ({"format": "%d.%m.%Y %H:%M", "zone": "UTC"}, "02.01.2026 03:04", "2026-01-02T03:04:00Z", "02.01.2026 03:04"),
        (
            {"format": "%Y-%m-%dT%H:%M:%S%z"},
            "2026-01-02T03:04:05+0000",
            "2026-01-02T03:04:05Z",
            "2026-01-02T03:04:05+0000",
        ),
    ],
)
def test_forms_of_times(rule: dict[str, Any], raw: Any, value: str, sent: Any) -> None:
    made = column("timestamptz", **rule)
    assert made.of({"c": raw}) == value and made.sent(value) == sent


def test_what_is_absent_is_told_from_null() -> None:
    assert column("text").of({}) is Lack.ABSENT
    assert column("text").of({"c": None}) is None
    assert column("text", optional=True).of({}) is None


def test_expressions_take_the_place_of_the_conversion() -> None:
    made = column("text", read="value.trim() + item.unit", write="value.replace('kg', '')")
    assert made.of({"c": " 7 ", "unit": "kg"}) == "7kg" and made.sent("7kg") == "7"
    emptied = column("text", write="value == null ? '' : value")
    assert emptied.sent(None) == "" and emptied.sent("a") == "a"


def test_a_decimal_can_be_sent_as_text() -> None:
    as_text: dict[str, Any] = {"as": "text"}
    assert column("numeric", **as_text).sent("12.3") == "12.3"
    assert json_texts.encode(column("numeric").sent("12.30")) == b"12.30"


@pytest.mark.parametrize(
    ("kind", "value", "sent"),
    [
        ("numeric", "12.5", {"__class__": "Decimal", "decimal": "12.5"}),
        ("date", "2026-01-02", {"__class__": "date", "year": 2026, "month": 1, "day": 2}),
    ],
)
def test_tagged_values_go_both_ways(kind: str, value: str, sent: Any) -> None:
    made = column(kind, tagged=True)
    assert made.sent(value) == sent and made.of({"c": tagging.untagged(sent)}) == value


@pytest.mark.parametrize(
    ("rule", "why"),
    [
        ({"type": "bytea"}, "columns.c.type: bytea cannot be carried"),
        ({"type": "text", "path": "a..b"}, "columns.c.path"),
        ({"type": "timestamptz", "zone": "Mars/Base"}, "columns.c.zone: there is no time zone Mars/Base"),
        ({"type": "text", "read": "valu + 1"}, "columns.c.read: there is no valu here"),
        ({"type": "text", "write": "item.x"}, "columns.c.write: there is no item here"),
    ],
)
def test_what_cannot_be_is_said_with_its_place(rule: dict[str, Any], why: str) -> None:
    with pytest.raises(ValueError) as caught:
        compiled("c", ColumnRule.model_validate(rule), False, False, "columns.c")
    assert why in str(caught.value)


VALUES = {
    "text": st.text(max_size=8),
    "bigint": st.integers(-(2**63), 2**63 - 1),
    "numeric": st.decimals(allow_nan=False, allow_infinity=False, places=4, min_value=-(10**12), max_value=10**12).map(
        str
    ),
    "boolean": st.booleans(),
    "timestamptz": st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1)).map(
        lambda one: one.replace(tzinfo=UTC).isoformat()
    ),
    "date": st.dates().map(lambda one: one.isoformat()),
    "text[]": st.lists(st.text(max_size=4) | st.none(), max_size=4),
    "jsonb": st.dictionaries(st.text(max_size=3), st.integers() | st.text(max_size=3) | st.booleans(), max_size=3),
}
FORMS: list[dict[str, Any]] = [{}, {"tagged": True}, {"path": "a.b"}, {"as": "text"}, {"format": "iso", "zone": "UTC"}]


@pytest.mark.parametrize("form", FORMS, ids=str)
@pytest.mark.parametrize("kind", VALUES)
@given(data=st.data())
def test_what_is_sent_and_kept_is_read_as_it_was(kind: str, form: dict[str, Any], data: st.DataObject) -> None:
    made = column(kind, **form)
    value = data.draw(VALUES[kind])
    text = json_texts.encode(place({}, made.path, made.sent(value)))
    item = tagging.untagged(json_texts.decode(text)) if form.get("tagged") else json_texts.decode(text)
    rows = Columns([ColumnInfo("c", kind)], ["c"])
    assert rows.normal("c", made.of(item)) == rows.normal("c", value)


@given(us=st.integers(-(10**15), 4 * 10**15))
def test_times_are_exact_to_the_microsecond(us: int) -> None:
    assert us_of(since(us)["since"]) == us
