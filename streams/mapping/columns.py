"""One column's values: from a row image to the normal form that is compared, and back to what a sink writes.

Normal forms: see `streams.merge.values`. Normalising also does what the column itself does to a value it is given
(a scale rounds, char(n) forgets trailing blanks), so that a value written and the value then found are equal. A
value that the column would refuse is left as it is: the refusal is the system's, and is reported as such.
"""

import uuid
from collections.abc import Callable
from decimal import Decimal
from functools import lru_cache
from typing import Any, cast

import msgspec

from schemas.project.column_types import ColumnType
from streams.errors import InvalidValueError
from streams.mapping import numbers, times
from streams.merge.values import Value

Normalise = Callable[[Any], Value]
Dump = Callable[[Value], Any]

TEXTS_REMEMBERED = 1 << 12
_LIMIT_INT64 = 1 << 63
_EXACT_JSON = msgspec.json.Encoder(order="deterministic", decimal_format="number")


def number_of_json(text: str) -> int | Decimal:
    """A JSON number with a point or an exponent, exactly, and alike for all spellings of one number."""
    number = Decimal(text)
    if number == number.to_integral_value() and abs(number.adjusted()) < 4000:
        return int(number)
    sign, digits, exponent = number.as_tuple()
    spare = len(digits) - len(bytes(digits).rstrip(b"\0"))
    return Decimal((sign, digits[: len(digits) - spare], cast(int, exponent) + spare))


_JSON = msgspec.json.Decoder(Any, float_hook=number_of_json)


def canonical_json(text: str | bytes) -> str:
    """JSON text with sorted keys, no blanks, and one exact spelling for each number. Raises InvalidValueError."""
    try:
        return _EXACT_JSON.encode(_JSON.decode(text)).decode()
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise InvalidValueError("text", f"is no JSON: {error}") from error


def json_text(value: object) -> str:
    """Canonical JSON text of plain values: dicts, lists, numbers, text."""
    return canonical_json(_EXACT_JSON.encode(value))


def normaliser(kind: ColumnType) -> Normalise:
    """What turns anything a row image, or a mapping, gives for such a column into its normal form.

    Raises InvalidValueError only for what no system could have sent: a list in a number's place.
    """
    if kind.kind == "text" and not kind.padded and kind.length is None:
        return _text_or_none
    inner = _inner_normaliser(kind)
    return lambda value: None if value is None else inner(value)


def _inner_normaliser(kind: ColumnType) -> Normalise:
    if kind.kind == "array":
        return _array_normaliser(cast(ColumnType, kind.item))
    if kind.kind == "numeric":
        return lambda value: _lenient(_numeric, value, kind)
    if kind.kind == "text":
        return lambda value: _text(value, kind)
    return {
        "integer": lambda value: _lenient(_integer, value, kind),
        "float": lambda value: _lenient(lambda given, _: numbers.float_value(given, kind.bits), value, kind),
        "boolean": _boolean,
        "date": _scalar_text,
        "timestamp": lambda value: times.column_timestamp(_scalar_text(value), kind.fraction),
        "timestamptz": lambda value: times.column_instant(_scalar_text(value), kind.fraction),
        "time": lambda value: times.column_clock(_scalar_text(value), kind.fraction),
        "uuid": _uuid,
        "json": _json,
        "bytea": _bytea,
        "opaque": _scalar_text,
    }[kind.kind]


def _lenient(normalise: Callable[[Any, ColumnType], Value], value: Any, kind: ColumnType) -> Value:
    """What is no such number stays as it is, for the system to refuse; a list or an object is nobody's number."""
    try:
        return normalise(value, kind)
    except InvalidValueError:
        return value if isinstance(value, float) else _scalar_text(value)


def _numeric(value: Any, kind: ColumnType) -> str:
    number = numbers.decimal_of(value)
    return numbers.decimal_text(number if kind.scale is None else numbers.rounded(number, kind.scale))


def _integer(value: Any, kind: ColumnType) -> Value:
    if type(value) is int:
        return value
    number = numbers.decimal_of(value)
    if not number.is_finite():
        raise InvalidValueError(repr(str(value)), "is no whole number")
    return int(numbers.rounded(number, 0))


def _text(value: Any, kind: ColumnType) -> str:
    text = _scalar_text(value)
    if kind.padded:
        return text.rstrip(" ")
    if kind.length is not None and len(text) > kind.length and not text[kind.length :].strip(" "):
        return text[: kind.length]
    return text


def _scalar_text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float | Decimal):
        return numbers.decimal_text(numbers.decimal_of(value))
    raise InvalidValueError(f"a {type(value).__name__}", "stands where one plain value belongs")


def _text_or_none(value: Any) -> Value:
    return value if type(value) is str or value is None else _scalar_text(value)


