"""Keys are placed where every client of Kafka places them."""

from aiokafka.partitioner import murmur2 as theirs
from hypothesis import example, given
from hypothesis import strategies as st

from schemas.placement import murmur2


@given(st.binary(max_size=300))
@example(b"")
@example(b"\xff" * 251)
@example(b"\x80" * 256)
@example(bytes(range(256)) * 3)
def test_the_hash_is_that_of_the_client(key: bytes) -> None:
    assert murmur2(key) == theirs(key) & 0xFFFFFFFF
