"""Paths into JSON: `address.city`, `labels[*].name`, `lines[0].sku`, `["party."].name`. Read, and laid out anew."""

import re
from collections.abc import Iterator, Sequence
from enum import Enum
from typing import Any


class Step(Enum):
    """`[*]`: every element of a list."""

    EACH = "[*]"


class Lack(Enum):
    """What a path leads to where it leads to nothing. `BEYOND`: an index past the end of a list that is there."""

    ABSENT = "absent"
    BEYOND = "beyond"


Path = tuple[str | int | Step, ...]
_TOKEN = re.compile(
    r"""(?P<dot>\.)?(?:(?P<name>[^.\[\]"\s]+)|\[(?P<index>-?\d+)\]|\[(?P<each>\*)\]|\["(?P<quoted>[^"]+)"\])"""
)


def parse(text: str) -> Path:
    """The steps of a path's text. Raises ValueError, a sentence with the place."""
    steps, position = list[str | int | Step](), 0
    while position < len(text):
        found = _TOKEN.match(text, position)
        if found is None or _dotted_wrongly(found, position):
            raise ValueError(f"{text!r} is no path: character {position + 1} does not fit")
        steps.append(_step(found))
        position = found.end()
    if not steps:
        raise ValueError("a path must not be empty")
    return tuple(steps)


def _dotted_wrongly(found: re.Match[str], position: int) -> bool:
    return bool(found["dot"]) != (found["name"] is not None and position > 0)


def _step(found: re.Match[str]) -> str | int | Step:
    if found["each"]:
        return Step.EACH
    return int(found["index"]) if found["index"] is not None else found["name"] or found["quoted"]


def find(document: Any, path: Sequence[str | int | Step]) -> Any:
    """What lies there; a `Lack` where nothing does. Anything below a null is null."""
    for place, step in enumerate(path):
        if document is None:
            return None
        if step is Step.EACH:
            return _each(document, path[place + 1 :])
        document = _below(document, step)
        if isinstance(document, Lack):
            return document
    return document


def _each(document: Any, rest: Sequence[str | int | Step]) -> Any:
    if not isinstance(document, list):
        return Lack.ABSENT
    found = [find(one, rest) for one in document]
    return [None if isinstance(one, Lack) else one for one in found]


def _below(document: Any, step: str | int | Step) -> Any:
    if isinstance(step, str) and isinstance(document, dict):
        return document.get(step, Lack.ABSENT)
    if isinstance(step, int) and isinstance(document, list):
        return document[step] if -len(document) <= step < len(document) else Lack.BEYOND
    return Lack.ABSENT


def place(document: Any, path: Sequence[str | int | Step], value: Any) -> Any:
    """The document with a value laid at a path; what is on the way is made. A list is laid at `[*]`, one in each."""
    if not path:
        return value
    step, rest = path[0], path[1:]
    if step is Step.EACH:
        return None if value is None else list(_laid_in_each(document, rest, value))
    inner = dict(document) if isinstance(document, dict) else {}
    inner[str(step)] = place(inner.get(str(step)), rest, value)
    return inner


def _laid_in_each(document: Any, rest: Sequence[str | int | Step], values: Sequence[Any]) -> Iterator[Any]:
    there = document if isinstance(document, list) else []
    for index, value in enumerate(values):
        yield place(there[index] if index < len(there) else None, rest, value)
