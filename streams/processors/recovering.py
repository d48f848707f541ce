"""Reading a state changelog from its beginning to its end, and nothing less."""

import asyncio
import time
from collections.abc import Iterable
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from streams.processors.changelogs import Entry, Recovered, Recovery
from streams.processors.errors import RecoveryError
from streams.processors.settings import Hosting

POLL_MS = 500


async def recover(hosting: Hosting, processor: str, topic: str, partition: int) -> tuple[Recovered, int]:
    """The state in one partition of a changelog, and the offset at its end. Raises RecoveryError."""
    consumer = AIOKafkaConsumer(
        **hosting.kafka,
        enable_auto_commit=False,
        auto_offset_reset="none",
        max_partition_fetch_bytes=8 * 1024 * 1024,
        fetch_max_wait_ms=50,
    )
    reading = _Reading(consumer, processor, TopicPartition(topic, partition), hosting.recovery_timeout_ms / 1000)
    await consumer.start()
    try:
        return await reading.run()
    finally:
        await consumer.stop()


class _Reading:
    """One reading of one changelog partition."""

    def __init__(self, consumer: Any, processor: str, at: TopicPartition, patience_seconds: float) -> None:
        self._consumer = consumer
        self._processor = processor
        self._at = at
        self._patience_seconds = patience_seconds

    async def run(self) -> tuple[Recovered, int]:
        self._consumer.assign([self._at])
        first, end = await self._bounds()
        self._consumer.seek(self._at, first)
        position = await self._consumer.position(self._at)
        if position != first:
            # A consumer that starts elsewhere than asked recovers a part of the state, silently.
            raise self._error(f"asked to read from {first}, it stands at {position}")
        recovery = Recovery()
        await self._read(recovery, position, end)
        return recovery.result(), end

    async def _bounds(self) -> tuple[int, int]:
        first = await self._consumer.beginning_offsets([self._at])
        end = await self._consumer.end_offsets([self._at])
        return first[self._at], end[self._at]

    async def _read(self, recovery: Recovery, position: int, end: int) -> None:
        progress_at = time.monotonic()
        while position < end:
            found = await self._consumer.getmany(self._at, timeout_ms=POLL_MS)
            for messages in found.values():
                recovery.feed(_entries(messages))
            now = await self._consumer.position(self._at)
            if now != position:
                position, progress_at = now, time.monotonic()
            elif time.monotonic() - progress_at > self._patience_seconds:
                raise self._error(f"stuck at {position} of {end} for {self._patience_seconds:g} s")
            # A long recovery must leave room for the group's heartbeats.
            await asyncio.sleep(0)

    def _error(self, reason: str) -> RecoveryError:
        return RecoveryError(self._processor, self._at.topic, self._at.partition, reason)


def _entries(messages: Iterable[Any]) -> Iterable[Entry]:
    return [Entry(message.key, message.value, tuple(message.headers)) for message in messages]
