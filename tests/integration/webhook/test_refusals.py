"""What is not taken: the answer says whether to come again, and nothing else."""

import asyncio
import gzip
import io
from collections.abc import AsyncIterator

import pytest

from tests.integration.webhook import senders
from tests.integration.webhook.conftest import Bridging
from tests.integration.webhook.senders import GITHUB, signed

BODY = b'{"n": 1}'
DEEP = b"[" * 65 + b"]" * 65


async def exchanged(port: int, text: bytes) -> bytes:
    """What comes back for these bytes, until the bridge closes the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(text)
    found = await asyncio.wait_for(reader.read(), 20)
    writer.close()
    await writer.wait_closed()
    return found


def head(length: int, *lines: str) -> bytes:
    """The beginning of a request with a body of this length."""
    return "\r\n".join(["POST /hooks/shop HTTP/1.1", "Host: x", f"Content-Length: {length}", *lines, "", ""]).encode()


@pytest.mark.parametrize(
    ("body", "headers", "path", "status"),
    [
        (BODY, signed(BODY), "/hooks/other", 404),
        (BODY, signed(BODY), "/hooks/shop/", 404),
        (BODY, {}, None, 401),
        (BODY, signed(b""), None, 401),
        (BODY, {"X-Hub-Signature-256": "sha1=abc"}, None, 401),
        (DEEP, signed(DEEP), None, 400),
        (gzip.compress(BODY, mtime=0), {"Content-Encoding": "gzip"}, None, 400),
        (b"x" * (1024**2 + 1), {}, None, 413),
    ],
)
async def test_what_is_no_delivery_is_refused_without_a_word(
    bridging: Bridging, body: bytes, headers: dict[str, str], path: str | None, status: int
) -> None:
    told = await (await bridging()).answered(body, headers, path)
    assert (told.status, told.body, told.headers["Server"]) == (status, b"", "duplex")


async def test_nothing_else_than_a_post_is_answered(bridging: Bridging) -> None:
    sender = await bridging()
    for method in ("GET", "PUT", "DELETE", "HEAD", "OPTIONS"):
        url = f"http://127.0.0.1:{sender.port}/hooks/shop"
        async with sender.session.request(method, url, data=BODY, headers=signed(BODY)) as response:
            assert response.status == 404


async def test_a_body_without_an_end_is_cut_off(bridging: Bridging) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(40):
            yield b"x" * 65536

    sender = await bridging()
    async with sender.session.post(f"http://127.0.0.1:{sender.port}/hooks/shop", data=endless()) as response:
        assert response.status == 413


async def test_a_body_that_does_not_come_is_not_waited_for(bridging: Bridging) -> None:
    sender = await bridging(read_timeout="1s")
    assert b" 408 " in (await exchanged(sender.port, head(10) + b"x")).splitlines()[0]


async def test_a_body_that_breaks_off_is_nothing(bridging: Bridging, kafka_bootstrap: str, topic: str) -> None:
    sender = await bridging({"signature": "none", "allow_unsigned": True})
    _, writer = await asyncio.open_connection("127.0.0.1", sender.port)
    writer.write(head(10) + b"x")
    writer.close()
    await writer.wait_closed()
    assert await sender.post(BODY, {}) == 200
    assert [one.body for one in await senders.kept(kafka_bootstrap, topic)] == [BODY]


async def test_who_waits_to_be_told_to_go_on_is_told(bridging: Bridging) -> None:
    sender = await bridging({"signature": "none", "allow_unsigned": True})
    reader, writer = await asyncio.open_connection("127.0.0.1", sender.port)
    writer.write(head(1, "Expect: 100-continue", "Connection: close"))
    assert b" 100 " in await asyncio.wait_for(reader.readline(), 10)
    writer.write(b"x")
    assert b" 200 " in await asyncio.wait_for(reader.read(), 10)
    writer.close()
    await writer.wait_closed()


async def test_more_than_the_rate_is_told_when_to_come_again(bridging: Bridging) -> None:
    sender = await bridging(GITHUB | {"rate": {"requests": 2, "window": "1m"}})
    assert [await sender.post(BODY, signed(BODY, f"d-{number}")) for number in range(2)] == [200, 200]
    told = await sender.answered(BODY, signed(BODY, "d-9"))
    assert (told.status, told.body) == (429, b"")
    assert 1 <= int(told.headers["Retry-After"]) <= 31
    assert await sender.post(BODY, signed(BODY, "d-0")) == 200, "a repeat costs nothing"


async def test_more_than_may_wait_is_told_to_come_again_and_not_kept(
    bridging: Bridging, kafka_bootstrap: str, topic: str
) -> None:
    sender = await bridging(queue=3)
    answers = await asyncio.gather(*(sender.post(b"%d" % number) for number in range(60)))
    assert set(answers) == {200, 503}
    assert len(await senders.kept(kafka_bootstrap, topic)) == answers.count(200)


async def test_bodies_beyond_the_memory_are_told_to_come_again(bridging: Bridging) -> None:
    sender = await bridging(memory="64KiB")
    large = b"x" * 70_000
    told = await sender.answered(large)
    assert (told.status, told.headers["Retry-After"]) == (503, "5")
    assert [await sender.post(b"x" * 60_000) for _ in range(3)] == [200] * 3, "what was counted is given back"


async def test_only_named_networks_may_send(bridging: Bridging) -> None:
    assert await (await bridging(GITHUB | {"allow_from": ["10.0.0.0/8"]})).post(BODY) == 404
    assert await (await bridging(GITHUB | {"allow_from": ["127.0.0.0/8"]})).post(BODY) == 200


async def test_behind_a_trusted_proxy_the_sender_counts(bridging: Bridging) -> None:
    option = GITHUB | {"allow_from": ["203.0.113.0/24"]}
    sender = await bridging(option, trusted_proxies=["127.0.0.1/32"])
    assert await sender.post(BODY, {**signed(BODY), "X-Forwarded-For": "10.0.0.1, 203.0.113.7"}) == 200
    assert await sender.post(BODY, {**signed(BODY), "X-Forwarded-For": "203.0.113.7, 10.0.0.1"}) == 404
    assert await sender.post(BODY, {**signed(BODY)}) == 404


async def test_a_challenge_by_get_is_met(bridging: Bridging) -> None:
    challenge = {"query": "hub.challenge", "require": {"hub.verify_token": "t0ken"}}
    sender = await bridging(GITHUB | {"challenge": challenge})
    url = f"http://127.0.0.1:{sender.port}/hooks/shop"
    async with sender.session.get(f"{url}?hub.challenge=abc&hub.verify_token=t0ken") as response:
        assert (response.status, await response.text()) == (200, "abc")
        assert response.content_type == "text/plain"
    async with sender.session.get(f"{url}?hub.challenge=abc&hub.verify_token=other") as response:
        assert (response.status, await response.text()) == (404, "")


async def test_a_large_body_in_pieces_is_one_body(bridging: Bridging, kafka_bootstrap: str, topic: str) -> None:
    sender = await bridging()
    body = b"".join(b"%09d " % number for number in range(90_000))
    url = f"http://127.0.0.1:{sender.port}/hooks/shop"
    async with sender.session.post(url, data=io.BytesIO(body), headers=signed(body), chunked=True) as response:
        assert response.status == 200
    assert [one.body for one in await senders.kept(kafka_bootstrap, topic)] == [body]
