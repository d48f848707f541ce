"""Questions passed on to the other workers of a project's processors on this machine, each with a socket of its own."""

from collections.abc import AsyncIterator, Iterable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import aiohttp
from aiohttp import web

HERE = "here"
TIMEOUT = aiohttp.ClientTimeout(total=2.0)


class Answer(NamedTuple):
    """What another worker answered."""

    status: int
    body: bytes


def others(own: Path, stem: str) -> list[Path]:
    """The sockets beside this one."""
    return sorted(path for path in own.parent.glob(f"{stem}*.sock") if path != own)


async def ask(sockets: Iterable[Path], request: web.Request) -> AsyncIterator[Answer]:
    """The same question to each of these; who does not answer is left out. A question passed on goes no further."""
    if HERE in request.query:
        return
    question = str(request.rel_url.update_query({HERE: "1"}))
    for socket in sockets:
        with suppress(OSError, TimeoutError, aiohttp.ClientError):
            yield await _answer(socket, question)


async def _answer(socket: Path, question: str) -> Answer:
    connector = aiohttp.UnixConnector(path=str(socket))
    async with (
        aiohttp.ClientSession(connector=connector, timeout=TIMEOUT) as session,
        session.get(f"http://worker{question}") as response,
    ):
        return Answer(response.status, await response.read())
