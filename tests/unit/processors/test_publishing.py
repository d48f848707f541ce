"""What partitions of a service send goes out together, each place's in order, and who failed knows it."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.errors import KafkaError

from streams.processors.changelogs import Entry
from streams.processors.errors import DeliveryError, DeliveryTimeoutError
from streams.processors.publishing import Publisher
from streams.processors.records import Output
from streams.processors.settings import Hosting


class Batch:
    """Room for three messages."""

    def __init__(self) -> None:
        self.held: list[bytes] = []

    def append(self, *, timestamp: None, key: bytes, value: bytes, headers: list[Any]) -> object | None:
        if len(self.held) == 3:
            return None
        self.held.append(value)
        return object()

    def close(self) -> None:
        """Nothing more is put in."""


class Producer:
    """Keeps what it is given until the test answers for it."""

    def __init__(self) -> None:
        self.log: dict[tuple[str, int], list[bytes]] = {}
        self.under_way: list[tuple[tuple[str, int], Batch, asyncio.Future[Any]]] = []
        self.requests: list[dict[tuple[str, int], list[bytes]]] = []

    def create_batch(self) -> Batch:
        return Batch()

    async def send_batch(self, batch: Batch, topic: str, *, partition: int) -> asyncio.Future[Any]:
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self.under_way.append(((topic, partition), batch, future))
        return future

    async def answer(self, failing: tuple[str, int] | None = None) -> None:
        """One request: everything that is under way."""
        for _ in range(5):
            await asyncio.sleep(0)
        sent, self.under_way = self.under_way, []
        self.requests.append({place: batch.held for place, batch, _ in sent})
        for place, batch, future in sent:
            if place == failing:
                future.set_exception(KafkaError("refused"))
                continue
            log = self.log.setdefault(place, [])
            log += batch.held
            future.set_result(SimpleNamespace(offset=len(log) - len(batch.held)))
        for _ in range(5):
            await asyncio.sleep(0)


@pytest.fixture
def producer() -> Producer:
    return Producer()


@pytest.fixture
def publisher(producer: Producer) -> Publisher:
    made = Publisher(Hosting(kafka={}, pipeline="p", delivery_timeout_ms=200), "fold")
    made._producer = producer  # type: ignore[assignment]
    return made


def outputs(*values: bytes, topic: str = "out", partition: int = 0, stage: int = 0) -> list[Output]:
    return [Output(topic, b"k", value, partition, stage=stage) for value in values]


def entries(*values: bytes) -> list[Entry]:
    return [Entry(b"k", value) for value in values]


async def test_state_goes_out_with_the_outputs(publisher: Publisher, producer: Producer) -> None:
    sending = asyncio.create_task(publisher.publish(outputs(b"1"), {("state", 0): entries(b"s")}))
    await producer.answer()
    assert await sending == [(0, 1)]
    assert producer.requests == [{("out", 0): [b"1"], ("state", 0): [b"s"]}]


async def test_what_is_asked_for_meanwhile_shares_one_request(publisher: Publisher, producer: Producer) -> None:
    first = asyncio.create_task(publisher.publish(outputs(b"1")))
    await asyncio.sleep(0)
    others = [asyncio.create_task(publisher.publish(outputs(value))) for value in (b"2", b"3")]
    for _ in range(2):
        await producer.answer()
    await asyncio.gather(first, *others)
    assert producer.requests == [{("out", 0): [b"1"]}, {("out", 0): [b"2", b"3"]}]


async def test_a_later_stage_is_sent_when_the_earlier_one_is_safe(publisher: Publisher, producer: Producer) -> None:
    both = outputs(b"2", topic="b", stage=1) + outputs(b"1", topic="a")
    sending = asyncio.create_task(publisher.publish(both))
    for _ in range(2):
        await producer.answer()
    await sending
    assert producer.requests == [{("a", 0): [b"1"]}, {("b", 0): [b"2"]}]


async def test_more_than_a_batch_keeps_its_order_and_tells_every_offset(
    publisher: Publisher, producer: Producer
) -> None:
    sending = asyncio.create_task(publisher.append("state", 0, entries(b"1", b"2", b"3", b"4", b"5")))
    for _ in range(2):
        await producer.answer()
    assert await sending == [(0, 3), (3, 2)]
    assert producer.log["state", 0] == [b"1", b"2", b"3", b"4", b"5"]


async def test_offsets_are_those_of_ones_own_messages(publisher: Publisher, producer: Producer) -> None:
    appends = [asyncio.create_task(publisher.append("state", 0, entries(value))) for value in (b"1", b"2")]
    await producer.answer()
    assert [await one for one in appends] == [[(0, 1)], [(1, 1)]]


async def test_what_follows_a_failure_is_not_sent(publisher: Publisher, producer: Producer) -> None:
    sending = asyncio.create_task(publisher.publish(outputs(b"1", b"2", b"3", b"4")))
    await producer.answer(failing=("out", 0))
    with pytest.raises(DeliveryError, match="refused"):
        await sending
    await producer.answer()
    assert producer.log == {} and producer.requests[1:] == [{}]


async def test_a_failure_is_known_only_to_whom_it_concerns(publisher: Publisher, producer: Producer) -> None:
    failing = asyncio.create_task(publisher.publish(outputs(b"1") + outputs(b"2", partition=1)))
    fine = asyncio.create_task(publisher.publish(outputs(b"3", partition=1)))
    await producer.answer(failing=("out", 0))
    with pytest.raises(DeliveryError):
        await failing
    await fine
    assert producer.log == {("out", 1): [b"2", b"3"]}


async def test_no_answer_is_an_error_in_the_end(publisher: Publisher, producer: Producer) -> None:
    with pytest.raises(DeliveryTimeoutError, match="no answer"):
        await publisher.publish(outputs(b"1"))


async def test_a_stopped_publisher_says_so(publisher: Publisher) -> None:
    publisher._producer = None
    with pytest.raises(DeliveryError, match="stopped"):
        await publisher.publish(outputs(b"1"))


async def test_one_who_gives_up_does_not_stop_the_others(publisher: Publisher, producer: Producer) -> None:
    given_up = asyncio.create_task(publisher.publish(outputs(b"1")))
    await asyncio.sleep(0)
    other = asyncio.create_task(publisher.publish(outputs(b"2")))
    await asyncio.sleep(0)
    given_up.cancel()
    for _ in range(2):
        await producer.answer()
    await other
    assert producer.log["out", 0] == [b"1", b"2"]
