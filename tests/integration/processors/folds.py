"""A processor whose state tells every repeat and every gap, and what it takes to feed and watch one."""

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from streams.processors.publishing import partition_of
from streams.processors.records import Decided, Output, Record, UnprocessableError, each
from streams.processors.service import BatchService
from streams.processors.settings import Hosting
from streams.processors.stores import Store
from tests.waiting import eventually

PARTITIONS = 4
MODULUS = 2**61 - 1


def fold(state: int, value: int) -> int:
    """Neither idempotent nor commutative."""
    return (state * 31 + value + 7) % MODULUS


@dataclass(frozen=True)
class Fold:
    """Folds the numbers of each key; sends the state after each. A value that is no number cannot be processed."""

    pipeline: str
    inputs: tuple[str, ...] = ()
    name: str = "fold"

    @property
    def outputs(self) -> tuple[str, ...]:
        return (f"{self.pipeline}.out",)

    @property
    def free_outputs(self) -> tuple[str, ...]:
        return ()

    @property
    def state_topic(self) -> str | None:
        return f"{self.pipeline}.state"

    def apply(self, records: Sequence[Record], store: Store) -> list[Decided]:
        return each(records, lambda record: self._one(record, store))

    def _one(self, record: Record, store: Store) -> Iterable[Decided]:
        if record.value == b"crash":
            raise KeyError("a mistake in the processor")
        if not record.value.isdigit():
            raise UnprocessableError(f"{record.value!r} is no number")
        state = str(fold(int(store.get(record.key) or b"0"), int(record.value))).encode()
        store.put(record.key, state)
        return [Output(self.outputs[0], record.key, state, record.partition, cause=record)]


def fold_of(pipeline: str) -> Fold:
    return Fold(pipeline, (f"{pipeline}.in",))


def expected(values: Iterable[tuple[bytes, int]]) -> dict[bytes, list[int]]:
    """Every state of each key, in order."""
    states: dict[bytes, list[int]] = {}
    for key, value in values:
        known = states.setdefault(key, [])
        known.append(fold(known[-1] if known else 0, value))
    return states


@asynccontextmanager
async def admin(bootstrap: str) -> AsyncIterator[AIOKafkaAdminClient]:
    client = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await client.start()
    try:
        yield client
    finally:
        await client.close()


async def create_topics(bootstrap: str, pipeline: str, *names: str, partitions: int = PARTITIONS) -> None:
    wanted = names or ("in", "out", "state", "deadletters")
    async with admin(bootstrap) as client:
        await client.create_topics([NewTopic(f"{pipeline}.{name}", partitions, 1) for name in wanted])


async def produce(bootstrap: str, topic: str, messages: Iterable[tuple[bytes, bytes]]) -> None:
    """Send messages, each to its key's partition, in order."""
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all", max_batch_size=200_000)
    await producer.start()
    try:
        batches: dict[int, list] = {}
        for key, value in messages:
            batches.setdefault(partition_of(key, PARTITIONS), []).append((key, value))
        for partition, held in batches.items():
            await _send(producer, topic, partition, held)
    finally:
        await producer.stop()


async def _send(producer: AIOKafkaProducer, topic: str, partition: int, messages: list) -> None:
    batch = producer.create_batch()
    for key, value in messages:
        if batch.append(timestamp=None, key=key, value=value) is None:
            await (await producer.send_batch(batch, topic, partition=partition))
            batch = producer.create_batch()
            batch.append(timestamp=None, key=key, value=value)
    await (await producer.send_batch(batch, topic, partition=partition))


async def read_all(bootstrap: str, topic: str) -> list:
    """Every message of a topic, as it stands now."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, auto_offset_reset="earliest")
    await consumer.start()
    try:
        sources = [TopicPartition(topic, partition) for partition in range(PARTITIONS)]
        consumer.assign(sources)
        ends = await consumer.end_offsets(sources)
        firsts = await consumer.beginning_offsets(sources)
        found = []
        while len(found) < sum(ends.values()) - sum(firsts.values()):
            for messages in (await consumer.getmany(timeout_ms=200)).values():
                found += messages
        return found
    finally:
        await consumer.stop()


def hosting_of(bootstrap: str, pipeline: str, **settings) -> Hosting:
    return Hosting(
        **{"kafka": {"bootstrap_servers": bootstrap}, "pipeline": pipeline, "session_timeout_ms": 6000} | settings
    )


@asynccontextmanager
async def running(hosting: Hosting, processor: object) -> AsyncIterator[BatchService]:
    """A started service, with all its partitions ready unless another member holds some."""
    service = BatchService(hosting, processor)
    await service.start()
    try:
        yield service
    finally:
        await service.stop()


def states(*services: BatchService) -> dict[bytes, int]:
    """The state in memory, of all partitions."""
    lanes = [lane for service in services for lane in service.lanes.values()]
    return {key: int(value) for lane in lanes for key, value in lane.store.items()}


def processed(*services: BatchService) -> int:
    """How many input records are behind these services."""
    return sum(sum(lane.positions.values()) for service in services for lane in service.lanes.values())


async def caught_up(count: int, *services: BatchService, timeout_s: float = 30) -> None:
    await eventually(lambda: processed(*services) >= count, timeout_s, f"{count} records are not processed")


def numbers(count: int, keys: int, start: int = 0) -> list[tuple[bytes, int]]:
    return [(b"k%d" % (index % keys), index) for index in range(start, start + count)]


def encoded(values: Iterable[tuple[bytes, int]]) -> list[tuple[bytes, bytes]]:
    return [(key, b"%d" % value) for key, value in values]


def finals(values: Iterable[tuple[bytes, int]]) -> dict[bytes, int]:
    return {key: found[-1] for key, found in expected(values).items()}
