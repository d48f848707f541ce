"""Folding a changelog into a copy of the state, entry by entry, with no more beside it than what is in doubt.

`changelogs.Recovery` says what counts: an entry that a later mark covers, unless it is an overtaken owner's; the
greatest stamp of a key wins. It keeps entries until their mark has come, which in a compacted changelog may be all.
Here the last mark is found first, so that of every entry it is known at once whether a mark covers it.
"""

from collections.abc import Iterable
from typing import Any, Protocol

import msgspec

from streams.processors.changelogs import MARK_KEY, STAMP_HEADER, Stamp, StateEntryError
from streams.processors.spilled_files import STAMP_BYTES, TOMBSTONE, Disk, Place, frame_of, value_of

EPOCH_BYTES = 4
NO_FRAME = bytes(STAMP_BYTES)


class Copy(Protocol):
    """Where the state goes: keys with what stands under them, stamp and all. `place` is how far it goes already."""

    place: Place | None

    def raw(self, key: bytes) -> bytes | None: ...

    def many(self, keys: list[bytes]) -> list[bytes | None]: ...

    def write(self, changes: Iterable[tuple[bytes, bytes]]) -> None: ...


class Held:
    """A copy in memory."""

    def __init__(self) -> None:
        self.place: Place | None = None
        self._content: dict[bytes, bytes] = {}

    def raw(self, key: bytes) -> bytes | None:
        """What stands under a key, stamp and all."""
        return self._content.get(key)

    def many(self, keys: list[bytes]) -> list[bytes | None]:
        """The values of keys, in their order."""
        return [value_of(self._content.get(key)) for key in keys]

    def write(self, changes: Iterable[tuple[bytes, bytes]]) -> None:
        """Take raw values."""
        self._content.update(changes)

    def values(self) -> dict[bytes, bytes]:
        """The state without its stamps. This ends the copy: what it held is what is returned."""
        content, self._content = self._content, {}
        for key in [key for key, raw in content.items() if raw[:1] == TOMBSTONE]:
            del content[key]
        for key, raw in content.items():
            content[key] = raw[STAMP_BYTES:]
        return content


class Cover:
    """The greatest mark of a changelog that is known: its stamp and where it stands."""

    def __init__(self) -> None:
        self.frame, self.offset = NO_FRAME, -1

    def extend(self, frame: bytes, offset: int) -> bool:
        """Take a mark; whether more is covered now."""
        if (frame, offset) <= (self.frame, self.offset):
            return False
        self.frame, self.offset = frame, offset
        return True

    def look(self, messages: Iterable[Any]) -> None:
        """Take the marks among these messages. Raises StateEntryError."""
        for message in messages:
            if message.key == MARK_KEY and message.value is not None:
                self.extend(frame_in(message), message.offset)


class UncoveredError(Exception):
    """A mark covers entries that were passed over: the changelog must be read again."""


class Fold:
    """Feeds a copy. Where `cover` was not the greatest mark, `feed` raises UncoveredError, and that one is in it."""

    def __init__(self, copy: Copy, cover: Cover) -> None:
        place = copy.place
        self._copy = copy
        self._cover = cover
        self._mark = NO_FRAME if place is None else place.frame
        self._top = self._mark
        self._greatest = self._mark
        self._doubtful: dict[bytes, int] = {}
        self._chunk: dict[bytes, bytes] = {}
        self._passed_over = False
        self.positions = None if place is None else place.positions

    @property
    def epoch(self) -> int:
        """The greatest that any owner has had."""
        return int.from_bytes(self._greatest[:EPOCH_BYTES])

    @property
    def doubtful(self) -> set[bytes]:
        """The keys whose last entry in the changelog is not the one that counts."""
        return set(self._doubtful)

    def repairs(self) -> dict[bytes, bytes | None]:
        """What to write anew for the doubtful keys."""
        keys = list(self._doubtful)
        return dict(zip(keys, self._copy.many(keys), strict=True)) if keys else {}

    def feed(self, messages: Iterable[Any]) -> None:
        """Take the next messages of the changelog. Raises StateEntryError, DiskError."""
        for message in messages:
            value = message.value
            frame = value[:STAMP_BYTES] if value is not None else frame_in(message)
            if len(frame) != STAMP_BYTES:
                raise StateEntryError(message.key, "carries no stamp")
            if frame > self._greatest:
                self._greatest = frame
            if message.key == MARK_KEY:
                self._close(frame, message.offset, value)
            else:
                self._take(message.key, frame, message.offset, value)
        self._flush()

    def _take(self, key: bytes, frame: bytes, offset: int, value: bytes | None) -> None:
        if frame[:EPOCH_BYTES] >= self._mark[:EPOCH_BYTES]:
            if frame > self._cover.frame or offset > self._cover.offset:
                self._passed_over = True
            elif frame >= self._top or self._wins(key, frame):
                # Stamps grow along the log, but for what an overtaken owner writes.
                self._top = max(self._top, frame)
                self._chunk[key] = TOMBSTONE + frame if value is None else value
                if self._doubtful:
                    self._doubtful.pop(key, None)
                return
        self._doubtful[key] = offset

    def _wins(self, key: bytes, frame: bytes) -> bool:
        held = self._chunk.get(key) or self._copy.raw(key)
        return held is None or frame_of(held) <= frame

    def _close(self, frame: bytes, offset: int, value: bytes | None) -> None:
        if frame < self._mark or value is None:
            return
        self._mark = frame
        self.positions = msgspec.json.decode(value[STAMP_BYTES:], type=dict[str, int])
        if self._cover.extend(frame, offset) and self._passed_over:
            raise UncoveredError

    def _flush(self) -> None:
        if self._chunk:
            self._copy.write(self._chunk.items())
            self._chunk.clear()


def frame_in(message: Any) -> bytes:
    """The stamp of a message. Raises StateEntryError."""
    frame = message.value[:STAMP_BYTES] if message.value is not None else dict(message.headers).get(STAMP_HEADER, b"")
    if len(frame) != STAMP_BYTES:
        raise StateEntryError(message.key, "carries no stamp")
    return bytes(frame)


def is_mark_of(message: Any, disk: Disk) -> bool:
    """Whether this message is the mark up to which the copy goes."""
    place = disk.place
    if place is None or message.key != MARK_KEY or message.value is None or message.offset != place.offset - 1:
        return False
    return frame_in(message) == place.frame and place.positions == msgspec.json.decode(message.value[STAMP_BYTES:])


def stamp_frame(stamp: Stamp) -> bytes:
    """A stamp as it stands before a value."""
    return stamp.epoch.to_bytes(EPOCH_BYTES) + stamp.step.to_bytes(STAMP_BYTES - EPOCH_BYTES)
