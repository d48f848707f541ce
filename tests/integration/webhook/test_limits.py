"""What nobody has verified is bounded, and an honest sender beside it notices nothing."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest

from connectors.webhook.refusals import REFUSALS
from tests.integration.webhook import senders
from tests.integration.webhook.conftest import Bridging
from tests.integration.webhook.senders import GITHUB, Sender, signed
from tests.waiting import eventually

BODY = b'{"n": 1}'
PROXY = {"trusted_proxies": ["127.0.0.1/32"]}
FORGED = {"X-Hub-Signature-256": "sha256=" + "00" * 32}


def counted(limit: str) -> float:
    """How often a limit has refused."""
    return float(REFUSALS.labels(limit)._value.get())


def of(address: str, headers: Mapping[str, str]) -> dict[str, str]:
    """The headers as a proxy passes them on."""
    return {**headers, "X-Forwarded-For": address}


class Line:
    """A connection of a sender's own."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def status(self) -> int:
        """The status of the next answer; 0 where the connection was closed instead."""
        try:
            head = await asyncio.wait_for(self.reader.readuntil(b"\r\n\r\n"), 10)
        except (asyncio.IncompleteReadError, ConnectionError):
            return 0
        return int(head.split()[1])

    async def post(self) -> int:
        """Send a delivery; the status."""
        self.writer.write(request(BODY))
        return await self.status()

    async def is_cut(self) -> bool:
        """Waits until the other end is gone."""
        with contextlib.suppress(ConnectionError):
            return await asyncio.wait_for(self.reader.read(), 10) == b""
        return True


def request(body: bytes, length: int | None = None) -> bytes:
    """A signed delivery; `length`: what it says of its body's."""
    headers = {"Host": "x", **signed(body), "Content-Length": str(len(body) if length is None else length)}
    lines = "\r\n".join(f"{name}: {value}" for name, value in headers.items())
    return f"POST /hooks/shop HTTP/1.1\r\n{lines}\r\n\r\n".encode() + body


@contextlib.asynccontextmanager
async def line(sender: Sender) -> AsyncIterator[Line]:
    """A connection for the time of the block."""
    reader, writer = await asyncio.open_connection("127.0.0.1", sender.port)
    yield Line(reader, writer)
    writer.close()
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()


# --- requests of an address


async def test_who_guesses_is_told_to_come_later(bridging: Bridging) -> None:
    sender = await bridging(strangers={"requests": 3, "window": "1h"})
    before = counted("strangers")
    assert [await sender.post(BODY, FORGED) for _ in range(3)] == [401] * 3
    told = await sender.answered(BODY, FORGED)
    assert (told.status, told.body) == (429, b"")
    assert 1100 <= int(told.headers["Retry-After"]) <= 1201
    assert counted("strangers") == before + 1


@pytest.mark.parametrize(("path", "status"), [("/hooks/other", 404), ("/favicon.ico", 404), (None, 401)])
async def test_whatever_is_asked_without_proof_counts(bridging: Bridging, path: str | None, status: int) -> None:
    sender = await bridging(strangers={"requests": 2, "window": "1h"})
    assert [await sender.post(BODY, FORGED, path) for _ in range(3)] == [status, status, 429]


async def test_who_signs_may_send_as_much_as_it_wants(bridging: Bridging, kafka_bootstrap: str, topic: str) -> None:
    sender = await bridging(strangers={"requests": 1, "window": "1h"})
    assert [await sender.post(b"%d" % number) for number in range(40)] == [200] * 40
    assert len(await senders.kept(kafka_bootstrap, topic)) == 40


async def test_many_at_once_that_sign_are_not_strangers(bridging: Bridging) -> None:
    sender = await bridging()
    answers = await asyncio.gather(*(sender.post(b"%d" % number) for number in range(600)))
    assert set(answers) == {200}


async def test_behind_a_named_proxy_each_address_counts_for_itself(bridging: Bridging) -> None:
    sender = await bridging(strangers={"requests": 2, "window": "1h"}, **PROXY)
    forged = [await sender.post(BODY, of("203.0.113.9", FORGED)) for _ in range(3)]
    assert forged == [401, 401, 429]
    assert await sender.post(BODY, of("203.0.113.7", signed(BODY))) == 200
    assert await sender.post(BODY, of("203.0.113.8", FORGED)) == 401
    # Only what the proxy itself wrote is believed.
    assert await sender.post(BODY, of("198.51.100.1, 203.0.113.9", FORGED)) == 429


async def test_behind_any_other_proxy_what_it_says_counts_for_nothing(bridging: Bridging) -> None:
    sender = await bridging(strangers={"requests": 2, "window": "1h"})
    forged = [await sender.post(BODY, of(f"203.0.113.{number}", FORGED)) for number in range(3)]
    assert forged == [401, 401, 429]


