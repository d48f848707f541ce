"""Between a canonical field and one column: what a column's value means, and how a meaning is written there.

Both directions start from normal forms (`columns`) and may raise InvalidValueError: on reading, the column holds
nothing that the field can be; on writing, the column has no way to say it.
"""

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

from schemas.project.column_types import ColumnType
from schemas.project.model import Column, FieldRule
from streams.errors import InvalidValueError
from streams.mapping import columns, numbers, times
from streams.merge.values import Value

Convert = Callable[[Any], Value]


@dataclass(frozen=True, slots=True)
class Conversion:
    """The two directions for one column. Neither is given, or gives, null.

    `meanings` are the canonical values of a table of values; `plain` says that reading changes nothing.
    """

    read: Convert
    write: Convert
    meanings: tuple[Value, ...] = ()

    @property
    def plain(self) -> bool:
        return self.read is _same


def conversion(rule: FieldRule, column: Column, kind: ColumnType) -> Conversion:
    """How this column holds a field (or a member of a group) of this type."""
    if column.values is not None:
        return _table(rule, column.values, kind)
    if rule.type in ("date", "datetime"):
        return _times(rule, column, kind)
    return {
        "string": _string,
        "integer": _integer,
        "decimal": _decimal,
        "float": _float,
        "boolean": _boolean,
        "uuid": lambda *_: Conversion(_uuid, _same),
        "json": lambda *_: Conversion(_same if kind.kind == "json" else columns.canonical_json, _same),
        "bytes": lambda *_: Conversion(_same, _same),
        "list": lambda *_: Conversion(_tuple, _same),
    }[rule.type](rule, column, kind)


def canonical(rule: FieldRule, value: Any) -> Value:
    """A value given by a person, or by a processor of the user's, in the field's canonical form.

    A group takes a list with a value for each member. Raises InvalidValueError for what the field cannot be.
    """
    if rule.group is None:
        return None if value is None else _CANONICAL[rule.type](rule, value)
    if value is None:
        return (None,) * len(rule.group)
    if not isinstance(value, list | tuple) or len(value) != len(rule.group):
        raise InvalidValueError(repr(value), f"is no list of {len(rule.group)} values: {', '.join(rule.group)}")
    return tuple(None if part is None else _CANONICAL[rule.type](rule, part) for part in value)


def expected(rule: FieldRule, value: Any) -> Any:
    """The value, if it is of the Python type that this field's canonical form has. Raises InvalidValueError."""
    if isinstance(value, _EXPECTED[rule.type]) and (rule.type == "boolean" or not isinstance(value, bool)):
        return value
    raise InvalidValueError(repr(value), f"is no canonical {rule.type}")


def writer(rule: FieldRule, conversion: Conversion, normalise: Convert) -> Convert:
    """What makes a column's normal form of a value of this field. It raises InvalidValueError."""
    kinds, is_boolean, write = _EXPECTED[rule.type], rule.type == "boolean", conversion.write

    def written(value: Any) -> Value:
        if value is None:
            return None
        if not isinstance(value, kinds) or (isinstance(value, bool) and not is_boolean):
            return expected(rule, value)  # type: ignore[no-any-return]
        return normalise(value if write is _same else write(value))

    return written


def _same(value: Any) -> Value:
    return value  # type: ignore[no-any-return]


def _typed(kinds: type | tuple[type, ...], noun: str) -> Convert:
    def read(value: Any) -> Any:
        if isinstance(value, kinds) and (kinds is bool or not isinstance(value, bool)):
            return value
        raise InvalidValueError(repr(value), f"is no {noun}")

    return read


_tuple = _typed(tuple, "list")


def _string(rule: FieldRule, column: Column, kind: ColumnType) -> Conversion:
    if not (column.trim or column.case or column.length):
        return Conversion(_same, _same)

    def shape(text: str) -> str:
        text = text.strip() if column.trim else text
        text = {"lower": text.lower, "upper": text.upper}[column.case]() if column.case else text
        text = text[: column.length]
        return text.rstrip() if column.trim else text

    return Conversion(shape, shape)


