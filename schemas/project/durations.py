"""Lengths of time as people write them: `30s`, `5m`, `2h`, `3d`."""

import re
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer

from schemas.project.base import refuse

SECOND_US = 1_000_000
UNITS_US = {"s": SECOND_US, "m": 60 * SECOND_US, "h": 3600 * SECOND_US, "d": 86_400 * SECOND_US}
LIMIT_US = 36_500 * UNITS_US["d"]
_TEXT = re.compile(r"(\d{1,12})\s*([smhd])")


def parse(value: Any) -> int:
    """The microseconds of a duration's text; more than none, and at most a hundred years."""
    found = _TEXT.fullmatch(value.strip()) if isinstance(value, str) else None
    if found is None:
        raise refuse("must be a duration: a whole number and s, m, h or d, such as 30s, 5m, 2h or 3d")
    length_us = int(found[1]) * UNITS_US[found[2]]
    if not 0 < length_us <= LIMIT_US:
        raise refuse("must be longer than nothing, and not longer than a hundred years")
    return length_us


def text(length_us: int) -> str:
    """The shortest text of a duration of whole seconds: `parse` reads it back."""
    unit = next((name for name in ("d", "h", "m") if length_us % UNITS_US[name] == 0), "s")
    return f"{length_us // UNITS_US[unit]}{unit}"


Duration = Annotated[int, BeforeValidator(parse), PlainSerializer(text, return_type=str, when_used="json")]
