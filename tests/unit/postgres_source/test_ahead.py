"""Work that is begun before it is asked for: once, in order, and not at all when nobody is left to ask."""

import asyncio

import pytest

from connectors.base import Batch
from connectors.postgres.relay import Ahead


class Work:
    """Counts its calls; each waits until it is let go."""

    def __init__(self) -> None:
        self.begun = self.ended = 0
        self.allowed = asyncio.Event()

    async def __call__(self) -> Batch | None:
        self.begun += 1
        number = self.begun
        await self.allowed.wait()
        self.ended += 1
        return Batch((), number)


async def test_what_was_begun_is_what_is_taken() -> None:
    work = Work()
    work.allowed.set()
    async with Ahead(work) as ahead:
        ahead.begin()
        ahead.begin()
        found = [await ahead.take(), await ahead.take()]
    assert [batch.position for batch in found if batch is not None] == [1, 2]
    assert work.begun == 2


async def test_an_error_is_raised_where_the_result_is_asked_for() -> None:
    async def fail() -> Batch | None:
        raise ConnectionError("gone")

    async with Ahead(fail) as ahead:
        ahead.begin()
        await asyncio.sleep(0)
        with pytest.raises(ConnectionError, match="gone"):
            await ahead.take()


async def test_nothing_goes_on_behind_the_block() -> None:
    work = Work()
    async with Ahead(work) as ahead:
        ahead.begin()
        await asyncio.sleep(0)
    work.allowed.set()
    await asyncio.sleep(0)
    assert (work.begun, work.ended) == (1, 0)


async def test_a_cancelled_taker_ends_the_work() -> None:
    work = Work()
    async with Ahead(work) as ahead:
        taker = asyncio.create_task(ahead.take())
        await asyncio.sleep(0)
        taker.cancel()
        with pytest.raises(asyncio.CancelledError):
            await taker
    work.allowed.set()
    await asyncio.sleep(0)
    assert work.ended == 0
