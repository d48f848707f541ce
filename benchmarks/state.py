"""State that grows: how fast it is recovered from its changelog, and what the merge costs with it.

Each case runs in a process of its own. BENCH_STATE_RECORDS says how many records the largest state has (10,000,000;
it takes 15 GB of disk in the temporary folder and half an hour), BENCH_STATE_MEMORY_MIB what may be in memory (512).
"""

import os
import random
import resource
import tempfile
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec

from benchmarks.child import Child, child
from benchmarks.merge import BATCH, TOPICS, Log, processor
from benchmarks.report import Sample
from benchmarks.stage import Scale, Stage
from streams.processors import changelogs, recovering
from streams.processors.changelogs import Entry, Stamp
from streams.processors.publishing import Publisher
from streams.processors.records import Record
from streams.processors.settings import Hosting
from streams.processors.spilled import Spill, SpilledStore
from streams.processors.spilled_files import Place
from streams.processors.stores import LaneStore, PartitionStore

TITLE = "state: recovery from the changelog, and the merge (apply and store), by the number of records"
BASELINE = "in memory"
DISK, COPY = "on disk", "on disk, from its copy"
SYSTEMS = ("crm", "erp")
MIB = 1024 * 1024
EDITED = 20_000
# More than this is not tried in memory.
MOST_IN_MEMORY = 2_000_000


class Measured(msgspec.Struct):
    """What a child found: as `child.Run`, and the most memory that it had, in MiB."""

    events: int
    wall_s: float
    cpu_s: float
    rss_mib: float


async def run(stage: Stage, scale: Scale) -> list[Sample]:
    """Every size, in memory as far as that goes and on disk; one after the other, for a large one takes all memory."""
    largest = int(os.environ.get("BENCH_STATE_RECORDS", "10000000"))
    sizes = sorted({min(size, largest) for size in (50_000, 1_000_000, largest)}) if not scale.quick else [2_000]
    samples = []
    for number in range(scale.rounds):
        for records in sizes:
            samples += await _recoveries(stage, records, number)
            samples += await _merges(records, number)
    return samples


async def _recoveries(stage: Stage, records: int, number: int) -> list[Sample]:
    topic = f"state-{uuid.uuid4().hex[:8]}"
    await stage.topics(topic, partitions=1)
    await fill(Hosting(kafka={"bootstrap_servers": stage.bootstrap}, pipeline="bench"), topic, records)
    with tempfile.TemporaryDirectory(prefix="duplex-state-") as folder:
        given = {"bootstrap": stage.bootstrap, "topic": topic, "records": records}
        ways = {BASELINE: "", DISK: folder, COPY: folder}
        wanted = {way: place for way, place in ways.items() if place or records <= MOST_IN_MEMORY}
        return [
            await _sampled(f"recovery of {records:,}", way, number, "recovery", **given, folder=place)
            for way, place in wanted.items()
        ]


async def _merges(records: int, number: int) -> list[Sample]:
    samples = []
    for way in (BASELINE, DISK):
        if way == BASELINE and records > MOST_IN_MEMORY:
            continue
        with tempfile.TemporaryDirectory(prefix="duplex-state-") as folder:
            place = folder if way == DISK else ""
            samples.append(
                await _sampled(f"merge with {records:,}", way, number, "merging", records=records, folder=place)
            )
    return samples


async def _sampled(case: str, variant: str, number: int, job: str, **arguments: object) -> Sample:
    async with child(f"benchmarks.state:{job}", **arguments) as process:
        done = await _go(process)
    return Sample(
        case=case,
        variant=variant,
        round=number,
        events=done.events,
        wall_s=done.wall_s,
        cpu_us={"process": done.cpu_s * 1e6 / done.events},
        more={"MiB": done.rss_mib},
    )


async def _go(process: Child) -> Measured:
    assert process.process.stdin is not None and process.process.stdout is not None
    process.process.stdin.write(b"go\n")
    # Millions of records are put in place before the clock starts, but within the job.
    return msgspec.json.decode(await process.process.stdout.readline(), type=Measured)


