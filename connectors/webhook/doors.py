"""Who is listened to: so many connections in all and from one address, and none whose requests do not come.

A connection beyond the limits is answered with 503 and closed. The head of a request must have come whole in time:
the first one's from when the connection was made, later ones' from their first byte. (Between requests a connection
may rest as long as aiohttp's `keepalive_timeout` says; bodies have a limit of their own, where they are read.)
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from connectors.webhook.refusals import Limit, Refusals
from connectors.webhook.responses import NAMELESS
from connectors.webhook.strangers import household

FULL = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
LOOKS_IN_TIME = 10
Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class Bounds:
    """Connections in all, and of one address; how long the head of a request may take (s)."""

    connections: int
    per_address: int
    head_timeout_s: float


class Caller(web.RequestHandler):
    """One connection. `address`: the household at its other end; `is_proxy`: who stands for everybody.

    `due_s` (the loop's time): until when the head that is awaited must be whole; None: none is.
    """

    __slots__ = ("address", "door", "due_s", "head_timeout_s", "is_busy", "is_counted", "is_proxy")

    def __init__(self, door: "Door", head_timeout_s: float, **settings: Any) -> None:
        super().__init__(door, **settings)
        self.door = door
        self.address = ""
        self.is_proxy = self.is_counted = False
        self.head_timeout_s = head_timeout_s
        self.is_busy = False
        self.due_s: float | None = None

    def data_received(self, data: bytes) -> None:
        """Bytes came: of the next request, unless one is being answered."""
        if self.due_s is None and not self.is_busy:
            self.due_s = self._loop.time() + self.head_timeout_s
        super().data_received(data)

    def handle_error(
        self, request: web.BaseRequest, status: int = 500, exc: BaseException | None = None, message: str | None = None
    ) -> web.StreamResponse:
        """What is no HTTP is answered without a word, and told by no stack trace: anybody can send it."""
        if status >= 500:
            return super().handle_error(request, status, exc, message)
        self.door.heard_nonsense(self)
        response = web.Response(status=status, headers=NAMELESS)
        response.force_close()
        return response

    def begins(self) -> None:
        """The head of a request is whole, and it is being answered."""
        self.is_busy, self.due_s = True, None

    def ends(self) -> None:
        """It is answered; the next may come."""
        self.is_busy = False


class Door(web.Server):
    """The connections of a server.

    `is_proxy`: whether everybody may come from an address, as from a proxy in front. `nonsense` is told of a caller
    that sent what is no HTTP.
    """

    def __init__(
        self,
        handler: Handler,
        bounds: Bounds,
        refusals: Refusals,
        is_proxy: Callable[[str], bool],
        nonsense: Callable[[Caller], None],
        **settings: Any,
    ) -> None:
        super().__init__(handler, **settings)
        self._bounds = bounds
        self._refusals = refusals
        self._is_proxy = is_proxy
        self.heard_nonsense = nonsense
        self._open = 0
        self._open_of: Counter[str] = Counter()

    def __call__(self) -> Caller:
        return Caller(self, self._bounds.head_timeout_s, loop=self._loop, **self._kwargs)

    def connection_made(self, handler: web.RequestHandler, transport: asyncio.Transport) -> None:
        """One more connection: counted, or sent away."""
        super().connection_made(handler, transport)
        assert isinstance(handler, Caller)
        peer = transport.get_extra_info("peername")
        handler.address = address = household(str(peer[0])) if peer else ""
        handler.is_proxy = bool(peer) and self._is_proxy(str(peer[0]))
        if self._open >= self._bounds.connections:
            return self._send_away(handler, transport, "connections")
        if self._open_of[address] >= self._bounds.per_address and not handler.is_proxy:
            return self._send_away(handler, transport, "connections_per_address")
        self._open += 1
        self._open_of[address] += 1
        handler.is_counted = True
        handler.due_s = self._loop.time() + self._bounds.head_timeout_s
        return None

    def connection_lost(self, handler: web.RequestHandler, exc: BaseException | None = None) -> None:
        """One less."""
        super().connection_lost(handler, exc)
        assert isinstance(handler, Caller)
        if not handler.is_counted:
            return
        handler.is_counted = False
        self._open -= 1
        self._open_of[handler.address] -= 1
        if not self._open_of[handler.address]:
            del self._open_of[handler.address]

    async def watch(self) -> None:
        """Cut off whose requests do not come, until cancelled."""
        pause_s = self._bounds.head_timeout_s / LOOKS_IN_TIME
        while True:
            await asyncio.sleep(pause_s)
            self._cut_off(self._loop.time())

    def _cut_off(self, now_s: float) -> None:
        for caller in self.connections:
            if isinstance(caller, Caller) and caller.due_s is not None and caller.due_s < now_s:
                caller.due_s = None
                self._refusals.count("head_timeout", caller.address)
                if caller.transport is not None:
                    caller.transport.abort()

    def _send_away(self, handler: Caller, transport: asyncio.Transport, limit: Limit) -> None:
        self._refusals.count(limit, handler.address)
        with suppress(OSError):
            transport.write(FULL)
        handler.force_close()
