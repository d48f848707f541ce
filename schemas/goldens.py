"""The merged record as typed Avro, one schema per entity, generated from the project file.

Every canonical field is a nullable field of its own type, a group a record of its members, so that any consumer can
read the topic without knowing this program. Framing as in `schemas.codec`.

Decimals are strings: canonical decimals have any number of digits and places, and Avro's decimal fixes both in the
schema, so it would either cut digits off or have to change the schema for a longer number. The property
`duplex: decimal` marks them. Dates and datetimes are Avro's logical types; Postgres' infinities are the least and the
greatest number of the type.
"""

import io
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Any, NamedTuple, Protocol, cast

import fastavro
import msgspec

from schemas import binary
from schemas.codec import HEADER_BYTES, MARKER, schema_fingerprint
from schemas.errors import SchemasError, UndecodableError
from schemas.project.model import Entity, FieldRule, FieldType

_DAY_ZERO = date(1970, 1, 1)
_ZERO = datetime(1970, 1, 1, tzinfo=UTC)
_INT32, _INT64 = (1 << 31) - 1, (1 << 63) - 1
_ITEMS = ["null", "boolean", "long", "double", "string"]
_AVRO: dict[FieldType, Any] = {
    "string": "string",
    "integer": "long",
    "decimal": {"type": "string", "duplex": "decimal"},
    "float": "double",
    "boolean": "boolean",
    "date": {"type": "int", "logicalType": "date"},
    "datetime": {"type": "long", "logicalType": "timestamp-micros"},
    "uuid": {"type": "string", "logicalType": "uuid"},
    "json": {"type": "string", "duplex": "json"},
    "bytes": "bytes",
    "list": {"type": "array", "items": _ITEMS},
}


_LIST = fastavro.parse_schema(_AVRO["list"])
TIMES_CACHED = 1 << 12
NAMES_CACHED = 1 << 10
Write = Callable[[str, Any], bytes]
Source = tuple[str, str, int, int]
"""The provenance of a field: its name, the system, the time, the version."""
UNWRITABLE = (ValueError, TypeError, OverflowError, AttributeError)
Pieces = dict[str, tuple[int, bytes, bytes]]
"""Of fields written before, by name: the version of the value, its bytes, and those of its provenance."""


class Sourced(Protocol):
    """A field with where its value comes from."""

    @property
    def value(self) -> Any: ...

    @property
    def by(self) -> str: ...

    @property
    def ts_us(self) -> int: ...

    @property
    def version(self) -> int: ...


class _Nothing(NamedTuple):
    """A field of which nothing is known."""

    value: Any = None
    by: str = ""
    ts_us: int = 0
    version: int = 0


_NOTHING = _Nothing()
_name = lru_cache(maxsize=NAMES_CACHED)(binary.text)


class Provenance(msgspec.Struct, frozen=True, kw_only=True):
    """Where a field's value comes from: the system (or "decision"), when it was set there, the hub's version."""

    system: str
    ts_us: int
    version: int


class Golden(msgspec.Struct, frozen=True, kw_only=True):
    """The merged record. `values` has canonical values, a group's as a tuple; fields without one are absent or None."""

    record_id: str
    version: int
    deleted: bool
    values: dict[str, Any]
    provenance: dict[str, Provenance]


class GoldenValueError(SchemasError):
    """A value that the entity's golden schema cannot hold. The field and the reason are in the message."""


def golden_schema(pipeline: str, name: str, entity: Entity) -> dict[str, Any]:
    """The Avro schema of `<pipeline>.golden.<name>`."""
    provenance = {
        "type": "record",
        "name": f"{name}_provenance",
        "fields": [
            {"name": "system", "type": "string"},
            {"name": "ts_us", "type": "long"},
            {"name": "version", "type": "long"},
        ],
    }
    return {
        "type": "record",
        "name": name,
        "namespace": f"duplex.{pipeline}.golden",
        "doc": f"The merged {name}: one nullable field per canonical field, and where each value comes from.",
        "fields": [
            {"name": "record_id", "type": "string"},
            {"name": "version", "type": "long"},
            {"name": "deleted", "type": "boolean"},
            *(_nullable(field, _field_type(name, field, rule)) for field, rule in entity.fields.items()),
            {"name": "provenance", "type": {"type": "map", "values": provenance}},
        ],
    }


def _nullable(name: str, avro_type: Any) -> dict[str, Any]:
    return {"name": name, "type": ["null", avro_type], "default": None}


