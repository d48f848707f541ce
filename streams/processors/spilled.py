"""The state of one partition where it may be larger than memory: the keys in use in memory, all of them on disk.

A batch changes what is in memory. When its mark is in the changelog the changes go to disk, with the place in the
changelog that they make the copy good for, as one. So the disk never holds what does not count, and a restart reads
no more of the changelog than what lies behind that place.

Memory holds two generations of keys. A key that is used moves into the young one; when that is full, the old one is
dropped and the young one grows old. What was changed and is not on disk yet is in one of the two, because generations
only change right behind a write.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from threading import Lock
from typing import Final

from streams.processors import spilled_files
from streams.processors.spilled_files import Disk, Place, Resources

# What a key costs in memory beside its own bytes and those of its value: two objects, and its place in a table.
KEY_BYTES = 180
LEAST_BYTES = 32 * 1024 * 1024
LEAST_SHARE_BYTES = 1024 * 1024


class Spill:
    """The setting: state beyond `memory_bytes` goes to `folder`. Half of it is for keys in use, half for the disk's.

    Fewer than LEAST_BYTES are taken for those. Raises DiskMissingError.
    """

    def __init__(self, folder: Path, memory_bytes: int) -> None:
        memory_bytes = max(memory_bytes, LEAST_BYTES)
        self._folder = folder
        self._keys_bytes = memory_bytes // 2
        self._resources = Resources(memory_bytes - self._keys_bytes)
        self._stores = 0
        self._lock = Lock()

    @property
    def share_bytes(self) -> int:
        """What one store may hold in memory now."""
        return max(LEAST_SHARE_BYTES, self._keys_bytes // max(1, self._stores))

    def open(self, processor: str, partition: int) -> Disk:
        """The folder of a partition, open. Raises DiskError, DiskInUseError."""
        return spilled_files.opened(self.path(processor, partition), self._resources)

    def path(self, processor: str, partition: int) -> Path:
        """Where a partition is kept."""
        return self._folder / processor / str(partition)

    def count(self, more: int) -> None:
        """So many stores more, or fewer, share the memory."""
        with self._lock:
            self._stores += more


class _Missing:
    """Of a key it is not known whether it exists."""


_MISSING: Final = _Missing()
_Known = dict[bytes, bytes | None]


class SpilledStore:
    """See the module's text; as `PartitionStore`, but on disk. `keep` after every mark, `close` at the end."""

    def __init__(self, spill: Spill, disk: Disk) -> None:
        self._spill = spill
        self._disk = disk
        self._young: _Known = {}
        self._old: _Known = {}
        self._young_bytes = 0
        self._before: _Known = {}
        self._waiting: _Known = {}
        self._count = disk.count()
        self._is_open = True
        spill.count(1)

    def get(self, key: bytes) -> bytes | None:
        """The value of a key, or None. Raises DiskError."""
        found = self._young.get(key, _MISSING)
        return self._fetched(key) if isinstance(found, _Missing) else found

    def _fetched(self, key: bytes) -> bytes | None:
        found = self._old.pop(key, _MISSING)
        value = self._disk.get(key) if isinstance(found, _Missing) else found
        self._young[key] = value
        self._young_bytes += KEY_BYTES + len(key) + (0 if value is None else len(value))
        return value

    def prefetch(self, keys: Sequence[bytes | None]) -> None:
        """Bring the values of keys into memory, in one go. Raises DiskError."""
        young, old = self._young, self._old
        missing = list({key for key in keys if key is not None and key not in young and key not in old})
        if not missing:
            return
        size = 0
        for key, value in zip(missing, self._disk.many(missing), strict=True):
            young[key] = value
            size += KEY_BYTES + len(key) + (0 if value is None else len(value))
        self._young_bytes += size

    def put(self, key: bytes, value: bytes) -> None:
        """Set the value of a key."""
        if key not in self._before:
            self._before[key] = self.get(key)
        self._young[key] = value

    def delete(self, key: bytes) -> None:
        """Forget a key."""
        if key not in self._before:
            self._before[key] = self.get(key)
        self._young[key] = None

    def changes(self) -> dict[bytes, bytes | None]:
        """What differs from the last `settle`: the value now, None for a key that is gone."""
        return {key: value for key, before in self._before.items() if (value := self.get(key)) != before}

    def settle(self) -> None:
        """The changes are safe; they wait for their mark."""
        for key, before in self._before.items():
            value = self.get(key)
            self._young_bytes += (0 if value is None else len(value)) - (0 if before is None else len(before))
            self._count += (before is None) - (value is None)
            self._waiting[key] = value
        self._before.clear()

    def keep(self, place: Place) -> None:
        """What was settled is covered by the mark at this place: take it to disk. Raises DiskError."""
        self._disk.write(spilled_files.raw_values(self._waiting, place.frame), place)
        self._waiting.clear()
        if self._young_bytes > self._spill.share_bytes // 2:
            self._old, self._young, self._young_bytes = self._young, {}, 0

    def rollback(self) -> None:
        """Undo everything since the last `settle`."""
        self._young.update(self._before)
        self._before.clear()

    def __len__(self) -> int:
        return max(0, self._count)

    def items(self, prefix: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        """Every key that begins so, with its value; in no order. Nothing may be put or deleted meanwhile."""
        changed = self._waiting | {key: self.get(key) for key in self._before}
        yield from self._overlaid(prefix, changed)

    def settled(self, key: bytes) -> bytes | None:
        """The value of a key as of the last `settle`."""
        return self._before[key] if key in self._before else self._peek(key)

    def settled_items(self, prefix: bytes, limit: int) -> list[tuple[bytes, bytes]]:
        """What the keys that begin so held at the last `settle`, ordered by key; stops behind `limit` entries."""
        found: dict[bytes, bytes] = {}
        changed = {key: value for key, value in self._waiting.items() if key.startswith(prefix)}
        for key, value in self._overlaid(prefix, changed, last=False):
            found[key] = value
            if len(found) > limit + len(changed):
                break
        return sorted(found.items())[: limit + 1]

    def close(self) -> None:
        """Let go of the folder; harmless when repeated."""
        if self._is_open:
            self._is_open = False
            self._spill.count(-1)
            self._disk.close()

    def _overlaid(self, prefix: bytes, changed: _Known, *, last: bool = True) -> Iterator[tuple[bytes, bytes]]:
        if not last:
            yield from _present(prefix, changed)
        for key, value in self._disk.items(prefix):
            if key not in changed:
                yield key, value
        if last:
            yield from _present(prefix, changed)

    def _peek(self, key: bytes) -> bytes | None:
        """A value, without a claim that it is in use."""
        for known in (self._young, self._old):
            if key in known:
                return known[key]
        return self._disk.get(key)


def _present(prefix: bytes, changed: _Known) -> Iterator[tuple[bytes, bytes]]:
    for key, value in changed.items():
        if value is not None and key.startswith(prefix):
            yield key, value
