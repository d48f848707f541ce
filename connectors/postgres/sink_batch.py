"""One transaction's worth of commands: written group by group, the culprits found, the rest applied.

The order of things in a batch, piece by piece, the next being made ready while the server is at work on one:
1. per wave (no row twice) and entity: deletes, updates, creates, each as one statement, rows in key order; updates in
   one pass over the rows that show what is expected of them, the others after them, each under a lock
2. a statement that fails is rolled back to its savepoint and halved until the culprits are alone
3. culprits whose reason another command may have removed (a row they refer to, a value still taken): again, alone
4. those that fail still: an echo that says so; for a missing row that is referred to: parked, no echo yet
5. rows that were not there: an echo that says so, under a lock that keeps a concurrent insert out of the table; it is
   taken last and only if it can be had (almost) at once, for whoever waits for it stands in every writer's way
"""

import asyncio
import functools
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, TypeVar

import asyncpg
import msgspec

from connectors.base import Effect
from connectors.postgres import sink_errors, sink_runs
from connectors.postgres import sink_transactions as transactions
from connectors.postgres.sink_commands import (
    MalformedCommandError,
    Prepared,
    bare,
    key_values,
    prepare_all,
    waves,
)
from connectors.postgres.sink_tables import SinkTable
from schemas.messages import Command, Outcome

ROUNDS = 3
PIECE_COMMANDS = 500
ONE_BY_ONE_BELOW = 8
WRITERS_ABOUT = "the row is not there, and the table is being written to: somebody may be inserting it"
T = TypeVar("T")
TWIN = "a row with the same {columns} is there already; it is the same record, and will be linked to it"
SWALLOWED = "the table did not keep the new row: one of its triggers returned null"

Step = Callable[[list[Prepared]], Awaitable[list[Prepared]]]


class RoundStep(Protocol):
    """A statement that may leave commands over, unless it is told that this is the final round."""

    def __call__(self, items: list[Prepared], final: bool) -> Awaitable[list[Prepared]]: ...


