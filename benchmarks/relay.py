"""From the change log to Kafka: our relay beside a bare loop that reads the same rows and sends them."""

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import asyncpg
from aiokafka import AIOKafkaProducer

from benchmarks import capture
from benchmarks.accounting import metered
from benchmarks.child import Run, child
from benchmarks.report import Sample
from benchmarks.stage import Scale, Stage, in_turns, sql
from benchmarks.waiting import until
from connectors.postgres.connector import connector
from connectors.source_runner import EVENTS, run_source
from schemas.identifiers import row_key
from schemas.messages import Change
from schemas.placement import partition_of

TITLE = "relay: changes waiting in the log → Kafka, acknowledged (one process)"
BASELINE = "bare loop"
JOBS = {BASELINE: "benchmarks.relay:bare", "our relay": "benchmarks.relay:ours"}
PARTITIONS = 4
Work = Callable[[], Awaitable[Run]]


async def run(stage: Stage, scale: Scale) -> list[Sample]:
    """The same log, read by each in turn."""
    dsn = await stage.database("source", sql("item.sql").replace("ROWS", str(capture.ROWS)))
    await capture.captured(dsn)
    changes = await capture.bulk(dsn, scale.of(60, 4), "relay-")
    return [
        await _measured(stage, dsn, variant, changes, number) for number, variant in in_turns(scale.rounds, tuple(JOBS))
    ]


async def _measured(stage: Stage, dsn: str, variant: str, changes: int, number: int) -> Sample:
    topic = f"relay-{uuid.uuid4().hex[:8]}"
    await stage.topics(topic, partitions=PARTITIONS, message_timestamp_type="LogAppendTime")
    await _from_the_beginning(dsn)
    async with child(JOBS[variant], dsn=dsn, bootstrap=stage.bootstrap, topic=topic, changes=changes) as process:
        with metered(lambda: stage.pids("kafka", "source")) as used:
            done = await process.go()
    assert await stage.ends(topic, PARTITIONS) >= changes, "the topic lacks changes"
    cpu = {"process": done.cpu_s * 1e6 / done.events} | used.us_per(changes)
    return Sample(
        case=f"{changes:,} changes", variant=variant, round=number, events=done.events, wall_s=done.wall_s, cpu_us=cpu
    )


async def _from_the_beginning(dsn: str) -> None:
    connection = await asyncpg.connect(dsn)
    await connection.execute("update duplex.source set low_mark = 0")
    await connection.execute("vacuum analyze")
    await connection.close()


@asynccontextmanager
async def ours(dsn: str, bootstrap: str, topic: str, changes: int) -> AsyncIterator[Work]:
    """The source of `duplex run`, until so many changes are acknowledged."""
    source = connector("crm", "bench", {"dsn": dsn}).open_source([capture.SPEC])

    def route(change: Change) -> tuple[str, bytes]:
        return topic, row_key(change.system, change.local_id)

    async def work() -> Run:
        acknowledged = EVENTS.labels("crm")._value
        task = asyncio.create_task(run_source(source, route, {"bootstrap_servers": bootstrap}, "crm"))
        await until(acknowledged.get, task)
        # What a start costs is paid once; the rate is that of a relay at work.
        wall, cpu, before = time.perf_counter(), time.process_time(), int(acknowledged.get())
        await until(lambda: acknowledged.get() >= changes, task)
        found = Run(changes - before, time.perf_counter() - wall, time.process_time() - cpu)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        return found

    yield work


@asynccontextmanager
async def bare(dsn: str, bootstrap: str, topic: str, changes: int) -> AsyncIterator[Work]:
    """A cursor, a producer, nothing remembered: images sent as they are, in batches, without an envelope."""

    async def work() -> Run:
        connection = await asyncpg.connect(dsn)
        producer = AIOKafkaProducer(
            bootstrap_servers=bootstrap, enable_idempotence=True, acks="all", max_batch_size=900_000
        )
        await producer.start()
        wall, cpu = time.perf_counter(), time.process_time()
        sent = await _copy(connection, producer, topic)
        found = Run(sent, time.perf_counter() - wall, time.process_time() - cpu)
        await producer.stop()
        await connection.close()
        return found

    yield work


async def _copy(connection: Any, producer: AIOKafkaProducer, topic: str) -> int:
    under_way, sent = list[Any](), 0
    async with connection.transaction():
        cursor = await connection.cursor("select local_id, before, after from duplex.change_log order by seq")
        while rows := await cursor.fetch(2000):
            batches = [producer.create_batch() for _ in range(PARTITIONS)]
            for local_id, before, after in rows:
                key = local_id.encode()
                value = f"{before}\n{after}".encode()
                assert batches[partition_of(key, PARTITIONS)].append(timestamp=None, key=key, value=value)
            under_way += [await producer.send_batch(one, topic, partition=n) for n, one in enumerate(batches)]
            sent += len(rows)
        await asyncio.gather(*under_way)
    return sent
