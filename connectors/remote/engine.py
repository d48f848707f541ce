"""What source and sink of one application share: its resources, notes, numbers, locks and clock."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Protocol

from connectors.base import TableSpec
from connectors.errors import RefusedError, UnreachableError
from connectors.remote.api import Api, Found
from connectors.remote.looks import Creates, Numbers, Row, RowLocks, Writes
from connectors.remote.marks import GONE, Mark, Marks, Ordered
from connectors.remote.outages import Reach
from connectors.remote.surroundings import Surroundings
from connectors.remote.values import Columns

NUMBER_NOTE = "number"
RESERVED_US = 60_000_000


class Clock(Protocol):
    """Time, so that tests have theirs."""

    def now_us(self) -> int:
        """The wall clock, us since the epoch."""
        ...

    async def sleep(self, seconds: float) -> None: ...


class SystemClock:
    """The machine's."""

    def now_us(self) -> int:
        """The wall clock, us since the epoch."""
        return time.time_ns() // 1000

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)


@dataclass(frozen=True, slots=True)
class Resource:
    """An entity in the application: how it is mapped, how it is asked for, and its columns."""

    spec: TableSpec
    api: Api
    columns: Columns

    @property
    def entity(self) -> str:
        """The entity's name."""
        return self.spec.entity

    def is_resting(self, found: Found) -> bool:
        """Whether a row is there but counts as gone, because it is marked so."""
        removal = self.spec.removal
        if removal.mode != "inactive" or removal.column is None:
            return False
        return self.columns.same({removal.column: removal.value}, found.values)


@dataclass(slots=True)
class Engine:
    """Shared by everyone in this process who talks to the application. `doubtful` are rows to be looked at soon, for
    what was said of them may not be all; `began`: the sink has had its first batch."""

    system: str
    apis: Mapping[str, Api]
    surroundings: Surroundings
    clock: Clock
    numbers: Numbers
    marks: Marks
    reach: Reach
    locks: RowLocks = field(default_factory=RowLocks)
    writes: Writes = field(default_factory=Writes)
    creates: Creates = field(default_factory=Creates)
    doubtful: dict[Row, None] = field(default_factory=dict)
    began: asyncio.Event = field(default_factory=asyncio.Event)

    @asynccontextmanager
    async def alone_at(self, row: Row) -> AsyncIterator[None]:
        """Alone at this row: nobody else reads it singly, or writes it, and pages on their way are told that we did."""
        async with self.locks.of(row):
            self.writes.begin(row)
            try:
                yield
            finally:
                self.writes.end(row)

    @classmethod
    def of(cls, system: str, apis: Mapping[str, Api], surroundings: Surroundings, clock: Clock) -> "Engine":
        """One that goes on where the notes say that the last one ended."""
        surroundings = replace(surroundings, notes=Ordered(surroundings.notes))
        last = surroundings.notes.get(NUMBER_NOTE)
        numbers = Numbers(clock.now_us, int(last) if last else 0)
        reach = Reach(system, surroundings.notes, clock)
        return cls(system, apis, surroundings, clock, numbers, Marks(surroundings.notes), reach)

    def resources(self, specs: Sequence[TableSpec]) -> dict[str, Resource]:
        """The resources of these entities. Raises RefusedError for a table that the application has not."""
        return {spec.entity: self._resource(spec) for spec in specs}

    def _resource(self, spec: TableSpec) -> Resource:
        api = self.apis.get(spec.table)
        if api is None:
            known = ", ".join(sorted(self.apis)) or "none"
            what = f"entity {spec.entity}, table {spec.table}"
            raise RefusedError(self.system, what, "there is no such resource", f"Declared are {known}.")
        return Resource(spec, api, Columns(api.columns, spec.key or api.key))

    def number_note(self) -> dict[str, bytes | None]:
        """The greatest number in use or reserved, to be kept with whatever is noted."""
        return {NUMBER_NOTE: str(max(self.numbers.last, self.numbers.reserved)).encode()}

    async def before_telling(self, marks: Mapping[str, Mark]) -> None:
        """Returns when looks that say this may be told. Raises UnreachableError.

        If the process ends before it is noted that they were, their rows are unsure; and no later process takes one of
        the numbers in use again, or a lesser one, even if its clock was set back: a minute's are reserved at a time.
        """
        numbers, notes = self.numbers, self.marks.unsure(marks)
        if numbers.last > numbers.secured:
            numbers.reserved = max(numbers.reserved, numbers.last + RESERVED_US)
            notes |= self.number_note()
        reserved = numbers.reserved
        if notes:
            await self.surroundings.notes.put(notes)
        if NUMBER_NOTE in notes:
            numbers.secured = max(numbers.secured, reserved)

    def order(self, resource: Resource, local_id: str, found: Found | None, number: int) -> tuple[int, bool]:
        """Where a look stands among the row's others, and whether that is a version of the application's.

        `number` is the look's own. No row has no version: it comes next after the last one known.
        """
        if found is not None:
            return (number, False) if found.version is None else (found.version, True)
        mark = self.marks.last_look(resource.entity, local_id)
        if mark is None or not mark.versioned:
            return number, False
        return (mark.order if mark.is_gone else mark.order + 1), True

    def mark(self, resource: Resource, found: Found | None, order: int, versioned: bool) -> Mark:
        """The mark of a row that was seen so."""
        if found is None:
            return Mark(GONE, order, versioned)
        return Mark(resource.columns.digest(found.values), order, versioned, found.changed_us)

    def unreachable(self, reason: str) -> UnreachableError:
        """The application does not do what it should, and may do so later."""
        return UnreachableError(self.system, "the application", f"systems.{self.system}", reason)
