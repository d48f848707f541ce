"""Two databases with the table that is measured: the load, and what tells that it has arrived.

Every update adds one to a row's `rev`, so that `sum(rev)` counts the changes that are in, coalesced or not.
"""

import asyncio
import time
from dataclasses import dataclass
from typing import Any

import asyncpg

from benchmarks.accounting import metered
from benchmarks.peers.patience import PeerError
from benchmarks.stage import Stage, path, sql

SUM = "select coalesce(sum(rev), 0)::bigint from item"
DIGEST = "select md5(string_agg(item::text, ' ' order by id)) from item"
BULK_ROWS = 1000
POLL_S = 0.1


@dataclass(frozen=True, slots=True)
class Size:
    """`rows` of the table on each side; a load is `single` changes in one-row transactions and `bulk` statements."""

    rows: int
    single: int
    bulk: int

    @property
    def changes(self) -> int:
        return self.single // 8 * 8 + self.bulk * BULK_ROWS


@dataclass(frozen=True, slots=True)
class Loaded:
    """What writing the load took: seconds for each half, CPU seconds of the source's server for both."""

    changes: int
    single_s: float
    bulk_s: float
    server_cpu_s: float


@dataclass(frozen=True, slots=True)
class Pair:
    """The addresses of the two databases, and how many rows their tables have."""

    source: str
    target: str
    rows: int

    @classmethod
    async def made(cls, stage: Stage, rows: int) -> "Pair":
        """New databases with equal rows."""
        script = sql("item.sql").replace("ROWS", str(rows))
        return cls(await stage.database("source", script), await stage.database("target", script), rows)

    async def tidy(self) -> None:
        """No leftovers of what was before: neither dead rows nor a checkpoint that is due."""
        for dsn in (self.source, self.target):
            for statement in ("vacuum analyze", "checkpoint"):
                await execute(dsn, statement)

    async def differences(self) -> int:
        """0 when the tables are equal, row by row."""
        return int(await value(self.source, DIGEST) != await value(self.target, DIGEST))


async def load(stage: Stage, pair: Pair, size: Size, number: int) -> Loaded:
    """Write the load to the source, from eight sessions and then from one."""
    with metered(lambda: stage.pids("source")) as used:
        started = time.perf_counter()
        made = await _single(stage, pair, size, number) if size.single >= 8 else 0
        halfway = time.perf_counter()
        await _bulk(pair, size, number)
        ended = time.perf_counter()
    return Loaded(made + size.bulk * BULK_ROWS, halfway - started, ended - halfway, used.cpu_s["source"])


async def _single(stage: Stage, pair: Pair, size: Size, number: int) -> int:
    words = ("--client=8", "--jobs=2", f"--transactions={size.single // 8}", f"--random-seed={number + 17}")
    rows = ("-D", "first=1", "-D", f"last={pair.rows}")
    return await asyncio.to_thread(stage.pgbench, pair.source, path("single.sql"), *words, *rows, synchronous=False)


async def _bulk(pair: Pair, size: Size, number: int) -> None:
    connection = await asyncpg.connect(pair.source, server_settings={"synchronous_commit": "off"})
    try:
        for statement in range(size.bulk):
            first = statement * BULK_ROWS % max(BULK_ROWS, pair.rows - BULK_ROWS + 1) + 1
            await connection.execute(sql("bulk.sql"), first, first + BULK_ROWS - 1, f"b{number}-{statement}-")
    finally:
        await connection.close()


async def arrival(pair: Pair, wanted: int, limit_s: float, peer: str) -> list[tuple[float, int]]:
    """Wait until the target holds so many changes; how many there were when, in seconds from now.

    Raises PeerError after `limit_s`.
    """
    started, seen = time.perf_counter(), list[tuple[float, int]]()
    connection = await asyncpg.connect(pair.target)
    try:
        await connection.execute("set max_parallel_workers_per_gather = 0")
        while True:
            held = await connection.fetchval(SUM)
            seen.append((time.perf_counter() - started, held))
            if held >= wanted:
                return seen
            if seen[-1][0] > limit_s:
                raise PeerError(peer, f"after {limit_s:.0f} s the target holds {held} of {wanted} changes")
            await asyncio.sleep(POLL_S)
    finally:
        await connection.close()


async def value(dsn: str, query: str, *arguments: Any) -> Any:
    """The one value that a query finds."""
    connection = await asyncpg.connect(dsn)
    try:
        return await connection.fetchval(query, *arguments)
    finally:
        await connection.close()


async def execute(dsn: str, statement: str) -> None:
    """Run statements, each of its own."""
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()
