"""Where changes go is asked once for each row, and forgotten before it is too much."""

from typing import Any

from aiokafka.partitioner import DefaultPartitioner

from connectors.source_runner import Places
from schemas.messages import Change


class Topics:
    """What a producer says of topics."""

    def __init__(self) -> None:
        self.asked = 0

    async def partitions_for(self, topic: str) -> set[int]:
        self.asked += 1
        return {0, 1, 2, 3, 4}


def change(local_id: str, before_id: str | None = None, op: Any = "u") -> Change:
    return Change(
        system="crm",
        entity="e",
        table="t",
        incarnation=1,
        seq=1,
        op=op,
        local_id=local_id,
        before_id=before_id,
        ts_us=0,
    )


def route(one: Change) -> tuple[str, bytes]:
    return "topic", (one.before_id or one.local_id).encode()


def places(remembered: int = 100) -> tuple[Places, Topics]:
    topics = Topics()
    return Places(topics, route, remembered), topics


async def test_a_row_goes_where_every_client_would_send_its_key() -> None:
    found, _ = places()
    for number in range(50):
        (topic, partition), key = await found.find(change(f"[{number}]"))
        every = list(range(5))
        assert (topic, partition) == ("topic", DefaultPartitioner()(key, every, every))


async def test_a_row_whose_key_changed_goes_where_it_went_before() -> None:
    found, topics = places()
    before = await found.find(change("[1]"))
    assert await found.find(change("[2]", before_id="[1]")) == before
    assert list(found.known) == [("e", "[1]")] and topics.asked == 1


async def test_the_end_of_a_load_goes_everywhere() -> None:
    found, _ = places()
    assert await found.all(change("", op="l")) == [("topic", number) for number in range(5)]


async def test_what_is_remembered_is_bounded() -> None:
    found, _ = places(remembered=3)
    for number in range(10):
        await found.find(change(f"[{number}]"))
        assert len(found.known) <= 3
