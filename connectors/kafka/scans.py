"""Reading a partition from one offset to another, once, beside what follows it."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, cast

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import OffsetOutOfRangeError

from connectors.errors import ConnectorsError
from connectors.kafka.errors import UnreadableError
from connectors.kafka.rows import Message, Rows

CHUNK_MESSAGES = 1000
STALLED_AFTER_S = 60.0
POLL_MS = 500


class StalledError(ConnectorsError):
    """A partition gives nothing more, though there is more in it."""

    def __init__(self, place: TopicPartition, offset: int, end: int) -> None:
        super().__init__(
            f"{place.topic} partition {place.partition} gives nothing after offset {offset}, though it should up to "
            f"{end}. A transaction that never ended holds its readers back: see `kafka-transactions.sh list`"
        )


async def scan(
    consumer: AIOKafkaConsumer, place: TopicPartition, start: int, end: int, chunk: int = CHUNK_MESSAGES
) -> AsyncIterator[Sequence[Any]]:
    """The messages of a partition from `start` up to, not including, `end`. The consumer reads nothing else meanwhile.
    What the topic's retention removes before it is read is passed over.

    Raises KafkaError, and StalledError where nothing comes for a while.
    """
    consumer.assign([place])
    consumer.seek(place, start)
    clock = asyncio.get_running_loop().time
    position, moved_at = start, clock()
    while position < end:
        found = await _fetched(consumer, place, position, chunk)
        if messages := [message for message in found.get(place, ()) if message.offset < end]:
            yield messages
        reached = await consumer.position(place)
        if reached > position:
            position, moved_at = reached, clock()
        elif clock() - moved_at > STALLED_AFTER_S:
            raise StalledError(place, position, end)


async def _fetched(
    consumer: AIOKafkaConsumer, place: TopicPartition, position: int, chunk: int
) -> Mapping[TopicPartition, Sequence[Any]]:
    try:
        found = await consumer.getmany(place, timeout_ms=POLL_MS, max_records=chunk)
    except OffsetOutOfRangeError:
        first = (await consumer.beginning_offsets([place]))[place]
        if first <= position:
            raise
        consumer.seek(place, first)
        return {}
    return cast(Mapping[TopicPartition, Sequence[Any]], found)


async def last_offsets(
    consumer: AIOKafkaConsumer, rows: Rows, place: TopicPartition, start: int, end: int
) -> dict[str, int]:
    """For each row that there is at `end`, by local id, the offset of the last message about it.

    A row whose last message is a delete is not among them, and a message that cannot be understood counts for nothing.
    Memory: one entry for each row of the partition.
    """
    found: dict[str, int] = {}
    async for messages in scan(consumer, place, start, end):
        await rows.prepare(messages)
        for message in messages:
            _note(found, rows, message)
    return found


def _note(found: dict[str, int], rows: Rows, message: Message) -> None:
    try:
        change = rows.read(message, incarnation=0, load=True)
    except UnreadableError:
        return
    if change is not None and change.op == "d":
        found.pop(change.local_id, None)
    elif change is not None:
        found[change.local_id] = message.offset
