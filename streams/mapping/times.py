"""Dates and times as text: canonical forms, columns' forms, and the way between them.

Canonical: a date is `YYYY-MM-DD`; a datetime is `YYYY-MM-DDTHH:MM:SS[.ffffff]Z`, in UTC, fractions without trailing
zeros. Both may be `infinity` or `-infinity`. A column without a zone has the same form without the Z.
"""

import re
from datetime import UTC, date, datetime, timedelta, tzinfo

from streams.errors import InvalidValueError

INFINITIES = ("infinity", "-infinity")
_EPOCH = datetime(2000, 1, 1)
_US = timedelta(microseconds=1)
_YEAR = re.compile(r"(?<!%)((?:%%)*)%Y")
_CLOCK = re.compile(r"^(\d{1,2}):(\d\d)(?::(\d\d)(?:\.(\d{1,6})\d*)?)?$")


def date_text(value: date) -> str:
    return f"{value.year:04d}-{value.month:02d}-{value.day:02d}"


def local_text(value: datetime) -> str:
    """A time without zone: the wall clock it shows."""
    text = f"{date_text(value)}T{value.hour:02d}:{value.minute:02d}:{value.second:02d}"
    return f"{text}.{value.microsecond:06d}".rstrip("0") if value.microsecond else text


def instant_text(value: datetime) -> str:
    """A point in time, in UTC."""
    try:
        return f"{local_text(value.astimezone(UTC))}Z"
    except OverflowError as error:
        raise InvalidValueError(repr(value.isoformat()), "is outside of the years 1 to 9999") from error


def parse_date(text: str) -> date:
    """The day of a `YYYY-MM-DD`. Raises InvalidValueError."""
    try:
        if len(text) == 10:
            return date.fromisoformat(text)
    except ValueError:
        pass
    raise InvalidValueError(repr(text), "is no date of the form YYYY-MM-DD in the years 1 to 9999")


def parse_local(text: str) -> datetime:
    """The wall clock of an ISO time without zone. Raises InvalidValueError."""
    value = _iso(text)
    if value.tzinfo is not None:
        raise InvalidValueError(repr(text), "has a zone where none belongs")
    return value


def parse_instant(text: str, zone: tzinfo | None = None) -> datetime:
    """The point in time of an ISO text; one without offset is in `zone`, or refused. Raises InvalidValueError."""
    value = _iso(text)
    if value.tzinfo is not None:
        return value
    if zone is None:
        raise InvalidValueError(repr(text), "has no zone")
    return value.replace(tzinfo=zone)


def _iso(text: str) -> datetime:
    try:
        if len(text) > 10:
            return datetime.fromisoformat(text)
    except ValueError:
        pass
    raise InvalidValueError(repr(text), "is no ISO date and time in the years 1 to 9999")


def in_zone(value: datetime, zone: tzinfo) -> datetime:
    """The wall clock of a point in time, without zone. Raises InvalidValueError at the ends of the calendar."""
    try:
        return value.astimezone(zone).replace(tzinfo=None)
    except OverflowError as error:
        raise InvalidValueError(repr(value.isoformat()), "is outside of the years 1 to 9999") from error


def rounded(value: datetime, fraction: int) -> datetime:
    """With so many decimal places of seconds, halves away from the year 2000, as Postgres rounds."""
    if fraction >= 6:
        return value
    step = 10 ** (6 - fraction)
    bare = value.replace(tzinfo=None)
    elapsed_us = (bare - _EPOCH) // _US
    nearest_us = (abs(elapsed_us) + step // 2) // step * step
    try:
        return (_EPOCH + timedelta(microseconds=nearest_us if elapsed_us >= 0 else -nearest_us)).replace(
            tzinfo=value.tzinfo
        )
    except OverflowError:
        return value


def column_timestamp(text: str, fraction: int) -> str:
    """The normal form of a `timestamp` column's text; text beyond Python's calendar is left as it is."""
    try:
        value = parse_local(text)
    except InvalidValueError:
        return text
    return local_text(rounded(value, fraction))


def column_instant(text: str, fraction: int) -> str:
    """The normal form of a `timestamptz` column's text; text beyond Python's calendar keeps its digits."""
    try:
        value = parse_instant(text, UTC)
        return instant_text(rounded(value.astimezone(UTC), fraction))
    except (InvalidValueError, OverflowError):
        return f"{text[:-6]}Z" if text.endswith("+00:00") else text


def column_clock(text: str, fraction: int) -> str:
    """The normal form of a `time` column's text: `HH:MM:SS[.ffffff]`."""
    found = _CLOCK.match(text.strip())
    if found is None:
        return text
    hour, minute, second, part = found.groups()
    total_us = ((int(hour) * 60 + int(minute)) * 60 + int(second or 0)) * 1_000_000 + int((part or "0").ljust(6, "0"))
    step = 10 ** (6 - min(fraction, 6))
    total_us = (total_us + step // 2) // step * step
    seconds, us = divmod(total_us, 1_000_000)
    clock = f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
    return f"{clock}.{us:06d}".rstrip("0") if us else clock


def formatted(value: datetime, pattern: str) -> str:
    """`strftime`, with four digits for every year: the platform's own leaves out leading zeros."""
    return value.strftime(_YEAR.sub(rf"\g<1>{value.year:04d}", pattern))


def parse_formatted(text: str, pattern: str) -> datetime:
    """`strptime`. Raises InvalidValueError."""
    try:
        return datetime.strptime(text, pattern)
    except ValueError as error:
        raise InvalidValueError(repr(text), f"is not of the form {pattern}") from error
