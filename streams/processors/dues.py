"""What time itself does to records: parked items fall due, tombstones grow old.

Which record is concerned, and when, stands under reserved keys beside its state, so that nothing need be decoded to
find it. The keys change only with what they stand for.
"""

import struct
from collections.abc import Iterator

import msgspec

from streams.merge.states import Item, State
from streams.merge.values import EXISTENCE
from streams.processors.reserved import DEAD, DUE, OPEN
from streams.processors.stores import Store

_TIME = struct.Struct(">Q")


def note(store: Store, record_id: bytes, state: State) -> None:
    """Bring what is noted of a record up to its state."""
    items = list(_items(state))
    due_us = min((item.due_us for item in items if item.due_us > 0), default=0)
    _set(store, OPEN + record_id, msgspec.msgpack.encode(len(items)) if items else None)
    _set(store, DUE + record_id, _TIME.pack(due_us) if due_us else None)
    _set(store, DEAD + record_id, _TIME.pack(_dead_since_us(state)) if not items and _is_spent(state) else None)


def forget(store: Store, record_id: bytes) -> None:
    """Nothing is noted of this record any more."""
    for prefix in (OPEN, DUE, DEAD):
        _set(store, prefix + record_id, None)


def has_open(store: Store) -> list[bytes]:
    """The records of this partition for which something waits for a person, in order."""
    return sorted(key.removeprefix(OPEN) for key, _ in store.items(OPEN))


def due(store: Store, now_us: int) -> Iterator[bytes]:
    """The records with an item that is due by now."""
    return _until(store, DUE, now_us)


def spent(store: Store, horizon_us: int, now_us: int) -> Iterator[bytes]:
    """The records of which nothing but a tombstone has been left for longer than the horizon."""
    return _until(store, DEAD, now_us - horizon_us)


def _until(store: Store, prefix: bytes, limit_us: int) -> Iterator[bytes]:
    if limit_us < 0:
        return
    # Compared as bytes: there may be a million tombstones, and all are looked at.
    limit = _TIME.pack(limit_us)
    for key, at in store.items(prefix):
        if at <= limit:
            yield key.removeprefix(prefix)


def _items(state: State) -> Iterator[Item]:
    for entry in state.systems.values():
        yield from entry.dissent.values()
    yield from state.loose.values()


def _is_spent(state: State) -> bool:
    return not state.alive and all(entry.out is None for entry in state.systems.values())


def _dead_since_us(state: State) -> int:
    return max(0, state.fields[EXISTENCE].ts_us)


def _set(store: Store, key: bytes, value: bytes | None) -> None:
    found = store.get(key)
    if value is None:
        if found is not None:
            store.delete(key)
    elif value != found:
        store.put(key, value)
