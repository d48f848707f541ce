"""Values of remote rows: the sink's notion of "the same" must be the merge's."""

from datetime import timedelta, timezone
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.base import ColumnInfo
from connectors.remote.values import Columns, decode
from schemas.project import column_types
from streams.mapping.images import Images

NUMBERS = st.one_of(
    st.integers(-(2**62), 2**62),
    st.decimals(allow_nan=False, allow_infinity=False, places=3, min_value=-(10**12), max_value=10**12),
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)
ZONES = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
TIMES = st.datetimes(timezones=ZONES).map(lambda value: value.isoformat())
FEW = settings(max_examples=40, deadline=None)
KINDS: dict[str, st.SearchStrategy[Any]] = {
    "text": st.text(),
    "varchar(3)": st.text("ab ", max_size=8),
    "char(4)": st.text("ab ", max_size=4),
    "bigint": st.integers(-(2**62), 2**62),
    "numeric": NUMBERS,
    "numeric(20,2)": st.decimals(-999, 999, places=2),
    "double precision": st.floats(allow_nan=False, allow_infinity=False),
    "boolean": st.booleans(),
    "timestamptz": TIMES,
    "timestamptz(3)": TIMES,
    "timestamp": st.datetimes().map(lambda value: value.isoformat()),
    "uuid": st.uuids().map(str),
    "jsonb": JSON,
    "text[]": st.lists(st.text(max_size=4) | st.none(), max_size=4),
    "date": st.dates().map(str),
}


def columns(kind: str) -> Columns:
    return Columns([ColumnInfo("id", "bigint"), ColumnInfo("v", kind)], ["id"])


@pytest.mark.parametrize("kind", KINDS)
@FEW
@given(data=st.data())
def test_two_values_are_the_same_exactly_when_the_merge_thinks_so(kind: str, data: st.DataObject) -> None:
    resource = columns(kind)
    images = Images("contact", "blog", {"v": column_types.parse(kind)})
    values = st.none() | KINDS[kind]
    first, second = data.draw(values), data.draw(values)
    merged = [images.load(resource.image({"id": 1, "v": value}))["v"] for value in (first, second)]
    assert resource.same({"v": first}, {"v": second}) == (merged[0] == merged[1])


@pytest.mark.parametrize("kind", KINDS)
@FEW
@given(data=st.data())
def test_what_a_command_says_is_the_same_as_the_row_it_was_made_from(kind: str, data: st.DataObject) -> None:
    resource = columns(kind)
    images = Images("contact", "blog", {"v": column_types.parse(kind)})
    row = {"id": 1, "v": data.draw(st.none() | KINDS[kind])}
    command = decode(images.dump(images.load(resource.image(row))))
    assert resource.same(command, row)
    assert resource.same(resource.typed(command), row)


@pytest.mark.parametrize(
    ("kind", "text", "typed"),
    [
        ("numeric", '"10.50"', Decimal("10.50")),
        ("bigint", '"9223372036854775808"', 9223372036854775808),
        ("bigint", '"many"', "many"),
        ("jsonb", '{"a":[1,2.50]}', {"a": [1, Decimal("2.5")]}),
        ("text[]", '["a",null]', ["a", None]),
        ("boolean", "true", True),
        ("timestamptz", '"2026-01-02T03:04:05Z"', "2026-01-02T03:04:05Z"),
    ],
)
def test_a_command_s_values_are_written_as_their_types(kind: str, text: str, typed: Any) -> None:
    assert columns(kind).typed({"v": decode(text)}) == {"v": typed}


def test_a_row_has_one_digest_however_it_is_spelt() -> None:
    numeric = columns("numeric")
    assert numeric.digest({"id": "1", "v": "1.50"}) == numeric.digest({"id": 1, "v": Decimal("1.5")})
    assert numeric.digest({"id": 1, "v": 1}) != numeric.digest({"id": 1, "v": None})


def test_an_image_has_every_column() -> None:
    assert msgspec.json.decode(columns("text").image({"id": 7})) == {"id": 7, "v": None}


def test_a_local_id_is_spelt_by_type() -> None:
    assert columns("text").local_id(["7"]) == "[7]"
    with pytest.raises(ValueError, match="no key"):
        columns("text").local_id([None])
