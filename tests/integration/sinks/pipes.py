"""A topic of commands of one test, and the runner on it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic, RecordsToDelete

from connectors.sink_runner import run_sink
from schemas.codec import Codec
from schemas.messages import Command
from tests.conformance.commands import Commander

PARTITIONS = 2
CODEC = Codec()


class Pipe:
    """Topics of one test, and what runs on them."""

    def __init__(self, bootstrap: str, pipeline: str) -> None:
        self.kafka = {"bootstrap_servers": bootstrap}
        self.topic = f"{pipeline}.commands.crm"
        self.deadletters = f"{pipeline}.deadletters"
        self.results = f"{pipeline}.results"
        self.group = f"{pipeline}.sink.crm"
        self.commands = [Commander(partition=partition) for partition in range(PARTITIONS)]

    async def create(self) -> None:
        admin = AIOKafkaAdminClient(**self.kafka)
        await admin.start()
        names = (self.topic, self.deadletters, self.results)
        await admin.create_topics([NewTopic(name, PARTITIONS, 1) for name in names])
        await admin.close()

    async def send(self, *commands: Command) -> None:
        await self.send_bytes(*((command.partition, CODEC.encode(command)) for command in commands))

    async def send_bytes(self, *values: tuple[int, bytes]) -> None:
        async with AIOKafkaProducer(**self.kafka) as producer:
            for partition, value in values:
                await producer.send(self.topic, value, key=b"key", partition=partition, headers=[("own", b"1")])

    def some(self, partition: int, count: int) -> list[Command]:
        return [self.commands[partition].create({"n": n}) for n in range(count)]

    @asynccontextmanager
    async def running(self, sink: Any, instance: str = "one") -> AsyncIterator[asyncio.Task[None]]:
        """The runner for the time of the block."""
        task = asyncio.create_task(
            run_sink(sink, system="crm", topic=self.topic, group=self.group, kafka=self.kafka,
                     deadletters=self.deadletters, instance=instance)
        )  # fmt: skip
        try:
            yield task
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def committed(self) -> int:
        consumer = AIOKafkaConsumer(**self.kafka, group_id=self.group, enable_auto_commit=False)
        await consumer.start()
        places = [TopicPartition(self.topic, partition) for partition in range(PARTITIONS)]
        try:
            return sum([await consumer.committed(place) or 0 for place in places])
        finally:
            await consumer.stop()

    async def remove_before(self, partition: int, offset: int) -> None:
        """As the topic's retention would."""
        admin = AIOKafkaAdminClient(**self.kafka)
        await admin.start()
        await admin.delete_records({TopicPartition(self.topic, partition): RecordsToDelete(before_offset=offset)})
        await admin.close()

    async def dead(self, count: int) -> list[Any]:
        consumer = AIOKafkaConsumer(self.deadletters, **self.kafka, auto_offset_reset="earliest")
        await consumer.start()
        try:
            async with asyncio.timeout(10):
                return [await consumer.getone() for _ in range(count)]
        finally:
            await consumer.stop()
