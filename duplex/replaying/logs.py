"""The record log of an entity, read in order: where it begins and ends, and what stands between."""

import time
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from typing import Any

from aiokafka import TopicPartition

from duplex import broker
from duplex.replaying.errors import LogReadError
from streams.processors.records import Record

POLL_MS = 500
PATIENCE_S = 30.0
BATCH_RECORDS = 2000
FETCH_BYTES = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Bounds:
    """The first offset that a partition still has, and the one behind its last."""

    first: int
    end: int


async def bounds(options: broker.Options, topic: str) -> dict[int, Bounds]:
    """The bounds of every partition; none where the topic does not exist. Raises BrokerError."""
    partitions = await broker.partitions_of(options, topic)
    if not partitions:
        return {}
    async with broker.consumer(options) as client:
        firsts, ends = await client.beginning_offsets(partitions), await client.end_offsets(partitions)
    return {each.partition: Bounds(firsts[each], ends[each]) for each in partitions}


async def records(
    options: broker.Options, topic: str, partition: int, start: int, end: int
) -> AsyncGenerator[list[Record], None]:
    """The records of a partition from `start` up to, and without, `end`. Raises BrokerError, LogReadError."""
    if start >= end:
        return
    source = TopicPartition(topic, partition)
    async with broker.consumer(
        options, max_poll_records=BATCH_RECORDS, max_partition_fetch_bytes=FETCH_BYTES, fetch_max_wait_ms=50
    ) as client:
        client.assign([source])
        client.seek(source, start)
        position, progress_s = start, time.monotonic()
        while position < end:
            found = (await client.getmany(source, timeout_ms=POLL_MS)).get(source, ())
            if found:
                yield [_record(each) for each in found if each.offset < end]
            reached = await client.position(source)
            if reached != position:
                position, progress_s = reached, time.monotonic()
            elif time.monotonic() - progress_s > PATIENCE_S:
                raise LogReadError(topic, partition, position, end)


async def offsets_at(options: broker.Options, topic: str, partitions: Sequence[int], ts_ms: int) -> dict[int, int]:
    """The first offset of each partition that was appended at this time or later; its end where there is none."""
    sources = {TopicPartition(topic, each): ts_ms for each in partitions}
    async with broker.consumer(options) as client:
        ends = await client.end_offsets(list(sources))
        found = await client.offsets_for_times(sources)
    return {each.partition: ends[each] if found[each] is None else found[each].offset for each in sources}


def _record(message: Any) -> Record:
    return Record(
        message.topic,
        message.partition,
        message.offset,
        message.key,
        message.value,
        message.timestamp,
        message.headers,
    )
