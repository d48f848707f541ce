"""The datums of what passes once per event, changes and commands, written and read by hand.

The bytes are those that `fastavro` writes, the messages those that it and `msgspec` would make of them. What is not as
expected raises one of IRREGULAR: `schemas.codec` then leaves the message to those two, and with it the error's words.
"""

from functools import lru_cache
from typing import Literal

from schemas.binary import CACHED_TAILS, END_OF_BLOCKS, NULL, SECOND, long, serial, text, word
from schemas.messages import Change, Command, Operation, Origin, Outcome, Unit

IRREGULAR = (ValueError, IndexError, KeyError, TypeError, AttributeError, OverflowError)
_OPERATIONS: dict[bytes, Operation] = {
    b"\x02c": "c", b"\x02u": "u", b"\x02d": "d", b"\x02r": "r", b"\x02t": "t", b"\x02l": "l"
}  # fmt: skip
_OUTCOMES: dict[str, Outcome] = {"applied": "applied", "failed": "failed"}
_WRITES: dict[str, Literal["c", "u", "d"]] = {"c": "c", "u": "u", "d": "d"}
_MORE, _ODD = 0x80, 0x01
_BITS = 64
_TIME_BYTES = 8


def write_change(made: Change) -> bytes:
    """The datum of a change."""
    return b"".join(
        (
            _head(made.system, made.entity, made.table, made.incarnation),
            serial(made.seq),
            word(made.op),
            text(made.local_id),
            _optional(made.before_id),
            _optional(made.before),
            _optional(made.after),
            word(made.types),
            serial(made.ts_us),
            long(made.transaction),
            NULL if made.origin is None else SECOND + _origin(made.origin),
        )
    )


@lru_cache(maxsize=CACHED_TAILS)
def _head(system: str, entity: str, table: str, incarnation: int) -> bytes:
    """What all changes of a table begin with."""
    return text(system) + text(entity) + text(table) + long(incarnation)


def write_command(made: Command) -> bytes:
    """The datum of a command."""
    start = text(made.id) + text(made.record_id) + _told(made.entity, made.system) + long(made.number)
    pieces = [start, word(made.op), _optional(made.local_id)]
    if made.units:
        pieces.append(long(len(made.units)))
        for unit in made.units:
            pieces.append(_optional(unit.base))
            pieces.append(_optional(unit.set))
    pieces += (END_OF_BLOCKS, long(made.partition), serial(made.offset), long(made.hop), serial(made.ts_us))
    return b"".join(pieces)


@lru_cache(maxsize=CACHED_TAILS)
def _told(entity: str, system: str) -> bytes:
    return text(entity) + text(system)


def read_change(data: bytes, at: int) -> Change:
    """The change whose datum begins here."""
    system, entity, table, incarnation, at = _read_head(data, at)
    seq, at = _long(data, at)
    op, at = _OPERATIONS[data[at : at + 2]], at + 2
    local_id, at = _text(data, at)
    before_id, at = (None, at + 1) if data[at] == 0 else _text_or_null(data, at)
    before, at = _text_or_null(data, at)
    after, at = _text_or_null(data, at)
    types, at = _text(data, at)
    ts_us, at = _time(data, at)
    transaction, at = _long(data, at)
    return Change(
        system=system,
        entity=entity,
        table=table,
        incarnation=incarnation,
        seq=seq,
        op=op,
        local_id=local_id,
        before_id=before_id,
        before=before,
        after=after,
        types=types,
        ts_us=ts_us,
        transaction=transaction,
        origin=None if data[at : at + 1] == NULL else _read_origin(data, at),
    )


def _read_head(data: bytes, at: int) -> tuple[str, str, str, int, int]:
    """What all changes of a table begin with, and where the rest does; short words are known by their bytes."""
    second = at + 1 + (data[at] >> 1)
    third = second + 1 + (data[second] >> 1)
    end = third + 1 + (data[third] >> 1)
    if (data[at] | data[second] | data[third]) & (_MORE | _ODD) or data[end] & _MORE:
        return _read_any_head(data, at)
    system, entity, table, incarnation, _ = _known_head(data[at : end + 1])
    return system, entity, table, incarnation, end + 1


def _read_any_head(data: bytes, at: int) -> tuple[str, str, str, int, int]:
    system, at = _text(data, at)
    entity, at = _text(data, at)
    table, at = _text(data, at)
    incarnation, at = _long(data, at)
    return system, entity, table, incarnation, at


@lru_cache(maxsize=CACHED_TAILS)
def _known_head(data: bytes) -> tuple[str, str, str, int, int]:
    return _read_any_head(data, 0)


