"""One field in one column: what each option means, both ways."""

from typing import Any

import pytest

from schemas.project.model import FieldRule
from streams.errors import InvalidValueError
from streams.mapping.conversions import canonical
from tests.unit.mapping.lenses import lens_of

READ_AND_WRITE: list[tuple[dict[str, Any], Any, str, Any, Any, Any]] = [
    # rule, map, column type, column value read, canonical value, column value written
    ({"type": "decimal"}, "c", "numeric(10,2)", "1.5", "1.005", "1.01"),
    ({"type": "decimal"}, "c", "integer", 3, "2.5", 3),
    ({"type": "decimal", "places": 1}, "c", "numeric", "1.25", "1.7", "1.7"),
    ({"type": "decimal"}, {"column": "c", "places": 1}, "text", "1.25", "-0.05", "-0.1"),
    ({"type": "decimal"}, "c", "double precision", 0.1, "0.25", 0.25),
    ({"type": "integer"}, "c", "text", "12", 13, "13"),
    ({"type": "integer"}, "c", "numeric", "12", 13, "13"),
    ({"type": "float"}, "c", "numeric(6,3)", "0.1", 0.12345, "0.123"),
    ({"type": "float"}, "c", "real", 0.1, 1 / 3, 0.33333334),
    ({"type": "boolean"}, "c", "smallint", 1, False, 0),
    ({"type": "boolean"}, {"column": "c", "values": {"true": "Y", "false": "N"}}, "text", "Y", False, "N"),
    ({"type": "integer"}, {"column": "c", "values": {"1": "one", "2": "two"}}, "text", "one", 2, "two"),
    ({}, {"column": "c", "trim": True, "case": "upper", "length": 4}, "text", " ab ", "abc de", "ABC"),
    ({}, "c", "character(4)", "ab", "abc ", "abc"),
    ({}, "c", "character varying(3)", "ab", "abcd", "abcd"),
    ({}, "c", "character varying(3)", "ab", "abc   ", "abc"),
    ({}, "c", "time(1) without time zone", "10:00:00", "9:30", "09:30:00"),
    ({"type": "date"}, "c", "timestamp without time zone", "2024-05-06T07:08:09", "2024-05-07", "2024-05-07T00:00:00"),
    ({"type": "date"}, {"column": "c", "zone": "Asia/Tokyo"}, "timestamp with time zone",
     "2024-05-06T20:00:00Z", "2024-05-08", "2024-05-07T15:00:00Z"),
    ({"type": "date"}, {"column": "c", "format": "%d/%m/%Y"}, "text", "06/05/0987", "0123-04-05", "05/04/0123"),
    ({"type": "date"}, "c", "text", "2024-05-06", "2024-05-07", "2024-05-07"),
    ({"type": "datetime"}, {"column": "c", "zone": "Europe/Berlin"}, "timestamp(0) without time zone",
     "2024-01-01T12:00:00", "2024-07-01T10:00:00.5Z", "2024-07-01T12:00:01"),
    ({"type": "datetime"}, {"column": "c", "format": "%Y%m%d%H%M%S%z"}, "text",
     "20240101120000+0200", "2024-07-01T10:00:00Z", "20240701100000+0000"),
    ({"type": "datetime"}, "c", "text", "2024-01-01T12:00:00+02:00", "2024-07-01T10:00:00Z", "2024-07-01T10:00:00Z"),
    ({"type": "datetime"}, "c", "date", "2024-01-01", "2024-07-01T10:00:00Z", "2024-07-01"),
    ({"type": "datetime"}, "c", "timestamp with time zone", "infinity", "-infinity", "-infinity"),
    ({"type": "uuid"}, "c", "text", "A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11",
     "00000000-0000-0000-0000-000000000001", "00000000-0000-0000-0000-000000000001"),
    ({"type": "json"}, "c", "text", '{"b": 1.0, "a": 2}', "[1]", "[1]"),
    ({"type": "list"}, "c", "integer[]", (1, 2), (3, None), (3, None)),
    ({"type": "bytes"}, "c", "bytea", "00ff", "01", "01"),
]  # fmt: skip
CANONICAL_READ = [
    "1.5", "3", "1.3", "1.3", "0.1", 12, 12, 0.1, 0.1, True, True, 1, "AB", "ab", "ab", "ab", "10:00:00", "2024-05-06",
    "2024-05-07", "0987-05-06", "2024-05-06", "2024-01-01T11:00:00Z", "2024-01-01T10:00:00Z", "2024-01-01T10:00:00Z",
    "2024-01-01T00:00:00Z", "infinity", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", '{"a":2,"b":1}', (1, 2), "00ff",
]  # fmt: skip


