"""How the values of a column stand in messages, and what becomes of them in a row image.

A *form* is a column's type in the catalog's words (`numeric(10,2)`, `timestamptz`) and its *encoding*: what the
producer makes of such a value. A time may be ISO text, or a number of microseconds; a decimal the bytes of a whole
number. From a schema the form follows; without one the project file declares it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from connectors.kafka import times, values
from connectors.kafka.errors import UnreadableError
from connectors.kafka.shapes import Shape
from schemas.project import column_types
from schemas.project.column_types import ColumnType

Convert = Callable[[Any], Any]
ENCODINGS = (
    "plain", "epoch_days", "epoch_s", "epoch_ms", "epoch_us", "epoch_ns", "clock_ms", "clock_us", "clock_ns", "base64",
    "hex", "unscaled", "variable_scale", "bits", "duration_us", "json_text",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Form:
    """A column's type, the encoding of its values, the scale of an `unscaled` decimal, the length of `bits`; an
    array's encoding is that of its items. `values` are the only ones it can have, if they are known."""

    type: str
    encoding: str = "plain"
    scale: int = 0
    length: int = 0
    values: tuple[str, ...] = ()


PLAIN_KINDS = {
    "int8": Form("smallint"),
    "int16": Form("smallint"),
    "int32": Form("integer"),
    "int64": Form("bigint"),
    "float32": Form("real"),
    "float64": Form("double precision"),
    "boolean": Form("boolean"),
    "string": Form("text"),
    "bytes": Form("bytea", "base64"),
    "struct": Form("jsonb"),
    "map": Form("jsonb"),
    "any": Form("jsonb"),
}
DEBEZIUM = "io.debezium."
CONNECT = "org.apache.kafka.connect.data."
NAMED = {
    f"{DEBEZIUM}time.Date": Form("date", "epoch_days"),
    f"{DEBEZIUM}time.Time": Form("time", "clock_ms"),
    f"{DEBEZIUM}time.MicroTime": Form("time", "clock_us"),
    f"{DEBEZIUM}time.NanoTime": Form("time", "clock_ns"),
    f"{DEBEZIUM}time.Timestamp": Form("timestamp", "epoch_ms"),
    f"{DEBEZIUM}time.MicroTimestamp": Form("timestamp", "epoch_us"),
    f"{DEBEZIUM}time.NanoTimestamp": Form("timestamp", "epoch_ns"),
    f"{DEBEZIUM}time.ZonedTimestamp": Form("timestamptz"),
    f"{DEBEZIUM}time.ZonedTime": Form("time with time zone"),
    f"{DEBEZIUM}time.IsoDate": Form("date"),
    f"{DEBEZIUM}time.IsoTime": Form("time"),
    f"{DEBEZIUM}time.IsoTimestamp": Form("timestamp"),
    f"{DEBEZIUM}time.MicroDuration": Form("interval", "duration_us"),
    f"{DEBEZIUM}time.Interval": Form("interval"),
    f"{DEBEZIUM}data.Uuid": Form("uuid"),
    f"{DEBEZIUM}data.Json": Form("jsonb", "json_text"),
    f"{DEBEZIUM}data.Xml": Form("xml"),
    f"{DEBEZIUM}data.VariableScaleDecimal": Form("numeric", "variable_scale"),
    f"{CONNECT}Date": Form("date", "epoch_days"),
    f"{CONNECT}Time": Form("time", "clock_ms"),
    f"{CONNECT}Timestamp": Form("timestamp", "epoch_ms"),
    "avro:date": Form("date", "epoch_days"),
    "avro:time-millis": Form("time", "clock_ms"),
    "avro:time-micros": Form("time", "clock_us"),
    "avro:timestamp-millis": Form("timestamptz", "epoch_ms"),
    "avro:timestamp-micros": Form("timestamptz", "epoch_us"),
    "avro:timestamp-nanos": Form("timestamptz", "epoch_ns"),
    "avro:local-timestamp-millis": Form("timestamp", "epoch_ms"),
    "avro:local-timestamp-micros": Form("timestamp", "epoch_us"),
    "avro:local-timestamp-nanos": Form("timestamp", "epoch_ns"),
    "avro:uuid": Form("uuid"),
}


