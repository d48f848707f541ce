"""Postgres column types as this program tells them apart, and which canonical field types each can hold.

Both the check of a project file and the mapping that runs read this table, so that what `check` lets pass is what
the mapping can carry. A type that is not listed (an enum, a domain, inet …) is *opaque*: its text form is kept.
"""

import re
from dataclasses import dataclass
from typing import Literal

from schemas.project.model import FieldType

Kind = Literal[
    "integer", "numeric", "float", "boolean", "text", "date", "timestamp", "timestamptz", "time", "uuid", "json",
    "bytea", "array", "opaque",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class ColumnType:
    """A column's type. `digits` and `scale` are numeric(p,s)'s; `length` is in characters; `bits` 16, 32 or 64.

    `fraction` is the number of decimal places of the seconds kept; `padded` marks char(n); `item` is an array's.
    """

    text: str
    kind: Kind
    bits: int = 64
    digits: int | None = None
    scale: int | None = None
    length: int | None = None
    padded: bool = False
    fraction: int = 6
    item: "ColumnType | None" = None


_INTEGERS = {
    "smallint": 16, "int2": 16, "smallserial": 16, "integer": 32, "int": 32, "int4": 32, "serial": 32,
    "bigint": 64, "int8": 64, "bigserial": 64, "oid": 64,
}  # fmt: skip
_FLOATS = {"real": 32, "float4": 32, "double precision": 64, "float8": 64}
_PLAIN: dict[str, Kind] = {
    "boolean": "boolean", "bool": "boolean", "text": "text", "citext": "text", "name": "text", "date": "date",
    "uuid": "uuid", "json": "json", "jsonb": "json", "bytea": "bytea",
}  # fmt: skip
_CHARACTERS = {"character varying": False, "varchar": False, "character": True, "char": True, "bpchar": True}
_TIMES: dict[str, Kind] = {
    "timestamp": "timestamp",
    "timestamp without time zone": "timestamp",
    "timestamptz": "timestamptz",
    "timestamp with time zone": "timestamptz",
    "time": "time",
    "time without time zone": "time",
}
_SHAPE = re.compile(r"^(?P<name>[^(\[]+?)\s*(?:\((?P<args>-?\d+(?:\s*,\s*-?\d+)?)\))?(?P<rest>[^\[\]()]*)$")


def parse(text: str) -> ColumnType:
    """The type that a catalog names like this: `numeric(10,2)`, `character varying(40)[]`."""
    plain = text.strip()
    if plain.endswith("[]"):
        return ColumnType(text, "array", item=parse(plain[: plain.index("[")]))
    shape = _SHAPE.match(plain)
    if shape is None or plain.startswith('"'):
        return ColumnType(text, "opaque")
    name = f"{shape['name']}{shape['rest']}".lower().rsplit(".", 1)[-1]
    arguments = [int(part) for part in shape["args"].split(",")] if shape["args"] else []
    return _named(text, name, arguments)


def _named(text: str, name: str, arguments: list[int]) -> ColumnType:
    if name in _INTEGERS:
        return ColumnType(text, "integer", bits=_INTEGERS[name])
    if name in _FLOATS:
        return ColumnType(text, "float", bits=_FLOATS[name])
    if name in ("numeric", "decimal"):
        digits, scale = (arguments[0], arguments[1] if len(arguments) > 1 else 0) if arguments else (None, None)
        return ColumnType(text, "numeric", digits=digits, scale=scale)
    if name in _CHARACTERS:
        bare = 1 if name in ("character", "char") else None
        return ColumnType(text, "text", length=arguments[0] if arguments else bare, padded=_CHARACTERS[name])
    if name in _TIMES:
        return ColumnType(text, _TIMES[name], fraction=arguments[0] if arguments else 6)
    return ColumnType(text, _PLAIN.get(name, "opaque"))


HOLDS: dict[FieldType, frozenset[Kind]] = {
    "string": frozenset({"text", "opaque", "uuid", "time"}),
    "integer": frozenset({"integer", "numeric", "text", "opaque"}),
    "decimal": frozenset({"numeric", "integer", "float", "text", "opaque"}),
    "float": frozenset({"float", "numeric", "opaque"}),
    "boolean": frozenset({"boolean", "integer"}),
    "date": frozenset({"date", "timestamp", "timestamptz", "text"}),
    "datetime": frozenset({"timestamptz", "timestamp", "date", "text"}),
    "uuid": frozenset({"uuid", "text"}),
    "json": frozenset({"json", "text"}),
    "bytes": frozenset({"bytea"}),
    "list": frozenset({"array"}),
}
CODES: frozenset[Kind] = frozenset({"text", "opaque", "integer", "boolean", "uuid"})


def loss(field: FieldType, column: ColumnType) -> str | None:
    """What of a field's value such a column cannot show, as a phrase; None if it can show all of it."""
    if field == "decimal" and column.kind == "integer":
        return "decimal places are rounded away"
    if field in ("decimal", "integer") and column.kind == "float":
        return "digits beyond a float's are lost"
    if field == "datetime" and column.kind == "date":
        return "the time of day is lost"
    return None
