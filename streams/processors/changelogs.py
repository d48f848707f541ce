"""The state changelog: how a batch's state is written so that a restart finds exactly the last whole batch.

Every entry is stamped with (epoch, step). The *epoch* counts the owners of a partition: each reads the greatest one
in the log and takes the next. The *step* is the sum of the input positions after the batch, so it grows with every
batch of an owner. A batch's entries are followed by a *mark* that holds the input positions themselves, written once
they and the batch's outputs are safe, in one append with the entries of the batch that comes next. Entries that no
mark covers belong to a batch that was cut short, and do not count: the batch will be read again.

An owner that was overtaken without noticing (a *zombie*: paused past its session) may still write. What it writes
has an older epoch: it loses against every newer entry, and counts for nothing behind a newer owner's mark. Recovery
lists the keys whose last entry in the log is not the one that counts, so that they can be written anew before
compaction could take the one that does.
"""

import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import msgspec

from streams.errors import StreamsError

MARK_KEY = b"\x00mark"
STAMP_HEADER = "stamp"
_FRAME = struct.Struct(">IQ")


class Stamp(NamedTuple):
    """When a state entry was made: the owner's number, and the sum of the input positions after the batch."""

    epoch: int
    step: int


class Entry(NamedTuple):
    """An entry as it is written. `value` None is a tombstone; its stamp travels in a header."""

    key: bytes
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()


@dataclass(eq=False)
class StateEntryError(StreamsError):
    """An entry of a state changelog that this program did not write."""

    key: bytes
    reason: str

    def __str__(self) -> str:
        return (
            f"state entry {self.key!r}: {self.reason}. Nothing but the processor may write to its state topic; "
            "delete the topic and replay to rebuild it."
        )


def entry(key: bytes, value: bytes | None, stamp: Stamp) -> Entry:
    """The stamped entry of a key; None forgets the key."""
    frame = _FRAME.pack(*stamp)
    return Entry(key, None, ((STAMP_HEADER, frame),)) if value is None else Entry(key, frame + value)


def batch(changes: Mapping[bytes, bytes | None], positions: Mapping[str, int], stamp: Stamp) -> list[Entry]:
    """The entries of a whole batch, its mark last. `positions` are the next offsets to read, by topic."""
    return [*stamped(changes, stamp), mark(positions, stamp)]


def stamped(changes: Mapping[bytes, bytes | None], stamp: Stamp) -> list[Entry]:
    """The entries of a batch without its mark: they count once a mark of this stamp, or a later one, is written."""
    frame = _FRAME.pack(*stamp)
    return [
        Entry(key, frame + value) if value is not None else Entry(key, None, ((STAMP_HEADER, frame),))
        for key, value in changes.items()
    ]


def mark(positions: Mapping[str, int], stamp: Stamp) -> Entry:
    """The mark of a batch."""
    return Entry(MARK_KEY, _FRAME.pack(*stamp) + msgspec.json.encode(dict(positions)))


def parse(found: Entry) -> tuple[Stamp, bytes | None]:
    """The stamp and the value of an entry. Raises StateEntryError."""
    frame = dict(found.headers).get(STAMP_HEADER, b"") if found.value is None else found.value[: _FRAME.size]
    if len(frame) != _FRAME.size:
        raise StateEntryError(found.key, "carries no stamp")
    return Stamp(*_FRAME.unpack(frame)), None if found.value is None else found.value[_FRAME.size :]


@dataclass(slots=True)
class Recovered:
    """What a changelog says: the state of the last whole batch, and where in the inputs it was made."""

    content: dict[bytes, bytes] = field(default_factory=dict)
    positions: dict[str, int] | None = None
    epoch: int = 0
    doubtful: set[bytes] = field(default_factory=set)

    def repairs(self) -> dict[bytes, bytes | None]:
        """What to write anew for the doubtful keys."""
        return {key: self.content.get(key) for key in self.doubtful}


class _Found(NamedTuple):
    stamp: Stamp
    place: int
    value: bytes | None


class Recovery:
    """Folds the entries of a changelog, fed in log order, into the state that counts."""

    def __init__(self) -> None:
        self._count = 0
        self._last: dict[bytes, int] = {}
        self._best: dict[bytes, _Found] = {}
        self._open: dict[Stamp, list[tuple[bytes, _Found]]] = {}
        self._mark = Stamp(0, 0)
        self._positions: dict[str, int] | None = None
        self._epoch = 0

    def feed(self, entries: Iterable[Entry]) -> None:
        """Take the next entries of the log. Raises StateEntryError."""
        for found in entries:
            stamp, value = parse(found)
            self._epoch = max(self._epoch, stamp.epoch)
            if found.key == MARK_KEY:
                self._close(stamp, value)
            else:
                self._count += 1
                self._last[found.key] = self._count
                # Behind a newer owner's mark, an older epoch's entry is a zombie's: it never counts.
                if stamp.epoch >= self._mark.epoch:
                    self._open.setdefault(stamp, []).append((found.key, _Found(stamp, self._count, value)))

    def _close(self, stamp: Stamp, value: bytes | None) -> None:
        # Compaction keeps only the last mark, so a mark covers every earlier batch of its own or an older epoch.
        if stamp < self._mark or value is None:
            return
        for covered in sorted(found for found in self._open if found <= stamp):
            for key, found in self._open.pop(covered):
                known = self._best.get(key)
                if known is None or known.stamp <= found.stamp:
                    self._best[key] = found
        self._mark, self._positions = stamp, msgspec.json.decode(value, type=dict[str, int])

    def result(self) -> Recovered:
        """The state that counts, once the whole log was fed."""
        content = {key: found.value for key, found in self._best.items() if found.value is not None}
        doubtful = {key for key, place in self._last.items() if key not in self._best or self._best[key].place != place}
        return Recovered(content, self._positions, self._epoch, doubtful)
