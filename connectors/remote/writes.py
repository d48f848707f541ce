"""One command to a row of an application without a log (creates have a module of their own).

Read → compare with what the merge expects → write → answer. The answer has the row found and the row left, and where
both stand among the looks. A write whose answer was lost, or that was under way when the process ended, is looked for
before anything is sent again, unit by unit: what is as it was to be was written; what is as it was before is written
now; anything else is somebody's edit, and is left alone.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from connectors.errors import ConnectorsError
from connectors.remote import marks, metrics
from connectors.remote.api import AnswerLostError, Found, MovedError, RowRefusedError
from connectors.remote.engine import Engine, Resource
from connectors.remote.intents import Intent, Ledger
from connectors.remote.values import decode
from schemas.messages import Command, Outcome, Result

ATTEMPTS = 4
FIRST_PAUSE_S = 0.25
Values = Mapping[str, Any]
NOTHING: Values = {}
Unit = tuple[Values, Values]
"""Expected and wanted values over the same columns."""
Attempt = Callable[[], Awaitable[Result]]


@dataclass(frozen=True, slots=True)
class Seen:
    """A row as it was at one time (None: no row), and where that stands among the looks at it."""

    found: Found | None
    order: int
    versioned: bool


class Writer:
    """Carries out one command. Made for it, used once."""

    def __init__(self, engine: Engine, ledger: Ledger, resource: Resource, command: Command) -> None:
        self.engine = engine
        self.ledger = ledger
        self.resource = resource
        self.columns = resource.columns
        self.api = resource.api
        self.command = command
        self._asked_s: float | None = None

    async def carry_out(self, attempt_it: Attempt) -> Result:
        """Try until it is answered. Raises UnreachableError; then what was sent is noted."""
        for attempt in range(ATTEMPTS):
            if attempt:
                await self.engine.clock.sleep(FIRST_PAUSE_S * 2 ** (attempt - 1))
            try:
                return await attempt_it()
            except MovedError as error:
                # Refused as such: nothing of it was written.
                self.ledger.withdraw(self.command)
                trouble: ConnectorsError = error
            except AnswerLostError as error:
                metrics.WRITES.labels(self.engine.system, "lost").inc()
                trouble = error
        raise self.engine.unreachable(f"command {self.command.id}: {trouble}") from trouble

    async def attempt(self) -> Result:
        """One try at an update or a delete. Raises MovedError, AnswerLostError, UnreachableError."""
        command = self.command
        local_id = command.local_id or ""
        async with self.engine.alone_at((self.resource.entity, local_id)):
            intent = self.intent()
            if intent is not None and intent.version is not None:
                self.engine.marks.remember(self.resource.entity, local_id, intent.found_order)
            seen = self._later(await self.look(local_id))
            try:
                units = self.units()
                return await (self._update(seen, units) if command.op == "u" else self._delete(seen, units))
            except RowRefusedError as error:
                self.ledger.withdraw(command)
                return await self.answer(seen, seen, error=error.reason)

    def _later(self, now: Seen) -> Seen:
        """No row has no version: it comes after the last one told, and after the one that an earlier attempt saw."""
        intent = self.intent()
        if intent is None or now.found is not None or not now.versioned:
            return now
        return replace(now, order=max(now.order, intent.found_order + 1))

    # --- rows that are there

    async def _update(self, now: Seen, units: Sequence[Unit]) -> Result:
        intent = self.intent()
        before = now if intent is None else self._before(now, intent, units)
        if now.found is None or before.found is None or self.resource.is_resting(now.found):
            return await self.answer(before, now)
        due, kept = self._parted(before.found, now.found, units)
        if not due:
            return await self.answer(before, self._without_edits(now, kept))
        if "u" not in self.api.abilities.writes:
            raise self.refused("the application does not let rows be changed")
        return await self.write(before, now, self.api.update(now.found, self.columns.typed(due)), kept)

    def _parted(self, before: Found, now: Found, units: Sequence[Unit]) -> tuple[Values, Values]:
        """What is to be written; and what the units hold that were as wanted before, or were written earlier. A unit
        that was neither as expected nor as wanted is left alone: whatever it holds is an edit."""
        due: dict[str, Any] = {}
        kept: dict[str, Any] = {}
        for base, wanted in units:
            if self.columns.same(wanted, before.values):
                kept |= _only(base, before)
            elif self.columns.same(base, before.values):
                if self.columns.same(wanted, now.values):
                    kept |= _only(base, now)
                else:
                    due |= wanted
        return due, kept

    def _before(self, now: Seen, intent: Intent, units: Sequence[Unit]) -> Seen:
        """The row that an earlier attempt found, so that nobody's edit is forgotten that it saw, turned back since or
        not. Of a unit that was as expected, and does not hold what was to be written, is told what it is now: it was
        not written, or edited since. The same goes for one that was as wanted, and was edited since; were that back to
        what the merge expects, it would take it for what the application makes of our value.
        """
        noted = self._noted(intent)
        if now.found is None or noted.found is None:
            return noted
        values = dict(noted.found.values)
        for base, wanted in units:
            was_wanted = self.columns.same(wanted, noted.found.values)
            was_expected = not was_wanted and self.columns.same(base, noted.found.values)
            is_left = was_expected and not self.columns.same(wanted, now.found.values)
            if is_left or (was_wanted and not self.columns.same(base, now.found.values)):
                values |= _only(base, now.found)
        return Seen(replace(now.found, values=values), noted.order, now.versioned)

    async def _delete(self, now: Seen, units: Sequence[Unit]) -> Result:
        intent, found, removal = self.intent(), now.found, self.resource.spec.removal
        if found is None or self.resource.is_resting(found):
            return await self.answer(now if intent is None else self._noted(intent), now)
        if not self.columns.same(units[0][0], found.values):
            return await self.answer(now, now)
        if removal.mode == "inactive":
            return await self.write(now, now, self.api.update(found, {str(removal.column): removal.value}))
        if "d" not in self.api.abilities.writes:
            raise self.refused("the application does not let rows be deleted")
        return await self.write(now, now, self._deleted(found))

    async def _deleted(self, found: Found) -> None:
        await self.api.delete(found)

    # --- steps that creates share

    async def look(self, local_id: str) -> Seen:
        """The row now. Raises UnreachableError also where the application refuses to say: then nothing is known."""
        number = self.engine.numbers.take()
        self._asked_s = asyncio.get_running_loop().time()
        try:
            found = await self.api.get(local_id)
        except (RowRefusedError, AnswerLostError) as error:
            raise self.engine.unreachable(f"row {local_id} cannot be read: {error}") from error
        return self.seen(local_id, found, number)

    def seen(self, local_id: str, found: Found | None, number: int) -> Seen:
        """A look with its place among the others."""
        return Seen(found, *self.engine.order(self.resource, local_id, found, number))

    async def write(
        self, before: Seen, now: Seen, request: Coroutine[Any, Any, Found | None], kept: Values = NOTHING
    ) -> Result:
        """Note what is about to be sent, send it, and answer that `before` was found: the row `now`, as a rule.

        `kept` is what the command's columns hold that are not sent. Raises RowRefusedError, MovedError,
        AnswerLostError.
        """
        assert now.found is not None
        try:
            await self.intend(before)
        except BaseException:
            request.close()
            raise
        row = (self.resource.entity, now.found.local_id)
        number = self.engine.numbers.take()
        self.engine.writes.begin(row)
        try:
            left = await request
        finally:
            self.engine.writes.end(row)
        self._measure()
        return await self.answer(before, self._without_edits(await self._left(now, left, number), kept))

    def _measure(self) -> None:
        """How long a user's edit of the same columns would have been written over."""
        if self._asked_s is not None and not self.api.abilities.conditional:
            window_s = asyncio.get_running_loop().time() - self._asked_s
            metrics.UNPROTECTED.labels(self.engine.system).observe(window_s)

    async def intend(self, seen: Seen) -> None:
        """Note that a write comes next, and what the row was before it."""
        found = seen.found
        image = None if found is None else self.columns.image(found.values)
        tag, version = (None, None) if found is None else (found.tag, found.version)
        intent = Intent(self.command.id, image, seen.order, tag, version)
        if found is not None and version is not None:
            self.engine.marks.remember(self.resource.entity, found.local_id, seen.order)
        await self.ledger.intend(self.command, intent)

    async def _left(self, seen: Seen, left: Found | None, number: int) -> Seen:
        if left is None:
            return Seen(None, seen.order + 1, True) if seen.versioned else Seen(None, number, False)
        if seen.versioned and left.version is None:
            return await self.look(left.local_id)
        return self.seen(left.local_id, left, number)

    def _without_edits(self, left: Seen, kept: Values) -> Seen:
        """The row left, without what a user did since it was read to columns of the command that were not written: the
        merge would take that for what the application makes of our values. A look of its own tells it."""
        if left.found is None or self.columns.same(kept, left.found.values):
            return left
        self.engine.doubtful[self.resource.entity, left.found.local_id] = None
        order = left.order - 1 if left.versioned else left.order
        return Seen(replace(left.found, values={**left.found.values, **kept}), order, left.versioned)

    async def answer(self, found: Seen, left: Seen, error: str | None = None, local_id: str | None = None) -> Result:
        """Note the answer, and what is known of the row by it."""
        command, row = self.command, left.found or found.found
        local_id = local_id or command.local_id or (row.local_id if row else None)
        found, left = self._end(found, local_id), self._end(left, local_id)
        outcome: Outcome = "applied" if error is None else "failed"
        result = Result(
            command=command.id,
            record_id=command.record_id,
            entity=command.entity,
            system=command.system,
            local_id=local_id,
            found_order=found.order,
            found=self._image(found.found),
            left_order=left.order,
            left=self._image(left.found),
            outcome=outcome,
            error=error,
            ts_us=self.engine.clock.now_us(),
        )
        mark = self.engine.mark(self.resource, left.found, left.order, left.versioned)
        seen = {} if local_id is None else {marks.name(command.entity, local_id): mark}
        noted = {note: marks.encode(mark) for note, mark in seen.items()}
        self.engine.marks.unnoted |= seen
        await self.ledger.finish(command, result, noted)
        for note in seen:
            self.engine.marks.unnoted.pop(note, None)
        return result

    def _end(self, seen: Seen, local_id: str | None) -> Seen:
        """No row has no version: it comes after every one that was told while the command was under way."""
        if seen.found is not None or not seen.versioned or local_id is None:
            return seen
        order, _ = self.engine.order(self.resource, local_id, None, seen.order)
        return replace(seen, order=max(seen.order, order))

    def _image(self, found: Found | None) -> str | None:
        return None if found is None else self.columns.image(found.values)

    # --- what the command and its notes say

    def units(self) -> list[Unit]:
        """Each unit's expected and wanted values; no row is {}. Raises RowRefusedError for what fits no row."""
        try:
            found = [(_values(unit.base), _values(unit.set)) for unit in self.command.units]
        except msgspec.DecodeError as error:
            raise self.refused(f"the command cannot be read: {error}") from error
        unknown = sorted({name for pair in found for side in pair for name in side} - set(self.columns.names))
        if unknown or not found:
            raise self.refused(f"{self.api.name} has no column {', '.join(unknown)}" if unknown else "it is empty")
        return found

    def intent(self) -> Intent | None:
        """What an earlier attempt was about to do."""
        entry = self.ledger.entry(self.command)
        return None if entry is None else entry.intent

    def refused(self, reason: str) -> RowRefusedError:
        """Something that is not to be had, however often it is tried."""
        return RowRefusedError(self.engine.system, reason)

    def _noted(self, intent: Intent) -> Seen:
        if intent.found is None:
            return Seen(None, intent.found_order, intent.version is not None)
        found = Found(self.command.local_id or "", decode(intent.found), intent.version, None, intent.tag)
        return Seen(found, intent.found_order, intent.version is not None)


def _only(names: Iterable[str], row: Found) -> Values:
    return {name: row.values.get(name) for name in names}


def _values(text: str | None) -> Values:
    return {} if text is None else decode(text)
