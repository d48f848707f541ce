"""Turns by a clock of the test's own: the urgent first, nobody for ever last, and no more than the budget allows."""

import asyncio
import heapq
import itertools
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from connectors.http.budgets import Allowance
from connectors.http.urgency import urgent
from connectors.rest.accounts import Account, PatienceError, Timer

PATIENCE_S = 3600.0


@dataclass
class Alarm:
    """Something that will happen, unless it is called off."""

    at_s: float
    ring: Callable[[], None]
    is_off: bool = False

    def cancel(self) -> None:
        self.is_off = True


@dataclass
class Time:
    """Passes when nobody has anything to do."""

    now_s: float = 1000.0
    alarms: list[tuple[float, int, Alarm]] = field(default_factory=list)
    numbers: "itertools.count[int]" = field(default_factory=itertools.count)

    def later(self, seconds: float, ring: Callable[[], None]) -> Timer:
        alarm = Alarm(self.now_s + seconds, ring)
        heapq.heappush(self.alarms, (alarm.at_s, next(self.numbers), alarm))
        return alarm

    async def until_done(self, *works: Coroutine[Any, Any, Any]) -> list[Any]:
        """Let these end, and time pass as it must; what they came to."""
        tasks = [asyncio.ensure_future(work) for work in works]
        while not all(task.done() for task in tasks):
            for _ in range(10):
                await asyncio.sleep(0)
            if self.alarms:
                at_s, _, alarm = heapq.heappop(self.alarms)
                if not alarm.is_off:
                    self.now_s = max(self.now_s, at_s)
                    alarm.ring()
        return await asyncio.gather(*tasks, return_exceptions=True)


@dataclass
class Users:
    """Flows of one account, and the order of their turns."""

    time: Time
    account: Account
    turns: list[tuple[str, float]] = field(default_factory=list)

    async def ask(self, name: str, priority: int, patience_s: float = PATIENCE_S) -> None:
        with urgent(priority):
            async with self.account.turn(patience_s):
                self.turns.append((name, self.time.now_s))

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self.turns]


def users(requests: int, window_s: float = 10.0, concurrency: int = 1) -> Users:
    time = Time()
    account = Account("a", Allowance(requests, window_s, reserve=0), concurrency, lambda: time.now_s, time.later)
    return Users(time, account)


async def test_a_request_of_a_higher_flow_goes_before_those_that_wait() -> None:
    crowd = users(1)
    asked = [("sweep", 8)] * 4 + [("poll", 3)] * 2 + [("hook", 1), ("write", 0)]
    await crowd.time.until_done(*(crowd.ask(name, priority) for name, priority in asked))
    assert crowd.names == ["sweep", "write", "hook", "poll", "poll", "sweep", "sweep", "sweep"]


async def test_no_window_holds_more_than_the_budget_allows() -> None:
    crowd = users(3, window_s=10.0, concurrency=8)
    await crowd.time.until_done(*(crowd.ask("poll", number % 9) for number in range(30)))
    at_s = [at_s for _, at_s in crowd.turns]
    assert len(at_s) == 30
    assert all(later - earlier >= 10.0 for earlier, later in zip(at_s, at_s[3:], strict=False))
    assert at_s[-1] - at_s[0] == pytest.approx(90.0)


async def test_a_sweep_has_its_turn_though_writes_never_cease() -> None:
    crowd = users(1)

    async def write() -> None:
        while "sweep" not in crowd.names:
            await crowd.ask("write", 0)

    await crowd.time.until_done(write(), write(), crowd.ask("sweep", 9))
    # Two writers stood before it in the line.
    assert len(crowd.turns) <= 8 * 3


async def test_who_would_wait_too_long_is_told_at_once() -> None:
    crowd = users(1, window_s=60.0)
    found = await crowd.time.until_done(crowd.ask("first", 1), crowd.ask("hasty", 1, 5.0), crowd.ask("last", 1))
    assert isinstance(found[1], PatienceError) and found[1].wait_s == 60.0
    assert crowd.turns == [("first", 1000.0), ("last", 1060.0)]


async def test_who_is_passed_over_for_too_long_is_told() -> None:
    crowd = users(1, window_s=1.0)

    async def write() -> None:
        for _ in range(6):
            await crowd.ask("write", 0)

    found = await crowd.time.until_done(write(), write(), crowd.ask("sweep", 9, 4.0))
    assert isinstance(found[2], PatienceError) and crowd.names == ["write"] * 12


async def test_requests_at_once_are_bounded_and_a_place_that_is_free_is_taken() -> None:
    crowd, going_on = users(100, concurrency=2), asyncio.Event()
    now = most = 0

    async def long() -> None:
        nonlocal now, most
        async with crowd.account.turn(PATIENCE_S):
            now, most = now + 1, max(most, now + 1)
            await going_on.wait()
            now -= 1

    async def open_soon() -> None:
        going_on.set()

    await crowd.time.until_done(*(long() for _ in range(6)), open_soon())
    assert (now, most) == (0, 2)


@asynccontextmanager
async def waiting(crowd: Users, name: str) -> AsyncIterator["asyncio.Task[None]"]:
    """One that waits in the line."""
    task = asyncio.create_task(crowd.ask(name, 1))
    await asyncio.sleep(0)
    yield task
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_who_gives_up_leaves_its_turn_to_others() -> None:
    crowd = users(2)
    async with crowd.account.turn(PATIENCE_S), waiting(crowd, "gone") as gone:
        gone.cancel()
        await asyncio.sleep(0)
    await crowd.time.until_done(crowd.ask("next", 9))
    assert crowd.turns == [("next", 1000.0)]


async def test_who_gives_up_just_when_it_is_called_leaves_its_place_to_others() -> None:
    crowd = users(3)
    async with waiting_with_a_place_taken(crowd) as gone:
        gone.cancel()
    await crowd.time.until_done(crowd.ask("next", 9))
    assert crowd.turns == [("next", 1000.0)]


@asynccontextmanager
async def waiting_with_a_place_taken(crowd: Users) -> AsyncIterator["asyncio.Task[None]"]:
    """One that is called as this is entered, and has not heard it yet."""
    async with crowd.account.turn(PATIENCE_S):
        task = asyncio.create_task(crowd.ask("gone", 1))
        await asyncio.sleep(0)
    yield task
    await asyncio.gather(task, return_exceptions=True)
