"""One round of the relay: look at the log, look for rows to load, make a batch of both."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import asyncpg
import structlog
from prometheus_client import Gauge

from connectors.base import Batch, TableSpec
from connectors.errors import RefusedError
from connectors.postgres.gaps import Fence, Wanted
from connectors.postgres.load import Chunk, Load, Progress
from connectors.postgres.settings import Settings
from connectors.postgres.statements import statement
from schemas.messages import Change, Operation, Origin, Outcome

log = structlog.get_logger(__name__)

GAPS = Gauge("duplex_relay_gaps", "Ranges of log numbers that may still appear.", ["system"])
FENCE_EVERY_S = 0.02
IDLE_FENCE_EVERY_S = 1.0
# The place in a row of poll.sql.
SEQ, ASYNCHRONOUS = 0, 10


@dataclass(frozen=True, slots=True)
class Position:
    """Up to `low_mark` everything was handed on and nothing can still appear; `loaded` is what the load did."""

    low_mark: int
    loaded: tuple[Progress, ...] = ()


@dataclass(frozen=True, slots=True)
class CapturedTable:
    """What a change says of its table."""

    name: str
    types: str
    number: int


class Rounds:
    """Reads on one connection; its owner sees to it that nobody else reads. `more`: the last look was not the end."""

    def __init__(
        self,
        connection: asyncpg.Connection,
        system: str,
        settings: Settings,
        tables: Mapping[str, CapturedTable],
        load: Load,
        identity: asyncpg.Record,
    ) -> None:
        self._connection = connection
        self._system = system
        self._rows = settings.batch_rows
        self._tables = tables
        self._load = load
        self._incarnation: int = identity["incarnation"]
        self.low_mark: int = identity["low_mark"]
        self._wanted = Wanted(self.low_mark + 1)
        self._fence = Fence()
        self._fence_at = 0.0
        self._reached: int | None = None
        self.more = False

    @classmethod
    async def begin(
        cls, connection: asyncpg.Connection, system: str, settings: Settings, specs: Sequence[TableSpec]
    ) -> "Rounds":
        """Find out who the server is, where to go on, and what is left to load. Raises RefusedError."""
        tables = await captured(connection, system, specs)
        identity = await connection.fetchrow(statement("identify"))
        if identity["moved"]:
            log.warning("this is another server than before: a new incarnation of its log begins", system=system)
        left = await connection.fetch("select entity, last_key from duplex.load where not done order by entity")
        waiting = {row["entity"]: row["last_key"] for row in left if row["entity"] in tables}
        numbers = {entity: table.number for entity, table in tables.items()}
        return cls(connection, system, settings, tables, Load(waiting, numbers, settings.load_chunk_rows), identity)

    async def next_batch(self) -> Batch | None:
        """What is new since the last call; None if nothing is, and no mark moved either."""
        before = self.low_mark
        await self._look_at_fence()
        rows, chunk = await self._look()
        if any(row[ASYNCHRONOUS] for row in rows):
            await self._connection.execute(statement("flush"))
        self._move(rows)
        changes = self._changes(rows)
        if chunk is not None:
            changes += self._loaded(chunk)
            self._load.advance(chunk.progress)
        self.more = len(rows) == self._rows or chunk is not None
        if not rows and chunk is None and self.low_mark == before:
            return None
        return Batch(changes, Position(self.low_mark, (chunk.progress,) if chunk else ()))

    async def _look_at_fence(self) -> None:
        """A mark found here is good for the look that follows it."""
        unsettled = self._wanted.tail - 1 > self.low_mark
        now = time.monotonic()
        if now < self._fence_at:
            return
        self._fence_at = now + (FENCE_EVERY_S if unsettled else IDLE_FENCE_EVERY_S)
        seen = await self._connection.fetchrow("select last, holders from duplex.fence()")
        reached = self._fence.observe(seen["last"], frozenset(seen["holders"]))
        if reached is not None:
            self._reached = max(reached, self._reached or 0)

    async def _look(self) -> tuple[list[asyncpg.Record], Chunk | None]:
        if not self._load.entities:
            return await self._poll(), None
        async with self._connection.transaction(isolation="repeatable_read", readonly=True):
            rows = await self._poll()
            if len(rows) == self._rows:
                return rows, None
            return rows, await self._load.next_chunk(self._connection)

    async def _poll(self) -> list[asyncpg.Record]:
        gaps = self._wanted.gaps
        lows, highs = [low for low, _ in gaps], [high for _, high in gaps]
        found: list[asyncpg.Record] = await self._connection.fetch(
            statement("poll"), lows, highs, self._wanted.tail, self._rows
        )
        return found

    def _move(self, rows: Sequence[asyncpg.Record]) -> None:
        """Note what was seen, and settle what the fence allows: all of it, or as far as this look went."""
        self._wanted.take([row[SEQ] for row in rows])
        GAPS.labels(system=self._system).set(len(self._wanted.gaps))
        if self._reached is None:
            return
        mark = self._reached
        if len(rows) == self._rows:
            mark = min(mark, rows[-1][SEQ])
        else:
            self._reached = None
        self._wanted.settle(mark)
        self.low_mark = max(self.low_mark, mark)

    def _changes(self, rows: Sequence[asyncpg.Record]) -> list[Change]:
        tables, system, incarnation = self._tables, self._system, self._incarnation
        return [
            Change(
                system=system,
                entity=entity,
                table=tables[entity].name,
                incarnation=incarnation,
                seq=seq,
                op=op,
                local_id=local_id,
                before_id=before_id,
                before=before,
                after=after,
                types=tables[entity].types,
                ts_us=ts_us,
                transaction=transaction,
                origin=None if origin is None else _origin(*origin),
            )
            for seq, transaction, ts_us, entity, op, local_id, before_id, before, after, origin, _ in rows
            if entity in tables
        ]

    def _loaded(self, chunk: Chunk) -> list[Change]:
        entity, now_us = chunk.progress.entity, time.time_ns() // 1000
        table = self._tables[entity]

        def change(op: Operation, local_id: str, image: str | None) -> Change:
            return Change(
                system=self._system,
                entity=entity,
                table=table.name,
                incarnation=self._incarnation,
                seq=self.low_mark,
                op=op,
                local_id=local_id,
                after=image,
                types=table.types,
                ts_us=now_us,
            )

        rows = [change("r", local_id, image) for local_id, image in chunk.rows]
        return [*rows, change("l", "", None)] if chunk.progress.done else rows


def _origin(command: str, record_id: str | None, hop: str | None, outcome: Outcome | None, error: str | None) -> Origin:
    return Origin(
        command=command, record_id=record_id or "", hop=int(hop or 0), outcome=outcome or "applied", error=error
    )


async def captured(connection: Any, system: str, specs: Sequence[TableSpec]) -> dict[str, CapturedTable]:
    """The captured tables of these entities. Raises RefusedError if capture is not installed."""
    if not await connection.fetchval("select to_regclass('duplex.captured') is not null"):
        raise RefusedError(system, "reading changes", "change capture is not installed", "Run `duplex apply`.")
    rows = await connection.fetch("select entity, table_name, fingerprint, number from duplex.captured")
    wanted = {spec.entity for spec in specs}
    return {
        row["entity"]: CapturedTable(row["table_name"], row["fingerprint"], row["number"])
        for row in rows
        if row["entity"] in wanted
    }
