"""Kafka's hash of keys, a word at a time: aiokafka's own goes byte by byte and costs three times as much."""

from struct import Struct, unpack_from

SEED = 0x9747B28C
FACTOR = 0x5BD1E995
WORD = 0xFFFFFFFF
_LAYOUTS = tuple(Struct(f"<{words}I") for words in range(64))


def murmur2(data: bytes) -> int:
    """The 32 bits that Kafka's clients place a key by."""
    length = len(data)
    words = length >> 2
    found = SEED ^ length
    for word in _LAYOUTS[words].unpack_from(data) if words < 64 else unpack_from(f"<{words}I", data):
        word = word * FACTOR & WORD
        found = (found * FACTOR & WORD) ^ ((word ^ word >> 24) * FACTOR & WORD)
    rest = length & 3
    if rest:
        found = (found ^ int.from_bytes(data[-rest:], "little")) * FACTOR & WORD
    found = (found ^ found >> 13) * FACTOR & WORD
    return found ^ found >> 15
