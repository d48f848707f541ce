"""The state of one partition of a processor: bytes by key, in memory, with a note of what changed."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

from streams.processors.changelogs import MARK_KEY
from streams.processors.spilled_files import Place

RESERVED = MARK_KEY[:1]


class Store(Protocol):
    """What a processor sees of its state. Changes take effect together with the batch that made them.

    Keys that begin with a zero byte and have a slash are found by `items` of a prefix up to the slash, or longer,
    without looking at any other key.
    """

    def get(self, key: bytes) -> bytes | None: ...

    def put(self, key: bytes, value: bytes) -> None: ...

    def delete(self, key: bytes) -> None: ...

    def items(self, prefix: bytes = b"") -> Iterator[tuple[bytes, bytes]]: ...


class LaneStore(Store, Protocol):
    """What a lane keeps a processor's state in. A batch changes it; then either `settle` or `rollback` ends the batch.

    `keep` says that the mark of what was settled is in the changelog, at a place: a copy may go so far from now on.
    `settled` and `settled_items` tell what was settled last, also while a batch is under way.
    """

    def __len__(self) -> int: ...

    def prefetch(self, keys: Sequence[bytes | None]) -> None: ...

    def changes(self) -> dict[bytes, bytes | None]: ...

    def settle(self) -> None: ...

    def keep(self, place: Place) -> None: ...

    def rollback(self) -> None: ...

    def settled(self, key: bytes) -> bytes | None: ...

    def settled_items(self, prefix: bytes, limit: int) -> list[tuple[bytes, bytes]]: ...

    def close(self) -> None: ...


class PartitionStore:
    """A LaneStore in memory. It knows which keys a batch changed, and can take a batch back.

    What was settled last can be read at any time (`settled`), also while a batch is under way.
    """

    def __init__(self, content: Mapping[bytes, bytes] | None = None) -> None:
        self._content: dict[bytes, bytes] = dict(content or {})
        self._before: dict[bytes, bytes | None] = {}
        self._groups: dict[bytes, set[bytes]] = {}
        for key in self._content:
            if key[:1] == RESERVED:
                self._enter(key)

    def get(self, key: bytes) -> bytes | None:
        """The value of a key, or None."""
        return self._content.get(key)

    def put(self, key: bytes, value: bytes) -> None:
        """Set the value of a key."""
        self._before.setdefault(key, self._content.get(key))
        self._content[key] = value
        if key[:1] == RESERVED:
            self._enter(key)

    def delete(self, key: bytes) -> None:
        """Forget a key."""
        self._before.setdefault(key, self._content.get(key))
        self._remove(key)

    def changes(self) -> dict[bytes, bytes | None]:
        """What differs from the last `settle`: the value now, None for a key that is gone."""
        now = {key: self._content.get(key) for key in self._before}
        return {key: value for key, value in now.items() if value != self._before[key]}

    def settle(self) -> None:
        """Forget what changed: it is safe."""
        self._before.clear()

    def prefetch(self, keys: Sequence[bytes | None]) -> None:
        """Everything is in memory already."""

    def keep(self, place: Place) -> None:
        """There is no copy that would have a place."""

    def close(self) -> None:
        """There is nothing to let go of."""

    def rollback(self) -> None:
        """Undo everything since the last `settle`."""
        before, self._before = self._before, {}
        for key, value in before.items():
            if value is None:
                self._remove(key)
            else:
                self.put(key, value)
        self._before.clear()

    def __len__(self) -> int:
        return len(self._content)

    def items(self, prefix: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        """Every key that begins so, with its value; in no order. Nothing may be put or deleted meanwhile."""
        content = self._content
        if not prefix:
            yield from content.items()
            return
        for key in self._candidates(prefix):
            if key.startswith(prefix):
                yield key, content[key]

    def settled(self, key: bytes) -> bytes | None:
        """The value of a key as of the last `settle`."""
        return self._before[key] if key in self._before else self._content.get(key)

    def settled_items(self, prefix: bytes, limit: int) -> list[tuple[bytes, bytes]]:
        """What the keys that begin so held at the last `settle`, ordered by key; stops behind `limit` entries."""
        keys = {key for key in self._before if key.startswith(prefix)}
        keys.update(key for key in self._candidates(prefix) if key.startswith(prefix))
        found: list[tuple[bytes, bytes]] = []
        for key in sorted(keys):
            value = self.settled(key)
            if value is not None:
                found.append((key, value))
            if len(found) > limit:
                break
        return found

    def _candidates(self, prefix: bytes) -> "set[bytes] | dict[bytes, bytes]":
        group = _group(prefix)
        if prefix[:1] == RESERVED and group:
            return self._groups.get(group, set())
        return self._content

    def _enter(self, key: bytes) -> None:
        self._groups.setdefault(_group(key), set()).add(key)

    def _remove(self, key: bytes) -> None:
        self._content.pop(key, None)
        if key[:1] == RESERVED:
            self._groups.get(_group(key), set()).discard(key)


def _group(key: bytes) -> bytes:
    return key[: key.find(b"/") + 1]
