"""Lengths of time and moments as people type them."""

from datetime import UTC, datetime

from pydantic_core import PydanticCustomError

from duplex.conflicts.errors import DurationError
from schemas.project import durations


def length_us(text: str, option: str) -> int:
    """A length of time in microseconds: `90s`, `15m`, `2h`, `3d`. Raises DurationError."""
    try:
        return durations.parse(text)
    except PydanticCustomError as error:
        raise DurationError(option, text, "a whole number with s, m, h or d is expected, more than none") from error


def moment_us(text: str, option: str, now_us: int) -> int:
    """A moment (µs, UTC): so long ago (`2h`), or a date or time in ISO form, taken as UTC without a zone.

    Raises DurationError.
    """
    try:
        return now_us - length_us(text, option)
    except DurationError:
        pass
    try:
        found = datetime.fromisoformat(text.strip())
    except ValueError as error:
        why = "a length of time, or a moment like 2026-05-01T12:00:00Z, is expected"
        raise DurationError(option, text, why) from error
    return int((found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp() * 1e6)
