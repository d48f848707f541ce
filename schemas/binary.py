"""Avro binary by hand, for the shapes that are written and read once per event.

A general writer decides for each value anew what it is; who knows the schema can join pieces that are ready. The bytes
are those of `fastavro`. Whatever has a shape of its own (a list of mixed items) is left to it.
"""

import struct
from functools import lru_cache

NULL, SECOND = b"\x00", b"\x02"
"""The place in a union: of null, which stands first, and of what stands second."""
END_OF_BLOCKS = b"\x00"
FALSE, TRUE = b"\x00", b"\x01"
CACHED_NUMBERS = 1 << 16
CACHED_TAILS = 1 << 12
_LOW_BITS = 14
_LOW = (1 << _LOW_BITS) - 1
_INT64 = 1 << 63
_double = struct.Struct("<d").pack


@lru_cache(maxsize=CACHED_NUMBERS)
def long(number: int) -> bytes:
    """A whole number: zigzag, then seven bits a byte. Raises OverflowError for more than 64 bits.

    Versions, lengths and the times of fields come again and again: hence the cache.
    """
    if not -_INT64 <= number < _INT64:
        raise OverflowError("more than 64 bits")
    return _varint((number << 1) ^ (number >> 63))


def _varint(rest: int) -> bytes:
    found = bytearray()
    while rest > 0x7F:
        found.append(rest & 0x7F | 0x80)
        rest >>= 7
    found.append(rest)
    return bytes(found)


_SIZES_KNOWN = 1 << 12
_SIZES = [long(size) for size in range(_SIZES_KNOWN)]
_LEADING = [bytes((low & 0x7F | 0x80, low >> 7 | 0x80)) for low in range(_LOW + 1)]
_tail = lru_cache(maxsize=CACHED_TAILS)(_varint)
"""What comes after the two bytes in which neighbours differ."""


def serial(number: int) -> bytes:
    """A whole number, likewise, of which hardly two are alike, but most near each other: a place in a log, a time."""
    if not -_INT64 <= number < _INT64:
        raise OverflowError("more than 64 bits")
    rest = (number << 1) ^ (number >> 63)
    return _LEADING[rest & _LOW] + _tail(rest >> _LOW_BITS) if rest > _LOW else long(number)


@lru_cache(maxsize=CACHED_TAILS)
def word(value: str) -> bytes:
    """A string of which there are few: a name, a kind."""
    return text(value)


def text(value: str) -> bytes:
    """A string: its length in bytes, then UTF-8. Raises UnicodeEncodeError for half a surrogate pair."""
    data = value.encode()
    size = len(data)
    return (_SIZES[size] if size < _SIZES_KNOWN else long(size)) + data


def binary(value: bytes) -> bytes:
    """Bytes: their length, then they."""
    return long(len(value)) + value


def boolean(value: bool) -> bytes:
    """One byte."""
    return TRUE if value else FALSE


def double(value: float) -> bytes:
    """Eight bytes, little-endian."""
    return _double(value)
