"""Rows without an envelope: keys, columns, tombstones."""

from typing import Any

import pytest

from connectors.kafka.errors import UnreadableError
from schemas.messages import Change
from tests.unit.kafka.messages import Message, envelope, field, keyed, message, rows, struct

COLUMNS = {"id": "bigint", "email": "text"}
PLAIN = {"format": "json", "key": ["id"], "columns": COLUMNS}


def read(found: Message, *mapped: str, **settings: Any) -> Change:
    change = rows(*mapped, **(PLAIN | settings)).read(found, 1)
    assert change is not None
    return change


def test_a_row_is_an_upsert_and_its_time_is_the_messages() -> None:
    found = read(message({"id": 1}, {"id": 1, "email": "a"}))
    assert (found.op, found.local_id, found.before, found.after) == ("u", "[1]", None, '{"id":1,"email":"a"}')
    assert found.ts_us == 1_700_000_000_000_000


def test_a_row_that_was_there_before_is_read_by_a_load() -> None:
    found = rows(**PLAIN).read(message({"id": 1}, {"id": 1, "email": "a"}), 1, load=True)
    assert found is not None and found.op == "r"


def test_a_tombstone_is_a_delete() -> None:
    found = read(message({"id": 1}, None))
    assert (found.op, found.local_id, found.after) == ("d", "[1]", None)


KEYS = [
    ({"id": 7}, {}, "[7]"),
    (7, {}, "[7]"),
    (b"7", {"key_format": "text"}, "[7]"),
    (b"DE-1", {"key_format": "text", "columns": {"id": "text", "email": "text"}}, '["DE-1"]'),
    ("7", {"columns": {"id": "text", "email": "text"}}, '["7"]'),
    ({"b": "x", "a": 1}, {"key": ["a", "b"], "columns": {"a": "integer", "b": "text"}}, '[1,"x"]'),
    ({"id": "6f1c"}, {"columns": {"id": "uuid"}}, '["6f1c"]'),
    (b'{"id": 1.50}', {"columns": {"id": "numeric"}}, "[1.50]"),
]


@pytest.mark.parametrize(("key", "settings", "local_id"), KEYS)
def test_the_local_id_comes_from_the_key_alike_for_rows_and_tombstones(
    key: Any, settings: dict[str, Any], local_id: str
) -> None:
    assert read(message(key, None), **settings).local_id == local_id
    assert read(message(key, {"email": "x"}), **settings).local_id == local_id


def test_a_key_column_that_is_in_the_row_alone_is_taken_from_there() -> None:
    assert read(message({"tenant": 3}, {"id": 1, "email": "a"})).local_id == "[1]"
    with pytest.raises(UnreadableError, match="key column id is neither"):
        read(message({"tenant": 3}, None))


def test_a_key_column_that_is_in_the_key_alone_is_put_into_the_row() -> None:
    assert read(message({"id": 1}, {"email": "a"}), "id", "email").after == '{"id":1,"email":"a"}'


def test_a_mapped_column_that_is_absent_is_refused_unless_it_stands_for_null() -> None:
    short = message({"id": 1}, {"id": 1})
    with pytest.raises(UnreadableError, match="column email, which is mapped"):
        read(short, "email")
    assert read(short, "email", absent="null").after == '{"id":1,"email":null}'
    assert read(short).after == '{"id":1}'


def test_a_column_may_stand_deeper_in_the_row() -> None:
    columns = {"id": "bigint", "email": {"type": "text", "path": "contact.email"}}
    assert read(message(1, {"contact": {"email": "a"}}), "email", columns=columns).after == '{"id":1,"email":"a"}'
    with pytest.raises(UnreadableError, match="column email"):
        read(message(1, {"contact": None}), "email", columns=columns)


WRONG = [
    (b"7", "no row"),
    (b"[]", "no row"),
    (b'{"id":"x"}', "column id: 'x' is no number"),
    (b'{"email":{"a":1}}', "column email: .* is no text"),
    (b'{"op":"c","before":null,"after":{}}', "Debezium envelope"),
]


@pytest.mark.parametrize(("value", "why"), WRONG)
def test_what_is_no_row_is_refused_with_the_reason(value: bytes, why: str) -> None:
    with pytest.raises(UnreadableError, match=why):
        read(Message(b'{"id":1}', value))


def test_what_cannot_be_understood_of_a_key_is_said_of_the_key() -> None:
    with pytest.raises(UnreadableError, match="its key: it is no JSON"):
        read(Message(b"DE-1", b'{"id":1,"email":"a"}'))


def test_a_row_with_its_schema_needs_no_columns_declared() -> None:
    fields = (field("id", "int32"), field("email", "string"))
    value = {"schema": struct(*fields), "payload": {"id": 1, "email": "a"}}
    found = rows("email", format="json-schema").read(message(keyed({"id": 1}), value), 1)
    assert found is not None and (found.op, found.after) == ("u", '{"id":1,"email":"a"}')
    with pytest.raises(UnreadableError, match="Debezium envelope"):
        rows(format="json-schema").read(message(keyed({"id": 1}), envelope("c", None, {"id": 1}, *fields)), 1)


def test_messages_of_a_named_origin_are_left_alone() -> None:
    marked = {"header": "x-origin", "ignore": ["duplex"]}
    reader = rows(**PLAIN, origin=marked)
    row: tuple[Any, Any] = ({"id": 1}, {"id": 1, "email": "a"})
    assert reader.read(message(*row, headers=[("x-origin", b"duplex")]), 1) is None
    assert reader.read(message(*row, headers=[("x-origin", b"shop"), ("other", b"duplex")]), 1) is not None