async def test_what_is_no_http_is_refused_without_a_word(bridging: Bridging, caplog: pytest.LogCaptureFixture) -> None:
    sender = await bridging(strangers={"requests": 2, "window": "1h"})
    before = counted("malformed")
    for _ in range(2):
        async with line(sender) as one:
            one.writer.write(b"EHLO example.org\r\n\r\n")
            head = await asyncio.wait_for(one.reader.read(), 10)
            assert head.startswith(b"HTTP/1.0 400 ") and head.endswith(b"\r\n\r\n") and b"aiohttp" not in head
    assert counted("malformed") == before + 2
    assert not caplog.records
    assert await sender.post(BODY, FORGED) == 429


# --- connections


async def test_connections_of_an_address_are_bounded(bridging: Bridging) -> None:
    sender = await bridging(connections_per_address=2)
    before = counted("connections_per_address")
    async with line(sender) as first:
        async with line(sender) as second:
            assert [await first.post(), await second.post()] == [200, 200]
            async with line(sender) as third:
                assert await third.status() == 503
                assert await third.is_cut()
            assert counted("connections_per_address") == before + 1
        await eventually(lambda: again(sender))
        assert await first.post() == 200


async def again(sender: Sender) -> bool:
    """Whether a new connection is let in."""
    async with line(sender) as one:
        return await one.post() == 200


async def test_connections_are_bounded_in_all(bridging: Bridging) -> None:
    sender = await bridging(connections=2, **PROXY)
    before = counted("connections")
    async with line(sender) as first, line(sender) as second, line(sender) as third:
        assert [await first.post(), await second.post(), await third.status()] == [200, 200, 503]
        assert counted("connections") == before + 1
        assert await first.post() == 200
    await eventually(lambda: again(sender))


async def test_a_named_proxy_may_have_more_connections_than_one_address(bridging: Bridging) -> None:
    sender = await bridging(connections_per_address=1, **PROXY)
    async with line(sender) as first, line(sender) as second:
        assert [await first.post(), await second.post()] == [200, 200]


# --- slow heads and bodies


async def test_a_head_that_does_not_come_is_not_waited_for(bridging: Bridging) -> None:
    sender = await bridging(head_timeout="1s")
    before = counted("head_timeout")
    async with line(sender) as silent, line(sender) as slow:
        slow.writer.write(b"POST /hooks/shop HTTP/1.1\r\nHost: x\r\n")
        assert await silent.is_cut() and await slow.is_cut()
    assert counted("head_timeout") == before + 2


async def test_a_head_that_comes_in_drops_is_cut_off(bridging: Bridging) -> None:
    sender = await bridging(head_timeout="1s")
    async with line(sender) as slow:
        assert await slow.post() == 200
        slow.writer.write(b"POST /hooks/shop HTTP/1.1\r\nHost: ")
        cut = asyncio.create_task(slow.is_cut())

        async def dripped() -> bool:
            slow.writer.write(b"x")
            return cut.done()

        await eventually(dripped)
        assert await cut


async def test_between_requests_a_connection_may_rest(bridging: Bridging) -> None:
    sender = await bridging(head_timeout="1s")
    async with line(sender) as resting:
        assert await resting.post() == 200
        async with line(sender) as slow:
            slow.writer.write(b"POST")
            assert await slow.is_cut()
        assert await resting.post() == 200


async def test_a_request_that_takes_long_to_answer_is_not_cut_off(bridging: Bridging) -> None:
    sender = await bridging(head_timeout="1s", read_timeout="20s")
    async with line(sender) as slow_body, line(sender) as silent:
        slow_body.writer.write(request(BODY)[:-4])
        assert await silent.is_cut()
        slow_body.writer.write(BODY[-4:])
        assert await slow_body.status() == 200


async def test_a_body_that_comes_in_drops_is_cut_off(bridging: Bridging) -> None:
    sender = await bridging(read_timeout="1s")
    async with line(sender) as slow:
        slow.writer.write(request(b"", length=10_000))
        told = asyncio.create_task(slow.status())

        async def dripped() -> bool:
            slow.writer.write(b"x")
            return told.done()

        await eventually(dripped)
        assert await told == 408
        assert await slow.is_cut()


async def test_bodies_that_do_not_come_take_no_more_than_their_share(bridging: Bridging) -> None:
    option = {**GITHUB, "body_limit": "64KiB"}
    sender = await bridging(option, memory="200KiB", read_timeout="60s")
    part: Any = b"x" * 40_000
    async with line(sender) as first, line(sender) as second:
        for one in (first, second):
            one.writer.write(request(b"", length=60_000) + part)
        done, _ = await asyncio.wait(
            [asyncio.create_task(one.status()) for one in (first, second)],
            timeout=10,
            return_when=asyncio.FIRST_COMPLETED,
        )
        assert [task.result() for task in done] == [503]
        assert await again(sender)
