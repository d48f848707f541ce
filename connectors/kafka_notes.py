"""Notes of a system in a compacted topic: all of them in memory, each change in Kafka before it counts.

One process writes them, and is their truth. What a command wants of the running system (`ASKED`) comes the same way,
from another process: names that begin so are followed, and written by nobody else.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError

from connectors.errors import RefusedError, UnreachableError
from connectors.remote.surroundings import ASKED

log = structlog.get_logger(__name__)

READ_TIMEOUT_S = 60.0
POLL_MS = 500
PAUSE_S = 1.0


class KafkaNotes:
    """`connectors.remote.surroundings.Notes` in the topic with this name, of one partition. One writer at a time.

    `follow`: take note of what others ask while this is open.
    """

    def __init__(self, kafka: Mapping[str, Any], system: str, topic: str, *, follow: bool = False) -> None:
        self._kafka = kafka
        self._system = system
        self._topic = topic
        self._values: dict[str, bytes] = {}
        self._producer: AIOKafkaProducer | None = None
        self._follow = follow
        self._following: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Read every note. Raises UnreachableError, and RefusedError where the topic does not exist."""
        consumer = AIOKafkaConsumer(**self._kafka, enable_auto_commit=False, auto_offset_reset="earliest")
        try:
            async with asyncio.timeout(READ_TIMEOUT_S):
                await consumer.start()
                await self._read(consumer)
                producer = AIOKafkaProducer(**self._kafka, acks="all", enable_idempotence=True)
                self._producer = producer
                await producer.start()
        except (KafkaError, TimeoutError) as error:
            await self._abandon(consumer)
            raise self._away(error) from error
        except BaseException:
            await self._abandon(consumer)
            raise
        if self._follow:
            self._following = asyncio.create_task(self._take_note(consumer))
        else:
            await consumer.stop()

    def get(self, name: str) -> bytes | None:
        """A value as last put."""
        return self._values.get(name)

    def names(self, prefix: str) -> Sequence[str]:
        """The names that begin so."""
        return [name for name in self._values if name.startswith(prefix)]

    async def put(self, values: Mapping[str, bytes | None]) -> None:
        """Keep these (None: forget); they count when Kafka has all of them. Raises UnreachableError."""
        changed = {name: value for name, value in values.items() if self._values.get(name) != value}
        if not changed:
            return
        if self._producer is None:
            raise RuntimeError(f"the notes of {self._system} are not open")
        try:
            sent = [
                await self._producer.send(self._topic, key=name.encode(), value=value, partition=0)
                for name, value in changed.items()
            ]
            await asyncio.gather(*sent)
        except KafkaError as error:
            raise self._away(error) from error
        for name, value in changed.items():
            self._keep(name, value)

    async def close(self) -> None:
        """Let go of Kafka. May be called twice."""
        following, self._following = self._following, None
        if following is not None:
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)
        producer, self._producer = self._producer, None
        if producer is not None:
            await producer.stop()

    async def _abandon(self, consumer: AIOKafkaConsumer) -> None:
        await consumer.stop()
        await self.close()

    async def _read(self, consumer: AIOKafkaConsumer) -> None:
        place = TopicPartition(self._topic, 0)
        if self._topic not in await consumer.topics():
            raise RefusedError(self._system, f"topic {self._topic}", "it does not exist", "Run `duplex apply`.")
        consumer.assign([place])
        end = (await consumer.end_offsets([place]))[place]
        await consumer.seek_to_beginning(place)
        while await consumer.position(place) < end:
            for record in (await consumer.getmany(place, timeout_ms=POLL_MS)).get(place, []):
                self._keep(record.key.decode(), record.value)

    async def _take_note(self, consumer: AIOKafkaConsumer) -> None:
        try:
            while True:
                try:
                    found = await consumer.getmany(timeout_ms=POLL_MS)
                except KafkaError as error:
                    log.warning("what is asked of a system cannot be read", system=self._system, error=str(error))
                    await asyncio.sleep(PAUSE_S)
                    continue
                for record in (one for records in found.values() for one in records):
                    if record.key.decode().startswith(ASKED):
                        self._keep(record.key.decode(), record.value)
        finally:
            await consumer.stop()

    def _keep(self, name: str, value: bytes | None) -> None:
        if value is None:
            self._values.pop(name, None)
        else:
            self._values[name] = value

    def _away(self, error: BaseException) -> UnreachableError:
        servers = self._kafka["bootstrap_servers"]
        reason = str(error) or type(error).__name__
        return UnreachableError(self._system, f"its notes in {servers}", "kafka.bootstrap", reason)
