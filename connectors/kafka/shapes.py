"""What a value's schema says of it, in Kafka Connect's words, whichever format the schema is written in.

A *shape* is one type: its kind (struct, array, map, string, bytes, boolean, int8 … int64, float32, float64), the name
of what it stands for (`io.debezium.time.Date`), and its parameters (`scale`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from connectors.kafka.errors import UnreadableError

MOST_DEEP = 64


@dataclass(frozen=True, slots=True, eq=False)
class Shape:
    """A type. Two shapes are equal only if they are one object: what is derived from a shape is kept by it."""

    kind: str
    name: str = ""
    optional: bool = False
    parameters: Mapping[str, str] = field(default_factory=dict)
    fields: Mapping[str, "Shape"] = field(default_factory=dict)
    item: "Shape | None" = None


def of_connect(schema: Any, depth: int = 0) -> Shape:
    """The shape that the `schema` of a Connect JSON message describes. Raises UnreadableError."""
    kind = schema.get("type") if isinstance(schema, Mapping) else None
    if not isinstance(kind, str) or depth > MOST_DEEP:
        raise UnreadableError("its schema is not one that Kafka Connect's JSON converter writes")
    inner = schema.get("items", schema.get("values"))
    return Shape(
        kind={"float": "float32", "double": "float64"}.get(kind, kind),
        name=str(schema.get("name") or ""),
        optional=bool(schema.get("optional", False)),
        parameters=_texts(schema.get("parameters")),
        fields=dict(_connect_fields(schema, depth)) if kind == "struct" else {},
        item=None if inner is None else of_connect(inner, depth + 1),
    )


def _connect_fields(schema: Mapping[str, Any], depth: int) -> Any:
    for one in schema.get("fields") or ():
        if not isinstance(one, Mapping) or "field" not in one:
            raise UnreadableError("its schema has a field without a name")
        yield str(one["field"]), of_connect(one, depth + 1)


def _texts(parameters: Any) -> dict[str, str]:
    return {str(key): str(value) for key, value in parameters.items()} if isinstance(parameters, Mapping) else {}


AVRO_KINDS = {
    "int": "int32", "long": "int64", "float": "float32", "double": "float64", "boolean": "boolean", "string": "string",
    "bytes": "bytes", "fixed": "bytes", "enum": "string", "array": "array", "map": "map", "record": "struct",
    "error": "struct",
}  # fmt: skip


def of_avro(schema: Any, named: dict[str, Shape] | None = None, depth: int = 0) -> Shape:
    """The shape that an Avro schema describes. Connect's converter leaves its own names beside Avro's: they count.

    `schema` is one that `fastavro.parse_schema` gave back. A union of several types, and a type that holds itself,
    have the kind `any`. Raises UnreadableError.
    """
    named = {} if named is None else named
    if depth > MOST_DEEP:
        raise UnreadableError("its schema is nested too deeply")
    if isinstance(schema, list):
        return _of_union(schema, named, depth)
    if isinstance(schema, str):
        return named.get(schema) or Shape(AVRO_KINDS.get(schema, "any"))
    kind = schema["type"]
    if isinstance(kind, list | dict):
        return of_avro(kind, named, depth + 1)
    inner = schema.get("items", schema.get("values"))
    found = Shape(
        kind=AVRO_KINDS.get(kind, "any"),
        name=str(schema.get("connect.name") or _logical(schema)),
        parameters=_avro_parameters(schema),
        fields={one["name"]: of_avro(one["type"], named, depth + 1) for one in schema.get("fields", ())},
        item=None if inner is None else of_avro(inner, named, depth + 1),
    )
    if "name" in schema:
        named[schema["name"]] = found
    return found


def _of_union(branches: list[Any], named: dict[str, Shape], depth: int) -> Shape:
    others = [branch for branch in branches if branch != "null"]
    if len(others) != 1:
        return Shape("any", optional=True)
    inner = of_avro(others[0], named, depth + 1)
    optional = len(others) < len(branches)
    return Shape(inner.kind, inner.name, optional, inner.parameters, inner.fields, inner.item)


def _logical(schema: Mapping[str, Any]) -> str:
    return f"avro:{schema['logicalType']}" if "logicalType" in schema else ""


def _avro_parameters(schema: Mapping[str, Any]) -> dict[str, str]:
    own = {key: str(schema[key]) for key in ("scale", "precision") if key in schema}
    return own | _texts(schema.get("connect.parameters"))


def without_logical_types(schema: Any) -> Any:
    """The same Avro schema, by which values are read as they are written: numbers and bytes."""
    if isinstance(schema, list):
        return [without_logical_types(one) for one in schema]
    if isinstance(schema, dict):
        return {key: without_logical_types(value) for key, value in schema.items() if key != "logicalType"}
    return schema
