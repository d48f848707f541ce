"""What a message says of a row: Debezium's envelope, or the row itself."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from connectors.kafka.errors import UnreadableError
from connectors.kafka.shapes import Shape
from connectors.kafka.wires import Datum

Row = Mapping[str, Any]
Operation = Literal["c", "u", "d", "r"]


@dataclass(frozen=True, slots=True)
class Event:
    """One event of a row: the row before and after, undecoded, and the shape of both. `ts_us` is None where the
    message itself does not say when. `tombstone`: there is a key and nothing else."""

    op: Operation
    before: Row | None
    after: Row | None
    shape: Shape | None = None
    ts_us: int | None = None
    transaction: int = 0
    tombstone: bool = False


TOMBSTONE = Event("d", None, None, tombstone=True)
OTHER_TOPICS = (
    ({"ddl", "databaseName"}, "a schema change: this is a topic of schema changes, not of rows"),
    ({"position", "databaseName"}, "an entry of a schema history, which is Debezium's own"),
    ({"status", "event_count"}, "a transaction's boundary: this is a transaction topic, not one of rows"),
    ({"status", "id"}, "a transaction's boundary: this is a transaction topic, not one of rows"),
)


def plain(datum: Datum) -> Event:
    """A row as it is now. Raises UnreadableError."""
    if datum.value is None:
        return TOMBSTONE
    if not isinstance(datum.value, dict):
        raise UnreadableError("it is no row: an object with columns belongs there")
    if {"before", "after", "op"} <= datum.value.keys():
        raise UnreadableError("it is a Debezium envelope: the format is one of those that begin with debezium")
    return Event("u", None, datum.value, datum.shape)


def debezium(datum: Datum) -> Event | None:
    """The event in a Debezium envelope; None for one that is not about rows. Raises UnreadableError."""
    value = datum.value
    if value is None:
        return TOMBSTONE
    op = value.get("op") if isinstance(value, dict) else None
    if op == "m":
        return None
    if op == "t":
        remedy = "delete the rows one by one at their source, or by hand in the other systems"
        raise UnreadableError(f"the table was truncated, and a truncation does not say which rows it took: {remedy}")
    before, after = (_row(value, name) for name in ("before", "after")) if isinstance(value, dict) else (None, None)
    if op not in ("c", "u", "d", "r") or (after is None) != (op == "d"):
        raise UnreadableError(_no_change(value))
    fields: Mapping[str, Shape] = {} if datum.shape is None else datum.shape.fields
    shape = fields.get("after") or fields.get("before")
    source = value.get("source")
    return Event(op, before, after, shape, _time(source, value), _transaction(source))


def _row(value: Row, name: str) -> Row | None:
    found = value.get(name)
    if found is not None and not isinstance(found, dict):
        raise UnreadableError(f"its `{name}` is no row")
    return found


def _no_change(value: Any) -> str:
    """What a message is that is no change of a row."""
    keys = value.keys() if isinstance(value, dict) else set()
    if set(keys) and set(keys) <= {"ts_ms", "ts_us", "ts_ns"}:
        return "it is a heartbeat: this is a heartbeat topic, not one of rows"
    for marks, what in OTHER_TOPICS:
        if marks <= keys:
            return f"it is {what}"
    if "op" in keys:
        return f"it is no change of a row that can be used: op {value['op']!r} with these images is unknown"
    return "it is no Debezium envelope; rows without one (transforms `unwrap`) are of format json, json-schema or avro"


def _time(source: Any, value: Row) -> int | None:
    """When the change was made (us): by the source's clock, else by the connector's."""
    for place in (source, value):
        if isinstance(place, dict):
            for unit, times, per in (("ts_us", 1, 1), ("ts_ns", 1, 1000), ("ts_ms", 1000, 1)):
                if type(place.get(unit)) is int:
                    return int(place[unit]) * times // per
    return None


def _transaction(source: Any) -> int:
    number = source.get("txId") if isinstance(source, dict) else None
    return number if type(number) is int and 0 <= number < 1 << 63 else 0
