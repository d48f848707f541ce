"""Reading the body of a request: raw, of a bounded size, within a bounded time, and in memory while it must."""

import asyncio
from dataclasses import dataclass

from aiohttp import web

from connectors.webhook.answers import Answer
from connectors.webhook.rooms import Arriving, Lease, NoRoomError, Room

EXPECTED = b"HTTP/1.1 100 Continue\r\n\r\n"
RETRY_AFTER_S = 5


@dataclass(eq=False)
class BodyRefusedError(Exception):
    """A body that is not read to its end."""

    answer: Answer


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads bodies into `room`; one that does not come at once has `timeout_s` to come."""

    room: Room
    timeout_s: float

    async def body(self, request: web.BaseRequest, limit_bytes: int, address: str) -> tuple[bytes, Lease]:
        """The body, and the memory that it takes; `address` is charged for it until it is whole.

        Raises BodyRefusedError.
        """
        if request.headers.get("Content-Encoding", "identity").lower() != "identity":
            raise BodyRefusedError(Answer(400, "malformed", reason="the body is compressed"))
        if (request.content_length or 0) > limit_bytes:
            raise _too_large(limit_bytes)
        if request.headers.get("Expect", "").lower() == "100-continue":
            await request.writer.write(EXPECTED)
            request.writer.output_size = 0
        try:
            if request.content.is_eof() and request.content.exception() is None:
                return self._whole(request, limit_bytes)
            return await self._in_time(request, limit_bytes, address)
        except NoRoomError as error:
            answer = Answer(503, "unavailable", retry_after_s=RETRY_AFTER_S, reason=error.why)
            raise BodyRefusedError(answer) from error

    def _whole(self, request: web.BaseRequest, limit_bytes: int) -> tuple[bytes, Lease]:
        """A body that came with its head, as most do."""
        body = request.content.read_nowait()
        if len(body) > limit_bytes:
            raise _too_large(limit_bytes)
        return body, self.room.take(len(body))

    async def _in_time(self, request: web.BaseRequest, limit_bytes: int, address: str) -> tuple[bytes, Lease]:
        arriving = self.room.begin(address)
        try:
            async with asyncio.timeout(self.timeout_s):
                body = await _parts(request, limit_bytes, arriving)
            return body, arriving.whole()
        except TimeoutError:
            raise BodyRefusedError(Answer(408, "too_slow", reason="the body did not come in time")) from None
        except (web.RequestPayloadError, ConnectionError) as error:
            raise BodyRefusedError(Answer(400, "malformed", reason="the body broke off")) from error
        finally:
            arriving.give_up()


async def _parts(request: web.BaseRequest, limit_bytes: int, arriving: Arriving) -> bytes:
    parts, size = list[bytes](), 0
    while part := await request.content.readany():
        size += len(part)
        if size > limit_bytes:
            raise _too_large(limit_bytes)
        arriving.take(len(part))
        parts.append(part)
    return b"".join(parts)


def _too_large(limit_bytes: int) -> BodyRefusedError:
    return BodyRefusedError(Answer(413, "too_large", reason=f"the body is larger than {limit_bytes} bytes"))