def _boolean(value: Any) -> Value:
    if isinstance(value, bool):
        return value
    text = _scalar_text(value)
    return {"true": True, "t": True, "1": True, "false": False, "f": False, "0": False}.get(text.lower(), text)


def _uuid(value: Any) -> str:
    text = _scalar_text(value)
    try:
        return str(uuid.UUID(text))
    except ValueError:
        return text


def _json(value: Any) -> Value:
    """Text is taken as JSON text already: a row image's json columns come here undecoded."""
    text = value if isinstance(value, str | bytes) else _EXACT_JSON.encode(value)
    canonical = canonical_json(text)
    return None if canonical == "null" else canonical


def _bytea(value: Any) -> str:
    text = _scalar_text(value).removeprefix("\\x")
    try:
        return bytes.fromhex(text).hex()
    except ValueError as error:
        raise InvalidValueError(repr(text[:40]), "is no hexadecimal text") from error


def _array_normaliser(item: ColumnType) -> Normalise:
    inner = _inner_normaliser(item)

    def normalise(value: Any) -> Value:
        if isinstance(value, list | tuple):
            return tuple(None if one is None else normalise_item(one) for one in value)
        if isinstance(value, str):
            return value
        raise InvalidValueError(f"a {type(value).__name__}", "stands where a list belongs")

    def normalise_item(value: Any) -> Value:
        nested = isinstance(value, list | tuple) and item.kind != "json"
        return normalise(value) if nested else inner(value)

    return normalise


def dumper(kind: ColumnType) -> Dump | None:
    """What turns a normal form into what is written as JSON for Postgres to read; None where they are the same."""
    if kind.kind == "json":
        return lambda value: None if value is None else msgspec.Raw(str(value).encode())
    if kind.kind == "bytea":
        return lambda value: None if value is None else f"\\x{value}"
    if kind.kind == "integer":
        return _integer_out
    if kind.kind == "array" and kind.item is not None:
        return _array_dumper(kind.item)
    return None


def _integer_out(value: Value) -> Value:
    """Numbers of more than 64 bits go as text, which every reader takes exactly, and the column then refuses."""
    return value if not isinstance(value, int) or -_LIMIT_INT64 <= value < _LIMIT_INT64 else str(value)


def _array_dumper(item: ColumnType) -> Dump | None:
    if item.kind == "json":
        return lambda value: _array_literal(value) if isinstance(value, tuple) else value
    inner = dumper(item)
    if inner is None:
        return None

    def dump(value: Value) -> Any:
        return [dump(one) for one in value] if isinstance(value, tuple) else inner(value)

    return dump


def _array_literal(values: tuple[Value, ...]) -> str:
    """Postgres' own array text: as JSON, an array of JSON arrays could not be told from two dimensions."""
    quoted = (
        "NULL" if one is None else '"' + str(one).replace("\\", "\\\\").replace('"', '\\"') + '"' for one in values
    )
    return "{" + ",".join(quoted) + "}"


def wire_type(kind: ColumnType) -> Any:
    """How `msgspec` decodes such a column of a row image, before it is normalised."""
    if kind.kind == "json":
        return msgspec.Raw
    if kind.kind == "array" and kind.item is not None and kind.item.kind == "json":
        return list[msgspec.Raw] | None
    plain: dict[str, Any] = {
        "text": str | None,
        "uuid": str | None,
        "boolean": bool | None,
        "integer": int | None,
        "numeric": Decimal | None,
        "float": float | str | None,
    }
    return plain.get(kind.kind, Any)


def from_wire(kind: ColumnType) -> Normalise | None:
    """What normalises a decoded column of a row image; None where decoding gives the normal form already."""
    if kind.kind in ("boolean", "integer", "uuid") or (kind.kind == "text" and not kind.padded):
        return None
    normalise = normaliser(kind)
    if kind.kind == "numeric":
        # What a column printed is rounded already: only its spelling is left to be made one.
        return lambda value: None if value is None else _decimal_text(value)
    if kind.kind == "json":
        return lambda value: normalise(bytes(value))
    if kind.kind == "array" and kind.item is not None and kind.item.kind == "json":
        return lambda value: None if value is None else normalise([bytes(one) for one in value])
    if kind.kind in ("date", "opaque"):
        return lambda value: value if type(value) is str else normalise(value)
    return _remembering(normalise) if kind.kind in ("timestamp", "timestamptz", "time") else normalise


def _decimal_text(number: Decimal) -> str:
    return _known_text(number) if number.is_finite() else numbers.decimal_text(number)


_known_text = lru_cache(maxsize=TEXTS_REMEMBERED)(numbers.decimal_text)
"""Numbers that are equal are spelt alike, and most come again with the next image of their row."""


def _remembering(normalise: Normalise) -> Normalise:
    """The times in a row come again with each of its images, and with the rows written at the same time."""
    known = lru_cache(maxsize=TEXTS_REMEMBERED)(normalise)
    return lambda value: known(value) if type(value) is str else normalise(value)
