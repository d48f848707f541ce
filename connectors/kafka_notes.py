"""Notes of a system in a compacted topic: all of them in memory, each change in Kafka before it counts.

One process writes them, and is their truth. What a command wants of the running system (`ASKED`) comes the same way,
from another process: names that begin so are followed, and written by nobody else. It is left without reading anything
(`leave`).

A system has a note for every row, and commands want to know a handful: what is installed (`SMALL`). So the process that
writes repeats those few every now and then, and whoever wants only them (`open(only=…)`) reads the end of the topic.
Where the end does not hold them all, everything is read after all.
"""

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError

from connectors.ending import end
from connectors.errors import RefusedError, UnreachableError
from connectors.remote.surroundings import ASKED

log = structlog.get_logger(__name__)

READ_TIMEOUT_S = 60.0
POLL_MS = 500
PAUSE_S = 1.0
SMALL = "installed/"
REPEATED_AFTER = 1000
"""Notes that may be put before the small ones are put again, as they are."""


class KafkaNotes:
    """`connectors.remote.surroundings.Notes` in the topic with this name, of one partition. One writer at a time.

    `follow`: take note of what others ask while this is open. `records_read` is how many messages `open` had to read.
    """

    def __init__(self, kafka: Mapping[str, Any], system: str, topic: str, *, follow: bool = False) -> None:
        self._kafka = kafka
        self._system = system
        self._topic = topic
        self._values: dict[str, bytes] = {}
        self._producer: AIOKafkaProducer | None = None
        self._follow = follow
        self._following: asyncio.Task[None] | None = None
        self._since_small = 0
        self.records_read = 0

    async def open(self, only: Collection[str] | None = None) -> None:
        """Read every note; or `only` these, and all others are as if there were none, and none can be put.

        Raises UnreachableError, and RefusedError where the topic does not exist.
        """
        consumer = AIOKafkaConsumer(**self._kafka, enable_auto_commit=False, auto_offset_reset="earliest")
        try:
            async with asyncio.timeout(READ_TIMEOUT_S):
                await consumer.start()
                place = await self._place(consumer)
                if only is not None:
                    await self._read_few(consumer, place, frozenset(only))
                else:
                    await self._read_all(consumer, place)
        except (KafkaError, TimeoutError) as error:
            await self._abandon(consumer)
            raise _away(self._kafka, self._system, error) from error
        except BaseException:
            await self._abandon(consumer)
            raise
        if self._follow and only is None:
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
            raise RuntimeError(f"the notes of {self._system} are not open, or only to be read")
        try:
            await _send(self._producer, self._topic, changed | self._repeated(changed))
        except KafkaError as error:
            raise _away(self._kafka, self._system, error) from error
        for name, value in changed.items():
            self._keep(name, value)

    async def close(self) -> None:
        """Let go of Kafka. May be called twice."""
        following, self._following = self._following, None
        if following is not None:
            await end([following])
        producer, self._producer = self._producer, None
        if producer is not None:
            await producer.stop()

    async def _abandon(self, consumer: AIOKafkaConsumer) -> None:
        await consumer.stop()
        await self.close()

    async def _place(self, consumer: AIOKafkaConsumer) -> TopicPartition:
        if self._topic not in await consumer.topics():
            raise _missing(self._system, self._topic)
        place = TopicPartition(self._topic, 0)
        consumer.assign([place])
        return place

    async def _read_all(self, consumer: AIOKafkaConsumer, place: TopicPartition) -> None:
        await consumer.seek_to_beginning(place)
        async for name, value in self._until_the_end(consumer, place):
            self._keep(name, value)
            self._since_small = 0 if name.startswith(SMALL) else self._since_small + 1
        self._producer = AIOKafkaProducer(**self._kafka, acks="all", enable_idempotence=True)
        await self._producer.start()

    async def _read_few(self, consumer: AIOKafkaConsumer, place: TopicPartition, wanted: frozenset[str]) -> None:
        """What is repeated at least every so often is near the end, unless it was never put."""
        begin = (await consumer.beginning_offsets([place]))[place]
        end = (await consumer.end_offsets([place]))[place]
        seen: set[str] = set()
        for start in sorted({max(begin, end - 2 * REPEATED_AFTER), begin}, reverse=True):
            consumer.seek(place, start)
            async for name, value in self._until_the_end(consumer, place):
                if name in wanted:
                    seen.add(name)
                    self._keep(name, value)
            if seen == wanted:
                return

    async def _until_the_end(
        self, consumer: AIOKafkaConsumer, place: TopicPartition
    ) -> AsyncIterator[tuple[str, bytes | None]]:
        end = (await consumer.end_offsets([place]))[place]
        while await consumer.position(place) < end:
            for record in (await consumer.getmany(place, timeout_ms=POLL_MS)).get(place, []):
                self.records_read += 1
                yield record.key.decode(), record.value

    def _repeated(self, changed: Mapping[str, bytes | None]) -> dict[str, bytes | None]:
        """The small notes, if it is time to put them again."""
        self._since_small += len(changed)
        if self._since_small < REPEATED_AFTER:
            return {}
        self._since_small = 0
        return {name: self._values[name] for name in self.names(SMALL) if name not in changed}

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


async def leave(kafka: Mapping[str, Any], system: str, topic: str, values: Mapping[str, bytes | None]) -> None:
    """Put notes for the process that keeps the system's, without reading any; they count when Kafka has all of them.

    Raises UnreachableError, and RefusedError where the topic does not exist.
    """
    producer = AIOKafkaProducer(**kafka, acks="all", enable_idempotence=True)
    try:
        async with asyncio.timeout(READ_TIMEOUT_S):
            await producer.start()
            if topic not in (await producer.client.fetch_all_metadata()).topics():
                raise _missing(system, topic)
            await _send(producer, topic, values)
    except (KafkaError, TimeoutError) as error:
        raise _away(kafka, system, error) from error
    finally:
        await producer.stop()


async def _send(producer: AIOKafkaProducer, topic: str, values: Mapping[str, bytes | None]) -> None:
    sent = [await producer.send(topic, key=name.encode(), value=value, partition=0) for name, value in values.items()]
    await asyncio.gather(*sent)


def _missing(system: str, topic: str) -> RefusedError:
    return RefusedError(system, f"topic {topic}", "it does not exist", "Run `duplex apply`.")


def _away(kafka: Mapping[str, Any], system: str, error: BaseException) -> UnreachableError:
    servers = kafka["bootstrap_servers"]
    reason = str(error) or type(error).__name__
    return UnreachableError(system, f"its notes in {servers}", "kafka.bootstrap", reason)
