"""Avro with the number of its schema before it: shapes, logical types, references, a registry that is not there."""

import io
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

import fastavro
import msgspec
import pytest

from connectors.kafka.errors import UnreadableError
from connectors.kafka.rows import Rows
from connectors.kafka.settings import read_settings
from connectors.kafka.shapes import of_avro, without_logical_types
from connectors.kafka.wires import Avro, Written
from schemas.messages import Change
from tests.unit.kafka.messages import Message

DECIMAL = {
    "type": "bytes",
    "scale": 2,
    "precision": 10,
    "connect.name": "org.apache.kafka.connect.data.Decimal",
    "connect.parameters": {"scale": "2", "connect.decimal.precision": "10"},
    "logicalType": "decimal",
}
ROW = {
    "type": "record",
    "name": "Value",
    "fields": [
        {"name": "id", "type": "long"},
        {"name": "price", "type": ["null", DECIMAL], "default": None},
        {"name": "made", "type": {"type": "long", "connect.name": "io.debezium.time.MicroTimestamp"}},
        {"name": "tags", "type": {"type": "array", "items": ["null", "string"]}},
    ],
}
ENVELOPE = {
    "type": "record",
    "name": "Envelope",
    "namespace": "shop.customers",
    "fields": [
        {"name": "before", "type": ["null", ROW], "default": None},
        {"name": "after", "type": ["null", "Value"], "default": None},
        {"name": "op", "type": "string"},
        {"name": "ts_ms", "type": ["null", "long"], "default": None},
    ],
}
KEY = {"type": "record", "name": "Key", "fields": [{"name": "id", "type": "long"}]}
VALUES = {"id": 1, "price": Decimal("781.55"), "made": 1_704_067_200_000_001, "tags": ["a", None]}


class Held:
    """Schemas at hand, as a registry client holds them."""

    def __init__(self, schemas: Mapping[int, Any]) -> None:
        self.known: dict[int, Written | UnreadableError] = {}
        self._schemas = schemas

    async def fetch(self, numbers: Iterable[int]) -> None:
        for number in numbers:
            full = fastavro.parse_schema(self._schemas[number], named_schemas={})
            plain = fastavro.parse_schema(without_logical_types(self._schemas[number]), named_schemas={})
            self.known[number] = Written(plain, of_avro(full))


def framed(number: int, schema: Any, value: Any) -> bytes:
    stream = io.BytesIO()
    fastavro.schemaless_writer(stream, fastavro.parse_schema(schema, named_schemas={}), value)
    return b"\0" + number.to_bytes(4, "big") + stream.getvalue()


def avro_rows(style: str, schemas: Mapping[int, Any]) -> Rows:
    options = {"bootstrap": "x:1", "registry": "https://registry", "topics": {"t": {"topic": "t", "format": style}}}
    wire = Avro(Held(schemas))
    return Rows("legacy", "customer", read_settings("legacy", options).tables["t"], ("id",), wire, wire)


async def read(rows: Rows, key: bytes, value: bytes | None) -> Change:
    found = Message(key, value)
    await rows.prepare([found])
    change = rows.read(found, 1)
    assert change is not None
    return change


async def test_an_envelope_with_connects_own_types() -> None:
    rows = avro_rows("debezium-avro", {1: KEY, 2: ENVELOPE})
    value = {"before": None, "after": VALUES, "op": "c", "ts_ms": 5}
    found = await read(rows, framed(1, KEY, {"id": 1}), framed(2, ENVELOPE, value))
    assert (found.op, found.local_id, found.ts_us) == ("c", "[1]", 5000)
    assert msgspec.json.decode(found.after or "") == {
        "id": 1, "price": 781.55, "made": "2024-01-01T00:00:00.000001", "tags": ["a", None],
    }  # fmt: skip
    gone = await read(rows, framed(1, KEY, {"id": 1}), None)
    assert (gone.op, gone.local_id) == ("d", "[1]")


PLAIN = {
    "type": "record",
    "name": "Row",
    "fields": [
        {"name": "id", "type": "long"},
        {"name": "born", "type": {"type": "int", "logicalType": "date"}},
        {"name": "seen", "type": {"type": "long", "logicalType": "timestamp-millis"}},
        {"name": "at", "type": {"type": "long", "logicalType": "time-micros"}},
        {"name": "code", "type": {"type": "string", "logicalType": "uuid"}},
        {"name": "price", "type": {"type": "bytes", "logicalType": "decimal", "precision": 6, "scale": 1}},
        {"name": "kind", "type": {"type": "enum", "name": "Kind", "symbols": ["A", "B"]}},
        {"name": "mixed", "type": ["null", "long", "string"]},
        {"name": "more", "type": {"type": "map", "values": "double"}},
    ],
}


async def test_a_row_with_avros_own_types() -> None:
    row = {
        "id": 1, "born": date(2024, 1, 1), "seen": datetime(2024, 1, 1, tzinfo=UTC), "at": time(1, 0),
        "code": "09d4f9c6-0000-4000-8000-000000000000", "price": Decimal("1.5"), "kind": "B", "mixed": "x",
        "more": {"a": float("nan")},
    }  # fmt: skip
    rows = avro_rows("avro", {1: KEY, 2: PLAIN})
    found = await read(rows, framed(1, KEY, {"id": 1}), framed(2, PLAIN, row))
    assert msgspec.json.decode(found.after or "") == {
        "id": 1, "born": "2024-01-01", "seen": "2024-01-01T00:00:00Z", "at": "01:00:00",
        "code": "09d4f9c6-0000-4000-8000-000000000000", "price": 1.5, "kind": "B", "mixed": "x",
        "more": {"a": "NaN"},
    }  # fmt: skip
    columns, key = rows.columns(Message(framed(1, KEY, {"id": 1}), framed(2, PLAIN, row)))
    assert [column.type for column in columns] == [
        "bigint", "date", "timestamptz", "time", "uuid", "numeric(6,1)", "text", "jsonb", "jsonb",
    ]  # fmt: skip
    assert key == ("id",)


async def test_a_schema_that_holds_itself_is_json_below() -> None:
    tree = {
        "type": "record",
        "name": "Tree",
        "fields": [{"name": "id", "type": "long"}, {"name": "next", "type": ["null", "Tree"], "default": None}],
    }
    value = {"id": 1, "next": {"id": 2, "next": None}}
    found = await read(avro_rows("avro", {1: KEY, 2: tree}), framed(1, KEY, {"id": 1}), framed(2, tree, value))
    assert found.after == '{"id":1,"next":{"id":2,"next":null}}'


async def test_bytes_without_the_frame_or_cut_short_are_refused() -> None:
    rows = avro_rows("avro", {1: KEY, 2: PLAIN})
    key = framed(1, KEY, {"id": 1})
    for value, why in ((b"{}", "not Avro"), (framed(2, KEY, {"id": 1}), "cut short")):
        with pytest.raises(UnreadableError, match=why):
            await read(rows, key, value)
