"""Every column type: one normal form, and row images that hold exactly the same values."""

import json
import math
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.project import column_types
from streams.errors import InvalidValueError
from streams.mapping.columns import canonical_json, from_wire, normaliser
from streams.mapping.images import Images
from streams.merge.values import Value

TEXT = st.text(max_size=12)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.decimals(allow_nan=False, allow_infinity=False, places=3) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
RAW: dict[str, st.SearchStrategy[Any]] = {
    "smallint": st.integers(-(2**15), 2**15 - 1),
    "integer": st.integers(-(2**31), 2**31 - 1),
    "bigint": st.integers(-(2**63), 2**63 - 1),
    "numeric": st.decimals() | st.decimals(allow_nan=False, allow_infinity=False, places=30),
    "numeric(10,2)": st.decimals(allow_nan=False, allow_infinity=False, places=4, min_value=-10_000, max_value=10_000),
    "real": st.floats(width=32),
    "double precision": st.floats(),
    "boolean": st.booleans(),
    "text": TEXT,
    "character varying(3)": TEXT,
    "character(5)": TEXT,
    "citext": TEXT,
    "date": st.dates().map(str),
    "timestamp without time zone": st.datetimes().map(str),
    "timestamp(2) with time zone": st.datetimes().map(lambda value: f"{value}+00:00"),
    "time(3) without time zone": st.times().map(str),
    "interval": st.just("1 day 02:03:04.5"),
    "uuid": st.uuids().map(str),
    "jsonb": JSON.map(lambda value: json.dumps(value, default=str)),
    "bytea": st.binary(max_size=9).map(lambda value: "\\x" + value.hex()),
    "shop.mood": st.sampled_from(["sad", "ok"]),
    "integer[]": st.recursive(st.lists(st.none() | st.integers(-9, 9), max_size=3), lambda x: st.lists(x, max_size=2)),
    "text[]": st.lists(st.none() | TEXT, max_size=3),
    "numeric(10,2)[]": st.lists(st.decimals(allow_nan=False, allow_infinity=False, places=3), max_size=3),
    "double precision[]": st.lists(st.floats(), max_size=3),
    "bytea[]": st.lists(st.binary(max_size=3).map(lambda value: "\\x" + value.hex()), max_size=3),
}


def _normal(text: str, value: Any) -> Value:
    return normaliser(column_types.parse(text))(value)


@pytest.mark.parametrize("text", RAW)
@given(data=st.data())
def test_an_image_holds_the_same_values(text: str, data: st.DataObject) -> None:
    value = _normal(text, data.draw(st.none() | RAW[text]))
    images = Images("e", "s", {"a column": column_types.parse(text)})
    assert images.load(images.dump({"a column": value})) == {"a column": value}


@pytest.mark.parametrize("text", RAW)
@given(data=st.data())
def test_normalising_twice_is_normalising_once(text: str, data: st.DataObject) -> None:
    once = _normal(text, data.draw(RAW[text]))
    assert _normal(text, once) == once
    hash(once)


@given(RAW["numeric(10,2)"])
def test_a_scale_rounds_halves_away_from_zero(value: Decimal) -> None:
    expected = value.quantize(Decimal("0.01"), rounding=ROUND_HALF_UP)
    assert Decimal(str(_normal("numeric(10,2)", value))) == expected


@pytest.mark.parametrize(
    ("text", "given_value", "normal"),
    [
        ("numeric", "1E+3", "1000"),
        ("numeric", "-0.00", "0"),
        ("numeric", "0.10", "0.1"),
        ("numeric(3,-2)", "12345", "12300"),
        ("numeric(4,1)", "99999.95", "100000"),
        ("integer", "2.5", 3),
        ("integer", "x", "x"),
        ("real", 16777217, 16777216.0),
        ("real", 1e300, 1e300),
        ("double precision", -0.0, 0.0),
        ("double precision", math.inf, "Infinity"),
        ("character(5)", "ab   ", "ab"),
        ("character varying(3)", "abc  ", "abc"),
        ("character varying(3)", "abcd", "abcd"),
        ("timestamp with time zone", "2024-01-02 03:04:05.100000+02", "2024-01-02T01:04:05.1Z"),
        ("timestamp with time zone", "10000-01-01T00:00:00+00:00", "10000-01-01T00:00:00Z"),
        ("timestamp(0) without time zone", "1999-12-31 23:59:58.5", "1999-12-31T23:59:58"),
        ("timestamp(0) without time zone", "2024-12-31 23:59:58.5", "2024-12-31T23:59:59"),
        ("time(1) without time zone", "23:59:59.96", "24:00:00"),
        ("uuid", "{A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11}", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"),
        ("jsonb", '{"b":1.10,"a":[100.0,1e2,100]}', '{"a":[100,100,100],"b":1.1}'),
        ("jsonb", "null", None),
        ("bytea", "\\xDEAD", "dead"),
        ("a_domain", Decimal("12.50"), "12.5"),
    ],
)
def test_normal_forms(text: str, given_value: Any, normal: Any) -> None:
    assert _normal(text, given_value) == normal
    assert type(_normal(text, given_value)) is type(normal)


def test_numbers_in_json_are_exact() -> None:
    assert (
        canonical_json('{"n": 12345678901234567890.12345678901234567890}')
        == '{"n":12345678901234567890.1234567890123456789}'
    )


@pytest.mark.parametrize(
    ("text", "value"), [("integer", [1]), ("text", {"a": 1}), ("integer[]", 5), ("bytea", "zz"), ("jsonb", "{")]
)
def test_what_no_column_of_the_type_holds_is_refused(text: str, value: Any) -> None:
    with pytest.raises(InvalidValueError):
        _normal(text, value)


def test_big_numbers_and_json_arrays_are_dumped_for_postgres() -> None:
    kinds = {name: column_types.parse(name) for name in ("bigint", "jsonb[]", "jsonb", "bytea")}
    row: dict[str, Value] = {"bigint": 2**70, "jsonb[]": ('{"a":1}', None), "jsonb": '{"a":1}', "bytea": "00"}
    assert json.loads(Images("e", "s", kinds).dump(row)) == {
        "bigint": str(2**70),
        "jsonb[]": '{"{\\"a\\":1}",NULL}',
        "jsonb": {"a": 1},
        "bytea": "\\x00",
    }


@pytest.mark.parametrize(
    ("text", "kind", "length", "scale"),
    [
        ("character varying(40)", "text", 40, None),
        ("numeric(10,2)", "numeric", None, 2),
        ("numeric(10)", "numeric", None, 0),
        ("numeric", "numeric", None, None),
        ("public.citext", "text", None, None),
        ('"Odd Type"', "opaque", None, None),
        ("geometry(Point,4326)", "opaque", None, None),
        ("character varying(5)[]", "array", None, None),
    ],
)
def test_type_names_of_the_catalog(text: str, kind: str, length: int | None, scale: int | None) -> None:
    found = column_types.parse(text)
    assert (found.kind, found.length, found.scale) == (kind, length, scale)


def test_one_text_in_columns_of_other_precision_is_remembered_for_each() -> None:
    whole, exact = (from_wire(column_types.parse(f"timestamp({places}) without time zone")) for places in (0, 3))
    assert whole and exact
    for _ in range(2):
        assert whole("2026-01-02T03:04:05.678") == "2026-01-02T03:04:06"
        assert exact("2026-01-02T03:04:05.678") == "2026-01-02T03:04:05.678"
        assert whole(None) is None
