"""Messages into the record logs, and the wait for what the merge makes of them."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import msgspec
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from duplex import broker
from duplex.conflicts.replies import Answer, Replies, Sent
from schemas.codec import Codec
from schemas.messages import Decision
from schemas.placement import partition_of
from schemas.topics import Topics

AT_ONCE = 2_000
POLL_MS = 200
Progress = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Letter:
    """A message for a record log. Without a `partition` the key's own is meant."""

    entity: str
    key: bytes
    message: msgspec.Struct
    partition: int | None = None


async def decide(
    options: broker.Options, topics: Topics, decisions: Sequence[Decision], within_s: float, progress: Progress
) -> list[Answer]:
    """Send decisions and wait for the answer to each, at most `within_s` seconds for every 2,000 of them.

    `progress` is told how many more were answered. When some of a portion are not answered in time, those behind it
    are not sent. Raises BrokerError.
    """
    answers: list[Answer] = []
    async with broker.producer(options) as producer, _listening(options, topics) as consumer:
        for start in range(0, len(decisions), AT_ONCE):
            portion = await _sent(producer, topics, decisions[start : start + AT_ONCE])
            found = await _answered(consumer, topics, portion, within_s, progress)
            answers += found
            if any(each.outcome == "unanswered" for each in found):
                break
    return answers + [Answer(each, "unsent") for each in decisions[len(answers) :]]


async def post(options: broker.Options, topics: Topics, letters: Sequence[Letter]) -> None:
    """Write messages into the record logs, and return when they are safe there. Raises BrokerError."""
    async with broker.producer(options) as producer:
        await _post(producer, topics, letters)


async def _post(producer: AIOKafkaProducer, topics: Topics, letters: Sequence[Letter]) -> list[tuple[str, int, int]]:
    codec, futures = Codec(), []
    for letter in letters:
        partition = letter.partition
        if partition is None:
            partition = partition_of(letter.key, topics.partitions)
        value = codec.encode(letter.message)
        futures.append(await producer.send(topics.records(letter.entity), value, key=letter.key, partition=partition))
    done = await asyncio.gather(*futures)
    return [(each.topic, each.partition, each.offset) for each in done]


async def _sent(producer: AIOKafkaProducer, topics: Topics, decisions: Sequence[Decision]) -> list[Sent]:
    letters = [Letter(each.entity, each.record_id.encode(), each) for each in decisions]
    places = await _post(producer, topics, letters)
    return [Sent(decision, place) for decision, place in zip(decisions, places, strict=True)]


@asynccontextmanager
async def _listening(options: broker.Options, topics: Topics) -> AsyncIterator[AIOKafkaConsumer]:
    """A consumer that stands at the end of the two topics in which an answer may come."""
    partitions: list[TopicPartition] = []
    for topic in (topics.conflicts, topics.deadletters):
        partitions += await broker.partitions_of(options, topic)
    async with broker.consumer(options, max_poll_records=5000) as client:
        client.assign(partitions)
        for partition, end in (await client.end_offsets(partitions)).items():
            client.seek(partition, end)
        yield client


async def _answered(
    consumer: AIOKafkaConsumer, topics: Topics, sent: Sequence[Sent], within_s: float, progress: Progress
) -> list[Answer]:
    replies, wanted = Replies(sent, Codec()), frozenset(each.decision.record_id.encode() for each in sent)
    deadline = time.monotonic() + within_s
    while replies.missing and time.monotonic() < deadline:
        missing = replies.missing
        for partition, records in (await consumer.getmany(timeout_ms=POLL_MS)).items():
            for record in records:
                if partition.topic == topics.deadletters:
                    replies.deadletter(record.headers)
                elif record.key in wanted and record.value is not None:
                    replies.conflict(record.value)
        progress(missing - replies.missing)
    return replies.answers()