def _field_type(entity: str, field: str, rule: FieldRule) -> Any:
    if rule.group is None:
        return _AVRO[rule.type]
    members = [_nullable(member, _AVRO[rule.type]) for member in rule.group]
    return {"type": "record", "name": f"{entity}_{field}", "fields": members}


class GoldenCodec:
    """Encodes and decodes the golden records of one entity. Build once; safe to share.

    `earlier` are schemas that records in the topic may still be written with: fields they lack read as None.
    """

    def __init__(self, pipeline: str, name: str, entity: Entity, earlier: Sequence[Mapping[str, Any]] = ()) -> None:
        self.schema = golden_schema(pipeline, name, entity)
        self._rules = entity.fields
        self._parsed = _parsed(self.schema)
        self._header = _header(self.schema)
        self._schemas = {_header(schema): _parsed(schema) for schema in (*earlier, self.schema)}
        self._writers = {field: _writer(rule) for field, rule in entity.fields.items()}

    def encode(self, golden: Golden) -> bytes:
        """The framed bytes of a record. Raises GoldenValueError for a value that is not of its field's type."""
        try:
            values = [self._value(name, golden.values.get(name)) for name in self._writers]
            sources = [_source(name, one.system, one.ts_us, one.version) for name, one in golden.provenance.items()]
            start = self._start(golden.record_id, golden.version, golden.deleted)
        except UNWRITABLE as error:
            raise GoldenValueError(f"golden record {golden.record_id}: {error}") from error
        return self._joined(start, values, sources)

    def _value(self, name: str, value: Any) -> bytes:
        return binary.NULL if value is None else self._writers[name](name, value)

    def encode_fields(
        self, record_id: str, version: int, deleted: bool, fields: Mapping[str, Sourced], pieces: Pieces | None = None
    ) -> bytes:
        """As `encode`, from the fields as the merge keeps them; each has its provenance, one that is absent an empty
        one. What is in `pieces` is not written anew, and what is written is put there: give those of this record and
        this codec, or none. A version stands for one value, except the one of no value. Raises GoldenValueError."""
        pieces = {} if pieces is None else pieces
        values, sources = [], []
        current, written = fields.get, pieces.get
        try:
            for name in self._writers:
                field, piece = current(name, _NOTHING), written(name)
                if piece is None or piece[0] != field.version or not field.version:
                    piece = pieces[name] = self._piece(name, field)
                values.append(piece[1])
                sources.append(piece[2])
            start = self._start(record_id, version, deleted)
        except UNWRITABLE as error:
            raise GoldenValueError(f"golden record {record_id}: {error}") from error
        return self._joined(start, values, sources)

    def _piece(self, name: str, field: Sourced) -> tuple[int, bytes, bytes]:
        source = _source(name, field.by, field.ts_us, field.version)
        return field.version, self._value(name, field.value), source

    def _start(self, record_id: str, version: int, deleted: bool) -> bytes:
        return self._header + binary.text(record_id) + binary.long(version) + binary.boolean(deleted)

    def _joined(self, start: bytes, values: Sequence[bytes], sources: Sequence[bytes]) -> bytes:
        count = (binary.long(len(sources)),) if sources else ()
        return b"".join((start, *values, *count, *sources, binary.END_OF_BLOCKS))

    def decode(self, data: bytes) -> Golden:
        """The record in these bytes. Raises UndecodableError."""
        writer = self._schemas.get(bytes(data[:HEADER_BYTES]))
        if writer is None:
            raise UndecodableError("written with no known golden schema of this entity", len(data))
        try:
            datum = cast(
                dict[str, Any], fastavro.schemaless_reader(io.BytesIO(data[HEADER_BYTES:]), writer, self._parsed)
            )
            values = {field: _from_avro(rule, datum[field]) for field, rule in self._rules.items()}
            provenance = msgspec.convert(datum["provenance"], dict[str, Provenance])
        except (EOFError, IndexError, ValueError, TypeError, KeyError, OverflowError) as error:
            raise UndecodableError(f"a golden record cut short or damaged ({error})", len(data)) from error
        return Golden(
            record_id=datum["record_id"],
            version=datum["version"],
            deleted=datum["deleted"],
            values=values,
            provenance=provenance,
        )


def _source(name: str, system: str, ts_us: int, version: int) -> bytes:
    return _name(name) + _name(system) + binary.serial(ts_us) + binary.long(version)


def _header(schema: Mapping[str, Any]) -> bytes:
    return MARKER + schema_fingerprint(msgspec.json.encode(schema).decode())


