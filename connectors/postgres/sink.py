"""The Postgres sink: commands into tables, each once, each with its echo.

One transaction per batch (docs/merge.md, section 4):
1. fence: lock (entity, partition) in duplex.progress and move it to the end of the batch; commands at or below the
   input offset that stood there were carried out
2. write: see `sink_batch`; every command leaves one echo in duplex.change_log, or is parked in duplex.parked
3. commit
A batch of nothing but updates is first tried as a single statement that does all three, or fails and leaves nothing.
A partition that is far behind lets fresh commands go ahead (`apply_ahead`): the fence stays where it is, and
duplex.ahead says of which records, so that their turn finds them carried out.
Nothing is told to anyone before the commit, so that a cancelled or broken batch simply comes again.
"""

import asyncio
import functools
from collections.abc import Sequence
from typing import Any

import asyncpg
import structlog

from connectors.base import Effect, TableSpec
from connectors.postgres import (
    connections,
    layouts,
    sink_errors,
    sink_parking,
    sink_runs,
    sink_tables,
    sink_transactions,
)
from connectors.postgres.settings import Access
from connectors.postgres.sink_ahead import Aheads, Fence, Place, place_of
from connectors.postgres.sink_batch import BatchWriter, CarelessError
from connectors.postgres.sink_commands import prepare_all
from connectors.postgres.sink_tables import SinkTable
from connectors.postgres.statements import statement
from schemas.codec import Codec
from schemas.messages import Command

log = structlog.get_logger(__name__)
Tables = dict[str, SinkTable]

COLLISION_TRIES = 4
SWIFT_COMMANDS = 1000
SLOW_BATCHES = 16
PLAN_LIFETIME_S = 60
PARKED_AT_ONCE = 50
CONNECTIONS = 8
CONNECT_TIMEOUT_S = 10.0
SESSION = {
    **connections.SESSION,
    "application_name": "duplex sink",
    "lock_timeout": "5s",
    "statement_timeout": "60s",
    "idle_in_transaction_session_timeout": "120s",
    # A statement that waited for a row judges its newest version; any other level would refuse it.
    "default_transaction_isolation": "read committed",
}


def _alike(commands: Sequence[Command]) -> bool:
    """Whether these are updates of different rows of one entity, from one partition."""
    first = commands[0]
    return (
        len(commands) <= SWIFT_COMMANDS
        and all(c.op == "u" and c.entity == first.entity and c.partition == first.partition for c in commands)
        and len({command.local_id for command in commands}) == len(commands)
    )


