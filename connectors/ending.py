"""The end of tasks that were told to stop.

A cancellation can get lost: a Kafka client that is just stopping takes one that meets it there for the end of a task of
its own, and who awaited it goes on. So nobody here cancels once and then waits without a limit.
"""

import asyncio
from collections.abc import Collection
from typing import Any

import structlog

log = structlog.get_logger(__name__)

CANCELLATIONS = 8
PATIENCE_S = 1.0
"""What a task that was cancelled may take to clear up before it is cancelled again."""


async def end(tasks: Collection["asyncio.Future[Any]"], patience_s: float = PATIENCE_S) -> Exception | None:
    """Cancel these until they are over, CANCELLATIONS times at most; the first error among those they ended with.

    One that does not end even so is left behind, and said.
    """
    late = set(tasks)
    for _ in range(CANCELLATIONS):
        late = {task for task in late if not task.done()}
        if not late:
            break
        for task in late:
            task.cancel()
        await asyncio.wait(late, timeout=patience_s)
    for task in late:
        if not task.done():
            log.error("a task does not end, however often it is cancelled", task=repr(task))
    errors = [task.exception() for task in tasks if task.done() and not task.cancelled()]
    return next((error for error in errors if isinstance(error, Exception)), None)
