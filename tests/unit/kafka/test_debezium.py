"""Debezium's envelopes: operations, schema in the message, what is no change of a row."""

from typing import Any

import msgspec
import pytest

from connectors.kafka.errors import UnreadableError
from schemas.messages import Change
from tests.unit.kafka.messages import Message, envelope, field, keyed, message, rows

FIELDS = (field("id", "int64"), field("email", "string"))
ADA = {"id": 1, "email": "ada@example.org"}
BARE = {
    "format": "debezium-json-schemaless",
    "key": ["id"],
    "columns": {"id": "bigint", "email": "text"},
}


def change(op: str, before: Any, after: Any, **more: Any) -> Change:
    found = rows("email").read(message(keyed({"id": 1}), envelope(op, before, after, *FIELDS, **more)), 9)
    assert found is not None
    return found


@pytest.mark.parametrize("op", ["c", "u", "r"])
def test_a_row_that_is_there(op: str) -> None:
    found = change(op, None, ADA)
    assert (found.op, found.local_id, found.after) == (op, "[1]", '{"id":1,"email":"ada@example.org"}')
    assert (found.incarnation, found.seq, found.transaction) == (9, 5, 77)
    assert (found.system, found.entity, found.table) == ("legacy", "customer", "customers")


def test_the_time_is_that_of_the_change() -> None:
    assert change("u", None, ADA).ts_us == 1_700_000_000_123_000
    assert change("u", None, ADA, source={"ts_us": 1_700_000_000_123_456, "ts_ms": 1}).ts_us == 1_700_000_000_123_456
    assert change("u", None, ADA, source={}).ts_us == 1_700_000_000_500_000
    assert change("u", None, ADA, source=None, ts_ms=None).ts_us == 1_700_000_000_000_000


def test_the_row_before_is_told_where_it_is_whole() -> None:
    assert change("u", ADA | {"email": "old"}, ADA).before == '{"id":1,"email":"old"}'
    assert change("u", {"id": 1}, ADA).before is None


def test_a_delete_tells_nothing_of_the_row_it_took() -> None:
    found = change("d", {"id": 1, "email": None}, None)
    assert (found.op, found.local_id, found.before, found.after) == ("d", "[1]", None, None)


def test_the_tombstone_behind_a_delete_says_nothing_new_but_one_alone_is_a_delete() -> None:
    reader = rows("email")
    gone = message(keyed({"id": 1}), envelope("d", ADA, None, *FIELDS), offset=5)
    tombstone = message(keyed({"id": 1}), None, offset=6)
    assert reader.read(gone, 1) is not None
    assert reader.read(tombstone, 1) is None
    alone = reader.read(tombstone, 1)
    assert alone is not None and (alone.op, alone.local_id) == ("d", "[1]")


def test_a_tombstone_after_the_row_came_again_is_a_delete() -> None:
    reader, key = rows("email"), keyed({"id": 1})
    reader.read(message(key, envelope("d", ADA, None, *FIELDS), offset=5), 1)
    reader.read(message(key, envelope("c", None, ADA, *FIELDS), offset=6), 1)
    assert reader.read(message(key, None, offset=7), 1) is not None


def test_without_a_schema_the_columns_are_the_declared_ones() -> None:
    value = envelope("c", None, ADA | {"secret": 1})["payload"]
    found = rows("email", **BARE).read(message({"id": 1}, value), 1)
    assert found is not None
    assert (found.local_id, found.after) == ("[1]", '{"id":1,"email":"ada@example.org"}')


def test_a_column_more_changes_the_fingerprint_and_is_in_the_row() -> None:
    reader = rows("email")
    first = reader.read(message(keyed({"id": 1}), envelope("c", None, ADA, *FIELDS)), 1)
    wider = envelope("u", None, ADA | {"phone": "1"}, *FIELDS, field("phone", "string"))
    second = reader.read(message(keyed({"id": 1}), wider, offset=6), 1)
    assert first is not None and second is not None
    assert first.types != second.types
    assert msgspec.json.decode(second.after or "")["phone"] == "1"


