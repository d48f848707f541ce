"""The other side of the bridge: deliveries as a system's source reads them, at its own pace."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError, OffsetOutOfRangeError

from connectors.errors import RefusedError, UnreachableError
from connectors.remote.surroundings import Hook
from connectors.webhook.desk import DELIVERY_HEADER, RECEIVED_HEADER

log = structlog.get_logger(__name__)

BATCH = 500
POLL_MS = 1000
OWN_HEADERS = (DELIVERY_HEADER, RECEIVED_HEADER)


class KafkaHooks:
    """The deliveries in a topic, after those that `group` has acknowledged (none yet: from the topic's beginning).

    One reader at a time: nothing is shared out, and a second one would read the same. `read` and `ack` raise
    UnreachableError where Kafka is away, and `read` RefusedError where the topic does not exist. A `read` begun anew
    starts after what was acknowledged last.
    """

    def __init__(self, kafka: Mapping[str, Any], topic: str, group: str, batch: int = BATCH) -> None:
        self._kafka = kafka
        self._topic = topic
        self._group = group
        self._batch = batch
        self._consumer: AIOKafkaConsumer | None = None
        self._acknowledged: dict[TopicPartition, int] = {}

    async def read(self) -> AsyncIterator[Sequence[Hook]]:
        """See connectors.remote.surroundings.Hooks."""
        await self.close()
        async with self._naming_the_broker():
            consumer = self._consumer = await self._opened()
        while True:
            async with self._naming_the_broker():
                found = await self._some(consumer)
            for records in found.values():
                if records:
                    yield [_hook(record) for record in records]

    async def ack(self, positions: Sequence[tuple[int, int]]) -> None:
        """See connectors.remote.surroundings.Hooks. What was acknowledged further already stays so."""
        for partition, offset in positions:
            place = TopicPartition(self._topic, partition)
            self._acknowledged[place] = max(offset + 1, self._acknowledged.get(place, 0))
        if self._consumer is None or not positions:
            return
        async with self._naming_the_broker():
            await self._consumer.commit(dict(self._acknowledged))

    async def close(self) -> None:
        """Let go of Kafka. May be called twice."""
        consumer, self._consumer = self._consumer, None
        self._acknowledged = {}
        if consumer is not None:
            await consumer.stop()

    async def _opened(self) -> AIOKafkaConsumer:
        consumer = AIOKafkaConsumer(
            **self._kafka,
            group_id=self._group,
            enable_auto_commit=False,
            # To begin anew, or to miss what retention took, is decided here, and said.
            auto_offset_reset="none",
        )
        try:
            await consumer.start()
            places = await self._places(consumer)
            consumer.assign(places)
            begins = await consumer.beginning_offsets(places)
            for place in places:
                committed = await consumer.committed(place)
                consumer.seek(place, begins[place] if committed is None else committed)
        except BaseException:
            await consumer.stop()
            raise
        return consumer

    async def _places(self, consumer: AIOKafkaConsumer) -> list[TopicPartition]:
        if self._topic not in await consumer.topics():
            raise RefusedError("webhooks", f"topic {self._topic}", "it does not exist", "Run `duplex apply`.")
        count = len(consumer.partitions_for_topic(self._topic) or (0,))
        return [TopicPartition(self._topic, number) for number in range(count)]

    async def _some(self, consumer: AIOKafkaConsumer) -> Mapping[TopicPartition, Sequence[Any]]:
        try:
            found: Mapping[TopicPartition, Sequence[Any]] = await consumer.getmany(
                timeout_ms=POLL_MS, max_records=self._batch
            )
        except OffsetOutOfRangeError as error:
            await self._begin_again(consumer, error)
            return {}
        return found

    async def _begin_again(self, consumer: AIOKafkaConsumer, error: OffsetOutOfRangeError) -> None:
        lost = error.args[0] if error.args else {}
        begins = await consumer.beginning_offsets(list(lost))
        for place, wanted in lost.items():
            log.error(
                "webhook deliveries were removed unread by the topic's retention",
                topic=place.topic,
                partition=place.partition,
                wanted=wanted,
                first=begins[place],
            )
            consumer.seek(place, begins[place])

    @asynccontextmanager
    async def _naming_the_broker(self) -> AsyncIterator[None]:
        try:
            yield
        except (KafkaError, OSError) as error:
            address = self._kafka["bootstrap_servers"]
            where = address if isinstance(address, str) else ",".join(address)
            raise UnreachableError("Kafka", where, "kafka.bootstrap", str(error) or type(error).__name__) from error


def _hook(record: Any) -> Hook:
    headers = {name: value.decode("utf-8", "replace") for name, value in record.headers}
    own = {name: headers.pop(name, None) for name in OWN_HEADERS}
    key = (record.key or b"").decode("utf-8", "replace")
    received = own[RECEIVED_HEADER] or ""
    return Hook(
        position=(record.partition, record.offset),
        delivery_id=own[DELIVERY_HEADER] or key or f"{record.partition}/{record.offset}",
        body=record.value or b"",
        headers=headers,
        received_us=int(received) if received.isdecimal() else record.timestamp * 1000,
    )
