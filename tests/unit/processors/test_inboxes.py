"""What is fetched waits within bounds, in the order of each input, and is not fetched while there is no room."""

import asyncio

import pytest
from aiokafka import TopicPartition

from streams.processors.inboxes import Inbox

A, B = TopicPartition("a", 0), TopicPartition("b", 0)


class Consumer:
    """Notes what is paused."""

    def __init__(self) -> None:
        self.paused: set[TopicPartition] = set()

    def pause(self, *sources: TopicPartition) -> None:
        self.paused |= set(sources)

    def resume(self, *sources: TopicPartition) -> None:
        self.paused -= set(sources)


@pytest.fixture
def consumer() -> Consumer:
    return Consumer()


@pytest.fixture
def inbox(consumer: Consumer) -> Inbox:
    return Inbox(consumer, (A, B), room=4)


async def test_inputs_are_taken_in_their_own_order(inbox: Inbox) -> None:
    inbox.put(B, ["b1"])
    inbox.put(A, ["a1", "a2"])
    assert await inbox.take(10, 1) == ["a1", "a2", "b1"]


async def test_no_more_is_taken_than_asked_for(inbox: Inbox) -> None:
    inbox.put(A, ["a1", "a2"])
    inbox.put(B, ["b1", "b2"])
    assert [await inbox.take(3, 1), await inbox.take(3, 1)] == [["a1", "a2", "b1"], ["b2"]]


async def test_all_inputs_are_paused_while_there_is_no_room(inbox: Inbox, consumer: Consumer) -> None:
    inbox.put(A, [1, 2, 3, 4])
    assert not consumer.paused
    inbox.put(A, [5])
    assert consumer.paused == {A, B}


async def test_it_goes_on_before_it_is_empty(inbox: Inbox, consumer: Consumer) -> None:
    inbox.put(A, [1, 2, 3, 4, 5])
    await inbox.take(2, 1)
    assert consumer.paused
    await inbox.take(1, 1)
    assert not consumer.paused and len(inbox) == 2


async def test_whoever_waits_gets_what_comes(inbox: Inbox) -> None:
    taking = asyncio.create_task(inbox.take(10, 60))
    await asyncio.sleep(0)
    inbox.put(A, [1])
    assert await taking == [1]


async def test_nothing_is_taken_when_the_time_is_over(inbox: Inbox) -> None:
    assert await inbox.take(10, 0.001) == []


async def test_an_error_is_raised_once(inbox: Inbox) -> None:
    inbox.put(A, [1])
    inbox.fail(ConnectionError("gone"))
    with pytest.raises(ConnectionError, match="gone"):
        await inbox.take(10, 1)
    assert await inbox.take(10, 1) == [1]


async def test_nothing_is_left_when_it_is_cleared(inbox: Inbox, consumer: Consumer) -> None:
    inbox.put(A, [1, 2, 3, 4, 5])
    inbox.fail(ConnectionError("gone"))
    inbox.clear()
    assert await inbox.take(10, 0.001) == []
