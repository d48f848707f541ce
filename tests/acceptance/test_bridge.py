"""`kill -9` of the webhook bridge: what was answered is in Kafka, and what was not comes again and is there once."""

import asyncio
import random
import socket
import sys
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest

from duplex import broker
from schemas.topics import Topics
from tests.integration.webhook import senders
from tests.integration.webhook.senders import Sender, signed

ROOT = Path(__file__).parents[2]
BODY = b'{"n": 1}'
DELIVERIES = 300
SENDERS = 20


@dataclass
class Killable:
    """A bridge process at an address that it keeps."""

    bootstrap: str
    topic: str
    port: int
    process: asyncio.subprocess.Process | None = None

    async def start(self, die_at: int = 0) -> None:
        """Start it; `die_at`: it dies between the acknowledgement of that delivery and its answer."""
        words = ("-m", "tests.integration.webhook.bridge_process", self.port, self.bootstrap, self.topic, die_at)
        self.process = await asyncio.create_subprocess_exec(sys.executable, *map(str, words), cwd=ROOT)

    async def ended(self) -> int:
        """Its exit code, when it has one."""
        assert self.process is not None
        return await asyncio.wait_for(self.process.wait(), 60)

    async def kill(self) -> None:
        """`kill -9`."""
        if self.process is not None and self.process.returncode is None:
            self.process.kill()
            await self.ended()

    async def kept(self) -> Counter[str]:
        """How often each delivery is in Kafka."""
        return Counter(one.key for one in await senders.kept(self.bootstrap, self.topic))


@pytest.fixture
async def bridge(kafka_bootstrap: str, pipeline_name: str) -> AsyncIterator[Killable]:
    """Not started yet; its topic is there."""
    spec = Topics(pipeline_name).hook_log("shop")
    await broker.create_missing({"bootstrap_servers": kafka_bootstrap}, [spec], 1)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    found = Killable(kafka_bootstrap, spec.name, port)
    yield found
    await found.kill()


@pytest.fixture
async def sender(bridge: Killable) -> AsyncIterator[Sender]:
    """An application that gives no connection a second use: any may lead to a bridge that is dead."""
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True, limit=0)) as session:
        yield Sender(bridge.port, session)


async def status(sender: Sender, delivery: str) -> int | None:
    """The answer; None where there was none."""
    try:
        return await sender.post(BODY, signed(BODY, delivery))
    except aiohttp.ClientError:
        return None


async def until_taken(sender: Sender, delivery: str) -> None:
    """Come again until it is taken, as applications do."""
    async with asyncio.timeout(120):
        while (found := await status(sender, delivery)) != 200:
            assert found in (None, 503)
            await asyncio.sleep(0.05)


async def test_a_bridge_killed_between_acknowledgement_and_answer_loses_and_doubles_nothing(
    bridge: Killable, sender: Sender
) -> None:
    await bridge.start(die_at=3)
    await until_taken(sender, "d-1")
    await until_taken(sender, "d-2")
    assert await status(sender, "d-3") is None
    assert await bridge.ended() == -9
    assert await bridge.kept() == {"d-1": 1, "d-2": 1, "d-3": 1}
    await bridge.start()
    for delivery in ("d-3", "d-1", "d-4"):
        await until_taken(sender, delivery)
    assert await bridge.kept() == {"d-1": 1, "d-2": 1, "d-3": 1, "d-4": 1}


async def test_a_bridge_killed_again_and_again_under_load_loses_and_doubles_nothing(
    bridge: Killable, sender: Sender
) -> None:
    chance, waiting = random.Random(7), [f"d-{number}" for number in range(DELIVERIES)]

    async def send() -> None:
        while waiting:
            await until_taken(sender, waiting.pop())

    work = asyncio.gather(*(send() for _ in range(SENDERS)))
    for _ in range(3):
        await bridge.start(die_at=chance.randrange(5, 60))
        assert await bridge.ended() == -9
    await bridge.start()
    await work
    assert await bridge.kept() == dict.fromkeys((f"d-{number}" for number in range(DELIVERIES)), 1)
