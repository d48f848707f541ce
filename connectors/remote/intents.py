"""What the sink was about to do, and what it did, kept until the answers are known to be published.

The order of things for a command: read the row → note the intent (the row as found) → write → note the result.
Whoever comes after a crash finds the command's last note and knows: nothing was sent; or something was, and the row
must tell whether it took effect; or it was done, and this is the answer. Notes of a partition are let go when a later
batch of it comes: then the answers before it are in Kafka, and the fence is raised over them.
"""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from connectors.remote.surroundings import Notes
from schemas.messages import Command, Result

Place = tuple[str, int]
"""An entity and a partition of its commands."""


class Intent(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A write that was about to be sent. `found` is the row before it (its image; None: no row)."""

    command: str
    found: str | None
    found_order: int
    tag: str | None = None
    version: int | None = None


class Entry(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The last note of a command: what it was about to do, and the answer, if it came to that; or, where nobody waits
    for an answer any more, which command that was."""

    intent: Intent | None
    result: Result | None = None
    given_up: str | None = None

    @property
    def is_over(self) -> bool:
        """Whether nothing is to be done any more."""
        return self.result is not None or self.given_up is not None

    @property
    def command(self) -> str | None:
        """Whose note this is."""
        if self.result is not None:
            return self.result.command
        return self.given_up or (None if self.intent is None else self.intent.command)


_encode = msgspec.msgpack.Encoder().encode
_decoder = msgspec.msgpack.Decoder(Entry)


@dataclass(slots=True)
class _Load:
    values: dict[str, bytes | None] = field(default_factory=dict)
    is_kept: bool = False


class Grouped:
    """Notes put by many at once, in as few requests as can be: whoever comes while one is out shares the next.

    `latest` gives what goes along with every request, as it is when that is sent: a value of its own that had waited
    here could take the place of a later one.
    """

    def __init__(self, notes: Notes, latest: Callable[[], Mapping[str, bytes | None]] = dict) -> None:
        self._notes = notes
        self._latest = latest
        self._lock = asyncio.Lock()
        self._load = _Load()

    def add(self, values: Mapping[str, bytes | None]) -> None:
        """Let these go along with the next request."""
        self._load.values.update(values)

    async def put(self, values: Mapping[str, bytes | None]) -> None:
        """Keep these. Returns when they are safe. Raises UnreachableError."""
        self._load.values.update(values)
        mine = self._load
        async with self._lock:
            # One that failed, or was cancelled, leaves its load to the next who shares it.
            if mine.is_kept:
                return
            if mine is self._load:
                self._load = _Load()
            await self._notes.put({**mine.values, **self._latest()})
            mine.is_kept = True


class Ledger:
    """The notes of commands. One for all partitions of a system. `latest` is kept with each (see `Grouped`)."""

    def __init__(self, notes: Notes, latest: Callable[[], Mapping[str, bytes | None]] = dict) -> None:
        self._notes = notes
        self._grouped = Grouped(notes, latest)
        self._entries: dict[Place, dict[int, Entry]] = {}
        self._fences: dict[Place, int] = {}
        self._unkept: dict[str, dict[str, bytes | None]] = {}
        for name in notes.names("command/"):
            self._load(name)

    def begin(self, commands: Sequence[Command], waiting: Collection[str] = ()) -> None:
        """A batch of one partition: the answers of those before it are published, but for those that wait (ids)."""
        lowest: dict[Place, int] = {}
        for command in commands:
            place = (command.entity, command.partition)
            lowest[place] = min(command.offset, lowest.get(place, command.offset))
        for place, offset in lowest.items():
            self._let_go(place, offset, waiting)

    def is_over(self, command: Command) -> bool:
        """Whether the command was carried out and its answer published, or nobody waits for that any more."""
        return command.offset <= self._fence_of((command.entity, command.partition)) or self.is_given_up(command)

    def is_given_up(self, command: Command) -> bool:
        """Whether it was forgotten unanswered."""
        entry = self.entry(command)
        return entry is not None and entry.given_up is not None

    def entry(self, command: Command) -> Entry | None:
        """The last note of a command, if it is this command's and no other's of the same place."""
        found = self._entries.get((command.entity, command.partition), {}).get(command.offset)
        return found if found is not None and found.command == command.id else None

    def unfinished(self) -> list[Entry]:
        """The commands whose writes may have taken effect, and whose answers are not known."""
        return [entry for entries in self._entries.values() for entry in entries.values() if not entry.is_over]

    async def intend(self, command: Command, intent: Intent) -> None:
        """The write is sent next. Raises UnreachableError."""
        await self._keep(command, Entry(intent), {})

    async def finish(self, command: Command, result: Result, others: Mapping[str, bytes | None]) -> None:
        """The command is done, and this is the answer. `others` are kept with it. Raises UnreachableError."""
        entry = self.entry(command)
        await self._keep(command, Entry(None if entry is None else entry.intent, result), others)

    async def assure(self, command: Command) -> None:
        """Returns when what was to be kept of the command is safe, if it could not be kept before. Raises
        UnreachableError."""
        values = self._unkept.get(command.id)
        if values is not None:
            await self._grouped.put(values)
            self._unkept.pop(command.id, None)

    def withdraw(self, command: Command) -> None:
        """What was intended was refused as such: nothing was written."""
        self._entries.get((command.entity, command.partition), {}).pop(command.offset, None)

    async def forget(self, command: Command) -> None:
        """Nobody waits for this command any more. It may come again for all that: one that was answered keeps its
        answer, and of any other it is noted that nothing is to be done. Raises UnreachableError."""
        entry = self.entry(command)
        if entry is None or not entry.is_over:
            await self._keep(command, Entry(None if entry is None else entry.intent, None, command.id), {})

    async def _keep(self, command: Command, entry: Entry, others: Mapping[str, bytes | None]) -> None:
        place = (command.entity, command.partition)
        self._entries.setdefault(place, {})[command.offset] = entry
        values = self._unkept[command.id] = {_name(place, command.offset): _encode(entry), **others}
        await self._grouped.put(values)
        del self._unkept[command.id]

    def _let_go(self, place: Place, below: int, waiting: Collection[str]) -> None:
        entries = self._entries.get(place, {})
        # One without an answer waits for itself, beside the others: what it may have written must be known.
        over = {offset: entry.command for offset, entry in entries.items() if entry.is_over}
        gone = [offset for offset, command in over.items() if offset < below and command not in waiting]
        if gone:
            self._grouped.add({_name(place, offset): None for offset in gone})
            # One that had to wait may be answered long after its younger ones: a fence is never lowered.
            fence = self._fences[place] = max(self._fence_of(place), *gone)
            self._grouped.add({_fence(place): str(fence).encode()})
        for offset in gone:
            del entries[offset]

    def _fence_of(self, place: Place) -> int:
        if place not in self._fences:
            noted = self._notes.get(_fence(place))
            self._fences[place] = -1 if noted is None else int(noted)
        return self._fences[place]

    def _load(self, name: str) -> None:
        _, entity, partition, offset = name.split("/")
        data = self._notes.get(name)
        if data is not None:
            self._entries.setdefault((entity, int(partition)), {})[int(offset)] = _decoder.decode(data)


def _name(place: Place, offset: int) -> str:
    return f"command/{place[0]}/{place[1]}/{offset}"


def _fence(place: Place) -> str:
    return f"fence/{place[0]}/{place[1]}"