class CarelessError(Exception):
    """A statement failed and there is no savepoint to go back to: roll back, and do it all again carefully."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A command that the target did not take: why, and by which of its codes ("" where it was never asked)."""

    item: Prepared
    code: str
    error: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the echo of a command is to say."""

    item: Prepared
    outcome: Outcome = "applied"
    error: str | None = None


@dataclass(slots=True)
class BatchWriter:
    """Carries out commands inside the caller's transaction.

    `lock_wait_ms` is how long to wait for a table that others write to, where a row was not found. `patient`: a
    command that misses a row it refers to is parked (True) or failed (False). `careful` costs two round trips for each
    statement: savepoints; without them the first failure raises CarelessError. `ahead`: it is not their turn yet; those
    that cannot be carried out leave nothing, neither an echo nor their names.
    """

    connection: Any
    tables: Mapping[str, SinkTable]
    lock_wait_ms: int = 1
    patient: bool = True
    careful: bool = True
    ahead: bool = False
    effects: dict[str, Effect] = field(default_factory=dict)
    waiting: list[tuple[Command, str]] = field(default_factory=list)
    _refused: list[Refusal] = field(default_factory=list)
    _absent: list[Verdict] = field(default_factory=list)

    async def write(self, commands: Sequence[Command]) -> None:
        """Leave an echo of every command, or its name in `waiting`. Raises asyncpg.PostgresError: roll back."""
        pieces = [commands[start : start + PIECE_COMMANDS] for start in range(0, len(commands), PIECE_COMMANDS)]
        ready = self._made_ready(pieces[0]) if pieces else []
        for piece in pieces[1:]:
            ready = await _beside(self._write_piece(ready), functools.partial(self._made_ready, piece))
        await self._write_piece(ready)
        if self.ahead:
            return
        await self._try_again()
        for refusal in self._refused:
            await self._refuse(refusal)
        for verdicts in _grouped(self._absent, lambda verdict: verdict.item.command.entity):
            await self._settle_absent(verdicts)

    async def _write_piece(self, items: list[Prepared]) -> None:
        for wave in waves(items):
            for group in _groups(wave):
                await self._write_group(group)

    def _made_ready(self, commands: Sequence[Command]) -> list[Prepared]:
        return prepare_all(commands, self.tables, self._malformed)

    def _malformed(self, command: Command, error: MalformedCommandError) -> None:
        self._refused.append(Refusal(bare(command, self.tables[command.entity]), "", str(error)))

    async def _write_group(self, items: list[Prepared]) -> None:
        write = {"d": self._delete, "u": self._update, "c": self._create}[items[0].command.op]
        await write(sorted(items, key=lambda item: item.order))

    async def _update(self, items: list[Prepared]) -> None:
        parts = _grouped(items, lambda item: item.units)
        over = [item for part in parts for item in await self._guarded(self._run_write, part)]
        left = await self._in_rounds(self._run_update, over) if over else []
        self._absent += [Verdict(item) for item in left]

    async def _delete(self, items: list[Prepared]) -> None:
        left = await self._in_rounds(self._run_delete, items)
        self._absent += [Verdict(item) for item in left]

    async def _create(self, items: list[Prepared]) -> None:
        left = await self._restored(await self._without_twins(items))
        for _ in range(ROUNDS):
            inserted = _grouped(left, lambda item: item.names)
            left = [item for part in inserted for item in await self._guarded(self._run_insert, part)]
            if self.ahead:
                return
            taken = [item for item in left if item.keys is not None]
            there = await self._in_rounds(self._run_look, taken)
            left = there + [item for item in left if item.keys is None]
        self._refused += [Refusal(item, "", SWALLOWED) for item in left]

    async def _without_twins(self, items: list[Prepared]) -> list[Prepared]:
        """Refuse creates of which the table has a row already: its own entry is on the way to the record."""
        table = self._table(items)
        known = [item for item in items if set(table.spec.match) <= set(item.names)]
        if not table.spec.match or not known:
            return items
        twins = [known[place - 1] for place in await sink_runs.twins(self.connection, table, known)]
        self._refused += [Refusal(item, "", TWIN.format(columns=", ".join(table.spec.match))) for item in twins]
        return [item for item in items if item not in twins]

    async def _restored(self, items: list[Prepared]) -> list[Prepared]:
        """Bring back rows that are there and count as gone; the commands that found none are left over."""
        table = self._table(items) if items else None
        if table is None or not table.restores:
            return items
        left = items
        for _ in range(ROUNDS):
            found = await self._resting(table, left)
            parts = _grouped(sorted(found.values(), key=lambda item: item.order), lambda item: item.names)
            over = {item.command.id for part in parts for item in await self._guarded(self._run_restore, part)}
            left = [item for item in left if item.command.id not in found or item.command.id in over]
            raced = [item for item in left if item.keys is None and item.command.id in over]
            if not raced:
                return left
            # Somebody wrote to that row meanwhile: it may be the record's row again.
            left = await self._without_twins(left)
        return left

    async def _resting(self, table: SinkTable, items: list[Prepared]) -> dict[str, Prepared]:
        """The commands whose row may be there, gone: under the local id they name, or the natural key."""
        found = {item.command.id: item for item in items if item.keys is not None}
        asked = [item for item in items if item.keys is None and set(table.spec.match) <= set(item.names)]
        for place, local_id in (
            await sink_runs.resting(self.connection, table, asked) if asked and table.spec.match else ()
        ):
            item = asked[place - 1]
            found[item.command.id] = msgspec.structs.replace(item, keys=key_values(local_id, table), local_id=local_id)
        return found

    async def _in_rounds(self, step: RoundStep, items: list[Prepared]) -> list[Prepared]:
        """Repeat for what is left over: a row written or replaced meanwhile shows in the next statement only."""
        left = items
        for place in range(ROUNDS):
            run = functools.partial(step, final=place == ROUNDS - 1)
            parts = _grouped(left, lambda item: item.units)
            left = [item for part in parts for item in await self._guarded(run, part)]
        return left

    async def _guarded(self, step: Step, items: list[Prepared]) -> list[Prepared]:
        """One statement in a savepoint; if it fails, in halves until the culprits are alone. Returns the left over."""
        try:
            async with transactions.savepoint(self.connection, self.careful):
                return await step(items)
        except sink_runs.KeyNotKeptError:
            if not self.careful:
                raise CarelessError from None
            parts = [[item] for item in items]
        except asyncpg.PostgresError as error:
            if not sink_errors.is_rows_fault(error):
                raise
            if not self.careful:
                raise CarelessError from error
            if len(items) == 1:
                self._refused.append(Refusal(items[0], error.sqlstate or "", sink_errors.sentence(error)))
                return []
            parts = _parts(items)
        return [left for part in parts for left in await self._guarded(step, part)]

    async def _run_write(self, items: list[Prepared]) -> list[Prepared]:
        return self._settled(items, await sink_runs.write(self.connection, self._table(items), items))

    async def _run_update(self, items: list[Prepared], final: bool) -> list[Prepared]:
        return self._settled(items, await sink_runs.update(self.connection, self._table(items), items, final))

    async def _run_look(self, items: list[Prepared], final: bool) -> list[Prepared]:
        return await self._look(items, Verdict(items[0]), final)

    async def _look(self, items: list[Prepared], verdict: Verdict, final: bool) -> list[Prepared]:
        told = (verdict.outcome, verdict.error)
        return self._settled(
            items, await sink_runs.look(self.connection, self._table(items), items, *told, final), *told
        )

    async def _run_delete(self, items: list[Prepared], final: bool) -> list[Prepared]:
        return self._settled(items, await sink_runs.delete(self.connection, self._table(items), items, final))

    async def _run_restore(self, items: list[Prepared]) -> list[Prepared]:
        return self._settled(items, await sink_runs.restore(self.connection, self._table(items), items))

    async def _run_insert(self, items: list[Prepared]) -> list[Prepared]:
        return self._settled(items, await sink_runs.insert(self.connection, self._table(items), items))

    def _table(self, items: Sequence[Prepared]) -> SinkTable:
        return self.tables[items[0].command.entity]

    def _settled(
        self, items: list[Prepared], places: Sequence[int], outcome: Outcome = "applied", error: str | None = None
    ) -> list[Prepared]:
        """Note the commands echoed, given by their places from 1; return those left over."""
        if len(places) == len(items):
            echoed, left = items, []
        else:
            found = set(places)
            echoed = [items[place - 1] for place in found]
            left = [item for place, item in enumerate(items, start=1) if place not in found]
        self.effects.update({name: Effect(name, outcome, error) for name in [item.command.id for item in echoed]})
        return left

    async def _try_again(self) -> None:
        again = [refusal for refusal in self._refused if refusal.code in sink_errors.WORTH_ANOTHER_TRY]
        self._refused = [refusal for refusal in self._refused if refusal.code not in sink_errors.WORTH_ANOTHER_TRY]
        for refusal in again:
            await self._write_group([refusal.item])

    async def _refuse(self, refusal: Refusal) -> None:
        if refusal.code == sink_errors.FOREIGN_KEY_MISSING and self.patient:
            self.waiting.append((refusal.item.command, refusal.error))
            return
        verdict = Verdict(refusal.item, "failed", refusal.error)
        try:
            async with transactions.savepoint(self.connection):
                left = await self._look_for(verdict)
        except asyncpg.PostgresError as error:
            if not sink_errors.is_rows_fault(error):
                raise
            # Its key cannot even be read as one: there is no such row.
            left = [msgspec.structs.replace(refusal.item, keys=None)]
        self._absent += [replace(verdict, item=item) for item in left]

    async def _look_for(self, verdict: Verdict) -> list[Prepared]:
        left = [verdict.item]
        if verdict.item.keys is not None:
            for place in range(ROUNDS):
                left = left and await self._look(left, verdict, place == ROUNDS - 1)
        return left

    async def _settle_absent(self, verdicts: list[Verdict]) -> None:
        """Echo rows that are not there. Whoever cannot be sure of that waits."""
        table = self._table([verdicts[0].item])
        lock = (await table.statements(self.connection, table.spec.units)).lock
        sure = all(verdict.item.keys is None for verdict in verdicts) or await self._keep_others_out(lock)
        places = await self._run_gone(verdicts) if sure else set()
        for place, verdict in enumerate(verdicts, start=1):
            command = verdict.item.command
            if place in places:
                self.effects[command.id] = Effect(command.id, verdict.outcome, verdict.error)
            else:
                self.waiting.append((command, WRITERS_ABOUT))

    async def _run_gone(self, verdicts: list[Verdict]) -> set[int]:
        items = [verdict.item for verdict in verdicts]
        outcomes, errors = [verdict.outcome for verdict in verdicts], [verdict.error for verdict in verdicts]
        return set(await sink_runs.gone(self.connection, self._table(items), items, outcomes, errors))

    async def _keep_others_out(self, lock: str) -> bool:
        set_wait = "select set_config('lock_timeout', $1, true)"
        before = await self.connection.fetchval("select current_setting('lock_timeout')")
        try:
            async with transactions.savepoint(self.connection):
                await self.connection.execute(set_wait, f"{self.lock_wait_ms}ms")
                await self.connection.execute(lock)
                await self.connection.execute(set_wait, before)
        except asyncpg.LockNotAvailableError:
            return False
        return True


async def _beside(work: Coroutine[Any, Any, None], own: Callable[[], T]) -> T:
    """Await `work`, doing something of our own while its statement is with the server."""
    task = asyncio.ensure_future(work)
    try:
        await asyncio.sleep(0)
        made = own()
        await task
        return made
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def _groups(wave: list[Prepared]) -> Iterator[list[Prepared]]:
    """One list per entity and kind of command; deletes first, since they make room, creates last."""
    by_entity: dict[str, dict[str, list[Prepared]]] = {}
    for item in wave:
        by_entity.setdefault(item.command.entity, {}).setdefault(item.command.op, []).append(item)
    for by_op in by_entity.values():
        yield from (by_op[op] for op in ("d", "u", "c") if op in by_op)


def _grouped(items: Sequence[T], by: Callable[[T], object]) -> list[list[T]]:
    groups: dict[object, list[T]] = {}
    for item in items:
        groups.setdefault(by(item), []).append(item)
    return list(groups.values())


def _parts(items: list[Prepared]) -> list[list[Prepared]]:
    if len(items) <= ONE_BY_ONE_BELOW:
        return [[item] for item in items]
    half = len(items) // 2
    return [items[:half], items[half:]]
