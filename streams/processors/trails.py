"""Where in the log a record's events stand: the last ones in its state, the earlier ones under keys of their own.

So all events of a record are found, and merged again, without reading the log from its beginning.
"""

from collections.abc import Callable, Iterator

import msgspec

from streams.processors.reserved import TRAIL
from streams.processors.stores import Store

LENGTH = 32
Get = Callable[[bytes], bytes | None]
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[int]).decode


def key(record_id: bytes, number: int) -> bytes:
    """The key of a part of a record's trail. Parts are numbered from 0, without gaps."""
    return TRAIL + record_id + b"/%d" % number


def extend(store: Store, record_id: bytes, trail: list[int], offset: int) -> None:
    """Add an event to the trail in a record's state; when that is full, it first becomes a part of its own."""
    if len(trail) >= LENGTH:
        store.put(key(record_id, count(store.get, record_id)), _encode(trail))
        trail.clear()
    trail.append(offset)


def count(get: Get, record_id: bytes) -> int:
    """How many parts a record's trail has. Asks for few of them, however many there are."""
    end = 1
    while get(key(record_id, end - 1)) is not None:
        end *= 2
    start = end // 2
    while start < end - 1:
        middle = (start + end) // 2
        start, end = (middle, end) if get(key(record_id, middle - 1)) is not None else (start, middle)
    return start


def offsets(get: Get, record_id: bytes, trail: list[int]) -> list[int]:
    """The offsets of all events of a record, the oldest first. `trail` is that of its state."""
    return [offset for part in _parts(get, record_id) for offset in part] + trail


def forget(store: Store, record_id: bytes) -> None:
    """Take every part away."""
    for number in range(count(store.get, record_id)):
        store.delete(key(record_id, number))


def _parts(get: Get, record_id: bytes) -> Iterator[list[int]]:
    number = 0
    while (found := get(key(record_id, number))) is not None:
        yield _decode(found)
        number += 1
