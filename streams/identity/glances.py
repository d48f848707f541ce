"""What the links processor needs of a change, read without decoding the rest of it.

Nearly every event is an update of a row whose record is known, and its bytes are passed on as they are. Of such a
change its row, its place, its record where it is an echo, and the image after it are found by their places in the
datum (`schemas/envelopes/change.avsc`); whatever looks otherwise is left to the codec.
"""

from typing import NamedTuple

from schemas.codec import HEADER_BYTES, Codec
from schemas.messages import Change

_MORE = 0x80
_NULL, _SECOND = 0x00, 0x02
_UPDATE = b"\x02u"
_IRREGULAR = (IndexError, UnicodeDecodeError)
HEADS_KNOWN = 4096


class Glance(NamedTuple):
    """An update that did not change its row's key. `record_id`: of an echo, the record of its command; else None."""

    system: str
    place: tuple[int, int]
    local_id: str
    after: str
    record_id: str | None


class Glancer:
    """Looks at messages. Safe to share."""

    def __init__(self, codec: Codec) -> None:
        any_change = Change(system="", entity="", table="", incarnation=0, seq=0, op="u", local_id="", ts_us=0)
        self._header = codec.encode(any_change)[:HEADER_BYTES]
        self._heads: dict[bytes, tuple[str, int]] = {}

    def look(self, data: bytes) -> Glance | None:
        """What a message says, if it is such an update in the present schema, and whole."""
        if data[:HEADER_BYTES] != self._header:
            return None
        try:
            return self._read(data)
        except _IRREGULAR:
            return None

    def _read(self, data: bytes) -> Glance | None:
        at = HEADER_BYTES
        for _ in range(3):  # system, entity, table
            size, at = _number(data, at)
            at += size
        _, end = _number(data, at)
        head = self._heads.get(data[HEADER_BYTES:end]) or self._head(data, at, end)
        seq, at = _number(data, end)
        if data[at : at + 2] != _UPDATE:
            return None
        local_id, at = _bytes(data, at + 2)
        if data[at] != _NULL:  # before_id
            return None
        at += 1
        if data[at] == _SECOND:
            size, at = _number(data, at + 1)
            at += size
        elif data[at] == _NULL:
            at += 1
        if data[at] != _SECOND:
            return None
        after, at = _bytes(data, at + 1)
        _, at = _bytes(data, at)  # types
        at = _behind(data, _behind(data, at))  # ts_us, transaction
        record_id, is_whole = _origin(data, at)
        return Glance(head[0], (head[1], seq), local_id.decode(), after.decode(), record_id) if is_whole else None

    def _head(self, data: bytes, at: int, end: int) -> tuple[str, int]:
        if len(self._heads) >= HEADS_KNOWN:
            self._heads.clear()
        system, _ = _bytes(data, HEADER_BYTES)
        incarnation, _ = _number(data, at)
        found = self._heads[data[HEADER_BYTES:end]] = (system.decode(), incarnation)
        return found


def _origin(data: bytes, at: int) -> tuple[str | None, bool]:
    """The record of an echo's command, and whether the message ends where it must; of failures nothing is said."""
    if data[at] == _NULL:
        return None, at + 1 == len(data)
    _, at = _bytes(data, at + 1)  # command
    record_id, at = _bytes(data, at)
    return record_id.decode(), data[at:].endswith(b"\x0eapplied\x00")


def _number(data: bytes, at: int) -> tuple[int, int]:
    """A zigzag number, and where it ends."""
    byte = data[at]
    value, shift, at = byte & 0x7F, 7, at + 1
    while byte & _MORE:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        shift, at = shift + 7, at + 1
    return (value >> 1) ^ -(value & 1), at


def _behind(data: bytes, at: int) -> int:
    while data[at] & _MORE:
        at += 1
    return at + 1


def _bytes(data: bytes, at: int) -> tuple[bytes, int]:
    size, at = _number(data, at)
    if size < 0 or at + size > len(data):
        raise IndexError
    return data[at : at + size], at + size