@pytest.mark.parametrize(("case", "read"), list(zip(READ_AND_WRITE, CANONICAL_READ, strict=True)))
def test_reads_and_writes(case: tuple[Any, ...], read: Any) -> None:
    rule, mapped, column_type, held, value, written = case
    lens = lens_of(rule, mapped, c=column_type)
    assert lens.get({"c": held}) == {"f": read}
    assert lens.put({"f": value}, {"c": held}) == {"c": written}


@pytest.mark.parametrize(("case", "read"), list(zip(READ_AND_WRITE, CANONICAL_READ, strict=True)))
def test_what_is_shown_already_is_left_as_it_is_written(case: tuple[Any, ...], read: Any) -> None:
    rule, mapped, column_type, held, value, written = case
    lens = lens_of(rule, mapped, c=column_type)
    assert lens.put({"f": read}, {"c": held}) == {"c": held}
    assert lens.put({"f": value}, {"c": written}) == {"c": written}


def test_a_value_beyond_what_the_column_shows_is_no_difference() -> None:
    lens = lens_of({"type": "datetime"}, {"column": "c", "format": "%d.%m.%Y %H:%M"}, c="text")
    row = {"c": "1.7.2024 10:00"}
    assert lens.put({"f": "2024-07-01T10:00:59Z"}, row) == row


UNREADABLE: list[tuple[dict[str, Any], Any, str, Any, str]] = [
    ({"type": "integer"}, "c", "numeric", "1.5", "is no whole number"),
    ({"type": "decimal"}, "c", "text", "1,5", "is no number"),
    ({"type": "boolean"}, "c", "integer", 2, "is neither 0 nor 1"),
    ({"type": "uuid"}, "c", "text", "x", "is no UUID"),
    ({"type": "json"}, "c", "text", "{", "is no JSON"),
    ({"type": "date"}, "c", "date", "0044-03-15 BC", "is no date"),
    ({"type": "datetime"}, "c", "timestamp with time zone", "10000-01-01T00:00:00Z", "years 1 to 9999"),
    ({"check": "email"}, "c", "text", "anna@home", "its domain has no dot"),
    ({"check": "phone"}, "c", "text", "call me", "is no phone number"),
]


@pytest.mark.parametrize(("rule", "mapped", "column_type", "held", "reason"), UNREADABLE)
def test_what_the_field_cannot_be_is_explained(
    rule: dict[str, Any], mapped: Any, column_type: str, held: Any, reason: str
) -> None:
    lens = lens_of(rule, mapped, c=column_type)
    assert lens.get({"c": held}) == {}
    assert reason in lens.faults({"c": held})["f"]


@pytest.mark.parametrize("phone", ["+49 (0)30 123-456", "004930123456", "030/123.456", "+1 555 0100 x12", None])
def test_phone_numbers_as_people_write_them(phone: str | None) -> None:
    assert lens_of({"check": "phone"}, "c", c="text").get({"c": phone}) == {"f": phone}


def test_a_decided_value_becomes_canonical() -> None:
    assert canonical(FieldRule(type="decimal", places=2), "1.005") == "1.01"
    assert canonical(FieldRule(type="datetime"), "2024-01-01T12:00:00+02:00") == "2024-01-01T10:00:00Z"
    assert canonical(FieldRule(type="json"), {"b": 1, "a": [1.5]}) == '{"a":[1.5],"b":1}'
    assert canonical(FieldRule(group=["a", "b"]), ["x", None]) == ("x", None)


@pytest.mark.parametrize(
    ("rule", "value"),
    [
        (FieldRule(type="integer"), "x"),
        (FieldRule(type="boolean"), 1),
        (FieldRule(type="date"), "2024-13-01"),
        (FieldRule(type="list"), "a"),
        (FieldRule(group=["a", "b"]), ["x"]),
        (FieldRule(), 7),
    ],
)
def test_a_decided_value_that_the_field_cannot_be_is_refused(rule: FieldRule, value: Any) -> None:
    with pytest.raises(InvalidValueError):
        canonical(rule, value)
