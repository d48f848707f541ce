"""Sending outputs in whole batches, in order, and knowing that they arrived.

Nothing is sent to a partition before what was sent to it earlier is acknowledged. That costs little, because a batch
holds hundreds of messages, and it is what lets a consumer fence repeats by offset: a batch that fails never leaves a
later one behind it in the log.
"""

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import groupby
from operator import attrgetter
from typing import Any

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from schemas import placement
from streams.processors.changelogs import Entry
from streams.processors.errors import DeliveryError, DeliveryTimeoutError
from streams.processors.records import Output
from streams.processors.settings import Hosting

log = structlog.get_logger(__name__)
Message = Output | Entry
STOP_SECONDS = 10.0
partition_of = lru_cache(maxsize=200_000)(placement.partition_of)


class Publisher:
    """The outputs of one service. Shared by its partitions; `renew` after a failure, before anything is sent again."""

    def __init__(self, hosting: Hosting, processor: str) -> None:
        self._hosting = hosting
        self._processor = processor
        self._producer: AIOKafkaProducer | None = None
        self._suspect: AIOKafkaProducer | None = None
        self._renewing = asyncio.Lock()
        self._counts: dict[str, int] = {}

    async def start(self) -> None:
        """Connect. Raises aiokafka's KafkaConnectionError."""
        producer = AIOKafkaProducer(
            **self._hosting.kafka,
            acks="all",
            enable_idempotence=True,
            max_batch_size=self._hosting.batch_bytes,
            max_request_size=max(self._hosting.output_bytes, 1_048_576),
        )
        try:
            await producer.start()
        except BaseException:
            await producer.stop()
            raise
        self._producer = producer

    async def stop(self) -> None:
        """Disconnect; harmless when repeated."""
        producer, self._producer = self._producer, None
        if producer is not None:
            await self._close(producer)

    async def renew(self) -> None:
        """Replace the producer if it failed since it was made. An idempotent producer can be stuck for good."""
        async with self._renewing:
            if self._producer is None or self._producer is not self._suspect:
                return
            await self.stop()
            await self.start()

    async def _close(self, producer: AIOKafkaProducer) -> None:
        try:
            await asyncio.wait_for(producer.stop(), STOP_SECONDS)
        except TimeoutError as error:
            # What it still holds could arrive behind what its successor sends.
            raise DeliveryTimeoutError(self._processor, "(any)", -1, "the producer does not stop") from error

    async def publish(self, outputs: Sequence[Output]) -> None:
        """Send all, stage by stage; returns when every one is acknowledged. Raises DeliveryError."""
        for _, staged in groupby(sorted(outputs, key=attrgetter("stage")), key=attrgetter("stage")):
            of_stage = list(staged)
            await self._know({output.topic for output in of_stage if output.partition is None})
            groups: dict[tuple[str, int], list[Message]] = {}
            for output in of_stage:
                groups.setdefault((output.topic, self._place(output)), []).append(output)
            await self._all(groups)

    async def append(self, topic: str, partition: int, entries: Sequence[Entry]) -> list[tuple[int, int]]:
        """Send entries to one partition. Returns (first offset, count) of each batch; -1 where it is not known."""
        return await self._send(topic, partition, entries)

    async def _all(self, groups: dict[tuple[str, int], list[Message]]) -> None:
        sending = [self._send(topic, partition, messages) for (topic, partition), messages in groups.items()]
        # Every sending ends before the first failure is raised: none may be under way when the lane starts over.
        for outcome in await asyncio.gather(*sending, return_exceptions=True):
            if isinstance(outcome, BaseException):
                raise outcome

    async def _know(self, topics: set[str]) -> None:
        for topic in topics - self._counts.keys():
            try:
                self._counts[topic] = len(await self._current(topic).partitions_for(topic))
            except KafkaError as error:
                raise DeliveryError(self._processor, topic, -1, str(error) or type(error).__name__) from error

    def _place(self, output: Output) -> int:
        if output.partition is not None:
            return output.partition
        return partition_of(output.key or b"", self._counts[output.topic])

    def _current(self, topic: str) -> AIOKafkaProducer:
        if self._producer is None:
            raise DeliveryError(self._processor, topic, -1, "the producer is stopped")
        return self._producer

    async def _send(self, topic: str, partition: int, messages: Iterable[Message]) -> list[tuple[int, int]]:
        producer = self._current(topic)
        limit_seconds = self._hosting.delivery_timeout_ms / 1000
        sent: list[tuple[int, int]] = []
        try:
            for batch in batches(producer, messages):
                async with asyncio.timeout(limit_seconds):
                    future = await producer.send_batch(batch, topic, partition=partition)
                    metadata = await future
                sent.append((metadata.offset if metadata else -1, batch.record_count()))
        except TimeoutError as error:
            reason = f"no answer in {limit_seconds:g} s"
            raise DeliveryTimeoutError(self._processor, topic, partition, reason) from error
        except (KafkaError, AssertionError) as error:
            self._suspect = producer
            raise DeliveryError(self._processor, topic, partition, str(error) or type(error).__name__) from error
        return sent


def batches(producer: Any, messages: Iterable[Message]) -> Iterator[Any]:
    """Producer batches that hold these messages, in order, each as full as it may be."""
    batch = producer.create_batch()
    for message in messages:
        key, value, headers = message.key, message.value, list(message.headers)
        if batch.append(timestamp=None, key=key, value=value, headers=headers) is None:
            yield batch
            batch = producer.create_batch()
            batch.append(timestamp=None, key=key, value=value, headers=headers)
    batch.close()
    if batch.record_count():
        yield batch
