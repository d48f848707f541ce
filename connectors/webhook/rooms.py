"""Bytes of bodies in memory: so many in all, and of one address so many that are not whole yet."""

from dataclasses import dataclass


@dataclass(eq=False)
class NoRoomError(Exception):
    """A body that there is no memory for. `why` is for our own log."""

    why: str


class Room:
    """Memory for bodies. `limit_bytes` for all of them, `unfinished_bytes` for parts of bodies of one address."""

    def __init__(self, limit_bytes: int, unfinished_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._unfinished_bytes = unfinished_bytes
        self._taken_bytes = 0
        self._unfinished: dict[str, int] = {}

    @property
    def taken_bytes(self) -> int:
        """How much is in use."""
        return self._taken_bytes

    def take(self, size_bytes: int) -> "Lease":
        """Memory for a body that is whole. Raises NoRoomError."""
        self._fit(size_bytes)
        self._taken_bytes += size_bytes
        return Lease(self, size_bytes)

    def begin(self, address: str) -> "Arriving":
        """A body of this address comes in parts."""
        return Arriving(self, address)

    def _fit(self, size_bytes: int) -> None:
        if self._taken_bytes + size_bytes > self._limit_bytes:
            raise NoRoomError("bridge.memory is used up")

    def _take_part(self, address: str, size_bytes: int) -> None:
        self._fit(size_bytes)
        unfinished = self._unfinished.get(address, 0) + size_bytes
        if unfinished > self._unfinished_bytes:
            raise NoRoomError(f"too much of bridge.memory waits for bodies of {address} that are not whole")
        self._unfinished[address] = unfinished
        self._taken_bytes += size_bytes

    def _finish(self, address: str, size_bytes: int) -> None:
        left = self._unfinished.get(address, 0) - size_bytes
        if left > 0:
            self._unfinished[address] = left
        else:
            self._unfinished.pop(address, None)

    def _give_back(self, size_bytes: int) -> None:
        self._taken_bytes -= size_bytes


class Lease:
    """The memory of one body. `is_kept`: somebody else has it now, and gives it back."""

    __slots__ = ("_room", "_size_bytes", "is_kept")

    def __init__(self, room: Room, size_bytes: int) -> None:
        self._room = room
        self._size_bytes = size_bytes
        self.is_kept = False

    def give_back(self) -> None:
        """The body is not needed any more. May be called twice."""
        size_bytes, self._size_bytes = self._size_bytes, 0
        self._room._give_back(size_bytes)


class Arriving:
    """The memory of a body that comes in parts."""

    def __init__(self, room: Room, address: str) -> None:
        self._room = room
        self._address = address
        self._size_bytes = 0

    def take(self, size_bytes: int) -> None:
        """One more part. Raises NoRoomError."""
        self._room._take_part(self._address, size_bytes)
        self._size_bytes += size_bytes

    def whole(self) -> Lease:
        """It has come."""
        size_bytes, self._size_bytes = self._size_bytes, 0
        self._room._finish(self._address, size_bytes)
        return Lease(self._room, size_bytes)

    def give_up(self) -> None:
        """It will not come, or is whole. May be called twice."""
        self.whole().give_back()
