"""One column: its value out of an item as it came, and back into what is sent.

Values read have the form in which rows are compared: a decimal is plain text without trailing zeros, a time ISO text
in UTC, a list a list, JSON nested values with exact numbers. What does not fit its type is left as it is: the row is
then refused where rows are mapped, with its reason, and does not hold up the others.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from decimal import Decimal, InvalidOperation
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from connectors.base import ColumnInfo
from connectors.rest import json_texts, paths, tagging
from connectors.rest.declaration import ColumnRule
from connectors.rest.expressions import Expression
from schemas.project import column_types

KINDS = frozenset(
    {"integer", "numeric", "float", "boolean", "text", "date", "timestamp", "timestamptz", "uuid", "json", "array"}
)
_WHOLE = re.compile(r"-?\d{1,4000}")
Convert = Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class Column:
    """A compiled column. `read_value` and `write_value` take no nulls."""

    name: str
    rule: ColumnRule
    kind: column_types.ColumnType
    path: paths.Path
    key: bool
    read_value: Convert
    write_value: Convert
    read_expression: Expression | None = None
    write_expression: Expression | None = None

    @property
    def read_only(self) -> bool:
        """It is never written."""
        return self.key if self.rule.read_only is None else self.rule.read_only

    @property
    def has_place(self) -> bool:
        """Its value can be laid where it lies: not at a numbered place of a list."""
        return not any(isinstance(step, int) for step in self.path)

    @property
    def info(self) -> ColumnInfo:
        """As a catalog describes it."""
        made = self.key and self.read_only
        return ColumnInfo(self.name, self.rule.type, not (self.key or self.rule.required), made, self.read_only)

    def of(self, item: Any) -> Any:
        """The column's value in an item; `Lack.ABSENT` where it has none. Raises TemplateError."""
        value = paths.find(item, self.path)
        absent = isinstance(value, paths.Lack)
        if self.read_expression is not None:
            value = self.read_expression({"value": None if absent else value, "item": item})
        elif absent:
            return None if self.rule.optional else paths.Lack.ABSENT
        return None if value is None else self.read_value(value)

    def sent(self, value: Any) -> Any:
        """What is sent for a value. Raises TemplateError."""
        if self.write_expression is not None:
            return self.write_expression({"value": value})
        return None if value is None else self.write_value(value)


def compiled(name: str, rule: ColumnRule, key: bool, tagged: bool, where: str) -> Column:
    """A column that can be used. Raises ValueError, a sentence that names the setting."""
    kind = column_types.parse(rule.type)
    item = kind.item if kind.kind == "array" and kind.item is not None else kind
    if kind.kind not in KINDS or item.kind not in KINDS:
        raise ValueError(f"{where}.type: {rule.type} cannot be carried; use text, bigint, numeric, boolean, jsonb …")
    path = _path(rule.path, name, f"{where}.path")
    read, write = (_expression(rule, one, where) for one in ("read", "write"))
    return Column(name, rule, kind, path, key, _reader(kind, rule, where), _writer(kind, rule, tagged), read, write)


def _expression(rule: ColumnRule, which: str, where: str) -> Expression | None:
    source = getattr(rule, which)
    if source is None:
        return None
    try:
        return Expression(source, f"{where}.{which}", {"value", "item"} if which == "read" else {"value"})
    except ValueError as error:
        raise ValueError(f"{where}.{which}: {error}") from error


def _path(text: str | None, name: str, where: str) -> paths.Path:
    try:
        return (name,) if text is None else paths.parse(text)
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from error


def _reader(kind: column_types.ColumnType, rule: ColumnRule, where: str) -> Convert:
    if kind.kind == "array" and kind.item is not None:
        inner = _reader(kind.item, rule, where)
        return lambda value: (
            [None if one is None else inner(one) for one in value] if isinstance(value, list) else value
        )
    if kind.kind in ("timestamptz", "timestamp"):
        zone = _zone(rule.zone, where)
        return lambda value: _instant(value, rule.format or "iso", zone, kind.kind == "timestamp")
    return _READERS[kind.kind]


def _zone(name: str | None, where: str) -> tzinfo | None:
    if name is None:
        return None
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise ValueError(f"{where}.zone: there is no time zone {name}; write Europe/Berlin, or UTC") from error


def _text(value: Any) -> Any:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):
        return json_texts.decimal_text(value)
    return str(value) if isinstance(value, int | float) else value


