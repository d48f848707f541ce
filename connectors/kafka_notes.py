"""Notes of a system in a compacted topic: all of them in memory, each change in Kafka before it counts."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError

from connectors.errors import RefusedError, UnreachableError

READ_TIMEOUT_S = 60.0
POLL_MS = 500


class KafkaNotes:
    """`connectors.remote.surroundings.Notes` in the topic with this name, of one partition. One writer at a time."""

    def __init__(self, kafka: Mapping[str, Any], system: str, topic: str) -> None:
        self._kafka = kafka
        self._system = system
        self._topic = topic
        self._values: dict[str, bytes] = {}
        self._producer: AIOKafkaProducer | None = None

    async def open(self) -> None:
        """Read every note. Raises UnreachableError, and RefusedError where the topic does not exist."""
        try:
            async with asyncio.timeout(READ_TIMEOUT_S):
                await self._read()
            producer = AIOKafkaProducer(**self._kafka, acks="all", enable_idempotence=True)
            self._producer = producer
            await producer.start()
        except (KafkaError, TimeoutError) as error:
            await self.close()
            raise self._away(error) from error
        except BaseException:
            await self.close()
            raise

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
        producer, self._producer = self._producer, None
        if producer is not None:
            await producer.stop()

    async def _read(self) -> None:
        consumer = AIOKafkaConsumer(**self._kafka, enable_auto_commit=False, auto_offset_reset="earliest")
        await consumer.start()
        try:
            place = TopicPartition(self._topic, 0)
            if self._topic not in await consumer.topics():
                raise RefusedError(self._system, f"topic {self._topic}", "it does not exist", "Run `duplex apply`.")
            consumer.assign([place])
            end = (await consumer.end_offsets([place]))[place]
            await consumer.seek_to_beginning(place)
            while await consumer.position(place) < end:
                found = await consumer.getmany(place, timeout_ms=POLL_MS)
                for record in found.get(place, []):
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
