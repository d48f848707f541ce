"""Amounts of data as people write them: `64KiB`, `1MiB`."""

import re
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer

from schemas.project.base import refuse

UNITS = {"KiB": 1024, "MiB": 1024**2}
_TEXT = re.compile(r"(\d{1,6})\s*(KiB|MiB)")


def parse(value: Any) -> int:
    """The bytes of a size's text; more than none."""
    found = _TEXT.fullmatch(value.strip()) if isinstance(value, str) else None
    if found is None or int(found[1]) == 0:
        raise refuse("must be a size: a whole number and KiB or MiB, such as 64KiB or 1MiB")
    return int(found[1]) * UNITS[found[2]]


def text(size_bytes: int) -> str:
    """The shortest text of a size of whole KiB: `parse` reads it back."""
    unit = "MiB" if size_bytes % UNITS["MiB"] == 0 else "KiB"
    return f"{size_bytes // UNITS[unit]}{unit}"


Size = Annotated[int, BeforeValidator(parse), PlainSerializer(text, return_type=str, when_used="json")]
