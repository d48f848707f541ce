"""Kafka goes away and comes back; the bridge starts, stops, and is stopped twice."""

import asyncio
import subprocess
from pathlib import Path

import aiohttp
import pytest

from connectors.errors import RefusedError
from duplex import broker
from schemas.project.bridge import Bridge
from schemas.topics import Topics
from tests.integration.webhook import senders
from tests.integration.webhook.conftest import Bridging
from tests.integration.webhook.senders import Sender, signed
from tests.servers import PrivateKafka

BODY = b'{"n": 1}'


async def test_while_kafka_is_away_senders_are_told_to_come_again(private_kafka: PrivateKafka) -> None:
    spec = Topics("t").hook_log("shop")
    options = {"bootstrap_servers": private_kafka.bootstrap}
    await broker.create_missing(options, [spec], 1)
    bridge = senders.server(private_kafka.bootstrap, spec.name, answer_timeout="1s")
    async with aiohttp.ClientSession() as session:
        await bridge.start()
        sender = Sender(bridge.port, session)
        try:
            await senders.taken(sender, [b"before"])
            await asyncio.to_thread(private_kafka.kill)
            told = await sender.answered(BODY, signed(BODY, "d-1"))
            assert (told.status, told.headers["Retry-After"], told.body) == (503, "5", b"")
            assert await sender.post(BODY, signed(BODY, "d-1")) == 503
            await asyncio.to_thread(private_kafka.start)
            await senders.taken(sender, [BODY], "d-1")
        finally:
            await bridge.stop()
    found = [one.body for one in await senders.kept(private_kafka.bootstrap, spec.name)]
    assert found == [b"before", BODY]


async def test_before_kafka_is_there_senders_are_told_to_come_again() -> None:
    bridge = senders.server("127.0.0.1:9", "t.hooks.shop")
    async with aiohttp.ClientSession() as session:
        await bridge.start()
        assert await Sender(bridge.port, session).post(BODY) == 503
        await bridge.stop()


async def test_a_topic_that_is_made_later_is_found(kafka_bootstrap: str, pipeline_name: str) -> None:
    spec = Topics(pipeline_name).hook_log("shop")
    bridge = senders.server(kafka_bootstrap, spec.name)
    async with aiohttp.ClientSession() as session:
        await bridge.start()
        sender = Sender(bridge.port, session)
        assert await sender.post(BODY) == 503
        await broker.create_missing({"bootstrap_servers": kafka_bootstrap}, [spec], 1)
        await senders.taken(sender, [BODY], "d-1")
        await bridge.stop()
    await broker.delete({"bootstrap_servers": kafka_bootstrap}, [spec.name])


async def test_it_may_be_started_and_stopped_twice(kafka_bootstrap: str, topic: str) -> None:
    bridge = senders.server(kafka_bootstrap, topic)
    await bridge.start()
    await bridge.start()
    await bridge.stop()
    await bridge.stop()


async def test_what_is_under_way_is_finished_before_it_stops(
    bridging: Bridging, kafka_bootstrap: str, topic: str
) -> None:
    bridge = senders.server(kafka_bootstrap, topic)
    await bridge.start()
    async with aiohttp.ClientSession() as session:
        sender = Sender(bridge.port, session)
        await senders.taken(sender, [b"first"])
        posts = [asyncio.create_task(sender.post(b"%d" % number)) for number in range(300)]
        # The first answer comes while others are under way.
        await asyncio.wait(posts, timeout=10, return_when=asyncio.FIRST_COMPLETED)
        assert not all(post.done() for post in posts)
        await bridge.stop()
        found = await asyncio.gather(*posts, return_exceptions=True)
    safe = {one.body for one in await senders.kept(kafka_bootstrap, topic)}
    assert all(b"%d" % number in safe for number, status in enumerate(found) if status == 200)
    assert found.count(200) > 0


async def test_an_address_in_use_is_named(kafka_bootstrap: str, topic: str) -> None:
    first = senders.server(kafka_bootstrap, topic)
    await first.start()
    second = senders.server(kafka_bootstrap, topic)
    second._settings = Bridge(port=first.port)
    with pytest.raises(RefusedError, match=f"127.0.0.1:{first.port}.*bridge.host and port"):
        await second.start()
    await first.stop()


async def test_it_speaks_tls(bridging: Bridging, tmp_path: Path) -> None:
    certificate, key = tmp_path / "bridge.pem", tmp_path / "key.pem"
    words = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    names = ["-subj", "/CN=localhost", "-days", "2", "-keyout", str(key), "-out", str(certificate)]
    await asyncio.to_thread(subprocess.run, [*words, *names], check=True, capture_output=True)
    sender = await bridging(tls={"certificate": str(certificate), "key": str(key)})
    assert await sender.post(BODY) == 200


async def test_a_certificate_that_is_none_is_named(tmp_path: Path) -> None:
    (tmp_path / "c.pem").write_text("no certificate")
    files = {"certificate": str(tmp_path / "c.pem"), "key": str(tmp_path / "c.pem")}
    with pytest.raises(RefusedError, match=r"bridge.tls.*c\.pem"):
        await senders.server("127.0.0.1:9", "t", tls=files).start()


async def test_what_is_dangerous_is_said_at_every_start(
    kafka_bootstrap: str, topic: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for option in ({"signature": "none", "allow_unsigned": True}, {"signature": {"scheme": "github", "secret": "s"}}):
        bridge = senders.server(kafka_bootstrap, topic, option)
        await bridge.start()
        await bridge.stop()
    said = "".join(capsys.readouterr())
    assert "nothing is verified" in said and "can be guessed" in said
