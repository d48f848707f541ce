"""Values whose writer can be told: every fresh value carries a number, whatever a system does to its letters."""

import re

from streams.merge.values import Value

Token = int | None | tuple["Token", ...]
NUMBER = re.compile(r"\d+")


def token(value: Value) -> Token:
    """The numbers of a value: what the oracle compares, blind to case, blanks and marks."""
    if isinstance(value, tuple):
        return tuple(token(part) for part in value)
    found = NUMBER.search(str(value))
    return int(found.group()) if found else None


def atoms(value: Token) -> set[int]:
    """Every number in a token."""
    if isinstance(value, tuple):
        return {atom for part in value for atom in atoms(part)}
    return set() if value is None else {value}
