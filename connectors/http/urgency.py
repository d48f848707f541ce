"""How urgent what is being done is: said by whoever does it, heeded by whoever queues its requests.

A source says it around each step of a flow (its `priority`: 1 goes first, 9 last); whatever says nothing, as the sink,
goes before all of them. The word goes along with the task and its subtasks, so an `Api` in between need not know.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

FIRST = 0
_urgency: ContextVar[int] = ContextVar("urgency", default=FIRST)


def urgency() -> int:
    """How urgent what is being done here is; less is sooner."""
    return _urgency.get()


@contextmanager
def urgent(priority: int) -> Iterator[None]:
    """What is done within this is so urgent."""
    token = _urgency.set(priority)
    try:
        yield
    finally:
        _urgency.reset(token)
