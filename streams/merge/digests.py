"""One short text for the whole contents of a table of states."""

import hashlib
from collections.abc import Iterable


def digest(states: Iterable[tuple[bytes, bytes]]) -> str:
    """SHA-256 (hex) over keys and values in the order of keys: equal exactly where all of them are equal."""
    hashed = hashlib.sha256()
    for key, value in sorted(states):
        # Lengths keep two neighbours apart: ("a", "bc") is not ("ab", "c").
        for part in (key, value):
            hashed.update(len(part).to_bytes(8, "big"))
            hashed.update(part)
    return hashed.hexdigest()
