"""Avro binary by hand: byte for byte what `fastavro` writes."""

import io
from collections.abc import Callable
from typing import Any

import fastavro
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from schemas import binary

LONGS = st.integers(-(2**63), 2**63 - 1)


def _written(schema: str, value: Any) -> bytes:
    buffer = io.BytesIO()
    fastavro.schemaless_writer(buffer, fastavro.parse_schema(schema), value)
    return buffer.getvalue()


@given(LONGS)
@example(0)
@example(-1)
@example(63)
@example(64)
@example(-(2**63))
def test_whole_numbers(number: int) -> None:
    assert binary.long(number) == _written("long", number)


@pytest.mark.parametrize("number", [2**63, -(2**63) - 1])
def test_more_than_64_bits_are_refused(number: int) -> None:
    with pytest.raises(OverflowError):
        binary.long(number)


@given(st.text() | st.integers(60, 70).map("x".__mul__))
def test_texts(value: str) -> None:
    assert binary.text(value) == _written("string", value)


@pytest.mark.parametrize(
    ("schema", "write", "value"),
    [
        ("bytes", binary.binary, b""), ("bytes", binary.binary, b"\0" * 70), ("boolean", binary.boolean, True),
        ("boolean", binary.boolean, False), ("double", binary.double, -0.0), ("double", binary.double, 1e300),
    ],
)  # fmt: skip
def test_what_else_there_is(schema: str, write: Callable[[Any], bytes], value: Any) -> None:
    assert write(value) == _written(schema, value)
