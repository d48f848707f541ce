"""Waiting for a condition, closely: what is measured may end between two looks."""

import asyncio
import time
from collections.abc import Callable

POLL_S = 0.002
LIMIT_S = 240.0


async def until(condition: Callable[[], object], task: "asyncio.Task[None] | None" = None) -> None:
    """Look until the condition is true. Raises what `task` raised, and TimeoutError after LIMIT_S seconds."""
    deadline = time.monotonic() + LIMIT_S
    while True:
        if condition():
            return
        if task is not None and task.done():
            task.result()
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {LIMIT_S:.0f} s")
        await asyncio.sleep(POLL_S)