def template() -> tuple[dict[bytes, bytes], bytes, list[Record]]:
    """The state of a partition after its loads without its record, that record's state, and an edit with its echo."""
    log = Log(SYSTEMS)
    for system in SYSTEMS:
        log.write(system, 0, "r", None)
    for system in SYSTEMS:
        log.end_load(system)
    content = dict(log.store.items())
    state = content.pop(b"record-0")
    before = len(log.records)
    log.edit("crm", 0, random.Random(7), 1)
    return content, state, log.records[before:]


def key_of(number: int) -> bytes:
    """A record id, spread over the whole range as real ones are."""
    return str(uuid.UUID(int=number * 0x9E3779B97F4A7C15F39CC0605CEDC835 % 2**128)).encode()


def batches(records: int) -> Iterator[tuple[Stamp, dict[bytes, bytes | None]]]:
    """The states of so many records, a thousand at a time."""
    content, state, _ = template()
    for start in range(0, records, BATCH):
        end = min(records, start + BATCH)
        # Each its own bytes: what is shared would cost no memory.
        yield Stamp(1, end), {**content, **{key_of(number): b"%b" % state for number in range(start, end)}}


async def fill(hosting: Hosting, topic: str, records: int) -> None:
    """Write the changelog."""
    publisher = Publisher(hosting, "bench")
    await publisher.start()
    try:
        for stamp, changes in batches(records):
            entries: list[Entry] = changelogs.batch(changes, {"in": stamp.step}, stamp)
            await publisher.append(topic, 0, entries)
    finally:
        await publisher.stop()


def spill(folder: str) -> Spill | None:
    """The setting of a child."""
    memory_mib = int(os.environ.get("BENCH_STATE_MEMORY_MIB", "512"))
    return Spill(Path(folder), memory_mib * MIB) if folder else None


@asynccontextmanager
async def recovery(
    bootstrap: str, topic: str, records: int, folder: str
) -> AsyncIterator[Callable[[], Awaitable[Measured]]]:
    """A child's job: recover the changelog; leave a copy behind, if there is a folder."""
    hosting = Hosting(kafka={"bootstrap_servers": bootstrap}, pipeline="bench")

    async def work() -> Measured:
        clock = _Clock()
        found = await recovering.restore(hosting, "bench", topic, 0, spill(folder))
        done = clock.stop(records)
        assert found.store.get(key_of(records - 1)) is not None
        found.store.keep(Place(topic, found.end, _frame(Stamp(1, records)), {"in": records}))
        found.store.close()
        return done

    yield work


@asynccontextmanager
async def merging(records: int, folder: str) -> AsyncIterator[Callable[[], Awaitable[Measured]]]:
    """A child's job: edits of records taken at random, each with its echo, on a state of so many records."""

    async def work() -> Measured:
        store = _filled(records, spill(folder))
        _, _, events = template()
        chosen = random.Random(1).sample(range(records), min(EDITED, records // 2))
        rounds = [
            [event._replace(key=key_of(number)) for number in chosen[start : start + BATCH]]
            for start in range(0, len(chosen), BATCH)
            for event in events
        ]
        apply, place = processor(SYSTEMS).apply, Place("bench", 1, _frame(Stamp(1, records)), {})
        clock, sent = _Clock(), 0
        for batch in rounds:
            store.prefetch([record.key for record in batch])
            sent += len(apply(batch, store))
            store.changes()
            store.settle()
            store.keep(place)
        done = clock.stop(sum(map(len, rounds)))
        store.close()
        assert sent >= 2 * len(chosen), "not every edit led to a command and a merged record"
        return done

    yield work


def _filled(records: int, where: Spill | None) -> LaneStore:
    store: LaneStore = PartitionStore() if where is None else SpilledStore(where, where.open("bench", 0))
    for stamp, changes in batches(records):
        for key, value in changes.items():
            store.put(key, value or b"")
        store.settle()
        store.keep(Place(TOPICS.pipeline, 1, _frame(stamp), {}))
    return store


def _frame(stamp: Stamp) -> bytes:
    value = changelogs.entry(b"", b"", stamp).value
    assert value is not None
    return value


class _Clock:
    def __init__(self) -> None:
        self._wall, self._cpu = time.perf_counter(), time.process_time()

    def stop(self, events: int) -> Measured:
        wall_s, cpu_s = time.perf_counter() - self._wall, time.process_time() - self._cpu
        return Measured(events, wall_s, cpu_s, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
