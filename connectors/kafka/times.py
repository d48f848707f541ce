"""Dates and times of messages: numbers since 1970, or ISO text, made the text of a row image."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from connectors.kafka.errors import UnreadableError
from connectors.kafka.values import shown, wrong

EPOCH = datetime(1970, 1, 1)
PER_SECOND = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}
DAY_S = 86_400
# What a Postgres date or timestamp without end becomes on its way through Java's, in whatever unit.
ENDLESS_DAYS = {2147483647: "infinity", -2147483648: "-infinity"}
ENDLESS = {9223372036825200000: "infinity", -9223372036832400000: "-infinity"}


def from_epoch(unit: str, kind: str) -> Callable[[Any], str]:
    """What makes text of a number of days (`days`), s, ms, us or ns since 1970, for a column of this kind."""
    endless = ENDLESS_DAYS if unit == "days" else ENDLESS

    def convert(value: Any) -> str:
        if type(value) is not int:
            raise wrong(value, f"number of {unit} since 1970")
        return endless.get(value) or _text_of(_since_epoch(value, unit), kind)

    return convert


def _since_epoch(value: int, unit: str) -> datetime:
    try:
        if unit == "days":
            return EPOCH + timedelta(days=value)
        return EPOCH + timedelta(microseconds=value * 1_000_000 // PER_SECOND[unit])
    except OverflowError as error:
        raise UnreadableError(f"{value} {unit} since 1970 lie outside of the years 1 to 9999") from error


def _text_of(moment: datetime, kind: str) -> str:
    if kind == "date":
        return moment.date().isoformat()
    return f"{moment.isoformat()}Z" if kind == "timestamptz" else moment.isoformat()


def from_clock(unit: str) -> Callable[[Any], str]:
    """What makes `HH:MM:SS` of a number of ms, us or ns since midnight."""

    def convert(value: Any) -> str:
        if type(value) is not int or not 0 <= value <= DAY_S * PER_SECOND[unit]:
            raise wrong(value, f"number of {unit} since midnight")
        seconds, rest = divmod(value * 1_000_000 // PER_SECOND[unit], 1_000_000)
        clock = f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
        return f"{clock}.{rest:06d}" if rest else clock

    return convert


def duration(value: Any) -> str:
    """A number of microseconds as an ISO 8601 duration."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise wrong(value, "number of microseconds")
    seconds, rest = divmod(abs(round(value)), 1_000_000)
    sign = "-" if value < 0 else ""
    return f"PT{sign}{seconds}" + (f".{rest:06d}".rstrip("0") if rest else "") + "S"


def date_text(value: Any) -> str:
    """A date's text; the zone that some write behind it says nothing."""
    return _iso(value, "date").removesuffix("Z")


def local_text(value: Any) -> str:
    """The text of a time without zone."""
    return _iso(value, "time").removesuffix("Z")


def instant_text(value: Any) -> str:
    """The text of a point in time."""
    return _iso(value, "time")


def clock_text(value: Any) -> str:
    """The text of a time of day."""
    return _iso(value, "time of day").removesuffix("Z")


def _iso(value: Any, what: str) -> str:
    if isinstance(value, str):
        return value
    raise UnreadableError(f"{shown(value)} is no text of a {what}; give the column an `encoding`")