def _integer(value: Any) -> Any:
    if isinstance(value, str) and _WHOLE.fullmatch(value):
        return int(value)
    if isinstance(value, Decimal) and value.is_finite() and abs(value.adjusted()) <= json_texts.GREATEST_EXPONENT:
        return int(value) if value == value.to_integral_value() else value
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _numeric(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal | str):
        return value
    try:
        return json_texts.decimal_text(Decimal(str(value)))
    except InvalidOperation:
        return value


def _float(value: Any) -> Any:
    return float(value) if isinstance(value, int | float | Decimal) and not isinstance(value, bool) else value


def _boolean(value: Any) -> Any:
    """Some databases behind an application know only 0 and 1."""
    if isinstance(value, str):
        return {"true": True, "false": False}.get(value.lower(), value)
    return value == 1 if not isinstance(value, bool) and value in (0, 1) else value


def _date(value: Any) -> Any:
    """A time in place of a day is cut to its day only at midnight, where nothing is lost."""
    if not isinstance(value, str) or "T" not in value:
        return value
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return value
    return moment.date().isoformat() if moment.time() == datetime.min.time() else value


def _instant(value: Any, form: str, zone: tzinfo | None, local: bool) -> Any:
    try:
        moment = _moment(value, form)
    except (ValueError, TypeError, OverflowError, ArithmeticError):
        return value
    if local:
        return iso_text(moment.replace(tzinfo=None))
    if moment.tzinfo is None:
        if zone is None:
            return value
        moment = moment.replace(tzinfo=zone)
    return f"{iso_text(moment.astimezone(UTC).replace(tzinfo=None))}Z"


def _moment(value: Any, form: str) -> datetime:
    if form.startswith("epoch_"):
        us = int(Decimal(str(value)) * (1_000_000 if form == "epoch_s" else 1_000))
        return of_us(us)
    return datetime.fromisoformat(value) if form == "iso" else datetime.strptime(value, form)


def of_us(us: int) -> datetime:
    """Microseconds since 1970 as a time. Raises OverflowError."""
    seconds, rest = divmod(us, 1_000_000)
    try:
        return datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest)
    except (ValueError, OSError) as error:
        raise OverflowError(f"{us} us is no time of the calendar") from error


def iso_text(moment: datetime) -> str:
    """Without zone, fractions without trailing zeros."""
    text = moment.isoformat(timespec="microseconds")
    return text.rstrip("0").removesuffix(".")


def us_of(value: Any) -> int | None:
    """Microseconds since 1970 of an ISO text with a zone; None for anything else."""
    if not isinstance(value, str) or "T" not in value.replace(" ", "T"):
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return None
    elapsed = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - datetime(1970, 1, 1, tzinfo=UTC)
    return (elapsed.days * 86_400 + elapsed.seconds) * 1_000_000 + elapsed.microseconds


_READERS: Mapping[str, Convert] = {
    "text": _text,
    "integer": _integer,
    "numeric": _numeric,
    "float": _float,
    "boolean": _boolean,
    "date": _date,
    "uuid": lambda value: value.lower() if isinstance(value, str) else value,
    "json": lambda value: value,
}


def _writer(kind: column_types.ColumnType, rule: ColumnRule, tagged: bool) -> Convert:
    if kind.kind == "array" and kind.item is not None:
        inner = _writer(kind.item, rule, tagged)
        return lambda value: (
            [None if one is None else inner(one) for one in value] if isinstance(value, list | tuple) else value
        )
    if tagged and kind.kind in ("numeric", "date", "timestamp", "timestamptz"):
        return lambda value: tagging.tagged(str(value))
    if kind.kind == "numeric" and rule.as_ == "number":
        return _number_out
    if kind.kind in ("timestamp", "timestamptz") and (rule.format or rule.zone):
        zone = None if rule.zone is None else ZoneInfo(rule.zone)
        return lambda value: _time_out(value, rule.format or "iso", zone)
    return lambda value: value


def _number_out(value: Any) -> Any:
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return value
    return number if number.is_finite() else value


def _time_out(value: Any, form: str, zone: tzinfo | None) -> Any:
    us = us_of(value)
    if us is None:
        return value
    if form.startswith("epoch_"):
        return us // (1_000_000 if form == "epoch_s" else 1_000)
    moment = of_us(us).astimezone(zone) if zone else of_us(us)
    if form != "iso":
        return moment.strftime(form)
    return iso_text(moment.replace(tzinfo=None)) if zone else f"{iso_text(moment.replace(tzinfo=None))}Z"
