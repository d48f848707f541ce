"""JSON bodies, looked into without trusting them."""

import re
from typing import Any

import msgspec

# A string is passed over as a whole, also one that does not end: the pattern never goes back.
_STEP = re.compile(rb'"(?:[^"\\]++|\\.?)*+"?|[\[{]|[\]}]', re.DOTALL)


def deeper_than(body: bytes, limit: int) -> bool:
    """Whether arrays and objects are nested deeper than that; takes time in proportion to the length, and no stack."""
    if body.count(b"{") + body.count(b"[") <= limit:
        return False
    depth = 0
    for found in _STEP.finditer(body):
        step = found[0][:1]
        if step != b'"':
            depth += 1 if step in b"[{" else -1
            if depth > limit:
                return True
    return False


def decoded(body: bytes) -> Any:
    """The document; None where it is none."""
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def at(document: Any, path: str) -> str | None:
    """The text or whole number at a dotted path (`0.event.id`); None where there is none."""
    for step in path.split("."):
        if isinstance(document, dict):
            document = document.get(step)
        elif isinstance(document, list) and step.isdecimal() and int(step) < len(document):
            document = document[int(step)]
        else:
            return None
    if isinstance(document, int) and not isinstance(document, bool):
        return str(document)
    return document if isinstance(document, str) else None
