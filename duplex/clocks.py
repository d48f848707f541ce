"""A clock that is wrong on purpose, for code that must not look at it."""

import datetime
import time

AHEAD = datetime.timedelta(days=401, hours=7, minutes=13)
_AHEAD_NS = AHEAD // datetime.timedelta(microseconds=1) * 1000


class _Datetime(datetime.datetime):
    """The same, and more than a year ahead."""

    @classmethod
    def now(cls, tz: datetime.tzinfo | None = None) -> "_Datetime":
        return super().now(tz) + AHEAD

    @classmethod
    def utcnow(cls) -> "_Datetime":
        return super().now(datetime.UTC).replace(tzinfo=None) + AHEAD

    @classmethod
    def today(cls) -> "_Datetime":
        return cls.now()


class _Date(datetime.date):
    """The same, and more than a year ahead."""

    @classmethod
    def today(cls) -> "_Date":
        return super().today() + AHEAD


def run_ahead() -> None:
    """From here on, in this process, what is imported finds every clock of Python more than a year ahead."""
    seconds, nanoseconds = time.time, time.time_ns
    time.time = lambda: seconds() + AHEAD.total_seconds()
    time.time_ns = lambda: nanoseconds() + _AHEAD_NS
    datetime.datetime, datetime.date = _Datetime, _Date  # type: ignore[misc]
