"""Values whose writer can be told: every fresh value carries a number, whatever a system does to its letters."""

import re
from functools import lru_cache

from streams.merge.values import Value

Token = int | None | tuple["Token", ...]
NUMBER = re.compile(r"\d+")


@lru_cache(maxsize=1 << 16)
def token(value: Value) -> Token:
    """The numbers of a value: what the oracle compares, blind to case, blanks and marks."""
    if isinstance(value, tuple):
        return tuple(token(part) for part in value)
    found = NUMBER.search(str(value))
    return int(found.group()) if found else None


@lru_cache(maxsize=1 << 16)
def atoms(value: Token) -> frozenset[int]:
    """Every number in a token."""
    if isinstance(value, tuple):
        return frozenset(atom for part in value for atom in atoms(part))
    return frozenset() if value is None else frozenset((value,))
