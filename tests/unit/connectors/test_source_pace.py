"""A source is asked for more when the few changes it gave are safe, and at once when there were many."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from typing import Any

import pytest

from connectors import source_runner
from connectors.base import Batch
from schemas.messages import Change


class Source:
    """Gives batches of this many changes; counts how often it was asked."""

    def __init__(self, changes: int) -> None:
        self.asked = 0
        self._changes = changes

    async def read(self, after: Any = None) -> AsyncGenerator[Batch, None]:
        one = Change(system="crm", entity="e", table="t", incarnation=1, seq=1, op="u", local_id="[1]", ts_us=0)
        while True:
            self.asked += 1
            yield Batch([one] * self._changes, self.asked)


class Sender:
    """Everything is under way until the test says that it is safe."""

    def __init__(self) -> None:
        self.under_way: list[asyncio.Future[None]] = []

    async def send(self, changes: Sequence[Change]) -> list[asyncio.Future[None]]:
        self.under_way.append(asyncio.get_running_loop().create_future())
        return [self.under_way[-1]]


class Aside:
    async def put(self, producer: object, rejected: Sequence[object]) -> list[asyncio.Future[None]]:
        return []


async def asked(source: Source, sender: Sender, safe: bool) -> int:
    """How often the source was asked after a while, in which the first batch became safe or did not."""
    queue: asyncio.Queue[Any] = asyncio.Queue(source_runner.BATCHES_UNDER_WAY)
    sending = source_runner._send_all(source, sender, Aside(), object(), queue, None)  # type: ignore[arg-type]
    task = asyncio.create_task(sending)
    for turn in range(40):
        await asyncio.sleep(0)
        if safe and turn == 10:
            sender.under_way[0].set_result(None)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    return source.asked


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """However slow the machine, the wait does not end by itself."""
    monkeypatch.setattr(source_runner, "SMALL_BATCH_WAIT_S", 60.0)


async def test_nothing_more_is_asked_for_while_a_small_batch_is_under_way() -> None:
    assert await asked(Source(3), Sender(), safe=False) == 1


async def test_more_is_asked_for_when_a_small_batch_is_safe() -> None:
    assert await asked(Source(3), Sender(), safe=True) == 2


async def test_a_large_batch_is_not_waited_for() -> None:
    assert await asked(Source(source_runner.SMALL_BATCH), Sender(), safe=False) > source_runner.BATCHES_UNDER_WAY


async def test_a_wait_for_a_small_batch_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source_runner, "SMALL_BATCH_WAIT_S", 0.0)
    assert await asked(Source(3), Sender(), safe=False) > 1
