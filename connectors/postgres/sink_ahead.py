"""Commands carried out ahead of the fence: what of each place was, as the sink knows it and as the database does.

The database is the truth. The sink keeps a copy per place, and the number of batches that led to it; where the fence's
line has another number, somebody else carried out commands ahead, and the copy is read anew.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from connectors.postgres.statements import statement
from schemas.messages import Command

AHEAD_AT_MOST = 200_000
"""So many records are kept in mind, of all places; beyond that, nothing more is carried out ahead."""

Place = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Fence:
    """A place's line as locked: all up to `reached` is carried out; `batches` were carried out ahead of it."""

    reached: int
    batches: int


@dataclass(slots=True)
class Ahead:
    """Of one place: by record, the input offset of its last command carried out ahead, by this many batches."""

    batches: int = 0
    records: dict[str, int] = field(default_factory=dict)
    last: int = -1

    def has(self, command: Command) -> bool:
        """Whether it was carried out, or given up: of a record, a later command is sent only then."""
        return command.offset <= self.records.get(command.record_id, -1)

    def note(self, commands: Sequence[Command], batches: int) -> None:
        """These were carried out ahead, as the last of so many batches."""
        self.batches = batches
        for command in commands:
            self.records[command.record_id] = max(command.offset, self.records.get(command.record_id, -1))
            self.last = max(self.last, command.offset)


def place_of(command: Command) -> Place:
    """Where its fence is."""
    return command.entity, command.partition


class Aheads:
    """The copies of a sink, by place."""

    def __init__(self) -> None:
        self._known: dict[Place, Ahead] = {}

    def has_room(self, commands: int) -> bool:
        """Whether so many more may be carried out ahead."""
        return sum(len(one.records) for one in self._known.values()) + commands <= AHEAD_AT_MOST

    async def known(self, connection: Any, place: Place) -> Ahead:
        """As it was when it was last looked at; looks if it never was."""
        return self._known.get(place) or await self._read(connection, place)

    async def as_of(self, connection: Any, fences: Mapping[Place, Fence]) -> dict[Place, Ahead]:
        """As it is, of places whose lines the caller's transaction has locked."""
        for place, fence in fences.items():
            known = self._known.get(place)
            if known is None or known.batches != fence.batches:
                await self._read(connection, place)
        return {place: self._known[place] for place in fences}

    async def note(self, connection: Any, commands: Sequence[Command]) -> dict[Place, int]:
        """Write down that the caller's transaction carried these out ahead; tell `noted` when it is committed."""
        last: dict[tuple[Place, str], int] = {}
        for command in commands:
            row = (place_of(command), command.record_id)
            last[row] = max(command.offset, last.get(row, -1))
        rows = [(entity, partition, record, offset) for ((entity, partition), record), offset in sorted(last.items())]
        columns = map(list, zip(*rows, strict=True))
        counted = await connection.fetch(statement("sink_note_ahead"), *columns)
        return {(line["entity"], line["partition"]): line["ahead"] for line in counted}

    def noted(self, commands: Sequence[Command], batches: Mapping[Place, int]) -> None:
        """These are carried out, and committed."""
        for place, number in batches.items():
            self._known[place].note([command for command in commands if place_of(command) == place], number)

    def passed(self, commands: Sequence[Command]) -> dict[Place, int]:
        """Places in which all that was ahead is behind the end of this batch, which is carried out; and that end."""
        ends: dict[Place, int] = {}
        for place, one in self._known.items():
            if one.records:
                end = max((command.offset for command in commands if place_of(command) == place), default=-1)
                if end >= one.last:
                    ends[place] = end
        return ends

    async def forget(self, connection: Any, place: Place, end: int) -> None:
        """All of a place up to here is carried out, in order or ahead."""
        await connection.execute(statement("sink_passed"), *place, end)
        self._known.pop(place, None)

    async def _read(self, connection: Any, place: Place) -> Ahead:
        row = await connection.fetchrow(statement("sink_ahead"), *place)
        one = Ahead()
        if row is not None:
            records = dict(zip(row["records"], row["offsets"], strict=True))
            one = Ahead(row["ahead"], records, max(records.values(), default=-1))
        self._known[place] = one
        return one
