"""Topics as other programs leave them: made, filled, made anew."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import msgspec
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic, RecordsToDelete

from tests.waiting import eventually

MakeTopic = Callable[[str, int], Awaitable[str]]
Headers = Sequence[tuple[str, bytes]]


def bytes_of(value: Any) -> bytes | None:
    return value if value is None or isinstance(value, bytes) else msgspec.json.encode(value)


async def make(bootstrap: str, topic: str, partitions: int, config: Mapping[str, str] | None = None) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(topic, partitions, 1, topic_configs=dict(config or {}))])
        await _has(admin, topic, partitions)
    finally:
        await admin.close()


async def _has(admin: AIOKafkaAdminClient, topic: str, partitions: int) -> None:
    """Wait until the broker tells of a topic with so many partitions."""

    async def told() -> bool:
        return len((await admin.describe_topics([topic]))[0]["partitions"]) == partitions

    await eventually(told, 20)


async def drop(bootstrap: str, topics: Sequence[str]) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        present = set(await admin.list_topics())
        if doomed := [topic for topic in topics if topic in present]:
            await admin.delete_topics(doomed)
        async with asyncio.timeout(20):
            while present.intersection(doomed):
                present = set(await admin.list_topics())
    finally:
        await admin.close()


class Producer:
    """Writes messages as another program does: JSON keys and values, or bytes as they are."""

    def __init__(self, bootstrap: str, topic: str) -> None:
        self._bootstrap, self._topic = bootstrap, topic

    async def send(self, *messages: tuple[Any, Any], headers: Headers = (), partition: int | None = None) -> None:
        """Send these (key, value) pairs in order, and wait until they are safe."""
        async with AIOKafkaProducer(bootstrap_servers=self._bootstrap, acks="all") as producer:
            sent = [
                await producer.send(
                    self._topic, bytes_of(value), key=bytes_of(key), headers=list(headers), partition=partition
                )
                for key, value in messages
            ]
            await asyncio.gather(*sent)

    async def transact(self, *messages: tuple[Any, Any], abort: bool = False) -> None:
        """Send these in one transaction."""
        producer = AIOKafkaProducer(bootstrap_servers=self._bootstrap, transactional_id=f"{self._topic}.writer")
        async with producer:
            await producer.begin_transaction()
            for key, value in messages:
                await producer.send_and_wait(self._topic, bytes_of(value), key=bytes_of(key))
            await (producer.abort_transaction() if abort else producer.commit_transaction())


async def grow(bootstrap: str, topic: str, partitions: int) -> None:
    """Give a topic more partitions, and wait until every client sees them."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        await admin.create_partitions({topic: NewPartitions(partitions)})
        await _has(admin, topic, partitions)
    finally:
        await admin.close()


async def remove_before(bootstrap: str, topic: str, offset: int) -> None:
    """Remove the messages of partition 0 before this offset, as retention does."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        await admin.delete_records({TopicPartition(topic, 0): RecordsToDelete(offset)})
    finally:
        await admin.close()
