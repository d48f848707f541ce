"""The order of looks at rows, and who may look or write when.

Every look has a number taken before its request is sent; the greater number saw the younger row, because reads and
writes of one row are serial (`RowLocks`). A listing cannot be serial with everything: rows that were written while one
of its pages was on its way are looked at again, singly (`Writes`). And a row that nobody knows may be the one that a
create of ours is making: looks at it wait for the creates that were under way (`Creates`).
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

Row = tuple[str, str]
"""Entity and local id."""


@dataclass(slots=True)
class Numbers:
    """The connector's own count of its looks: never goes back, not over a restart either, whatever the clock does.

    `clock_us` is the wall clock; `last` the greatest number in use. Up to `secured` numbers may be told: it is noted
    that the next process begins above it. `reserved` is what is being noted, or was.
    """

    clock_us: Callable[[], int]
    last: int = 0
    reserved: int = 0
    secured: int = 0

    def take(self) -> int:
        """The number of a look whose request is sent next."""
        self.last = max(self.last + 1, self.clock_us())
        return self.last


@dataclass(slots=True)
class _Held:
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    users: int = 0


class RowLocks:
    """One lock per row that anybody is at."""

    def __init__(self) -> None:
        self._held: dict[Row, _Held] = {}

    @asynccontextmanager
    async def of(self, row: Row) -> AsyncIterator[None]:
        """Alone at this row."""
        held = self._held.setdefault(row, _Held())
        held.users += 1
        try:
            async with held.lock:
                yield
        finally:
            held.users -= 1
            if not held.users:
                del self._held[row]

    def is_taken(self, row: Row) -> bool:
        """Whether anybody is at this row, or waits for it."""
        return row in self._held

    def __len__(self) -> int:
        return len(self._held)


class Writes:
    """Which rows were being written while a page of a listing was on its way."""

    def __init__(self) -> None:
        self._tick = 0
        self._pages: dict[int, int] = {}
        self._under_way: dict[Row, int] = {}
        self._ended: dict[Row, int] = {}

    def page_begins(self) -> int:
        """A page is asked for; what to name it by."""
        self._tick += 1
        self._pages[self._tick] = self._tick
        return self._tick

    def page_ends(self, page: int) -> None:
        """Nobody will ask about this page any more."""
        self._pages.pop(page, None)
        oldest = min(self._pages.values(), default=None)
        self._ended = {} if oldest is None else {row: at for row, at in self._ended.items() if at > oldest}

    def overlapped(self, page: int, row: Row) -> bool:
        """Whether this row was being written at any time since the page was asked for."""
        return row in self._under_way or self._ended.get(row, -1) > page

    def begin(self, row: Row) -> None:
        """A write of this row begins."""
        self._under_way[row] = self._under_way.get(row, 0) + 1

    def end(self, row: Row) -> None:
        """A write of this row has ended, whatever came of it."""
        left = self._under_way.get(row, 0) - 1
        if left > 0:
            self._under_way[row] = left
        else:
            self._under_way.pop(row, None)
        self.happened(row)

    def happened(self, row: Row) -> None:
        """This row was written just now: told of a create when its row has an id."""
        self._tick += 1
        if self._pages:
            self._ended[row] = self._tick


@dataclass(slots=True)
class _Create:
    over: asyncio.Event = field(default_factory=asyncio.Event)
    local_id: str | None = None


class Creates:
    """The creates of each entity that are under way: begun, and their results not yet known to be published."""

    def __init__(self) -> None:
        self._under_way: dict[str, dict[str, _Create]] = {}

    def begin(self, entity: str, command: str) -> None:
        """A create is under way; to repeat this is harmless."""
        self._under_way.setdefault(entity, {}).setdefault(command, _Create())

    def made(self, entity: str, command: str, local_id: str) -> None:
        """It has made this row."""
        found = self._under_way.get(entity, {}).get(command)
        if found is not None:
            found.local_id = local_id

    def end(self, entity: str, command: str) -> None:
        """Its result is published, or it made nothing."""
        found = self._under_way.get(entity, {}).pop(command, None)
        if found is not None:
            found.over.set()

    def under_way(self, entity: str, local_id: str | None = None) -> list[asyncio.Event]:
        """What to wait for before a look may be told: at an unknown row (None), every create; else the row's own."""
        found = self._under_way.get(entity, {}).values()
        return [create.over for create in found if local_id is None or create.local_id == local_id]
