"""More changes than the target takes: what it costs in memory, how fast it is caught up with, and who waits for it.

The target's table is locked; meanwhile changes are written at the source, five for each of a number of rows, and wait.
Then the lock is released, and at the same moment *other* rows are edited at a fixed rate: how long these edits take
tells whether the backlog starves them. BENCH_OVERLOAD_CHANGES says how many changes wait (1,000,000).
"""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import psutil  # type: ignore[import-untyped]

from benchmarks.accounting import metered
from benchmarks.pipelines import Program
from benchmarks.report import Sample
from benchmarks.stage import Scale, Stage, path, sql

TITLE = "overload: the target is locked while changes come; then all of it is caught up with, beside live edits"
BASELINE = ""
OURS = "duplex run"
TIMES = 5
STATEMENT_ROWS = 1_000
RATE, LIVE_S = 1_000, 20
LIMIT_S = 1_800.0
STILL_S = 3.0
SUM = "select coalesce(sum(rev), 0) from item where id between $1 and $2"


async def run(stage: Stage, scale: Scale) -> list[Sample]:
    """One program, locked out and let in again in every round."""
    changes = int(os.environ.get("BENCH_OVERLOAD_CHANGES", "1000000")) if not scale.quick else 2_000
    rate, live_s = scale.of(RATE, 50), scale.of(LIVE_S, 2)
    waiting = changes // TIMES
    ours = await Program.started(stage, waiting + rate * live_s)
    try:
        await _execute(ours.crm, "update item set rev = rev + 1 where id % 50 = 0")
        await _until(lambda: _same(ours, 1, waiting))
        return [await _round(stage, ours, number, waiting, rate, live_s) for number in range(scale.rounds)]
    finally:
        await ours.stop()


async def _round(stage: Stage, ours: Program, number: int, waiting: int, rate: int, live_s: int) -> Sample:
    changes, first, last = waiting * TIMES, waiting + 1, waiting + rate * live_s
    async with watched(ours) as most_mib:
        begun = await stage.ends(ours.topics.commands("erp"))
        async with _locked(ours.erp):
            await _write(ours.crm, waiting)
            commands = await _still(stage, ours) - begun
        since, started = await _value(ours.crm, "select clock_timestamp()"), time.perf_counter()
        await _execute(ours.crm, f"select setval('turn', {first}, false)")
        with metered(lambda: {"pipeline": ours.pids(), **stage.pids("kafka", "source", "target")}) as used:
            live = asyncio.create_task(_edit(stage, ours, rate, live_s))
            await _until(lambda: _same(ours, 1, waiting))
            drained_s = time.perf_counter() - started
            edits = await live
            await _until(lambda: _same(ours, first, last))
    delays = sorted(await _value(ours.erp, sql("latency.sql"), since, first, last))
    more = {
        "commands waiting": float(commands), "largest process MiB": max(most_mib.values()),
        "live p50 ms": delays[len(delays) // 2], "live p99 ms": delays[len(delays) * 99 // 100],
    }  # fmt: skip
    case = f"{changes:,} changes wait, {rate:,}/s live"
    shares = used.us_per(changes + edits)
    return Sample(
        case=case, variant=OURS, round=number, events=changes, wall_s=drained_s, cpu_us=shares, more=more
    )  # fmt: skip


@asynccontextmanager
async def _locked(dsn: str) -> AsyncIterator[None]:
    connection = await asyncpg.connect(dsn)
    try:
        async with connection.transaction():
            await connection.execute("lock table item in exclusive mode")
            yield
    finally:
        await connection.close()


async def _write(dsn: str, rows: int) -> None:
    connection = await asyncpg.connect(dsn)
    for turn in range(TIMES):
        for start in range(1, rows + 1, STATEMENT_ROWS):
            end = min(rows, start + STATEMENT_ROWS - 1)
            await connection.execute(sql("bulk.sql"), start, end, f"o{turn}-")
    await connection.close()


async def _still(stage: Stage, ours: Program) -> int:
    """Wait until the merge has no more to say; how many commands there are."""
    before, since = -1, time.monotonic()
    deadline = since + LIMIT_S
    while time.monotonic() - since < STILL_S:
        found = await stage.ends(ours.topics.commands("erp")) + await stage.ends(ours.topics.golden("item"))
        if found != before:
            before, since = found, time.monotonic()
        if time.monotonic() > deadline:
            raise TimeoutError("the merge does not come to an end")
        await asyncio.sleep(0.2)
    return await stage.ends(ours.topics.commands("erp"))


async def _edit(stage: Stage, ours: Program, rate: int, live_s: int) -> int:
    words = ("--client=8", "--jobs=1", f"--rate={rate}", f"--time={live_s}")
    return await asyncio.to_thread(stage.pgbench, ours.crm, path("paced.sql"), *words)


@asynccontextmanager
async def watched(ours: Program) -> AsyncIterator[dict[int, float]]:
    """The most memory that each process of the program had within the block, in MiB."""
    most_mib: dict[int, float] = {}
    task = asyncio.create_task(_watch(ours, most_mib))
    try:
        yield most_mib
    finally:
        task.cancel()
        await asyncio.wait([task])


async def _watch(ours: Program, most_mib: dict[int, float]) -> None:
    while True:
        for pid in ours.pids():
            root = psutil.Process(pid)
            for process in [root, *root.children(recursive=True)]:
                mib = process.memory_info().rss / 2**20
                most_mib[process.pid] = max(most_mib.get(process.pid, 0.0), mib)
        await asyncio.sleep(0.5)


async def _same(ours: Program, first: int, last: int) -> bool:
    held = [await _value(dsn, SUM, first, last) for dsn in (ours.crm, ours.erp)]
    return bool(held[0] == held[1])


async def _until(condition: Callable[[], Any]) -> None:
    deadline = time.monotonic() + LIMIT_S
    while not await condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {LIMIT_S:.0f} s")
        await asyncio.sleep(0.1)


async def _value(dsn: str, query: str, *values: Any) -> Any:
    connection = await asyncpg.connect(dsn)
    try:
        return await connection.fetchval(query, *values)
    finally:
        await connection.close()


async def _execute(dsn: str, statement: str) -> None:
    await _value(dsn, statement)
