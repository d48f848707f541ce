"""Answers about records, given by the process that has everything at hand while the pipeline runs.

A command that asks here is done in a fraction of the time that it takes to load a project, connect to Kafka and read.
One question a connection: `GET /explain` with `name`, and optionally `entity`, `field`, `history`, and `form` (json; or
else text). Answers with 422 are a user's mistake, in JSON; 503 says that the asker must look for itself.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import msgspec
import structlog

from duplex import lookups, sockets
from duplex.composition import Composition
from duplex.errors import DuplexError
from duplex.explaining import answering, asking, finding, retelling, sentences
from duplex.lookups import NoAnswerError
from duplex.usage import UsageError
from schemas.errors import SchemasError
from streams.errors import StreamsError

log = structlog.get_logger(__name__)
QUESTION_BYTES = 64 * 1024
AT_ONCE = 4
Answer = tuple[int, bytes]


@asynccontextmanager
async def serving(composed: Composition, project_path: Path) -> AsyncIterator[None]:
    """Answer questions for the time of the block. Where the socket cannot be had it is said, and nobody answers."""
    path = asking.socket_path(project_path)
    answers = _Answers(composed, project_path)
    try:
        sockets.prepare(path)
        server = await asyncio.start_unix_server(answers.connected, path, limit=QUESTION_BYTES)
        path.chmod(0o600)
    except OSError as error:
        log.warning("questions about records are not answered by this process", path=str(path), error=str(error))
        yield
        return
    try:
        yield
    finally:
        server.close()
        path.unlink(missing_ok=True)


class _Answers:
    """Answers connection by connection, a few at a time."""

    def __init__(self, composed: Composition, project_path: Path) -> None:
        self._composed = composed
        self._path = project_path
        self._places = asyncio.Semaphore(AT_ONCE)

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # An asker that went away, or that asks for ever, is nobody's concern.
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, TimeoutError):
            async with asyncio.timeout(asking.TIMEOUT_S):
                request = await reader.readuntil(b"\r\n\r\n")
                async with self._places:
                    status, body = await self._answer(request)
                writer.write(b"HTTP/1.0 %d -\r\nContent-Length: %d\r\n\r\n" % (status, len(body)) + body)
                await writer.drain()
        writer.close()

    async def _answer(self, request: bytes) -> Answer:
        words = request.split(b" ", 2)
        question = urlsplit(words[1].decode(errors="replace") if len(words) > 1 else "")
        values = dict(parse_qsl(question.query))
        try:
            if question.path == "/explain" and "name" in values:
                return sockets.OK, await self._explained(values)
        except UsageError as error:
            return sockets.REFUSED, msgspec.json.encode([error.what, error.where, error.why, error.remedy])
        except (NoAnswerError, DuplexError, SchemasError, StreamsError) as error:
            # The asker will meet the same by itself, and say it.
            return sockets.ELSEWHERE, str(error).encode()
        return sockets.NO_SUCH_THING, b""

    async def _explained(self, values: dict[str, str]) -> bytes:
        name, entity, field, history = values["name"], values.get("entity"), values.get("field"), "history" in values
        found = await finding.find(self._composed, self._path, name, entity, retelling.beside, lookups.asked)
        explained = [await answering.explained(self._composed, one, field, history) for one in found]
        if values.get("form") == "json":
            return msgspec.json.encode(explained)
        return sentences.page(explained).encode()
