"""Progress is told to the broker in few requests, and what it did not take is told again."""

import asyncio

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import CommitFailedError, KafkaError

from connectors.sink_progress import Progress

A, B = TopicPartition("commands", 0), TopicPartition("commands", 1)


class Consumer:
    """Notes commits; the next one fails if it is told so."""

    def __init__(self) -> None:
        self.commits: list[dict[TopicPartition, int]] = []
        self.error: Exception | None = None
        self.allowed = asyncio.Event()
        self.allowed.set()

    async def commit(self, offsets: dict[TopicPartition, int]) -> None:
        error, self.error = self.error, None
        if error is not None:
            raise error
        await self.allowed.wait()
        self.commits.append(dict(offsets))


@pytest.fixture
def consumer() -> Consumer:
    return Consumer()


@pytest.fixture
def progress(consumer: Consumer) -> Progress:
    return Progress(consumer, "crm")


async def test_all_partitions_are_told_together(progress: Progress, consumer: Consumer) -> None:
    for offsets in ({A: 3}, {B: 5}, {A: 7}):
        await progress.commit(offsets)
    assert consumer.commits == [] and progress.done == {A: 7, B: 5}
    await progress.flush()
    await progress.flush()
    assert consumer.commits == [{A: 7, B: 5}]


async def test_at_once_means_with_every_batch(consumer: Consumer) -> None:
    progress = Progress(consumer, "blog", at_once=True)
    await progress.commit({A: 3})
    await progress.commit({A: 4})
    assert consumer.commits == [{A: 3}, {A: 4}]


async def test_what_the_broker_did_not_take_is_told_again(progress: Progress, consumer: Consumer) -> None:
    consumer.error = KafkaError("away")
    await progress.commit({A: 3})
    await progress.flush()
    await progress.commit({B: 1})
    await progress.flush()
    assert consumer.commits == [{A: 3, B: 1}]


async def test_partitions_of_somebody_else_are_not_told_again(progress: Progress, consumer: Consumer) -> None:
    consumer.error = CommitFailedError("rebalanced")
    await progress.commit({A: 3})
    await progress.flush()
    await progress.flush()
    assert consumer.commits == []


async def test_who_flushes_waits_for_the_commit_under_way(progress: Progress, consumer: Consumer) -> None:
    consumer.allowed.clear()
    await progress.commit({A: 3})
    under_way = asyncio.create_task(progress.flush())
    await asyncio.sleep(0)
    last = asyncio.create_task(progress.flush())
    await asyncio.sleep(0)
    assert not last.done()
    consumer.allowed.set()
    await asyncio.gather(under_way, last)
    assert consumer.commits == [{A: 3}]


async def test_what_is_forgotten_is_not_told(progress: Progress, consumer: Consumer) -> None:
    await progress.commit({A: 3, B: 4})
    progress.forget([A])
    await progress.flush()
    assert consumer.commits == [{B: 4}] and progress.done == {B: 4}
