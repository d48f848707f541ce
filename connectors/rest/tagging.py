"""JSON whose times, dates and decimals are objects with a `__class__`, as some business applications speak it."""

import base64
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

CLASS = "__class__"
_PARTS = ("year", "month", "day", "hour", "minute", "second", "microsecond")


def untagged(value: Any) -> Any:
    """The document with every such object as the plain text or number that it stands for; others are left."""
    if isinstance(value, list):
        return [untagged(inner) for inner in value]
    if not isinstance(value, dict):
        return value
    read = _READERS.get(str(value.get(CLASS)))
    if read is None:
        return {key: untagged(inner) for key, inner in value.items()}
    try:
        return read(value)
    except (KeyError, TypeError, ValueError, ArithmeticError):
        return value


def tagged(text: str) -> dict[str, Any] | str:
    """A day's, a time's or a decimal's text as such an object; text that is neither stays."""
    try:
        if len(text) == 10 and text[4] == "-":
            return {CLASS: "date", **_of(date.fromisoformat(text), _PARTS[:3])}
        if len(text) > 10 and "T" in text:
            return {CLASS: "datetime", **_of(_in_utc(datetime.fromisoformat(text)), _PARTS)}
        return {CLASS: "Decimal", "decimal": str(Decimal(text))}
    except (ValueError, ArithmeticError):
        return text


def _in_utc(moment: datetime) -> datetime:
    return moment.astimezone(UTC) if moment.tzinfo else moment


def _of(moment: date, parts: tuple[str, ...]) -> dict[str, int]:
    return {part: getattr(moment, part) for part in parts}


def _time_text(value: dict[str, Any]) -> str:
    year, month, day, *clock = (int(value.get(part, 0)) for part in _PARTS)
    hour, minute, second, microsecond = clock
    return datetime(year, month, day, hour, minute, second, microsecond).isoformat()


def _clock_text(value: dict[str, Any]) -> str:
    hour, minute, second, microsecond = (int(value.get(part, 0)) for part in _PARTS[3:])
    text = f"{hour:02d}:{minute:02d}:{second:02d}"
    return f"{text}.{microsecond:06d}" if microsecond else text


_READERS: Mapping[str, Callable[[dict[str, Any]], Any]] = {
    "datetime": _time_text,
    "date": lambda value: date(value["year"], value["month"], value["day"]).isoformat(),
    "time": _clock_text,
    "Decimal": lambda value: Decimal(value["decimal"]),
    "timedelta": lambda value: Decimal(str(value["seconds"])),
    "bytes": lambda value: base64.b64decode(value["base64"]).hex(),
}