def _parsed(schema: Mapping[str, Any]) -> Any:
    """Without logical types: the numbers themselves are read and written, so the infinities survive."""
    return fastavro.parse_schema(_without_logical_types(schema))


def _without_logical_types(node: Any) -> Any:
    if isinstance(node, Mapping):
        return {key: _without_logical_types(value) for key, value in node.items() if key != "logicalType"}
    return [_without_logical_types(one) for one in node] if isinstance(node, list) else node


def _writer(rule: FieldRule) -> Write:
    """Writes the values of one field, null left out. It raises GoldenValueError."""
    convert = _group_writer(rule.group, _WRITE[rule.type]) if rule.group is not None else _WRITE[rule.type]

    def write(field: str, value: Any) -> bytes:
        try:
            return binary.SECOND + convert(value)
        except (ValueError, TypeError, AttributeError, OverflowError) as error:
            raise GoldenValueError(f"{field}: {value!r} is no {rule.type}: {error}") from error

    return write


def _group_writer(members: Sequence[str], write: Callable[[Any], bytes]) -> Callable[[Any], bytes]:
    def write_all(value: Any) -> bytes:
        pairs = zip(members, value, strict=True)
        return b"".join([binary.NULL if part is None else binary.SECOND + write(part) for _, part in pairs])

    return write_all


def _from_avro(rule: FieldRule, value: Any) -> Any:
    if value is None:
        return None
    if rule.group is None:
        return _READ.get(rule.type, _same)(value)
    return tuple(None if value[member] is None else _READ.get(rule.type, _same)(value[member]) for member in rule.group)


def _same(value: Any) -> Any:
    return value


def _exactly(wanted: type, value: Any) -> Any:
    if type(value) is not wanted:
        raise TypeError(f"a {wanted.__name__} is wanted")
    return value


def _string(value: Any) -> bytes:
    return binary.text(_exactly(str, value))


def _long(value: Any) -> bytes:
    return binary.long(_exactly(int, value))


@lru_cache(maxsize=TIMES_CACHED)
def _days(value: str) -> bytes:
    return binary.long(_days_of(value))


@lru_cache(maxsize=TIMES_CACHED)
def _microseconds(value: str) -> bytes:
    return binary.long(_microseconds_of(value))


def _days_of(value: str) -> int:
    if value in ("infinity", "-infinity"):
        return _INT32 if value == "infinity" else -_INT32 - 1
    return (date.fromisoformat(value) - _DAY_ZERO).days


def _date(days: int) -> str:
    if days in (_INT32, -_INT32 - 1):
        return "infinity" if days > 0 else "-infinity"
    return (_DAY_ZERO + timedelta(days=days)).isoformat()


def _microseconds_of(value: str) -> int:
    if value in ("infinity", "-infinity"):
        return _INT64 if value == "infinity" else -_INT64 - 1
    return (datetime.fromisoformat(value) - _ZERO) // timedelta(microseconds=1)


def _datetime(microseconds: int) -> str:
    if microseconds in (_INT64, -_INT64 - 1):
        return "infinity" if microseconds > 0 else "-infinity"
    text = (_ZERO + timedelta(microseconds=microseconds)).replace(tzinfo=None).isoformat()
    return f"{text.rstrip('0') if '.' in text else text}Z"


def _float(value: float) -> Any:
    if value != value:
        return "NaN"
    return ("Infinity" if value > 0 else "-Infinity") if value in (float("inf"), float("-inf")) else value


def _items(value: Any) -> bytes:
    for item in _exactly(tuple, value):
        if not isinstance(item, str | int | float | bool | None):
            raise TypeError("a list within a list has no place in the golden record")
    buffer = io.BytesIO()
    fastavro.schemaless_writer(buffer, _LIST, list(value))
    return buffer.getvalue()


_WRITE: dict[FieldType, Callable[[Any], bytes]] = {
    **dict.fromkeys(cast(list[FieldType], ["string", "decimal", "uuid", "json"]), _string),
    "integer": _long,
    "float": lambda value: binary.double(float(value)),
    "boolean": lambda value: binary.boolean(_exactly(bool, value)),
    "date": _days,
    "datetime": _microseconds,
    "bytes": lambda value: binary.binary(bytes.fromhex(value)),
    "list": _items,
}
_READ: dict[FieldType, Callable[[Any], Any]] = {
    "float": _float,
    "date": _date,
    "datetime": _datetime,
    "bytes": bytes.hex,
    "list": tuple,
}
