"""The job itself, the same for every host."""

from typing import Any

import msgspec

State = dict[str, Any]


class Event(msgspec.Struct):
    """A field of a record has a value since `at`."""

    id: str
    field: str
    value: str
    at: int


def merged(state: State, field: str, value: str, at: int) -> State:
    """The record with the newer of the two values."""
    known = state.get(field)
    return {**state, field: [value, at]} if known is None or known[1] < at else state
