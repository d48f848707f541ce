"""Requests that wait for a delivery: told together, or each when it has waited long enough."""

import asyncio

import pytest

from connectors.webhook.postings import COARSE_S, NotKeptError, Posting, Waits
from connectors.webhook.rooms import Room

LATE = NotKeptError("shop", "not yet")


def posting() -> Posting:
    return Posting(b"d-1", b"{}", [])


async def test_everybody_is_told_that_a_delivery_is_safe() -> None:
    one = posting()
    waiters = [one.waiter(), one.waiter()]
    waiters[0].cancel()
    one.settle(None)
    await waiters[1]


async def test_everybody_is_told_that_a_delivery_is_lost() -> None:
    one = posting()
    waiter = one.waiter()
    one.settle(LATE)
    with pytest.raises(NotKeptError, match="not yet"):
        await waiter


async def test_a_delivery_keeps_its_memory_until_it_is_settled() -> None:
    room = Room(100, 100)
    one = Posting(b"d-1", b"{}", [], room.take(2))
    assert room.taken_bytes == 2
    one.settle(LATE)
    one.settle(None)
    assert room.taken_bytes == 0


async def test_who_waits_too_long_is_told_and_nobody_else() -> None:
    waits, one = Waits(0.02, lambda: LATE), posting()
    late = [one.waiter() for _ in range(3)]
    for waiter in late:
        waits.add(waiter)
    begun_s = asyncio.get_running_loop().time()
    assert await asyncio.wait_for(asyncio.gather(*late, return_exceptions=True), 5) == [LATE] * 3
    assert asyncio.get_running_loop().time() - begun_s >= 0.02
    assert len(waits) == 0
    again = one.waiter()
    waits.add(again)
    one.settle(None)
    await again


async def test_waits_that_are_over_are_let_go() -> None:
    waits, one = Waits(0.02, lambda: LATE), posting()
    for _ in range(100):
        waits.add(one.waiter())
    one.settle(None)
    last = Posting(b"d-2", b"{}", []).waiter()
    waits.add(last)
    with pytest.raises(NotKeptError):
        await asyncio.wait_for(last, 0.02 + COARSE_S + 5)
    assert len(waits) == 0
