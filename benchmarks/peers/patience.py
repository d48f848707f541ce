"""Waiting for what another program does, within a limit."""

import asyncio
import time
from collections.abc import Awaitable, Callable


class PeerError(Exception):
    """A pipeline that did not do its part: whose, what, and where its log is."""

    def __init__(self, peer: str, what: str, where: object = "") -> None:
        super().__init__(f"{peer}: {what}" + (f"; see {where}" if where else ""))
        self.peer = peer


async def eventually(
    condition: Callable[[], Awaitable[bool]], limit_s: float, peer: str, what: str, every_s: float = 0.2
) -> None:
    """Ask until the answer is yes. Raises PeerError, which says `what` did not come about, after `limit_s`."""
    deadline = time.monotonic() + limit_s
    while not await condition():
        if time.monotonic() > deadline:
            raise PeerError(peer, f"{what} not within {limit_s:.0f} s")
        await asyncio.sleep(every_s)
