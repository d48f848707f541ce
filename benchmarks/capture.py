"""What the capture triggers cost whoever writes: the same writes on a table with and without them."""

import time

import asyncpg

from benchmarks.accounting import metered
from benchmarks.report import Sample
from benchmarks.stage import Scale, Stage, in_turns, path, sql
from connectors.base import TableSpec
from connectors.postgres.connector import connector

TITLE = "capture: the writer's price of our triggers"
BASELINE = "no trigger"
COLUMNS = ("a", "b", "c", "n", "rev", "amt", "ts", "ok")
SPEC = TableSpec("item", "public.item", COLUMNS, tuple((column,) for column in COLUMNS))
ROWS = 10_000
CLIENTS = 8


async def captured(dsn: str) -> None:
    """Install capture of the table `item`, its initial load counting as done."""
    await connector("crm", "bench", {"dsn": dsn}).install([SPEC])
    connection = await asyncpg.connect(dsn)
    await connection.execute("update duplex.load set done = true")
    await connection.close()


async def run(stage: Stage, scale: Scale) -> list[Sample]:
    """Both variants of each case, round after round."""
    script = sql("item.sql").replace("ROWS", str(ROWS))
    variants = {BASELINE: await stage.database("source", script), "captured": await stage.database("source", script)}
    await captured(variants["captured"])
    return [
        await _measured(stage, scale, case, variant, variants[variant], number)
        for case in ("one row, synced", "one row, unsynced", "1,000 rows, unsynced")
        for number, variant in in_turns(scale.rounds, tuple(variants))
    ]


async def _measured(stage: Stage, scale: Scale, case: str, variant: str, dsn: str, number: int) -> Sample:
    await _rested(dsn)
    with metered(lambda: stage.pids("source")) as used:
        if case.startswith("one row"):
            changes = _single(stage, dsn, scale, synchronous="unsynced" not in case)
        else:
            changes = await bulk(dsn, scale.of(40, 5), f"r{number}-")
    return Sample(
        case=case, variant=variant, round=number, events=changes, wall_s=used.wall_s, cpu_us=used.us_per(changes)
    )


async def _rested(dsn: str) -> None:
    connection = await asyncpg.connect(dsn)
    await connection.execute("vacuum analyze item")
    await connection.execute("checkpoint")
    await connection.close()


def _single(stage: Stage, dsn: str, scale: Scale, *, synchronous: bool) -> int:
    time_s = scale.of(3, 1)
    words = (f"--client={CLIENTS}", "--jobs=2", f"--time={time_s}", "-D", "first=1", "-D", f"last={ROWS}")
    return stage.pgbench(dsn, path("single.sql"), *words, synchronous=synchronous)


async def bulk(dsn: str, statements: int, mark: str) -> int:
    """Updates of a thousand rows each, one transaction each; how many rows that were."""
    connection = await asyncpg.connect(dsn, server_settings={"synchronous_commit": "off"})
    try:
        for number in range(statements):
            first = number * 1000 % ROWS + 1
            await connection.execute(sql("bulk.sql"), first, first + 999, f"{mark}{time.time_ns()}-")
    finally:
        await connection.close()
    return statements * 1000
