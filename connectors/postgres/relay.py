"""The Postgres source: publishes what transactions committed to `duplex.change_log`, nothing missing, in order.

Each round asks for every visible entry that was not published (docs/design.md, section 7; `gaps`) and hands them on in
the order of their numbers. For any one row that is the order of its commits: whoever changes a row next draws the
number after the row's last writer has committed, and one snapshot shows all of an entry's elders or not the entry.

Kept by the server is the *low mark* only: up to it everything is in Kafka and nothing can still appear. It is stored
after Kafka's acknowledgement, so that a restart repeats what lies above it and omits nothing.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Coroutine, Sequence
from contextlib import aclosing
from typing import Any

import structlog

from connectors.base import Batch, TableSpec
from connectors.postgres.connections import connect, connected, leave, reaching
from connectors.postgres.load import merged
from connectors.postgres.rounds import Position, Rounds
from connectors.postgres.settings import Settings
from connectors.postgres.statements import statement
from connectors.postgres.upkeep import Upkeep
from schemas.heartbeats import beat

log = structlog.get_logger(__name__)

LOCK_RETRY_S = 0.5
STORE_EVERY_S = 0.5
SLOWING = 1.5
ONLY_ONE = "select pg_try_advisory_lock(hashtextextended('duplex.relay', 0))"


class PostgresSource:
    """`connectors.base.Source` over the change log. One relay at a time works on a database; a second waits."""

    def __init__(self, system: str, settings: Settings, specs: Sequence[TableSpec]) -> None:
        self._system = system
        self._settings = settings
        self._specs = tuple(specs)
        self._acked: list[Position] = []
        self._stored_at = 0.0
        self._stored_mark = 0

    async def read(self, after: Any | None = None) -> AsyncGenerator[Batch, None]:
        """Batches for ever, from the stored low mark. Raises UnreachableError, RefusedError."""
        access = self._settings.relay
        connection = await connect(access, "relay")
        try:
            with reaching(access, connection):
                await self._alone(connection)
                self._acked = [after] if isinstance(after, Position) else []
                await self._store(connection)
                rounds = await Rounds.begin(connection, self._system, self._settings, self._specs)
                async with aclosing(self._batches(connection, rounds)) as batches:
                    async for batch in batches:
                        yield batch
        finally:
            await leave(connection)

    async def ack(self, position: Any) -> None:
        """Everything up to this position is safe; it is stored within a second, by `read` or by `close`."""
        if isinstance(position, Position):
            self._acked.append(position)

    async def close(self) -> None:
        """Store what was acknowledged last. May be called twice."""
        if self._acked:
            async with connected(self._settings.relay, "relay") as connection:
                await self._store(connection)

    async def _batches(self, connection: Any, rounds: Rounds) -> AsyncGenerator[Batch, None]:
        """What the rounds find. Where more is waiting, the server looks for it while this batch is being sent."""
        busy, idle = self._settings.poll_busy_ms / 1000, self._settings.poll_idle_ms / 1000
        upkeep = Upkeep(self._system, self._specs)
        delay = busy
        async with Ahead(rounds.next_batch) as ahead:
            while True:
                batch = await ahead.take()
                await self._store_when_due(connection)
                await upkeep.when_due(connection, self._stored_mark)
                beat(f"relay-{self._system}")
                more = rounds.more
                if more:
                    ahead.begin()
                if batch is not None:
                    yield batch
                if not more:
                    delay = busy if batch is not None and batch.changes else min(delay * SLOWING, idle)
                    await asyncio.sleep(delay)

    async def _alone(self, connection: Any) -> None:
        """Wait until no other relay works on this database."""
        waiting = False
        while not await connection.fetchval(ONLY_ONE):
            if not waiting:
                log.warning("another relay reads this database; waiting until it ends", system=self._system)
            waiting = True
            beat(f"relay-{self._system}")
            await asyncio.sleep(LOCK_RETRY_S)

    async def _store_when_due(self, connection: Any) -> None:
        if self._acked and time.monotonic() - self._stored_at > STORE_EVERY_S:
            await self._store(connection)

    async def _store(self, connection: Any) -> None:
        acked, self._acked = self._acked, []
        if not acked:
            return
        try:
            await store(connection, acked)
        except BaseException:
            self._acked = [*acked, *self._acked]
            raise
        self._stored_at = time.monotonic()
        self._stored_mark = max(position.low_mark for position in acked)


class Ahead:
    """One call of a function, begun before its result is asked for. Nothing goes on when the block has ended."""

    def __init__(self, work: Callable[[], Coroutine[Any, Any, Batch | None]]) -> None:
        self._work = work
        self._begun: asyncio.Task[Batch | None] | None = None

    async def __aenter__(self) -> "Ahead":
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._begun is not None:
            self._begun.cancel()
            await asyncio.gather(self._begun, return_exceptions=True)

    def begin(self) -> None:
        """Begin it, unless it is begun."""
        self._begun = self._begun or asyncio.create_task(self._work())

    async def take(self) -> Batch | None:
        """Its result; what it raised is raised here."""
        self.begin()
        begun, self._begun = self._begun, None
        assert begun is not None
        return await begun


async def store(connection: Any, acked: Sequence[Position]) -> None:
    """Write the low mark and the load's progress of these positions, together."""
    progress = merged([one for position in acked for one in position.loaded])
    await connection.execute(
        statement("store"),
        max(position.low_mark for position in acked),
        [one.entity for one in progress],
        [one.last_key for one in progress],
        [one.rows for one in progress],
        [one.done for one in progress],
    )
