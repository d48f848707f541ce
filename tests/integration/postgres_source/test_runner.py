"""From Postgres into Kafka: everything, in order, through restarts of either."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.partitioner import DefaultPartitioner

from connectors import source_runner
from connectors.postgres.connector import connector
from connectors.source_runner import run_source
from schemas.codec import Codec
from schemas.identifiers import row_key
from schemas.messages import Change
from schemas.placement import partition_of
from tests.integration.postgres_source.conftest import CONTACT, MakePlace, Place, image
from tests.servers import PrivateKafka, PrivatePostgres
from tests.waiting import eventually

INSERT = "insert into contacts select n, 'n' || n from generate_series($1::int, $2::int) n"
PARTITIONS = 3


async def make_topic(bootstrap: str, topic: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    settings = {"message.timestamp.type": "LogAppendTime"}
    await admin.create_topics([NewTopic(topic, PARTITIONS, 1, topic_configs=settings)])
    await admin.close()


class Topic:
    """Reads a topic from its beginning, and remembers."""

    def __init__(self, bootstrap: str, name: str) -> None:
        self.name = name
        self.records: list[Any] = []
        self._consumer = AIOKafkaConsumer(name, bootstrap_servers=bootstrap, auto_offset_reset="earliest")

    async def until(self, holds: Callable[[list[Change]], object], timeout_s: float = 60.0) -> list[Change]:
        await eventually(lambda: self._met(holds), timeout_s, "the topic holds what is expected")
        return self.changes

    @property
    def changes(self) -> list[Change]:
        codec = Codec()
        return [codec.decode_as(record.value, Change) for record in self.records]

    async def _met(self, holds: Callable[[list[Change]], object]) -> bool:
        found = await self._consumer.getmany(timeout_ms=100)
        self.records += [record for records in found.values() for record in records]
        return bool(holds(self.changes))


@asynccontextmanager
async def reading(bootstrap: str, name: str) -> AsyncIterator[Topic]:
    topic = Topic(bootstrap, name)
    await topic._consumer.start()
    try:
        yield topic
    finally:
        await topic._consumer.stop()


@asynccontextmanager
async def running(place: Place, bootstrap: str, topic: str) -> AsyncIterator[asyncio.Task[None]]:
    """A running source for the time of the block."""
    await place.session.execute("update duplex.load set done = true")
    source = place.connector.open_source(place.specs)
    route = lambda change: (topic, row_key(change.system, change.before_id or change.local_id))  # noqa: E731
    task = asyncio.create_task(run_source(source, route, {"bootstrap_servers": bootstrap}, "crm"))
    try:
        yield task
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def ids(changes: list[Change]) -> set[str]:
    return {change.local_id for change in changes}


async def test_changes_arrive_each_in_its_keys_partition(
    make_place: MakePlace, kafka_bootstrap: str, pipeline_name: str
) -> None:
    place = await make_place()
    await make_topic(kafka_bootstrap, pipeline_name)
    async with running(place, kafka_bootstrap, pipeline_name), reading(kafka_bootstrap, pipeline_name) as topic:
        await place.session.execute(INSERT, 1, 3000)
        changes = await topic.until(lambda seen: len(seen) >= 3000)
        stored = lambda: place.session.fetchval("select low_mark >= 3000 from duplex.source")  # noqa: E731
        await eventually(stored)
    assert [change.seq for change in sorted(changes, key=lambda one: one.seq)] == list(range(1, 3001))
    default = DefaultPartitioner()
    for record, change in zip(topic.records, changes, strict=True):
        assert record.key == row_key("crm", change.local_id)
        assert record.partition == default(record.key, list(range(PARTITIONS)), list(range(PARTITIONS)))
    assert {record.timestamp_type for record in topic.records} == {1}


async def test_restart_goes_on_where_kafka_has_it(
    make_place: MakePlace, kafka_bootstrap: str, pipeline_name: str
) -> None:
    place = await make_place()
    await make_topic(kafka_bootstrap, pipeline_name)
    async with reading(kafka_bootstrap, pipeline_name) as topic:
        async with running(place, kafka_bootstrap, pipeline_name):
            await place.session.execute(INSERT, 1, 10)
            await topic.until(lambda seen: len(seen) >= 10)
            await eventually(lambda: place.session.fetchval("select low_mark >= 10 from duplex.source"))
        async with running(place, kafka_bootstrap, pipeline_name):
            await place.session.execute(INSERT, 11, 20)
            changes = await topic.until(lambda seen: "[20]" in ids(seen))
    assert sorted(change.seq for change in changes) == list(range(1, 21))


async def test_missing_topic_is_waited_for(make_place: MakePlace, kafka_bootstrap: str, pipeline_name: str) -> None:
    place = await make_place()
    before = source_runner.RESTARTS.labels("crm")._value.get()
    async with running(place, kafka_bootstrap, pipeline_name):
        await place.session.execute(INSERT, 1, 5)
        await eventually(lambda: source_runner.RESTARTS.labels("crm")._value.get() > before, 60.0)
        await make_topic(kafka_bootstrap, pipeline_name)
        async with reading(kafka_bootstrap, pipeline_name) as topic:
            assert ids(await topic.until(lambda seen: len(seen) >= 5)) == {f"[{n}]" for n in range(1, 6)}


def first_seen(changes: list[Change]) -> dict[str, list[int]]:
    """Per row, the numbers of its changes as a reader takes them who drops repeats."""
    rows: dict[str, list[int]] = {}
    for change in changes:
        seen = rows.setdefault(change.local_id, [])
        if not seen or change.seq > seen[-1]:
            seen.append(change.seq)
    return rows


async def edit_rows(place: Place, rounds: range) -> None:
    for number in rounds:
        await place.session.execute("update contacts set name = $1", str(number))


async def every_edit(topic: Topic, place: Place, rounds: int) -> None:
    """Each of the twenty rows went through all its values, in order."""
    changes = await topic.until(lambda seen: len({change.seq for change in seen}) >= 20 * (rounds + 1), 90.0)
    of_row = first_seen(changes)
    images = {(change.local_id, change.seq): image(change)["name"] for change in changes}
    for local_id, numbers in of_row.items():
        assert [images[local_id, number] for number in numbers[1:]] == [str(step) for step in range(rounds)]


async def test_broker_killed_in_the_middle(
    make_place: MakePlace, private_kafka: PrivateKafka, pipeline_name: str
) -> None:
    place = await make_place()
    await make_topic(private_kafka.bootstrap, pipeline_name)
    async with running(place, private_kafka.bootstrap, pipeline_name):
        await place.session.execute(INSERT, 1, 20)
        await edit_rows(place, range(50))
        await asyncio.to_thread(private_kafka.kill)
        await edit_rows(place, range(50, 100))
        await asyncio.to_thread(private_kafka.start)
        await edit_rows(place, range(100, 120))
        async with reading(private_kafka.bootstrap, pipeline_name) as topic:
            await every_edit(topic, place, 120)


async def test_server_killed_in_the_middle(
    private_postgres: PrivatePostgres, kafka_bootstrap: str, pipeline_name: str
) -> None:
    place = await place_on(private_postgres.dsn)
    await make_topic(kafka_bootstrap, pipeline_name)
    async with running(place, kafka_bootstrap, pipeline_name), reading(kafka_bootstrap, pipeline_name) as topic:
        await place.session.execute(INSERT, 1, 20)
        await edit_rows(place, range(30))
        await asyncio.to_thread(private_postgres.kill)
        place.session.terminate()
        await asyncio.to_thread(private_postgres.start)
        place.session = await reconnected(private_postgres.dsn)
        await edit_rows(place, range(30, 60))
        await every_edit(topic, place, 60)
    await place.session.close()


async def test_nothing_is_published_that_a_crash_can_take_back(private_postgres: PrivatePostgres) -> None:
    place = await place_on(private_postgres.dsn)
    writer = await place.session.fetchval("select pid from pg_stat_activity where backend_type = 'walwriter'")
    async with place.reading(acknowledge=False) as reader:
        await place.session.execute(INSERT, 1, 1)
        await place.session.execute("select duplex.extend_log(8)")
        await reader.until(1)
        os.kill(writer, signal.SIGSTOP)
        await place.session.execute("set synchronous_commit = off")
        await place.session.execute(INSERT, 2, 3)
        committed = await place.session.fetchval("select pg_current_wal_insert_lsn()")
        await reader.until(3)
        assert await place.session.fetchval("select pg_current_wal_flush_lsn() >= $1", committed)
        os.kill(writer, signal.SIGCONT)
    await place.session.close()


async def place_on(dsn: str) -> Place:
    place = Place(dsn, await reconnected(dsn), connector("crm", "shop", {"dsn": dsn}), (CONTACT,))
    await place.session.execute("create table contacts (id integer primary key, name text, town text)")
    await place.connector.install(place.specs)
    return place


async def reconnected(dsn: str) -> Any:
    import asyncpg

    async def attempt() -> Any:
        with suppress(OSError, asyncpg.CannotConnectNowError):
            return await asyncpg.connect(dsn)

    connect: Callable[[], Awaitable[Any]] = attempt
    return await eventually(connect, 30.0)


@pytest.mark.parametrize("key", [b"", b"a", b"crm:[1]", 'crm:["é"]'.encode()])
def test_placement_is_kafkas_own(key: bytes) -> None:
    everywhere = list(range(7))
    assert partition_of(key, 7) == DefaultPartitioner()(key, everywhere, everywhere)