def read_command(data: bytes, at: int) -> Command:
    """The command whose datum begins here."""
    identity, at = _text(data, at)
    record_id, at = _text(data, at)
    entity, at = _text(data, at)
    system, at = _text(data, at)
    number, at = _long(data, at)
    op, at = _text(data, at)
    local_id, at = _text_or_null(data, at)
    units, at = _units(data, at)
    partition, at = _long(data, at)
    offset, at = _long(data, at)
    hop, at = _long(data, at)
    ts_us, at = _long(data, at)
    return Command(
        id=identity,
        record_id=record_id,
        entity=entity,
        system=system,
        number=number,
        op=_WRITES[op],
        local_id=local_id,
        units=units,
        partition=partition,
        offset=offset,
        hop=hop,
        ts_us=ts_us,
    )


def _optional(value: str | None) -> bytes:
    return NULL if value is None else SECOND + text(value)


def _origin(origin: Origin) -> bytes:
    command, record_id, hop = text(origin.command), text(origin.record_id), long(origin.hop)
    return b"".join((command, record_id, hop, text(origin.outcome), _optional(origin.error)))


def _read_origin(data: bytes, at: int) -> Origin:
    if data[at : at + 1] != SECOND:
        raise ValueError("a union of two has no such place")
    command, at = _text(data, at + 1)
    record_id, at = _text(data, at)
    hop, at = _long(data, at)
    outcome, at = _text(data, at)
    error, at = _text_or_null(data, at)
    if at > len(data):
        raise ValueError("cut short")
    return Origin(command=command, record_id=record_id, hop=hop, outcome=_OUTCOMES[outcome], error=error)


def _units(data: bytes, at: int) -> tuple[tuple[Unit, ...], int]:
    """Units as one block, as every writer in use writes so few."""
    count, at = _long(data, at)
    if count < 0:
        raise ValueError("a block that tells its size")
    units = []
    for _ in range(count):
        base, at = _text_or_null(data, at)
        wanted, at = _text_or_null(data, at)
        units.append(Unit(base=base, set=wanted))
    if count and data[at]:
        raise ValueError("more than one block")
    return tuple(units), at + (count > 0)


def _text_or_null(data: bytes, at: int) -> tuple[str | None, int]:
    place = data[at]
    if place == 0:
        return None, at + 1
    if place != 2:
        raise ValueError("a union of two has no such place")
    size = data[at + 1]
    if size & (_MORE | _ODD) == _MORE and (more := data[at + 2]) < _MORE:
        start = at + 3
        end = start + ((size & 0x7F | more << 7) >> 1)
        return data[start:end].decode(), end
    return _text(data, at + 1)


def _text(data: bytes, at: int) -> tuple[str, int]:
    size = data[at]
    if size & (_MORE | _ODD):
        size, at = _long(data, at)
        if size < 0:
            raise ValueError("less than nothing")
        return data[at : at + size].decode(), at + size
    at += 1
    end = at + (size >> 1)
    return data[at:end].decode(), end


def _time(data: bytes, at: int) -> tuple[int, int]:
    """A whole number of eight bytes, as times are; its neighbours differ in the first two."""
    high = _high(data[at + 2 : at + _TIME_BYTES])
    low, middle = data[at], data[at + 1]
    if not (high and low & middle & _MORE):
        return _long(data, at)
    found = high | (middle & 0x7F) << 7 | low & 0x7F
    return (found >> 1) ^ -(found & 1), at + _TIME_BYTES


@lru_cache(maxsize=CACHED_TAILS)
def _high(data: bytes) -> int:
    """What the last six bytes of eight are worth; 0 where the number does not end with them."""
    if len(data) < _TIME_BYTES - 2 or data[-1] & _MORE or not all(byte & _MORE for byte in data[:-1]):
        return 0
    return sum((byte & 0x7F) << 7 * place for place, byte in enumerate(data, 2))


def _long(data: bytes, at: int) -> tuple[int, int]:
    byte = data[at]
    at += 1
    if byte < _MORE:
        return (byte >> 1) ^ -(byte & 1), at
    second = data[at]
    if second < _MORE:
        found = byte & 0x7F | second << 7
        return (found >> 1) ^ -(found & 1), at + 1
    found, bits = byte & 0x7F, 7
    while byte & _MORE:
        byte = data[at]
        at += 1
        found |= (byte & 0x7F) << bits
        bits += 7
    if found >> _BITS:
        raise ValueError("more than 64 bits")
    return (found >> 1) ^ -(found & 1), at
