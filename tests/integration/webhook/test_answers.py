"""An answer as it goes over the wire."""

import asyncio
from email.utils import parsedate_to_datetime
from http.client import parse_headers
from io import BytesIO

import pytest

from tests.integration.webhook.conftest import Bridging
from tests.integration.webhook.test_limits import BODY, Line, line, request


async def answered(one: Line, text: bytes) -> tuple[bytes, dict[str, str]]:
    """The first line of the answer to this request, and its headers in lower case."""
    one.writer.write(text)
    head = await asyncio.wait_for(one.reader.readuntil(b"\r\n\r\n"), 20)
    first, _, rest = head.partition(b"\r\n")
    return first, {name.lower(): value for name, value in parse_headers(BytesIO(rest)).items()}


async def test_a_delivery_that_is_safe_is_answered_without_a_word(bridging: Bridging) -> None:
    async with line(await bridging()) as one:
        for _ in range(2):
            first, headers = await answered(one, request(BODY))
            assert first == b"HTTP/1.1 200 OK"
            assert set(headers) == {"content-length", "server", "date"}
            assert (headers["content-length"], headers["server"]) == ("0", "duplex")
            assert parsedate_to_datetime(headers["date"]).tzinfo is not None


@pytest.mark.parametrize(
    ("old", "new"),
    [(b"HTTP/1.1\r\n", b"HTTP/1.0\r\n"), (b"HTTP/1.1\r\n", b"HTTP/1.1\r\nConnection: close\r\n")],
    ids=["HTTP/1.0", "close"],
)
async def test_who_sends_one_request_is_told_and_let_go(bridging: Bridging, old: bytes, new: bytes) -> None:
    async with line(await bridging()) as one:
        first, _ = await answered(one, request(BODY).replace(old, new))
        assert first.endswith(b" 200 OK")
        assert await one.is_cut()


async def test_requests_that_come_at_once_are_answered_in_turn(bridging: Bridging) -> None:
    async with line(await bridging()) as one:
        one.writer.write(b"".join(request(b"%d" % number) for number in range(5)))
        assert [await one.status() for _ in range(5)] == [200] * 5