def _whole(value: Any) -> int:
    number = numbers.decimal_of(value)
    if not number.is_finite() or number != number.to_integral_value():
        raise InvalidValueError(repr(value), "is no whole number")
    return int(number)


def _integer(rule: FieldRule, column: Column, kind: ColumnType) -> Conversion:
    if kind.kind == "integer":
        return Conversion(_typed(int, "whole number"), _same)
    return Conversion(_whole, str)


def _decimal(rule: FieldRule, column: Column, kind: ColumnType) -> Conversion:
    if kind.kind == "numeric" and column.places is None and rule.places is None:
        return Conversion(_same, _same)

    def at(places: tuple[int | None, ...]) -> Convert:
        wanted = [count for count in places if count is not None]

        def convert(value: Any) -> str:
            number = numbers.decimal_of(value)
            for count in wanted:
                number = numbers.rounded(number, count)
            return numbers.decimal_text(number)

        return convert

    return Conversion(at((column.places, rule.places)), at((column.places,)))


def _float(rule: FieldRule, column: Column, kind: ColumnType) -> Conversion:
    if kind.kind == "float":
        return Conversion(_typed((float, str), "number"), _same)
    return Conversion(
        lambda value: numbers.float_value(value, 64), lambda value: numbers.decimal_text(numbers.decimal_of(value))
    )


def _boolean(rule: FieldRule, column: Column, kind: ColumnType) -> Conversion:
    if kind.kind == "boolean":
        return Conversion(_typed(bool, "boolean"), _same)

    def read(value: Any) -> bool:
        if value in (0, 1):
            return bool(value)
        raise InvalidValueError(repr(value), "is neither 0 nor 1")

    return Conversion(read, int)


def _uuid(value: Any) -> str:
    try:
        return str(uuid.UUID(str(value)))
    except ValueError as error:
        raise InvalidValueError(repr(value), "is no UUID") from error


def _table(rule: FieldRule, table: dict[str, str | int | bool], kind: ColumnType) -> Conversion:
    normalise = columns.normaliser(kind)
    parsers: dict[str, Callable[[str], Value]] = {"integer": int, "boolean": lambda text: text == "true"}
    parse = parsers.get(rule.type, str)
    codes: dict[Value, Value] = {}
    meanings: dict[Value, Value] = {}
    for text, code in table.items():
        codes[parse(text)] = normalise(code)
        meanings.setdefault(normalise(code), parse(text))

    def read(value: Value) -> Value:
        if value in meanings:
            return meanings[value]
        raise InvalidValueError(repr(value), f"is none of the codes {', '.join(map(repr, meanings))}")

    def write(value: Value) -> Value:
        if value in codes:
            return codes[value]
        raise InvalidValueError(repr(value), f"has no code; there are codes for {', '.join(map(repr, codes))}")

    return Conversion(read, write, tuple(codes))


def _times(rule: FieldRule, column: Column, kind: ColumnType) -> Conversion:
    zone: tzinfo = ZoneInfo(column.zone) if column.zone else UTC
    made = _date_text if rule.type == "date" else _datetime_text
    plain = _date(zone) if rule.type == "date" else _datetime(zone)
    read, write = plain[kind.kind] if kind.kind != "text" else made(column.format or "iso", zone)
    if kind.kind == "text":
        return Conversion(read, _finite(write))

    def or_infinite(convert: Convert) -> Convert:
        return lambda value: value if value in times.INFINITIES else convert(value)

    return Conversion(or_infinite(read), or_infinite(write))


def _finite(convert: Convert) -> Convert:
    def write(value: Any) -> Value:
        if value in times.INFINITIES:
            raise InvalidValueError(repr(value), "cannot be written in this format")
        return convert(value)

    return write


Pair = tuple[Convert, Convert]


def _checked_date(value: Any) -> str:
    return times.date_text(times.parse_date(value))


