"""The records merged last, as they are in memory: a hot record is not read from its bytes at every event."""

import msgspec

from schemas.goldens import GoldenCodec, Pieces
from streams.merge import states
from streams.merge.states import State

RECORDS_KEPT = 4096
# Of states as they are written; in memory they take several times as much.
BYTES_KEPT = 16 * 1024**2


class Record(msgspec.Struct, frozen=True, gc=False):
    """A state with the bytes that it was read from or written to, and the pieces of the merged record by its codec."""

    data: bytes
    state: State
    codec: GoldenCodec
    pieces: Pieces


class Kept:
    """States by record id, the latest up to a limit of their number and their bytes. Shared by all partitions: a record
    is in one of them.

    What a store holds is what counts. A state is given out only for the bytes that it stands for: a batch that was
    taken back, or a partition that came anew, has others.
    """

    def __init__(self, limit: int = RECORDS_KEPT, limit_bytes: int = BYTES_KEPT) -> None:
        self._limit = limit
        self._limit_bytes = limit_bytes
        self._bytes = 0
        self._records: dict[bytes, Record] = {}

    def take(self, key: bytes, data: bytes, codec: GoldenCodec) -> tuple[State, Pieces]:
        """The state in these bytes, and pieces of its merged record; both are the caller's to change.

        It is kept no more: a merge that fails leaves a spoilt state behind. Raises StateError.
        """
        held = self._removed(key)
        if held is None or held.data != data:
            return states.decode(data), {}
        return held.state, held.pieces if held.codec is codec else {}

    def keep(self, key: bytes, record: Record) -> None:
        """Keep a state whose bytes are in the store now."""
        self._removed(key)
        self._records[key] = record
        self._bytes += len(record.data)
        while len(self._records) > self._limit or self._bytes > self._limit_bytes:
            self._removed(next(iter(self._records)))

    def _removed(self, key: bytes) -> Record | None:
        held = self._records.pop(key, None)
        if held is not None:
            self._bytes -= len(held.data)
        return held
