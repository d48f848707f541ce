"""The conflicts topic, folded: for each conflict how it stands now, and since when.

Every verdict of the merge has a number; one that parks an item for a person comes again under its number when the
item changes, and once more when it is settled. So the last message of an id says how a conflict stands.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

from schemas.codec import Codec
from schemas.errors import UndecodableError
from schemas.messages import Conflict

SHORTEST = 8
PARKED = "parked"
BRAKE = "brake"
UNDECIDABLE = ("duplicate", "key")


@dataclass(frozen=True, slots=True)
class Entry:
    """One conflict. `since_us` is when it was first put on record (µs); `parked` whether it ever waited for a person;
    `first` the message that opened it, and `last` the one that counts."""

    first: Conflict
    last: Conflict
    parked: bool

    @property
    def id(self) -> str:
        return self.last.id

    @property
    def open(self) -> bool:
        """Whether it waits for a person."""
        return self.last.winner == PARKED

    @property
    def decidable(self) -> bool:
        """Whether a choice of a value can settle it: not so where two rows claim one record or one key."""
        return self.last.kind not in UNDECIDABLE

    @property
    def held(self) -> bool:
        """Whether it is a delete that the brake holds."""
        return self.open and self.last.rule == BRAKE

    @property
    def since_us(self) -> int:
        return self.first.ts_us


class Book:
    """Takes the messages of the conflicts topic in the order of their partitions. `unreadable` counts those that are
    none of ours."""

    def __init__(self, codec: Codec | None = None) -> None:
        self._codec = codec or Codec()
        self._entries: dict[str, Entry] = {}
        self.unreadable = 0

    def take(self, value: bytes | None) -> Entry | None:
        """The conflict as it stands after this message; None for one that is empty, or unreadable."""
        found = self.decoded(value)
        return None if found is None else self.note(found)

    def decoded(self, value: bytes | None) -> Conflict | None:
        """What a message of the topic says; None for one that is empty, or unreadable."""
        if value is None:
            return None
        try:
            return self._codec.decode_as(value, Conflict)
        except UndecodableError:
            self.unreadable += 1
            return None

    def note(self, found: Conflict) -> Entry:
        """The conflict as it stands after this message."""
        known = self._entries.get(found.id)
        parked = found.winner == PARKED
        if known is None:
            entry = Entry(found, found, parked)
        else:
            entry = replace(known, last=found, parked=known.parked or parked)
        self._entries[found.id] = entry
        return entry

    def take_all(self, values: Iterable[bytes | None]) -> None:
        for value in values:
            self.take(value)

    def get(self, conflict_id: str) -> Entry | None:
        return self._entries.get(conflict_id)

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[Entry]:
        return iter(self._entries.values())

    def named(self, name: str) -> list[Entry]:
        """The conflicts that this name means: an id, the beginning of a record id with the number behind it
        (`3fa85f64/2`), or with none: then its open ones."""
        if (exact := self._entries.get(name)) is not None:
            return [exact]
        start, slash, number = name.lower().partition("/")
        among = [entry for entry in self if entry.last.record_id.startswith(start)]
        if slash:
            return [entry for entry in among if entry.id.partition("/")[2].lower() == number]
        return [entry for entry in among if entry.open]


def shortener(records: Iterable[str]) -> Callable[[str], str]:
    """What shortens the ids of conflicts of these records, so that no two records look alike."""
    names = sorted(set(records))
    length = SHORTEST
    for one, other in pairwise(names):
        while one[:length] == other[:length] and length < len(other):
            length += 1
    return lambda conflict_id: conflict_id.partition("/")[0][:length] + "/" + conflict_id.partition("/")[2]
