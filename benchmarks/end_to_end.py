"""The real program between two databases: how fast it catches up, and how long an edit takes.

*Drain*: the sources are stopped (SIGSTOP), changes are written, half of them in single-row transactions and half in
statements of a thousand rows, and the sources go on; timed until both tables hold every change. Every update adds one
to the row's `rev`, so that `sum(rev)` counts the changes that arrived, coalesced or not. Two-way: half of the changes
on each side. Postgres's own logical replication, one way, without Kafka and without a merge, is the baseline.
*Latency*: edits at a fixed rate, each row once, stamped with `clock_timestamp()`; visible is the commit time of the
transaction that left the row in the other database.
"""

import asyncio
import itertools
import time
from collections.abc import Sequence
from typing import Any

import asyncpg
from asyncpg import Connection

from benchmarks.accounting import metered
from benchmarks.hops import hops_ms
from benchmarks.pipelines import Native, Pipeline, Program
from benchmarks.report import Sample
from benchmarks.stage import Scale, Stage, path, sql

TITLE = "end to end: two databases, a table of nine columns, every change merged, written, and confirmed by its echo"
BASELINE = "logical replication"
OURS = "duplex run"
ROWS = 10_000
HALF = ROWS // 2
RATES = (200, 500)
LIMIT_S = 120.0
DIGEST = "select md5(string_agg(item::text, ' ' order by id)) from item"
SUM = "select sum(rev) from item"
Editors = Sequence[tuple[str, int, int]]


async def run(stage: Stage, scale: Scale) -> list[Sample]:
    """Drains in turn with the baseline; then latencies of ours alone."""
    ours, native = await Program.started(stage, ROWS), await Native.started(stage, ROWS)
    samples = []
    try:
        for pipeline in (ours, native):
            await _settled(pipeline)
        await _drained(stage, ours, "drain, one way", OURS, -1, _editors(ours, False), scale.of(4_000, 1_000))
        for number in range(scale.rounds):
            samples += await _drains(stage, scale, ours, native, number)
        for rate in RATES:
            for two_way in (False, True):
                samples.append(await _latency(stage, scale, ours, rate, two_way))
        for pipeline in (ours, native):
            assert await _value(pipeline.crm, DIGEST) == await _value(pipeline.erp, DIGEST), "the tables differ"
    finally:
        await ours.stop()
        await native.stop()
    return samples


async def _drains(stage: Stage, scale: Scale, ours: Program, native: Native, number: int) -> list[Sample]:
    changes = scale.of(12_000, 2_000)
    one_way: list[tuple[str, Pipeline]] = [(OURS, ours), (BASELINE, native)]
    found = [
        await _drained(stage, pipeline, "drain, one way", variant, number, _editors(pipeline, False), changes)
        for variant, pipeline in (one_way if number % 2 == 0 else one_way[::-1])
    ]
    return [
        *found, await _drained(stage, ours, "drain, two ways", OURS, number, _editors(ours, True), changes),
    ]  # fmt: skip


def _editors(pipeline: Pipeline, two_way: bool) -> Editors:
    """Who edits which rows: every side its own, so that the count of changes says what arrived."""
    if not two_way:
        return [(pipeline.crm, 1, ROWS)]
    return [(pipeline.crm, 1, HALF), (pipeline.erp, HALF + 1, ROWS)]


async def _settled(pipeline: Pipeline) -> None:
    """The first load is through: edits of every partition arrive."""
    await _execute(pipeline.crm, "update item set rev = rev + 1 where id % 50 = 0")
    await _arrived(pipeline, await _value(pipeline.crm, SUM))


async def _drained(
    stage: Stage, pipeline: Pipeline, case: str, variant: str, number: int, editors: Editors, changes: int
) -> Sample:
    before = await _value(pipeline.crm, SUM)
    await pipeline.pause()
    share = changes // len(editors)
    for dsn, first, last in editors:
        await _write(stage, dsn, first, last, share)
    with metered(lambda: {"pipeline": pipeline.pids(), **stage.pids("kafka", "source", "target")}) as used:
        await pipeline.resume()
        await _arrived(pipeline, before + changes)
    shares = used.us_per(changes)
    return Sample(case=case, variant=variant, round=number, events=changes, wall_s=used.wall_s, cpu_us=shares)


