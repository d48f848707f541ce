"""A sender is told to come again before it loses patience; its delivery goes on, and is known when it comes again."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

import aiohttp
import pytest

from duplex import broker
from schemas.project.bridge import Bridge
from schemas.topics import Topics
from tests.integration.webhook import senders
from tests.integration.webhook.senders import Sender, signed
from tests.servers import PrivateKafka
from tests.waiting import eventually

BODY = b'{"n": 1}'
# Seconds that the applications wait for an answer, by what they say of themselves, or by their code.
PATIENCE_S = {"ghost": 2, "slack": 3, "shopify": 5, "hubspot": 5, "github": 10, "zendesk": 10, "stripe": 10,
              "standard": 15}  # fmt: skip


@contextmanager
def held(kafka: PrivateKafka) -> Iterator[None]:
    """A broker that does nothing for the time of the block, and loses nothing."""
    record = kafka._runtime.kafka_server().running()
    assert record is not None
    os.kill(record.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(record.pid, signal.SIGCONT)


@pytest.fixture
async def sender(private_kafka: PrivateKafka) -> AsyncIterator[Sender]:
    """To a bridge with a broker of its own."""
    spec = Topics("t").hook_log("shop")
    await broker.create_missing({"bootstrap_servers": private_kafka.bootstrap}, [spec], 1)
    bridge = senders.server(private_kafka.bootstrap, spec.name, answer_timeout="1s")
    await bridge.start()
    async with aiohttp.ClientSession() as session:
        found = Sender(bridge.port, session)
        await senders.taken(found, [b"before"])
        yield found
    await bridge.stop()


async def kept(kafka: PrivateKafka) -> list[bytes]:
    """The bodies in the topic."""
    return [one.body for one in await senders.kept(kafka.bootstrap, Topics("t").hooks("shop"))]


def test_the_answer_comes_before_the_most_impatient_application_gives_up() -> None:
    # Connecting and TLS take their part of it.
    assert Bridge().answer_timeout_s <= min(PATIENCE_S.values()) / 2


async def test_a_sender_is_told_in_time_and_its_delivery_is_kept_once(
    private_kafka: PrivateKafka, sender: Sender
) -> None:
    with held(private_kafka):
        begun_s = time.monotonic()
        told = await sender.answered(BODY, signed(BODY, "d-1"))
        assert (told.status, told.headers["Retry-After"]) == (503, "5")
        assert time.monotonic() - begun_s < 2
        assert await sender.post(BODY, signed(BODY, "d-1")) == 503, "it comes again, and Kafka is still busy"
    await eventually(lambda: answered(sender, "d-1"), timeout_s=30)
    assert await kept(private_kafka) == [b"before", BODY]


async def test_who_comes_again_and_waits_is_told_that_it_is_safe(private_kafka: PrivateKafka, sender: Sender) -> None:
    with held(private_kafka):
        assert await sender.post(BODY, signed(BODY, "d-1")) == 503
        waiting = asyncio.create_task(sender.post(BODY, signed(BODY, "d-1")))
        await asyncio.sleep(0)
    assert await waiting == 200
    assert await kept(private_kafka) == [b"before", BODY]


async def answered(sender: Sender, delivery: str) -> bool:
    """Whether a delivery is taken."""
    return await sender.post(BODY, signed(BODY, delivery)) == 200
