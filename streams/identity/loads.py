"""When is a system's initial load in the record log? A barrier that travels with the rows.

The source puts a marker behind the last row of a load, into every partition of its changes. A row that was read
may still wait for its link when the marker comes; so the marker waits for those rows, and then goes to every
partition of the record log as `Loaded`, behind all the rows that went there. A merge that has seen `Loaded` from
every partition of a system's changes knows that it has seen every row of it.

Nothing is guessed from time or lag, and all of it is in the log: a replay comes to the same end at the same place.
"""

from collections.abc import Iterable

import msgspec

from schemas.messages import Loaded
from streams.identity.rows import RowState
from streams.processors.stores import Store

PREFIX = b"\x00load/"
_encode = msgspec.msgpack.Encoder().encode
_keys = msgspec.msgpack.Decoder(list[bytes]).decode
_row = msgspec.msgpack.Decoder(RowState).decode


def begin(store: Store, system: str) -> bool:
    """The marker came: note the rows of the system that wait for a link. True if there are none."""
    waiting = [key for key, value in store.items() if _is_of(key, system) and waits(_row(value))]
    return _note(store, system, waiting)


def resolve(store: Store, system: str, key: bytes) -> bool:
    """A row was linked or parked. True if it is the last one that the system's marker waited for."""
    found = store.get(PREFIX + system.encode())
    if found is None:
        return False
    waiting = _keys(found)
    if key not in waiting:
        return False
    return _note(store, system, [one for one in waiting if one != key])


def waits(row: RowState) -> bool:
    """Whether a row's events wait for an answer that is under way; a parked one has had its answer."""
    return bool(row.waiting) and not row.parked


def barriers(entity: str, system: str, partition: int, partitions: int) -> Iterable[Loaded]:
    """What tells every partition of the record log that this partition of the load has passed, in partition order."""
    return [Loaded(system=system, entity=entity, partition=partition, partitions=partitions)] * partitions


def _is_of(key: bytes, system: str) -> bool:
    return key.startswith(system.encode() + b":")


def _note(store: Store, system: str, waiting: list[bytes]) -> bool:
    if waiting:
        store.put(PREFIX + system.encode(), _encode(waiting))
    else:
        store.delete(PREFIX + system.encode())
    return not waiting
