"""What a source cannot understand reaches the dead letters before its position is acknowledged."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer

from connectors.base import Batch, Rejected
from connectors.errors import RefusedError
from connectors.source_runner import run_source
from schemas import deadletters
from schemas.messages import Change
from tests.integration.kafka_source.topics import MakeTopic

BAD = Rejected("legacy", 2, 7, b"key", b"\x00bytes", (("trace", b"1"),), "WrongError", "it is no JSON")


class OneBatch:
    """A source that has one batch, and waits after it."""

    def __init__(self) -> None:
        self.acked = asyncio.Event()

    async def read(self, after: Any) -> AsyncIterator[Batch]:
        yield Batch([], "place", [BAD])
        await asyncio.Event().wait()

    async def ack(self, position: Any) -> None:
        assert position == "place"
        self.acked.set()

    async def close(self) -> None:
        """Nothing is held open."""


def nowhere(change: Change) -> tuple[str, bytes]:
    raise AssertionError("there is no change to be sent")


async def first(bootstrap: str, topic: str) -> Any:
    async with AIOKafkaConsumer(topic, bootstrap_servers=bootstrap, auto_offset_reset="earliest") as consumer:
        return await asyncio.wait_for(consumer.getone(), 20)


async def test_it_goes_to_the_dead_letters_with_its_bytes_and_the_reason(
    kafka_bootstrap: str, make_topic: MakeTopic
) -> None:
    topic, source = await make_topic("deadletters", 1), OneBatch()
    task = asyncio.create_task(run_source(source, nowhere, {"bootstrap_servers": kafka_bootstrap}, "legacy", topic))
    try:
        await asyncio.wait_for(source.acked.wait(), 20)
        letter = await first(kafka_bootstrap, topic)
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
    assert (letter.key, letter.value) == (b"key", b"\x00bytes")
    failure = deadletters.failure(list(letter.headers))
    assert (failure.topic, failure.partition, failure.offset) == ("legacy", 2, 7)
    assert (failure.error_class, failure.message) == ("WrongError", "it is no JSON")
    assert failure.component == "source legacy"
    assert deadletters.original(list(letter.headers)) == [("trace", b"1")]


async def test_without_a_place_for_dead_letters_the_source_stops_and_says_why(kafka_bootstrap: str) -> None:
    with pytest.raises(RefusedError, match="legacy:2:7: it is no JSON"):
        await run_source(OneBatch(), nowhere, {"bootstrap_servers": kafka_bootstrap}, "legacy")
