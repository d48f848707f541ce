"""Waiting for a condition in tests, instead of sleeping."""

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

Found = TypeVar("Found")

POLL_S = 0.02
LONGEST_POLL_S = 0.25


async def eventually(
    condition: Callable[[], Found | Awaitable[Found]],
    timeout_s: float = 10.0,
    message: str = "the condition does not hold",
) -> Found:
    """Poll a condition, sync or async, until its value is true, and return that value.

    The longer it takes, the seldomer it asks, a twentieth later than need be at most: who asks takes time from those
    who work.

    Raises AssertionError with the message and the last value after `timeout_s` seconds. What the condition raises,
    this raises.
    """
    began = time.monotonic()
    while True:
        value = condition()
        found: Found = await value if inspect.isawaitable(value) else value
        if found:
            return found
        waited_s = time.monotonic() - began
        if waited_s > timeout_s:
            raise AssertionError(f"{message} (after {timeout_s} s; last value: {found!r})")
        await asyncio.sleep(min(max(waited_s / 20, POLL_S), LONGEST_POLL_S))
