"""Waiting for a condition in tests, instead of sleeping."""

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

Found = TypeVar("Found")

POLL_S = 0.02


async def eventually(
    condition: Callable[[], Found | Awaitable[Found]],
    timeout_s: float = 10.0,
    message: str = "the condition does not hold",
) -> Found:
    """Poll a condition, sync or async, until its value is true, and return that value.

    Raises AssertionError with the message and the last value after `timeout_s` seconds. What the condition raises,
    this raises.
    """
    deadline = time.monotonic() + timeout_s
    while True:
        value = condition()
        found: Found = await value if inspect.isawaitable(value) else value
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"{message} (after {timeout_s} s; last value: {found!r})")
        await asyncio.sleep(POLL_S)
