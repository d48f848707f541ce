"""Values of every type: from what producers make of them to what a row image shows."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.kafka import forms
from connectors.kafka.errors import UnreadableError
from connectors.kafka.forms import Form
from connectors.kafka.shapes import Shape, of_connect
from schemas.project import column_types

DEBEZIUM, CONNECT = "io.debezium.", "org.apache.kafka.connect.data."
SCALE = {"scale": "2", "connect.decimal.precision": "10"}

# Connect's type, its logical name, its parameters, the value; the catalog's type, the row image's value.
CASES: list[tuple[str, str, dict[str, str], Any, str, Any]] = [
    ("int16", "", {}, 7, "smallint", 7),
    ("int32", "", {}, -7, "integer", -7),
    ("int64", "", {}, 2**62, "bigint", 2**62),
    ("float64", "", {}, Decimal("1.5"), "double precision", Decimal("1.5")),
    ("float32", "", {}, "NaN", "real", "NaN"),
    ("float64", "", {}, "-Infinity", "double precision", "-Infinity"),
    ("boolean", "", {}, True, "boolean", True),
    ("string", "", {}, "ä", "text", "ä"),
    ("bytes", "", {}, "AP8=", "bytea", "\\x00ff"),
    ("bytes", "", {}, b"\x00\xff", "bytea", "\\x00ff"),
    ("int32", "time.Date", {}, 19723, "date", "2024-01-01"),
    ("int32", "time.Date", {}, -719162, "date", "0001-01-01"),
    ("int32", "time.Date", {}, 2147483647, "date", "infinity"),
    ("int32", "time.Time", {}, 86_399_999, "time", "23:59:59.999000"),
    ("int64", "time.MicroTime", {}, 3_600_000_000, "time", "01:00:00"),
    ("int64", "time.MicroTime", {}, 86_400_000_000, "time", "24:00:00"),
    ("int64", "time.NanoTime", {}, 1_000, "time", "00:00:00.000001"),
    ("int64", "time.Timestamp", {}, 1_704_067_200_123, "timestamp", "2024-01-01T00:00:00.123000"),
    ("int64", "time.MicroTimestamp", {}, 1_704_067_200_000_001, "timestamp", "2024-01-01T00:00:00.000001"),
    ("int64", "time.MicroTimestamp", {}, -1, "timestamp", "1969-12-31T23:59:59.999999"),
    ("int64", "time.MicroTimestamp", {}, 9223372036825200000, "timestamp", "infinity"),
    ("int64", "time.MicroTimestamp", {}, -9223372036832400000, "timestamp", "-infinity"),
    ("int64", "time.NanoTimestamp", {}, 1_704_067_200_000_001_999, "timestamp", "2024-01-01T00:00:00.000001"),
    ("string", "time.ZonedTimestamp", {}, "2024-01-01T00:00:00.5Z", "timestamptz", "2024-01-01T00:00:00.5Z"),
    ("string", "time.IsoDate", {}, "2024-01-01Z", "date", "2024-01-01"),
    ("int64", "time.MicroDuration", {}, 90_500_000, "interval", "PT90.5S"),
    ("string", "time.Interval", {}, "P1Y2M", "interval", "P1Y2M"),
    ("string", "data.Uuid", {}, "09d4f9c6-0000-4000-8000-000000000000", "uuid", "09d4f9c6-0000-4000-8000-000000000000"),
    ("string", "data.Json", {}, '{"b": [1.10]}', "jsonb", {"b": [Decimal("1.10")]}),
    ("string", "data.Enum", {"allowed": "a,b"}, "a", "text", "a"),
    ("bytes", "data.Bits", {"length": "10"}, "gQI=", "bit(10)", "1010000001"),
    ("struct", "data.VariableScaleDecimal", {}, {"scale": 3, "value": "ATFL"}, "numeric", Decimal("78.155")),
    ("struct", "data.geometry.Point", {}, {"x": Decimal("1.5"), "wkb": b"\x01"}, "jsonb",
     {"x": Decimal("1.5"), "wkb": "AQ=="}),
    ("map", "", {}, {"a": "1"}, "jsonb", {"a": "1"}),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "name", "parameters", "value", "type_text", "expected"), CASES)
def test_a_value_of_each_type(
    kind: str, name: str, parameters: dict[str, str], value: Any, type_text: str, expected: Any
) -> None:
    form = forms.of_shape(Shape(kind, f"{DEBEZIUM}{name}" if name else "", parameters=parameters))
    assert form.type == type_text
    assert forms.converter(form)(value) == expected


@pytest.mark.parametrize("name", [f"{CONNECT}Decimal", "avro:decimal"])
def test_a_decimal_is_the_bytes_of_a_whole_number(name: str) -> None:
    form = forms.of_shape(Shape("bytes", name, parameters=SCALE))
    convert = forms.converter(form)
    assert form.type == "numeric(10,2)"
    assert [convert("ATFL"), convert(b"\xff"), convert("AA=="), convert("")] == [
        Decimal("781.55"), Decimal("-0.01"), Decimal("0.00"), Decimal("0.00"),
    ]  # fmt: skip
    assert convert(Decimal("1.50")) == Decimal("1.50")


@given(st.integers(-(10**30), 10**30), st.integers(0, 20))
def test_every_decimal_is_exact(number: int, scale: int) -> None:
    data = number.to_bytes(16, "big", signed=True)
    found = forms.converter(Form("numeric", "unscaled", scale))(data)
    assert found == Decimal(f"{number}E-{scale}")


def test_lists_keep_their_nulls_and_their_depth() -> None:
    schema = {"type": "array", "items": {"type": "int32", "name": "io.debezium.time.Date"}}
    form = forms.of_shape(of_connect(schema))
    assert form.type == "date[]"
    assert forms.converter(form)([0, None]) == ["1970-01-01", None]
    deep = forms.of_shape(of_connect({"type": "array", "items": schema}))
    assert deep.type == "date[]"
    assert forms.converter(deep)([[0], []]) == [["1970-01-01"], []]


WRONG = [
    (Form("bigint"), Decimal("1.5"), "no whole number"),
    (Form("bigint"), True, "no whole number"),
    (Form("numeric"), "abc", "no number"),
    (Form("numeric"), "1e99999", "less than 4000 digits"),
    (Form("boolean"), 1, "no boolean"),
    (Form("text"), {"a": 1}, "no text"),
    (Form("timestamptz"), 1_704_067_200_000, "give the column an `encoding`"),
    (Form("date", "epoch_days"), "2024-01-01", "no number of days since 1970"),
    (Form("date", "epoch_days"), 10**7, "outside of the years 1 to 9999"),
    (Form("timestamp", "epoch_ms"), 10**18, "outside of the years 1 to 9999"),
    (Form("time", "clock_us"), -1, "since midnight"),
    (Form("bytea", "base64"), "%%", "no base64 text"),
    (Form("bytea", "base64"), 7, "no base64 text"),
    (Form("bytea", "hex"), "0g", "no hexadecimal text"),
    (Form("jsonb", "json_text"), "{", "no JSON text"),
    (Form("numeric", "variable_scale"), {"value": "AQ=="}, "scale of its own"),
    (Form("numeric", "variable_scale"), {"value": "AQ==", "scale": 10**9}, "too long"),
    (Form("text[]"), "a", "no list"),
]


@pytest.mark.parametrize(("form", "value", "why"), WRONG)
def test_a_value_that_is_not_of_its_type_is_refused(form: Form, value: Any, why: str) -> None:
    with pytest.raises(UnreadableError, match=why):
        forms.converter(form)(value)


DECLARED = [
    ("timestamptz", "epoch_ms", 1_704_067_200_123, "2024-01-01T00:00:00.123000Z"),
    ("timestamptz", "epoch_s", 1_704_067_200, "2024-01-01T00:00:00Z"),
    ("date", "epoch_ms", 1_704_067_200_123, "2024-01-01"),
    ("bytea", "hex", "\\x00FF", "\\x00ff"),
    ("numeric(10,2)", "unscaled", "ATFL", Decimal("781.55")),
    ("numeric(10,2)", None, "781.55", Decimal("781.55")),
    ("bigint", None, "7", 7),
    ("numeric", None, "1" * 40, Decimal("1" * 40)),
    ("bigint", None, Decimal("1e40"), 10**40),
    ("text", None, 7, "7"),
    ("jsonb", None, '{"a":1}', '{"a":1}'),
    ("jsonb", "json_text", '{"a":1}', {"a": 1}),
    ("bytea", None, "AP8=", "\\x00ff"),
]


@pytest.mark.parametrize(("type_text", "encoding", "value", "expected"), DECLARED)
def test_a_declared_column(type_text: str, encoding: str | None, value: Any, expected: Any) -> None:
    form = forms.declared(type_text, encoding, None, {"bytea": "base64"})
    assert forms.converter(form)(value) == expected


def test_a_declared_type_keeps_the_encoding_of_the_schema() -> None:
    form = forms.declared("date", None, Form("timestamp", "epoch_us"), {})
    assert forms.converter(form)(1_704_067_200_000_000) == "2024-01-01"


def test_every_type_of_a_schema_is_one_that_the_catalog_knows() -> None:
    known = {"xml", "interval", "time with time zone"}
    for form in (*forms.NAMED.values(), *forms.PLAIN_KINDS.values()):
        assert column_types.parse(form.type).kind != "opaque" or form.type in known
        assert form.encoding in forms.ENCODINGS
