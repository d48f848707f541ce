"""How long `duplex record explain` takes on a long log, the start of its process included.

Records of four events each (a row created in crm, its echo in erp, an update in crm, its echo), every record's events
spread over the whole log, are written to the record log, and merged by the program's own processors, so that states and
trails are theirs. Then records chosen at random are explained by the command as a user types it: while the processors
run, and after they have stopped. Last, one whole partition of the log is read for one key, as for a record without a
trail. Full size is a million events, and takes some minutes: run it by name.
"""

import asyncio
import os
import random
import signal
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import msgspec
from aiokafka import AIOKafkaProducer, TopicPartition

from benchmarks.pipelines import Program
from benchmarks.report import Sample
from benchmarks.stage import Scale, Stage, consuming, sql
from duplex import broker, lookups
from schemas.codec import Codec
from schemas.identifiers import command_id, record_of_key
from schemas.messages import Change, Origin
from schemas.placement import partition_of
from streams.processors.settings import group_id

TITLE = "duplex record explain, as a process: one record of a long log"
BASELINE = "nothing runs"
RUNNING = "the pipeline runs"
SYSTEMS = ("crm", "erp")
EVENTS_EACH = 4
EVENTS, EVENTS_QUICK = 1_000_000, 8_000
EXPLAINED = 10
PARTITIONS = 4
MERGE_LIMIT_S = 900.0
POLL_S = 0.25
BATCH_BYTES = 512_000


