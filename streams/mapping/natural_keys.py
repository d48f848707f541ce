"""Natural keys: what tells that rows of several systems are the same record."""

import unicodedata
from collections.abc import Sequence

import msgspec

from streams.merge.values import Value, Values


def natural_key(match_fields: Sequence[str], values: Values) -> str | None:
    """The normalised values of these fields as JSON array text; None if one of them is missing, null or empty.

    Text is compared without regard to case, width, composition of accents, and blanks at the ends or repeated;
    numbers and booleans as they are.
    """
    parts = [_normalised(values.get(field)) for field in match_fields]
    if not parts or any(part is None or part == "" for part in parts):
        return None
    return msgspec.json.encode(parts).decode()


def _normalised(value: Value) -> Value:
    if not isinstance(value, str):
        return value
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", value).casefold())
    return " ".join(folded.split())