class PostgresSink:
    """Writes commands to the tables of these entities, as `connectors.base.Sink` says.

    Images in echoes are written under the same settings as captured ones (`SESSION`). A command that misses a row it
    refers to is tried again by `retry_parked` for `longest_wait_s` before it fails.
    """

    def __init__(
        self,
        system: str,
        dsn: str,
        specs: Sequence[TableSpec],
        *,
        setting: str | None = None,
        longest_wait_s: float = 600.0,
    ) -> None:
        self._system = system
        self._access = Access(system, dsn, setting or f"systems.{system}.dsn")
        self._specs = {spec.entity: spec for spec in specs}
        self._longest_wait_s = longest_wait_s
        self._codec = Codec()
        self._tables: Tables = {}
        self._pool: asyncpg.Pool | None = None
        self._opening = asyncio.Lock()
        self._slow_batches = 0
        self._aheads = Aheads()

    async def apply(self, commands: Sequence[Command]) -> Sequence[Effect]:
        """Carry out a batch of one partition. Raises UnreachableError, RefusedError, BatchRefusedError."""
        known = [command for command in commands if command.entity in self._specs]
        done: dict[str, Effect] = {}
        if known and (swiftly := await self._swiftly(known)) is not None:
            done = swiftly
        elif known:
            done = await self._in_steps(self._carry_out, known)
        for place, end in self._aheads.passed(known).items():
            await self._retried(functools.partial(self._forget, place=place, end=end))
        return [done.get(command.id) or self._not_done(command) for command in commands]

    async def apply_ahead(self, commands: Sequence[Command]) -> Sequence[Effect]:
        """Carry out those of a partition's commands that can be, though earlier ones wait. Raises as `apply` does.

        The effects are those of commands carried out. The others leave nothing, and are for `apply` when their turn
        comes: what is refused now may not be then. So are deletes, which may reach rows that an earlier command moves.
        """
        known = [command for command in commands if command.entity in self._specs and command.op != "d"]
        if not known or not self._aheads.has_room(len(known)):
            return []
        effects, done, batches = await self._in_steps(self._go_ahead, known)
        # Not before it is committed: a copy that says more than the database would lose commands.
        self._aheads.noted(done, batches)
        return list(effects.values())

    async def _in_steps(self, work: Any, commands: Sequence[Command]) -> Any:
        """In a transaction without savepoints; in one with them if that fails."""
        try:
            return await self._retried(functools.partial(work, commands=commands, careful=False))
        except CarelessError:
            return await self._retried(functools.partial(work, commands=commands, careful=True))

    async def _swiftly(self, commands: Sequence[Command]) -> dict[str, Effect] | None:
        """Updates carried out by one statement; None if they have to be carried out in the ordinary way.

        A sink whose batches fail to be carried out so does not try it with those that follow.
        """
        if self._slow_batches > 0:
            self._slow_batches -= 1
            return None
        if not _alike(commands):
            return None
        try:
            with sink_errors.translated(self._access):
                pool = await self._open()
                async with pool.acquire(timeout=CONNECT_TIMEOUT_S) as connection:
                    tables = await self._load_tables(connection)
                    ahead = await self._aheads.known(connection, place_of(commands[0]))
                    if any(ahead.has(command) for command in commands):
                        return None
                    done = await self._in_one_statement(connection, tables, commands, ahead.batches)
        except sink_errors.BatchRefusedError as error:
            if not sink_errors.is_worth_the_ordinary_way(error.code):
                raise
            self._slow_batches, done = SLOW_BATCHES, False
        return {command.id: Effect(command.id, "applied") for command in commands} if done else None

    async def _in_one_statement(self, connection: Any, tables: Tables, commands: Sequence[Command], ahead: int) -> bool:
        refused: list[Command] = []
        items = prepare_all(commands, tables, lambda command, _: refused.append(command))
        if refused or any(item.units is not items[0].units for item in items):
            return False
        table, in_order = tables[commands[0].entity], sorted(items, key=lambda item: item.order)
        return await sink_runs.swift(connection, table, in_order, ahead)

    async def retry_parked(self) -> Sequence[Effect]:
        """Try the parked commands whose time has come, each in a transaction of its own. Raises as `apply` does."""
        effects: list[Effect] = []
        for _ in range(PARKED_AT_ONCE):
            tried = await self._retried(self._retry_one)
            if tried is None:
                break
            effects += tried
        return effects

    async def close(self) -> None:
        """Let go of the connections. May be called twice."""
        pool, self._pool = self._pool, None
        if pool is not None:
            await pool.close()

    def _not_done(self, command: Command) -> Effect:
        if command.entity in self._specs:
            return Effect(command.id, None)
        why = f"{self._system} holds no entity {command.entity} in this project"
        log.error("a command for an entity that this system does not hold was set aside", command=command.id)
        return Effect(command.id, "failed", why)

    async def _retried(self, work: Any) -> Any:
        """Run a transaction; again if it collided with another one, or if a table changed under its statements."""
        for left in reversed(range(COLLISION_TRIES)):
            try:
                return await self._once(work)
            except sink_errors.BatchRefusedError as error:
                if error.code in sink_errors.STALE_STATEMENT:
                    self._tables = {}
                elif error.code not in sink_errors.COLLISIONS:
                    raise
                if not left:
                    raise
        raise AssertionError("unreachable")

    async def _once(self, work: Any) -> Any:
        with sink_errors.translated(self._access):
            pool = await self._open()
            async with pool.acquire(timeout=CONNECT_TIMEOUT_S) as connection:
                tables = await self._load_tables(connection)
                async with sink_transactions.transaction(connection):
                    return await work(connection, tables)

    async def _carry_out(
        self, connection: Any, tables: Tables, commands: Sequence[Command], careful: bool
    ) -> dict[str, Effect]:
        writer = BatchWriter(connection, tables, careful=careful)
        await writer.write(await self._undone(connection, commands))
        if writer.waiting:
            await sink_parking.park(connection, self._codec, writer.waiting)
        return writer.effects

    async def _go_ahead(
        self, connection: Any, tables: Tables, commands: Sequence[Command], careful: bool
    ) -> tuple[dict[str, Effect], list[Command], dict[Place, int]]:
        undone = await self._undone(connection, commands, ahead=True)
        writer = BatchWriter(connection, tables, careful=careful, ahead=True)
        await writer.write(undone)
        done = [command for command in undone if command.id in writer.effects]
        return writer.effects, done, await self._aheads.note(connection, done) if done else {}

    async def _forget(self, connection: Any, _: Tables, place: Place, end: int) -> None:
        await self._aheads.forget(connection, place, end)

    async def _undone(self, connection: Any, commands: Sequence[Command], ahead: bool = False) -> list[Command]:
        """Those that were not carried out yet, each once. The fence moves to the end, unless this goes ahead."""
        fences = await self._fence(connection, commands, ahead)
        aheads = await self._aheads.as_of(connection, fences)
        return [
            command
            for command in {command.id: command for command in commands}.values()
            if command.offset > fences[place_of(command)].reached and not aheads[place_of(command)].has(command)
        ]

    async def _fence(self, connection: Any, commands: Sequence[Command], ahead: bool) -> dict[Place, Fence]:
        """How far each place was carried out before this batch; from here on, to the end of the batch, or as far."""
        ends: dict[Place, int] = {}
        for command in commands:
            place = place_of(command)
            ends[place] = -1 if ahead else max(command.offset, ends.get(place, -1))
        fence: dict[Place, Fence] = {}
        # Twice at most: a line that another transaction was just making shows in the second statement.
        while len(fence) < len(ends):
            asked = sorted(place for place in ends if place not in fence)
            entities, partitions = [entity for entity, _ in asked], [partition for _, partition in asked]
            offsets = [ends[place] for place in asked]
            for row in await connection.fetch(statement("sink_fence"), entities, partitions, offsets):
                fence[row["entity"], row["partition"]] = Fence(row["reached"], row["ahead"])
        return fence

    async def _retry_one(self, connection: Any, tables: Tables) -> Sequence[Effect] | None:
        tried = await sink_parking.due(connection, self._codec, list(self._specs), 1, self._longest_wait_s)
        if not tried:
            return None
        item = tried[0]
        lock_wait_ms = sink_parking.lock_wait_ms(item.attempts)
        writer = BatchWriter(connection, tables, lock_wait_ms, patient=not item.expired)
        await writer.write([item.command])
        await sink_parking.settle(connection, tried, writer.waiting)
        return list(writer.effects.values())

    async def _load_tables(self, connection: Any) -> Tables:
        """All of them. Who has them keeps them, though another batch may find a table changed meanwhile."""
        tables = self._tables
        if not tables:
            await layouts.require_present(connection, self._system)
        for entity, spec in self._specs.items():
            if entity not in tables:
                tables[entity] = await sink_tables.load(connection, self._system, spec)
        return tables

    async def _open(self) -> asyncpg.Pool:
        async with self._opening:
            if self._pool is None:
                self._pool = await asyncpg.create_pool(
                    self._access.dsn,
                    min_size=0,
                    max_size=CONNECTIONS,
                    timeout=CONNECT_TIMEOUT_S,
                    command_timeout=120.0,
                    max_cacheable_statement_size=0,
                    # A plan made while a table was small is no plan for what it has grown to.
                    max_cached_statement_lifetime=PLAN_LIFETIME_S,
                    server_settings=SESSION,
                    # Every transaction ends where it began, and no setting outlives one: nothing is to be reset.
                    reset=sink_transactions.roll_back,
                )
            return self._pool