async def run(stage: Stage, scale: Scale) -> list[Sample]:
    """Fill, merge, explain with and without the running program, and scan."""
    events = scale.of(EVENTS, EVENTS_QUICK)
    program = await _applied(stage)
    kafka = {"bootstrap_servers": stage.bootstrap}
    try:
        await _fill(stage, program, events // EVENTS_EACH)
        program.process = await program._spawn("run", "--only", "processors", "--http-port", "0")
        merged_s = await _merged(program, kafka)
        names = random.Random(events).sample(range(events // EVENTS_EACH), EXPLAINED)
        samples = [await _explained(program, RUNNING, number, name, events) for number, name in enumerate(names)]
        await _end(program)
        samples += [await _explained(program, BASELINE, number, name, events) for number, name in enumerate(names)]
        samples.append(await _scanned(program, kafka, names[0]))
        samples.append(_sample("merging it first", "processors", 0, events, merged_s))
        return samples
    finally:
        await program.stop()


async def _applied(stage: Stage) -> Program:
    script = sql("item.sql").replace("ROWS", "1")
    crm, erp = await stage.database("source", script), await stage.database("target", script)
    program = Program(crm, erp, stage.bootstrap)
    text = sql("project.yaml").replace("PIPELINE", program.pipeline)
    (program.folder / "duplex.yaml").write_text(text)
    applying = await program._spawn("apply")
    if await applying.wait():
        raise RuntimeError("duplex apply failed: " + (program.folder / "run.log").read_text()[-2000:])
    return program


async def _fill(stage: Stage, program: Program, records: int) -> None:
    """All creates, then all their echoes, then all updates, then all theirs, behind the markers of both loads."""
    topic, codec = program.topics.records("item"), Codec()
    partitions = [partition_of(_record(number).encode(), PARTITIONS) for number in range(records)]
    async with _producer(stage.bootstrap) as producer:
        batches = {partition: producer.create_batch() for partition in range(PARTITIONS)}

        async def add(partition: int, key: bytes | None, change: Change) -> None:
            data, now_ms = codec.encode(change), int(time.time() * 1000)
            if batches[partition].append(key=key, value=data, timestamp=now_ms) is None:
                await producer.send_batch(batches[partition], topic, partition=partition)
                batches[partition] = producer.create_batch()
                batches[partition].append(key=key, value=data, timestamp=now_ms)

        for partition in range(PARTITIONS):
            for system in SYSTEMS:
                await add(partition, None, _change(system, 0, "l", 0, None))
        for number, change in _history(records):
            await add(partitions[number], _record(number).encode(), change)
        for partition, batch in batches.items():
            await (await producer.send_batch(batch, topic, partition=partition))


@asynccontextmanager
async def _producer(bootstrap: str) -> AsyncIterator[AIOKafkaProducer]:
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, enable_idempotence=True, max_batch_size=BATCH_BYTES)
    await producer.start()
    try:
        yield producer
    finally:
        await producer.stop()


def _history(records: int) -> Iterator[tuple[int, Change]]:
    for rev in range(EVENTS_EACH // 2):
        for system in SYSTEMS:
            for number in range(records):
                yield number, _change(system, number, "c" if rev == 0 else "u", rev + 1, rev)


def _change(system: str, number: int, op: str, seq: int, rev: int | None) -> Change:
    record_id = _record(number)
    origin = None
    if system == "erp" and rev is not None:
        origin = Origin(command=command_id(record_id, "erp", rev + 1), record_id=record_id, hop=1)
    return Change(
        system=system, entity="item", table="public.item", incarnation=1, seq=seq, op=op,  # type: ignore[arg-type]
        local_id=f"[{number}]", after=None if rev is None else _row(number, rev), ts_us=time.time_ns() // 1000,
        transaction=number, origin=origin,
    )  # fmt: skip


def _row(number: int, rev: int) -> str:
    row = {"id": number, "a": f"name-{number:015}", "b": f"mail-{number:015}", "c": f"note-{number:015}", "n": 7}
    rest = {"rev": rev, "amt": "12.5", "ts": "2026-01-01T00:00:00+00:00", "ok": True}
    return msgspec.json.encode(row | rest).decode()


def _record(number: int) -> str:
    return record_of_key("item", f"[{number}]")


async def _merged(program: Program, kafka: broker.Options) -> float:
    """Wait until the merge has committed all of its log; how long that took, from the start of its process."""
    started, topic = time.perf_counter(), program.topics.records("item")
    group = group_id(program.pipeline, "merge.item")
    while time.perf_counter() - started < MERGE_LIMIT_S:
        (lag,) = await broker.lags(kafka, [(group, topic)])
        if lag.committed and lag.messages == 0:
            return time.perf_counter() - started
        await asyncio.sleep(POLL_S)
    raise RuntimeError(f"the log was not merged within {MERGE_LIMIT_S:g} s")


async def _explained(program: Program, variant: str, number: int, name: int, events: int) -> Sample:
    ours = {"KAFKA_BOOTSTRAP_SERVERS": program.bootstrap, "CRM_DSN": program.crm, "ERP_DSN": program.erp}
    words = ["--project", str(program.folder / "duplex.yaml"), "record", "explain", f"crm:{name}"]
    started = time.perf_counter()
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "duplex", *words, env={**os.environ, **ours},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    output, errors = await process.communicate()
    took_s = time.perf_counter() - started
    told = output.decode()
    if f"{EVENTS_EACH} events" not in told or "NOTE" in told or "rev: 1 " not in told:
        raise RuntimeError(f"crm:{name} is not explained:\n{told}{errors.decode()}")
    return _sample(f"explain, {events:,} events in the log", variant, number, 1, took_s)


async def _end(program: Program) -> None:
    assert program.process is not None
    program.process.send_signal(signal.SIGTERM)
    await asyncio.wait_for(program.process.wait(), 60)


async def _scanned(program: Program, kafka: broker.Options, name: int) -> Sample:
    key, topic = _record(name).encode(), program.topics.records("item")
    partition = partition_of(key, PARTITIONS)
    count = await _count(program.bootstrap, topic, partition)
    started = time.perf_counter()
    found = await lookups.scan_key(kafka, topic, partition, key)
    took_s = time.perf_counter() - started
    if len(found) != EVENTS_EACH:
        raise RuntimeError(f"{len(found)} messages of {key!r} instead of {EVENTS_EACH}")
    return _sample("one partition read for one key", "lookups.scan_key", 0, count, took_s)


async def _count(bootstrap: str, topic: str, partition: int) -> int:
    source = TopicPartition(topic, partition)
    async with consuming(bootstrap) as consumer:
        return int((await consumer.end_offsets([source]))[source])


def _sample(case: str, variant: str, number: int, events: int, wall_s: float) -> Sample:
    more = {"ms": wall_s * 1000, "µs per event": wall_s * 1e6 / events}
    return Sample(case=case, variant=variant, round=number, events=events, wall_s=wall_s, more=more)
