"""The sink's update path beside plain upserts of the same rows.

Ours compares and sets unit by unit, leaves an echo per command and moves the fence, in one transaction. The others
overwrite whole rows of a table without triggers: a statement over unnested arrays, and COPY with an upsert.
"""

import itertools
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import asyncpg
import msgspec

from benchmarks import capture
from benchmarks.accounting import metered
from benchmarks.report import Sample
from benchmarks.stage import Scale, Stage, in_turns, sql
from connectors.postgres.connections import SESSION
from connectors.postgres.sink import PostgresSink
from schemas.identifiers import command_id
from schemas.messages import Command, Unit

TITLE = "sink: updates of existing rows, 3 of 8 columns changed, one connection"
BASELINE = "unnest upsert"
COLUMNS = ("id", *capture.COLUMNS)
SIZES = (100, 1_000, 5_000)
STAGING = "create temporary table staging (like item) on commit delete rows"
Row = tuple[Any, ...]


async def run(stage: Stage, scale: Scale) -> list[Sample]:
    """Every way at every size, on databases of their own."""
    script = sql("item.sql").replace("ROWS", str(capture.ROWS))
    ours, unnest, copy = [await stage.database("target", script) for _ in range(3)]
    await capture.captured(ours)
    ways: dict[str, Way] = {
        BASELINE: await Upsert.made(unnest, "upsert_unnest"),
        "COPY + upsert": await Copy.made(copy, "upsert_copied"),
        "our sink": await Ours.made(ours),
    }
    samples = [
        await _measured(stage, scale, variant, ways[variant], size, number)
        for size in SIZES
        for number, variant in in_turns(scale.rounds, tuple(ways))
    ]
    for way in ways.values():
        await way.close()
    return samples


async def _measured(stage: Stage, scale: Scale, variant: str, way: "Way", size: int, number: int) -> Sample:
    batches = max(2, scale.of(30_000, 2 * size) // size)
    prepared = [await way.prepared(batch * size % capture.ROWS + 1, size) for batch in range(batches)]
    with metered(lambda: stage.pids("target")) as used:
        cpu = time.process_time()
        for work in prepared:
            await work()
        cpu_s = time.process_time() - cpu
    rows = batches * size
    shares = {"process": cpu_s * 1e6 / rows} | used.us_per(rows)
    case = f"batches of {size:,} rows"
    return Sample(case=case, variant=variant, round=number, events=rows, wall_s=used.wall_s, cpu_us=shares)


class Way:
    """One way to write. `prepared` makes a batch of updates of rows `first` and on; awaiting it writes them."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self.connection = connection
        self.rows: dict[int, Row] = {}

    async def changed(self, first: int, size: int) -> list[tuple[Row, Row]]:
        """Each row as it is and as it shall be."""
        if not self.rows:
            self.rows = {row["id"]: tuple(row) for row in await self.connection.fetch("select * from item")}
        pairs = []
        for key in range(first, first + size):
            old = self.rows[(key - 1) % capture.ROWS + 1]
            new = self.rows[old[0]] = (old[0], f"a-{old[5]}", *old[2:4], old[4] + 1, old[5] + 1, *old[6:])
            pairs.append((old, new))
        return pairs

    async def prepared(self, first: int, size: int) -> Callable[[], Awaitable[None]]:
        raise NotImplementedError

    async def close(self) -> None:
        await self.connection.close()


class Upsert(Way):
    """One statement over arrays."""

    def __init__(self, connection: asyncpg.Connection, statement: str) -> None:
        super().__init__(connection)
        self.statement = statement

    @classmethod
    async def made(cls, dsn: str, script: str) -> "Upsert":
        connection = await asyncpg.connect(dsn, server_settings=SESSION)
        return cls(connection, sql(f"{script}.sql"))

    async def prepared(self, first: int, size: int) -> Callable[[], Awaitable[None]]:
        new = [new for _, new in await self.changed(first, size)]
        arrays = [list(column) for column in zip(*new, strict=True)]

        async def work() -> None:
            await self.connection.execute(self.statement, *arrays)

        return work


class Copy(Upsert):
    """COPY into a temporary table, then one statement."""

    async def prepared(self, first: int, size: int) -> Callable[[], Awaitable[None]]:
        if not await self.connection.fetchval("select to_regclass('pg_temp.staging') is not null"):
            await self.connection.execute(STAGING)
        new = [new for _, new in await self.changed(first, size)]

        async def work() -> None:
            async with self.connection.transaction():
                await self.connection.copy_records_to_table("staging", records=new)
                await self.connection.execute(self.statement)

        return work


class Ours(Way):
    """Commands of three units each, to the real sink."""

    def __init__(self, connection: asyncpg.Connection, sink: PostgresSink) -> None:
        super().__init__(connection)
        self.sink = sink
        self.offsets = itertools.count(1)

    @classmethod
    async def made(cls, dsn: str) -> "Ours":
        return cls(await asyncpg.connect(dsn), PostgresSink("crm", dsn, [capture.SPEC]))

    async def prepared(self, first: int, size: int) -> Callable[[], Awaitable[None]]:
        commands = [self._command(old, new) for old, new in await self.changed(first, size)]

        async def work() -> None:
            effects = await self.sink.apply(commands)
            assert all(effect.outcome == "applied" for effect in effects)

        return work

    def _command(self, old: Row, new: Row) -> Command:
        changed = [place for place, value in enumerate(new) if value != old[place]]
        record, offset = str(old[0]), next(self.offsets)
        return Command(
            id=command_id(record, "crm", offset),
            record_id=record,
            entity="item",
            system="crm",
            number=offset,
            op="u",
            local_id=f"[{old[0]}]",
            units=tuple(Unit(base=_image(old, place), set=_image(new, place)) for place in changed),
            partition=0,
            offset=offset,
            hop=1,
            ts_us=1,
        )

    async def close(self) -> None:
        kept = await self.connection.fetchval("select count(*) from item where a like 'a-%'")
        assert kept == len([row for row in self.rows.values() if row[1].startswith("a-")]), "updates were not applied"
        await self.sink.close()
        await super().close()


def _image(row: Sequence[Any], place: int) -> str:
    return msgspec.json.encode({COLUMNS[place]: row[place]}).decode()
