"""The job on a consumer and a producer, as one would write it by hand for speed: batch by batch of a partition."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import msgspec
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from benchmarks.child import Run, Watch
from benchmarks.hosts.job import Event, State, merged

Message = tuple[bytes, bytes]


@asynccontextmanager
async def plain(bootstrap: str, pipeline: str, source: str, events: int) -> AsyncIterator[Callable[[], Awaitable[Run]]]:
    """Outputs first, then the changelog, then the offsets; the partitions of a poll beside each other."""
    consumer = AIOKafkaConsumer(
        source,
        bootstrap_servers=bootstrap,
        group_id=uuid.uuid4().hex,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        max_partition_fetch_bytes=2 * 1024 * 1024,
    )
    producer = AIOKafkaProducer(
        bootstrap_servers=bootstrap, enable_idempotence=True, acks="all", max_batch_size=512_000
    )
    host = Plain(producer, pipeline)

    async def work() -> Run:
        await producer.start()
        await consumer.start()
        while host.watch.events < events:
            found = await consumer.getmany(timeout_ms=500, max_records=4000)
            if found:
                await asyncio.gather(*(host.settle(place, records) for place, records in found.items()))
                await consumer.commit({place: records[-1].offset + 1 for place, records in found.items()})
        return host.watch.run()

    yield work
    await consumer.stop()
    await producer.stop()


class Plain:
    """State by partition and key, in memory and in a changelog."""

    def __init__(self, producer: AIOKafkaProducer, pipeline: str) -> None:
        self.watch = Watch()
        self._producer = producer
        self._pipeline = pipeline
        self._states: dict[int, dict[bytes, State]] = {}

    async def settle(self, place: TopicPartition, records: Sequence[Any]) -> None:
        self.watch.start()
        states, changed, outputs = self._states.setdefault(place.partition, {}), {}, []
        for record in records:
            event = msgspec.json.decode(record.value, type=Event)
            state = merged(states.get(record.key) or {}, event.field, event.value, event.at)
            states[record.key] = state
            data = changed[record.key] = msgspec.json.encode(state)
            outputs.append((record.key, data))
        await self._send(f"{self._pipeline}.out", place.partition, outputs)
        await self._send(f"{self._pipeline}.state", place.partition, list(changed.items()))
        self.watch.events += len(records)

    async def _send(self, topic: str, partition: int, messages: Sequence[Message]) -> None:
        batch = self._producer.create_batch()
        for key, value in messages:
            if batch.append(timestamp=None, key=key, value=value) is None:
                await (await self._producer.send_batch(batch, topic, partition=partition))
                batch = self._producer.create_batch()
                batch.append(timestamp=None, key=key, value=value)
        await (await self._producer.send_batch(batch, topic, partition=partition))