async def _write(stage: Stage, dsn: str, first: int, last: int, changes: int) -> None:
    """Half in single rows by eight clients, half in statements of a thousand rows."""
    words = (
        "--client=8",
        "--jobs=1",
        f"--transactions={changes // 2 // 8}",
        "-D",
        f"first={first}",
        "-D",
        f"last={last}",
    )
    made = await asyncio.to_thread(stage.pgbench, dsn, path("single.sql"), *words, synchronous=False)
    connection = await asyncpg.connect(dsn)
    left, start = changes - made, first
    while left > 0:
        size = min(left, 1000)
        start = start if start + size - 1 <= last else first
        await connection.execute(sql("bulk.sql"), start, start + size - 1, f"b{time.time_ns()}-")
        left, start = left - size, start + size
    await connection.close()


async def _arrived(pipeline: Pipeline, wanted: int) -> None:
    """Wait until both tables hold so many changes, and are equal."""
    crm, erp = await asyncpg.connect(pipeline.crm), await asyncpg.connect(pipeline.erp)
    deadline = time.monotonic() + LIMIT_S
    try:
        while (held := await _sums(crm, erp)) != (wanted, wanted):
            if time.monotonic() > deadline:
                raise TimeoutError(f"after {LIMIT_S:.0f} s the tables hold {held} of {wanted} changes")
            await asyncio.sleep(0.05)
    finally:
        await crm.close()
        await erp.close()


async def _sums(crm: Connection, erp: Connection) -> tuple[int, int]:
    return await crm.fetchval(SUM), await erp.fetchval(SUM)


async def _latency(stage: Stage, scale: Scale, ours: Program, rate: int, two_way: bool) -> Sample:
    """`rate` edits a second, in two ways half of them on each side."""
    time_s, editors = scale.of(6, 2), _editors(ours, two_way)
    since = await _value(ours.crm, "select clock_timestamp()")
    before = await _value(ours.crm, SUM)
    with metered(lambda: {"pipeline": ours.pids(), **stage.pids("kafka", "source", "target")}) as used:
        edits = sum(await asyncio.gather(*(_paced(stage, one, rate // len(editors), time_s) for one in editors)))
        await _arrived(ours, before + edits)
    found = [await _delays(ours, dsn, since, first, last) for dsn, first, last in editors]
    delays = sorted(itertools.chain(*found))
    hops = await hops_ms(stage.bootstrap, ours.topics, "item", int(since.timestamp() * 1e6))
    more = {"p50 ms": _part(delays, 0.5), "p90 ms": _part(delays, 0.9), "p99 ms": _part(delays, 0.99)}
    case = f"latency at {rate}/s, {'two ways' if two_way else 'one way'}"
    shares = used.us_per(edits)
    return Sample(
        case=case, variant=OURS, round=0, events=edits, wall_s=time_s, cpu_us=shares,
        more=more | {f"p50 ms {hop}": value for hop, value in hops.items()},
    )  # fmt: skip


async def _paced(stage: Stage, editor: tuple[str, int, int], rate: int, time_s: int) -> int:
    dsn, first, _ = editor
    await _execute(dsn, f"select setval('turn', {first}, false)")
    words = ("--client=8", "--jobs=1", f"--rate={rate}", f"--time={time_s}")
    return await asyncio.to_thread(stage.pgbench, dsn, path("paced.sql"), *words)


async def _delays(ours: Program, edited: str, since: Any, first: int, last: int) -> list[float]:
    other = ours.erp if edited == ours.crm else ours.crm
    connection = await asyncpg.connect(other)
    try:
        return list(await connection.fetchval(sql("latency.sql"), since, first, last))
    finally:
        await connection.close()


def _part(ordered: Sequence[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


async def _value(dsn: str, query: str) -> Any:
    connection = await asyncpg.connect(dsn)
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close()


async def _execute(dsn: str, statement: str) -> None:
    await _value(dsn, statement)
