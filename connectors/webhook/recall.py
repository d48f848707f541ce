"""What the memory of deliveries held before a restart: it is in Kafka, as the keys of the deliveries themselves."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition

from connectors.errors import ConnectorsError
from connectors.webhook.deliveries import Deliveries
from connectors.webhook.endpoints import Remembered

log = structlog.get_logger(__name__)

POLL_MS = 500
STUCK_AFTER_S = 30.0


@dataclass(eq=False)
class TopicMissingError(ConnectorsError):
    """A topic that `apply` has not made yet."""

    topic: str

    def __str__(self) -> str:
        return f"topic {self.topic} does not exist. Run `duplex apply`."


async def recall(kafka: Mapping[str, Any], topic: str, deliveries: Deliveries, after: int | None, now_s: float) -> int:
    """Add the ids that partition 0 of the topic holds, from offset `after` (None: all that are to be remembered) to its
    end now; the end. Raises KafkaError, TopicMissingError, and TimeoutError where nothing comes."""
    consumer = AIOKafkaConsumer(**kafka, enable_auto_commit=False, auto_offset_reset="earliest")
    try:
        await consumer.start()
        if topic not in await consumer.topics():
            raise TopicMissingError(topic)
        place = TopicPartition(topic, 0)
        consumer.assign([place])
        end = (await consumer.end_offsets([place]))[place]
        begin = after if after is not None else await _begin(consumer, place, end, deliveries.remembered, now_s)
        consumer.seek(place, begin)
        await _read(consumer, place, end, deliveries)
    finally:
        await consumer.stop()
    return int(end)


async def _begin(
    consumer: AIOKafkaConsumer, place: TopicPartition, end: int, remembered: Remembered, now_s: float
) -> int:
    oldest_ms = int((now_s - remembered.time_s) * 1000)
    found = (await consumer.offsets_for_times({place: max(0, oldest_ms)}))[place]
    return max(end if found is None else found.offset, end - remembered.count)


async def _read(consumer: AIOKafkaConsumer, place: TopicPartition, end: int, deliveries: Deliveries) -> None:
    deadline_s = time.monotonic() + STUCK_AFTER_S
    while (position := await consumer.position(place)) < end:
        records = (await consumer.getmany(place, timeout_ms=POLL_MS)).get(place, [])
        for record in records:
            if record.key is not None and record.offset < end:
                deliveries.add(record.key, record.timestamp / 1000)
        if records:
            deadline_s = time.monotonic() + STUCK_AFTER_S
        elif time.monotonic() > deadline_s:
            raise TimeoutError(f"{place.topic} gives nothing at offset {position}, and its end is {end}")