def of_shape(shape: Shape) -> Form:
    """The form of values of this shape."""
    if shape.kind == "array":
        item = Form("text") if shape.item is None else of_shape(shape.item)
        kind = item.type if item.type.endswith("[]") else f"{item.type}[]"
        return Form(kind, item.encoding, item.scale, item.length)
    if shape.name in NAMED:
        return NAMED[shape.name]
    if shape.name in (f"{CONNECT}Decimal", "avro:decimal"):
        scale = int(shape.parameters.get("scale", 0))
        digits = shape.parameters.get("connect.decimal.precision") or shape.parameters.get("precision")
        return Form(f"numeric({digits},{scale})" if digits else "numeric", "unscaled", scale)
    if shape.name == f"{DEBEZIUM}data.Bits":
        length = int(shape.parameters.get("length", 0))
        return Form(f"bit({length})", "bits", length=length)
    if shape.name == f"{DEBEZIUM}data.Enum":
        allowed = shape.parameters.get("allowed", "")
        return Form("text", values=tuple(allowed.split(",")) if allowed else ())
    return PLAIN_KINDS.get(shape.kind, Form("jsonb"))


def declared(type_text: str, encoding: str | None, found: Form | None, standard: Mapping[str, str]) -> Form:
    """The form of a column that the project file declares. Where it says no encoding, that of the schema holds, else
    the standard one of such a type (by kind)."""
    if encoding is None and found is not None:
        return Form(type_text, found.encoding, found.scale, found.length, found.values)
    kind = column_types.parse(type_text)
    item = kind.item or kind
    scale = (item.scale or 0) if encoding == "unscaled" else 0
    return Form(type_text, encoding or standard.get(item.kind, "plain"), scale, item.length or 0)


def converter(form: Form) -> Convert:
    """What makes a message's value, which is not null, a row image's. Raises UnreadableError."""
    kind = column_types.parse(form.type)
    if kind.kind == "array" and kind.item is not None:
        return values.array(_scalar(kind.item, form))
    return _scalar(kind, form)


def _scalar(kind: ColumnType, form: Form) -> Convert:
    decode, fit = _decoder(kind, form), FITS.get(kind.kind, values.text)
    return fit if decode is None else values.after(decode, fit)


def _decoder(kind: ColumnType, form: Form) -> Convert | None:
    """What undoes the producer's encoding; None where there is nothing to undo."""
    encoding = form.encoding
    if encoding.startswith("epoch_"):
        return times.from_epoch(encoding.removeprefix("epoch_"), kind.kind)
    if encoding.startswith("clock_"):
        return times.from_clock(encoding.removeprefix("clock_"))
    decoders: dict[str, Convert] = {
        "base64": values.hexadecimal,
        "hex": values.from_hex,
        "unscaled": values.unscaled(form.scale),
        "variable_scale": values.variable_scale,
        "bits": values.bits(form.length),
        "duration_us": times.duration,
        "json_text": values.from_json_text,
    }
    return decoders.get(encoding)


FITS: Mapping[str, Convert] = {
    "integer": values.integer,
    "numeric": values.decimal,
    "float": values.floating,
    "boolean": values.boolean,
    "date": times.date_text,
    "timestamp": times.local_text,
    "timestamptz": times.instant_text,
    "time": times.clock_text,
    "uuid": values.text,
    "json": values.json,
    "bytea": values.text,
}


def read_encoding(name: object) -> str:
    """The encoding of this name. Raises UnreadableError."""
    if name in ENCODINGS:
        return str(name)
    raise UnreadableError(f"{name!r} is no encoding; there are {', '.join(ENCODINGS)}")
