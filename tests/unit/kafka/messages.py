"""Messages as Kafka Connect, Debezium and other producers write them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from connectors.kafka.rows import Rows
from connectors.kafka.settings import Table, read_settings
from connectors.kafka.wires import Json, JsonWithSchema, Text, Wire


@dataclass(frozen=True)
class Message:
    """A consumed record."""

    key: bytes | None
    value: bytes | None
    offset: int = 5
    partition: int = 0
    topic: str = "shop.public.customers"
    timestamp: int = 1_700_000_000_000
    headers: Sequence[tuple[str, bytes]] = ()


def data(value: Any) -> bytes | None:
    return value if value is None or isinstance(value, bytes) else msgspec.json.encode(value)


def message(key: Any, value: Any, **more: Any) -> Message:
    return Message(data(key), data(value), **more)


def table(**settings: Any) -> Table:
    """The table `customers` of a system with these settings."""
    options = {"bootstrap": "localhost:9092", "topics": {"customers": {"topic": "shop.public.customers"} | settings}}
    return read_settings("legacy", options).tables["customers"]


def rows(*mapped: str, single: bool = False, **settings: Any) -> Rows:
    """What reads this topic."""
    found = table(**settings)
    bare: Mapping[str, Wire] = {"json": Json(), "text": Text(), "json-schema": JsonWithSchema()}
    value: Wire = Json() if found.format in ("json", "debezium-json-schemaless") else JsonWithSchema()
    return Rows("legacy", "customer", found, mapped, bare[found.key_format], value, single)


def field(name: str, kind: str, logical: str = "", **more: Any) -> dict[str, Any]:
    """A field of a Connect schema."""
    found = {"type": kind, "optional": True, "field": name, **more}
    return found | ({"name": logical, "version": 1} if logical else {})


def struct(*fields: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    return {"type": "struct", "fields": list(fields), "optional": True, **more}


def keyed(key: Mapping[str, Any], *fields: Mapping[str, Any]) -> dict[str, Any]:
    return {"schema": struct(*(fields or [field(name, "int64") for name in key])), "payload": key}


def envelope(op: str, before: Any, after: Any, *fields: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    """A Debezium envelope with its schema, of rows with these fields."""
    images = [struct(*fields, field=name, name="shop.public.customers.Value") for name in ("before", "after")]
    schema = struct(*images, field("op", "string"), name="shop.public.customers.Envelope")
    source = {"connector": "postgresql", "ts_ms": 1_700_000_000_123, "txId": 77, "lsn": 24023128}
    payload = {"before": before, "after": after, "source": source, "op": op, "ts_ms": 1_700_000_000_500, **more}
    return {"schema": schema, "payload": payload}
