"""The state of one partition of a processor: bytes by key, in memory, with a note of what changed."""

from collections.abc import Iterator, Mapping
from typing import Protocol


class Store(Protocol):
    """What a processor sees of its state. Changes take effect together with the batch that made them."""

    def get(self, key: bytes) -> bytes | None: ...

    def put(self, key: bytes, value: bytes) -> None: ...

    def delete(self, key: bytes) -> None: ...

    def items(self) -> Iterator[tuple[bytes, bytes]]: ...


class PartitionStore:
    """A Store that knows which keys a batch changed, and can take a batch back."""

    def __init__(self, content: Mapping[bytes, bytes] | None = None) -> None:
        self._content: dict[bytes, bytes] = dict(content or {})
        self._before: dict[bytes, bytes | None] = {}

    def get(self, key: bytes) -> bytes | None:
        """The value of a key, or None."""
        return self._content.get(key)

    def put(self, key: bytes, value: bytes) -> None:
        """Set the value of a key."""
        self._before.setdefault(key, self._content.get(key))
        self._content[key] = value

    def delete(self, key: bytes) -> None:
        """Forget a key."""
        self._before.setdefault(key, self._content.get(key))
        self._content.pop(key, None)

    def changes(self) -> dict[bytes, bytes | None]:
        """What differs from the last `settle`: the value now, None for a key that is gone."""
        now = {key: self._content.get(key) for key in self._before}
        return {key: value for key, value in now.items() if value != self._before[key]}

    def settle(self) -> None:
        """Forget what changed: it is safe."""
        self._before.clear()

    def rollback(self) -> None:
        """Undo everything since the last `settle`."""
        for key, value in self._before.items():
            if value is None:
                self._content.pop(key, None)
            else:
                self._content[key] = value
        self._before.clear()

    def __len__(self) -> int:
        return len(self._content)

    def items(self) -> Iterator[tuple[bytes, bytes]]:
        """Every key with its value."""
        yield from self._content.items()
