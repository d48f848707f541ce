"""Values of an application's rows: as they travel (row images), as they are compared, as they are written.

Two values are the same here exactly when the merge takes them for the same (`streams.mapping.columns` has the same
normal forms): otherwise a sink would write what the merge believes to be there already, or the other way round.
"""

import re
import struct
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Context, Decimal, InvalidOperation
from hashlib import blake2b
from typing import Any, cast
from uuid import UUID

import msgspec

from connectors.base import ColumnInfo
from schemas import identifiers
from schemas.project import column_types
from schemas.project.column_types import ColumnType

DIGEST_BYTES = 8
_encoder = msgspec.json.Encoder(decimal_format="number")
_sorted = msgspec.json.Encoder(decimal_format="number", order="deterministic")
_decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder(float_hook=lambda text: _number(Decimal(text)))
_EXACT = Context(prec=150_000)
_EPOCH = datetime(2000, 1, 1)
_US = timedelta(microseconds=1)
_CLOCK = re.compile(r"^(\d{1,2}):(\d\d)(?::(\d\d)(?:\.(\d{1,6})\d*)?)?$")
_TRUTHS = {"true": True, "t": True, "1": True, "false": False, "f": False, "0": False}

Image = str
"""A whole row as JSON object text."""


class Columns:
    """The columns of one resource, and what can be done with their values. Built once."""

    def __init__(self, columns: Sequence[ColumnInfo], key: Sequence[str]) -> None:
        self.names = tuple(column.name for column in columns)
        self.key = tuple(key)
        self.kinds = {column.name: column_types.parse(column.type) for column in columns}
        text = msgspec.json.encode([(column.name, column.type) for column in columns])
        self.fingerprint = blake2b(text, digest_size=DIGEST_BYTES).hexdigest()

    def image(self, values: Mapping[str, Any]) -> Image:
        """A row as it travels: every column, in order; one that the application left out is null."""
        return _encoder.encode({name: values.get(name) for name in self.names}).decode()

    def digest(self, values: Mapping[str, Any]) -> bytes:
        """Eight bytes that tell two rows apart, spelling aside."""
        normal = [self.normal(name, values.get(name)) for name in self.names]
        return blake2b(_sorted.encode(normal), digest_size=DIGEST_BYTES).digest()

    def normal(self, name: str, value: Any) -> Any:
        """The normal form of a column's value; equal ones are the same value."""
        return None if value is None else _normal(self.kinds[name], value)

    def same(self, wanted: Mapping[str, Any], row: Mapping[str, Any]) -> bool:
        """Whether a row holds these values in these columns."""
        return all(self.normal(name, value) == self.normal(name, row.get(name)) for name, value in wanted.items())

    def typed(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Decoded values as an `Api` takes them: exact numbers, times as text, JSON decoded, lists."""
        return {name: _typed(self.kinds[name], value) for name, value in values.items()}

    def local_id(self, key: Sequence[Any]) -> str:
        """The local id of these key values, in the spelling of their types. Raises ValueError if one is missing."""
        if len(key) != len(self.key) or any(value is None or isinstance(value, dict | list) for value in key):
            raise ValueError(f"{list(key)!r} is no key of ({', '.join(self.key)})")
        return identifiers.local_id(
            [_normal(self.kinds[name], value) for name, value in zip(self.key, key, strict=True)]
        )


def decode(text: str) -> Any:
    """JSON text with exact numbers."""
    return _decoder.decode(text)


def _number(number: Decimal) -> int | Decimal:
    if number == number.to_integral_value() and abs(number.adjusted()) < 4000:
        return int(number)
    return number.normalize(_EXACT)


def _normal(kind: ColumnType, value: Any) -> Any:
    if kind.kind == "array":
        return _list(kind, value)
    change: Callable[[ColumnType, Any], Any] = _NORMAL.get(kind.kind, _plain)
    return change(kind, value)


def _typed(kind: ColumnType, value: Any) -> Any:
    if value is None or kind.kind == "json":
        return value
    if kind.kind == "array" and isinstance(value, list | tuple):
        return [_typed(cast(ColumnType, kind.item), one) for one in value]
    if kind.kind in ("numeric", "integer", "float") and isinstance(value, str):
        return _of_text(kind, value)
    return value


def _of_text(kind: ColumnType, text: str) -> Any:
    """A number that travelled as text; what is none stays text, for the application to refuse."""
    try:
        number = Decimal(text)
    except InvalidOperation:
        return text
    if kind.kind == "numeric" or not number.is_finite():
        return number
    return float(number) if kind.kind == "float" else int(number) if number == int(number) else text


def _plain(kind: ColumnType, value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float | Decimal):
        return _decimal_text(_decimal(value))
    return value.isoformat() if isinstance(value, datetime) else str(value)


def _text(kind: ColumnType, value: Any) -> str:
    text = _plain(kind, value)
    if kind.padded:
        return text.rstrip(" ")
    if kind.length is not None and len(text) > kind.length and not text[kind.length :].strip(" "):
        return text[: kind.length]
    return text


def _decimal(value: Any) -> Decimal:
    return value if isinstance(value, Decimal) else Decimal(repr(value) if isinstance(value, float) else value)


def _decimal_text(number: Decimal) -> str:
    if not number.is_finite():
        return "NaN" if number.is_nan() else ("-Infinity" if number < 0 else "Infinity")
    text = format(number, "f")
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text in ("-0", "") else text


def _rounded(number: Decimal, places: int | None) -> Decimal:
    if places is None or not number.is_finite():
        return number
    return number.quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_UP, context=_EXACT)


def _as_number(change: Callable[[ColumnType, Decimal], Any]) -> "Callable[[ColumnType, Any], Any]":
    def normal(kind: ColumnType, value: Any) -> Any:
        try:
            return _plain(kind, value) if isinstance(value, bool) else change(kind, _decimal(value))
        except (InvalidOperation, ValueError, TypeError, OverflowError):
            return value if isinstance(value, float) else _plain(kind, value)

    return normal


def _float(kind: ColumnType, number: Decimal) -> Any:
    value = float(number)
    if not number.is_finite():
        return _decimal_text(number)
    if value in (float("inf"), float("-inf")):
        raise OverflowError(number)
    return (_single(value) if kind.bits == 32 else value) + 0.0


def _single(number: float) -> float:
    """The shortest decimal of the same 32-bit float."""
    packed = struct.pack("<f", number)
    for digits in range(6, 10):
        short = float(f"{struct.unpack('<f', packed)[0]:.{digits}g}")
        if struct.pack("<f", short) == packed:
            return short
    return number


def _truth(kind: ColumnType, value: Any) -> Any:
    return value if isinstance(value, bool) else _TRUTHS.get(_plain(kind, value).lower(), _plain(kind, value))


def _uuid(kind: ColumnType, value: Any) -> str:
    try:
        return str(UUID(str(value)))
    except ValueError:
        return str(value)


def _json(kind: ColumnType, value: Any) -> str | None:
    """One spelling for equal documents; the JSON null is no value."""
    text = _sorted.encode(_decoder.decode(_encoder.encode(value))).decode()
    return None if text == "null" else text


def _list(kind: ColumnType, value: Any) -> Any:
    item = cast(ColumnType, kind.item)
    return (
        [None if one is None else _item(kind, item, one) for one in value] if isinstance(value, list | tuple) else value
    )


def _item(kind: ColumnType, item: ColumnType, value: Any) -> Any:
    return _list(kind, value) if isinstance(value, list | tuple) and item.kind != "json" else _normal(item, value)


def _instant(kind: ColumnType, value: Any) -> str:
    """A point in time in UTC; one without a zone is in UTC."""
    text = _plain(kind, value)
    try:
        found = datetime.fromisoformat(text) if len(text) > 10 else None
        if found is None:
            return text
        found = found if found.tzinfo else found.replace(tzinfo=UTC)
        return f"{_wall(kind, found.astimezone(UTC).replace(tzinfo=None))}Z"
    except (ValueError, OverflowError):
        return f"{text[:-6]}Z" if text.endswith("+00:00") else text


def _local(kind: ColumnType, value: Any) -> str:
    text = _plain(kind, value)
    try:
        found = datetime.fromisoformat(text) if len(text) > 10 else None
        return text if found is None or found.tzinfo else _wall(kind, found)
    except (ValueError, OverflowError):
        return text


def _wall(kind: ColumnType, value: datetime) -> str:
    """ISO text, rounded to the column's places of a second, halves away from the year 2000."""
    if kind.fraction < 6:
        step = 10 ** (6 - kind.fraction)
        elapsed_us = (value - _EPOCH) // _US
        nearest_us = (abs(elapsed_us) + step // 2) // step * step
        value = _EPOCH + timedelta(microseconds=nearest_us if elapsed_us >= 0 else -nearest_us)
    text = value.isoformat(timespec="seconds")
    return f"{text}.{value.microsecond:06d}".rstrip("0") if value.microsecond else text


def _time_of_day(kind: ColumnType, value: Any) -> str:
    text = _plain(kind, value)
    found = _CLOCK.match(text.strip())
    if found is None:
        return text
    hour, minute, second, part = found.groups()
    total_us = ((int(hour) * 60 + int(minute)) * 60 + int(second or 0)) * 1_000_000 + int((part or "0").ljust(6, "0"))
    step = 10 ** (6 - min(kind.fraction, 6))
    seconds, us = divmod((total_us + step // 2) // step * step, 1_000_000)
    clock = f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
    return f"{clock}.{us:06d}".rstrip("0") if us else clock


_NORMAL: dict[str, Callable[[ColumnType, Any], Any]] = {
    "text": _text,
    "integer": _as_number(lambda kind, number: int(_rounded(number, 0))),
    "numeric": _as_number(lambda kind, number: _decimal_text(_rounded(number, kind.scale))),
    "float": _as_number(_float),
    "boolean": _truth,
    "timestamptz": _instant,
    "timestamp": _local,
    "time": _time_of_day,
    "uuid": _uuid,
    "json": _json,
}
