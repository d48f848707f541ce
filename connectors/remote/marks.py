"""What is known of each row of an application: a digest of it as the pipeline was last told, and how old that is.

A mark per row is kept in the notes. It is written when the row's look is safe in Kafka, never before; so a mark that
is missing or old costs a repeat, and no look is ever lost by one. Before a look is told it is noted that the row is
*unsure*: if the process ends in between, nobody knows what was told, and the row is told again, whatever it shows by
then, and its end, if it is gone by then.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from connectors.remote.surroundings import Notes

GONE = b""
UNSURE = b"?"


class Mark(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A row as last told. `digest` is GONE where there is none, UNSURE where a look of this order may have been told
    or not; `order` places the look among the row's others;
    `versioned`: it is the application's own version; `changed_us` is when the application last changed the row.
    """

    digest: bytes
    order: int
    versioned: bool = False
    changed_us: int | None = None

    @property
    def is_gone(self) -> bool:
        """Whether there was no such row any more."""
        return self.digest == GONE


_encode = msgspec.msgpack.Encoder().encode
_decoder = msgspec.msgpack.Decoder(Mark)


def name(entity: str, local_id: str) -> str:
    """The note of a row's mark."""
    return f"row/{entity}/{local_id}"


def is_mark(note: str) -> bool:
    """Whether a note of this name is a mark."""
    return note.startswith("row/")


def is_elder(data: bytes | None, kept: bytes | None) -> bool:
    """Whether a mark as it would be kept is of an elder look than the one that is."""
    if kept is None:
        return False
    return data is not None and _decoder.decode(data).order < _decoder.decode(kept).order


def encode(mark: Mark) -> bytes | None:
    """A mark as it is kept. One of a row that is gone is kept only where its number must not go back."""
    return None if mark.is_gone and not mark.versioned else _encode(mark)


class Ordered:
    """Notes in which a mark never takes the place of a younger one, kept or on its way: what was told of the row last
    would be forgotten if the process ended then."""

    def __init__(self, notes: Notes) -> None:
        self._notes = notes
        self._under_way: list[Mapping[str, bytes | None]] = []

    def get(self, name: str) -> bytes | None:
        """A value as last put."""
        return self._notes.get(name)

    def names(self, prefix: str) -> Sequence[str]:
        """The names that begin so."""
        return self._notes.names(prefix)

    async def put(self, values: Mapping[str, bytes | None]) -> None:
        """Keep these (None: forget), but for marks that are overtaken. Raises UnreachableError."""
        due = {note: value for note, value in values.items() if not self._is_overtaken(note, value)}
        self._under_way.append(due)
        try:
            await self._notes.put(due)
        finally:
            self._under_way.remove(due)

    def _is_overtaken(self, note: str, value: bytes | None) -> bool:
        if not is_mark(note):
            return False
        others = [self._notes.get(note), *(one[note] for one in self._under_way if note in one)]
        return any(is_elder(value, other) for other in others)


@dataclass(slots=True)
class Marks:
    """The marks of all rows: those in the notes, and those whose looks are on their way to Kafka.

    `unnoted` are those of looks that an answer will tell, or told and could not be noted: nothing else is told by them,
    but they were the last look.
    """

    notes: Notes
    under_way: dict[str, Mark] = field(default_factory=dict)
    unnoted: dict[str, Mark] = field(default_factory=dict)

    def of(self, entity: str, local_id: str) -> Mark | None:
        """What is known of a row; None: never seen."""
        note = name(entity, local_id)
        found, kept = self.under_way.get(note), self._kept(note)
        if found is None or (kept is not None and kept.order > found.order):
            return kept
        return found

    def last_look(self, entity: str, local_id: str) -> Mark | None:
        """The row as it was last seen, by whomever; None: never."""
        known, unnoted = self.of(entity, local_id), self.unnoted.get(name(entity, local_id))
        if unnoted is None or (known is not None and known.order >= unnoted.order):
            return known
        return unnoted

    def remember(self, entity: str, local_id: str, version: int) -> None:
        """A command saw the row so, and its answer may come late: should the row go first, its end comes after that."""
        known = self.last_look(entity, local_id)
        if known is None or known.order < version:
            self.unnoted[name(entity, local_id)] = Mark(UNSURE, version, versioned=True)

    def is_told(self, entity: str, local_id: str) -> bool:
        """Whether it is certain that a row was told, and is in Kafka."""
        kept = self._kept(name(entity, local_id))
        return kept is not None and kept.digest not in (GONE, UNSURE)

    def expect(self, marks: Mapping[str, Mark]) -> None:
        """Looks that say this are on their way."""
        self.under_way.update(marks)

    def unsure(self, marks: Mapping[str, Mark]) -> dict[str, bytes | None]:
        """What to note before looks that say this are told."""
        unsure = {note: Mark(UNSURE, mark.order, mark.versioned) for note, mark in marks.items()}
        return {note: encode(mark) for note, mark in unsure.items() if self._is_newer(note, mark)}

    def settled(self, marks: Mapping[str, Mark]) -> dict[str, bytes | None]:
        """Those looks have arrived: what to note. An elder look never takes the place of a younger one."""
        for note, mark in marks.items():
            if self.under_way.get(note) == mark:
                del self.under_way[note]
        return {note: encode(mark) for note, mark in marks.items() if self._is_newer(note, mark)}

    def forget_under_way(self) -> None:
        """What was on its way did not arrive."""
        self.under_way.clear()

    def rows(self, entity: str) -> Iterator[str]:
        """The local ids of all rows that are there as far as is known."""
        prefix = name(entity, "")
        under_way = (one for one in self.under_way if one.startswith(prefix))
        for note in dict.fromkeys([*self.notes.names(prefix), *under_way]):
            local_id = note.removeprefix(prefix)
            mark = self.of(entity, local_id)
            if mark is not None and not mark.is_gone:
                yield local_id

    def _is_newer(self, note: str, mark: Mark) -> bool:
        kept = self._kept(note)
        return kept is None or mark.order > kept.order or (mark.order == kept.order and kept.digest == UNSURE)

    def _kept(self, note: str) -> Mark | None:
        data = self.notes.get(note)
        return None if data is None else _decoder.decode(data)