def _date(zone: tzinfo) -> dict[str, Pair]:
    """How a day is kept in columns of other kinds: as the midnight it begins with."""

    def midnight(value: Any) -> datetime:
        return datetime.combine(times.parse_date(value), datetime.min.time())

    return {
        "date": (_checked_date, _same),
        "timestamp": (
            lambda value: times.date_text(times.parse_local(value)),
            lambda value: times.local_text(midnight(value)),
        ),
        "timestamptz": (
            lambda value: times.date_text(times.in_zone(times.parse_instant(value), zone)),
            lambda value: times.instant_text(midnight(value).replace(tzinfo=zone)),
        ),
    }


def _datetime(zone: tzinfo) -> dict[str, Pair]:
    """How a point in time is kept: as such, or as what clocks or calendars in `zone` show."""

    def shown(value: Any) -> datetime:
        return times.in_zone(times.parse_instant(value), zone)

    return {
        "timestamptz": (lambda value: times.instant_text(times.parse_instant(value)), _same),
        "timestamp": (
            lambda value: times.instant_text(times.parse_local(value).replace(tzinfo=zone)),
            lambda value: times.local_text(shown(value)),
        ),
        "date": (
            lambda value: times.instant_text(
                datetime.combine(times.parse_date(value), datetime.min.time()).replace(tzinfo=zone)
            ),
            lambda value: times.date_text(shown(value)),
        ),
    }


def _date_text(pattern: str, zone: tzinfo) -> Pair:
    if pattern == "iso":
        return _checked_date, _same
    return (
        lambda value: times.date_text(times.parse_formatted(value, pattern)),
        lambda value: times.formatted(datetime.combine(times.parse_date(value), datetime.min.time()), pattern),
    )


def _datetime_text(pattern: str, zone: tzinfo) -> Pair:
    def read(value: Any) -> str:
        if pattern == "iso":
            return times.instant_text(times.parse_instant(value, zone))
        found = times.parse_formatted(value, pattern)
        return times.instant_text(found if found.tzinfo else found.replace(tzinfo=zone))

    def write(value: Any) -> str:
        shown = times.in_zone(times.parse_instant(value), zone)
        if pattern == "iso":
            return times.instant_text(times.parse_instant(value)) if zone is UTC else times.local_text(shown)
        return times.formatted(shown.replace(tzinfo=zone), pattern)

    return read, write


def _canonical_instant(rule: FieldRule, value: Any) -> str:
    return str(value) if value in times.INFINITIES else times.instant_text(times.parse_instant(str(value), UTC))


def _canonical_list(rule: FieldRule, value: Any) -> Value:
    if not isinstance(value, list | tuple):
        raise InvalidValueError(repr(value), "is no list")
    return tuple(_canonical_list(rule, one) if isinstance(one, list | tuple) else one for one in value)


def _canonical_json(rule: FieldRule, value: Any) -> str:
    return columns.canonical_json(value) if isinstance(value, str) else columns.json_text(value)


def _canonical_decimal(rule: FieldRule, value: Any) -> str:
    number = numbers.decimal_of(value)
    return numbers.decimal_text(number if rule.places is None else numbers.rounded(number, rule.places))


_CANONICAL: dict[str, Callable[[FieldRule, Any], Value]] = {
    "string": lambda _, value: _typed(str, "text")(value),
    "integer": lambda _, value: _whole(value),
    "decimal": _canonical_decimal,
    "float": lambda _, value: numbers.float_value(value, 64),
    "boolean": lambda _, value: _typed(bool, "boolean")(value),
    "date": lambda _, value: str(value) if value in times.INFINITIES else _checked_date(str(value)),
    "datetime": _canonical_instant,
    "uuid": lambda _, value: _uuid(value),
    "json": _canonical_json,
    "bytes": lambda _, value: columns.normaliser(ColumnType("bytea", "bytea"))(value),
    "list": _canonical_list,
}
_EXPECTED: dict[str, type | tuple[type, ...]] = {
    **dict.fromkeys(("string", "decimal", "date", "datetime", "uuid", "json", "bytes"), str),
    "integer": int,
    "float": (float, int, str),
    "boolean": bool,
    "list": tuple,
}
