"""Answers as HTTP: without a body, as a rule, and without a word of what answers."""

import time
from email.utils import formatdate

from aiohttp import web
from aiohttp.http import HttpVersion11

from connectors.webhook.answers import Answer

# The library would name itself, Python, and both versions.
NAMELESS = {"Server": "duplex"}
PLAIN_TEXT = {"Content-Type": "text/plain; charset=utf-8", "X-Content-Type-Options": "nosniff"}
DONE = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nServer: duplex\r\nDate: %b\r\n\r\n"


class Done(web.StreamResponse):
    """The answer to a delivery that is safe: the same for everybody, so that it is made once a second.

    For a connection that goes on, of HTTP/1.1. One object answers all requests, and keeps nothing of them. A general
    response costs as much as the rest of an answer.
    """

    def __init__(self) -> None:
        super().__init__()
        self._made_s = 0
        self._text = b""

    async def prepare(self, request: web.BaseRequest) -> None:
        """Write it. Raises ConnectionError where nobody listens any more."""
        transport = request.transport
        if transport is None or transport.is_closing():
            raise ConnectionResetError("the sender is gone")
        now_s = int(time.time())
        if now_s != self._made_s:
            self._made_s = now_s
            self._text = DONE % formatdate(now_s, usegmt=True).encode()
        transport.write(self._text)

    async def write_eof(self, data: bytes = b"") -> None:
        """It is written already."""

    @property
    def keep_alive(self) -> bool:
        """The connection goes on."""
        return True


class Responses:
    """Makes responses of answers."""

    def __init__(self) -> None:
        self._done = Done()

    def of(self, answer: Answer, request: web.BaseRequest) -> web.StreamResponse:
        """The response to this request."""
        if answer.is_done and request.keep_alive and request.version == HttpVersion11:
            return self._done
        if answer.text:
            return web.Response(status=answer.status, text=answer.text, headers=NAMELESS | PLAIN_TEXT)
        if answer.retry_after_s is not None:
            return web.Response(status=answer.status, headers=NAMELESS | {"Retry-After": str(answer.retry_after_s)})
        response = web.Response(status=answer.status, headers=NAMELESS)
        if answer.closes:
            response.force_close()
        return response