def test_a_mapped_column_that_is_dropped_is_not_read_as_null() -> None:
    narrow = message(keyed({"id": 1}), envelope("u", None, {"id": 1}, FIELDS[0]))
    with pytest.raises(UnreadableError, match="column email, which is mapped, is not in it"):
        rows("email").read(narrow, 1)


def test_a_column_that_is_null_stays_null() -> None:
    assert change("u", None, {"id": 1, "email": None}).after == '{"id":1,"email":null}'


def test_a_mapped_column_that_was_left_out_is_not_read_as_text() -> None:
    row = message(keyed({"id": 1}), envelope("u", None, ADA | {"email": "__debezium_unavailable_value"}, *FIELDS))
    with pytest.raises(UnreadableError, match="REPLICA IDENTITY FULL"):
        rows("email").read(row, 1)
    found = rows("id").read(row, 1)
    assert found is not None and found.after == '{"id":1}'


def test_messages_of_the_log_that_are_not_about_rows_are_passed() -> None:
    assert rows("email").read(message(keyed({"prefix": 1}), envelope("m", None, None)), 1) is None


NO_CHANGES = [
    ({"ts_ms": 1}, "heartbeat topic"),
    ({"status": "BEGIN", "id": "571", "event_count": None}, "transaction topic"),
    ({"source": {}, "databaseName": "shop", "ddl": "CREATE TABLE", "tableChanges": []}, "topic of schema changes"),
    ({"source": {}, "position": {}, "databaseName": "shop", "tableChanges": []}, "schema history"),
    ({"id": 1, "email": "x"}, "no Debezium envelope"),
    ({"op": "x", "before": None, "after": ADA}, "op 'x'"),
    ({"op": "d", "before": None, "after": ADA}, "op 'd'"),
    ({"op": "c", "before": None, "after": [1]}, "`after` is no row"),
    ({"op": "t", "before": None, "after": None}, "truncated"),
    ([1], "no Debezium envelope"),
]


@pytest.mark.parametrize(("value", "why"), NO_CHANGES)
def test_what_is_no_change_is_refused_with_the_reason(value: Any, why: str) -> None:
    with pytest.raises(UnreadableError, match=why):
        rows("email", **BARE).read(message({"id": 1}, value), 1)


MALFORMED = [
    (b"", "no JSON"),
    (b"{", "no JSON"),
    (b"\xff\xfe", "no JSON"),
    (b"{" * 9 + b"[" * 100_000, "no JSON"),
    (b'{"schema": {}, "payload": ' + b"[" * 100_000, "no JSON"),
    (b'{"payload": {}}', "no schema and payload"),
    (b'{"schema": 7, "payload": {}}', "not one that Kafka Connect"),
    (b'{"schema": {"type": "struct", "fields": [7]}, "payload": {}}', "field without a name"),
]


@pytest.mark.parametrize(("value", "why"), MALFORMED)
def test_bytes_that_are_no_message_are_refused_with_the_reason(value: bytes, why: str) -> None:
    with pytest.raises(UnreadableError, match=why):
        rows("email").read(Message(msgspec.json.encode(keyed({"id": 1})), value), 1)


def test_a_schema_in_a_message_that_should_have_none_is_not_taken_for_columns() -> None:
    with pytest.raises(UnreadableError, match="brings its schema"):
        rows("email", **BARE).read(message({"id": 1}, envelope("c", None, ADA, *FIELDS)), 1)


def test_columns_and_key_are_discovered() -> None:
    required = (field("id", "int64", optional=False), FIELDS[1])
    columns, key = rows().columns(message(keyed({"id": 1}), envelope("c", None, ADA, *required)))
    assert [(column.name, column.type, column.nullable) for column in columns] == [
        ("id", "bigint", True),
        ("email", "text", True),
    ]
    assert key == ("id",)


def test_a_message_without_a_key_may_only_be_in_a_topic_of_one_partition() -> None:
    bare = message(None, envelope("c", None, ADA, *FIELDS))
    with pytest.raises(UnreadableError, match="no key"):
        rows("email", key=["id"]).read(bare, 1)
    found = rows("email", key=["id"], single=True).read(bare, 1)
    assert found is not None and found.local_id == "[1]"
