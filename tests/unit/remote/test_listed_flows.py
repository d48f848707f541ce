"""A flow that is listed is on, with its priority, and one that is not is off; what a person asks for is never off."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import Any

import pytest

from connectors.remote.engine import Engine
from connectors.remote.flows import read_flows
from connectors.remote.schedule import Due
from connectors.remote.surroundings import Hook, Surroundings
from connectors.remote.sweeps import Doubt, Sweep
from connectors.remote.tellings import Teller
from tests.unit.remote.bench import PATIENCE_S, SPEC, Bench, bench, told

ABOUT = [{"resource": "members", "id": "id"}]
DAY_US = 86_400_000_000


async def loaded(flows: Any, **how: Any) -> tuple[Bench, str]:
    """An application with one row, read."""
    blog = bench(flows=flows, **how)
    ada = blog.members.insert(email="ada@example.org")
    await blog.load()
    return blog, ada


def sweep(blog: Bench, *flows: Any) -> Sweep:
    """The sweeps of a process that begins now."""
    engine = Engine.of("blog", {"members": blog.api}, Surroundings(blog.notes), blog.clock)
    teller = Teller(engine, engine.resources([SPEC])["contact"], loading=False)
    listed = read_flows("blog", {"members": flows}, ["members"])["members"]
    return Sweep(teller, tuple(flow for flow in listed if flow.kind in ("sweep", "manual")), Doubt())


async def step(blog: Bench, one: Sweep) -> None:
    piece = await one.step()
    await blog.notes.put(piece.notes)


def due(blog: Bench, one: Sweep, in_us: int = 0) -> Due:
    found = one.due(blog.clock.now_us() + in_us)
    assert found is not None
    return found


# --- webhook


async def test_deliveries_are_left_alone_where_the_flows_leave_webhook_out(monkeypatch: pytest.MonkeyPatch) -> None:
    blog, ada = await loaded([{"sweep": "1m"}], records=ABOUT)

    async def read() -> AsyncIterator[Sequence[Hook]]:
        raise AssertionError("deliveries are read")
        yield ()

    monkeypatch.setattr(blog.hooks, "read", read)
    blog.members.update(ada, name="Ada")
    assert told(await blog.next()) == [("u", ada)]


async def test_without_flows_deliveries_are_read() -> None:
    blog, ada = await loaded(["webhook"], records=ABOUT)
    blog.settings = replace(blog.settings, flows={})
    blog.restart()
    read = len(blog.application.sent)
    blog.members.update(ada, name="Ada")
    async with asyncio.timeout(PATIENCE_S):
        while blog.hooks.acked <= read:
            await blog.quiet(1)


# --- manual and sweeps


async def test_manual_alone_reads_nothing_until_somebody_asks() -> None:
    blog, _ = await loaded(["manual"])
    one = sweep(blog, "manual")
    assert one.due(blog.clock.now_us() + 400 * DAY_US) is None
    await blog.connector.sync_now()
    assert due(blog, one).priority == 2


@pytest.mark.parametrize(
    ("flow", "priority"),
    [
        ("webhook", 2),
        ({"poll": "1m"}, 2),
        ({"sweep": {"every": "6h", "priority": 7}}, 2),
        ({"manual": {"priority": 5}}, 5),
    ],
)
async def test_a_sweep_that_is_asked_for_begins_whatever_the_flows(flow: Any, priority: int) -> None:
    blog, _ = await loaded(None)
    one, last = sweep(blog, flow), blog.notes.values["swept/contact"]
    await blog.connector.sync_now("members")
    assert due(blog, one).priority == priority
    await step(blog, one)
    assert blog.notes.values["swept/contact"] != last


async def test_a_sweep_by_the_clock_keeps_its_priority_beside_manual() -> None:
    blog, _ = await loaded(None, page_size=1)
    blog.members.insert(email="bob@example.org")
    flows = [{"sweep": {"every": "6h", "priority": 7}}, "manual"]
    one = sweep(blog, *flows)
    assert due(blog, one, DAY_US).priority == 7
    blog.clock.at_us += DAY_US
    await step(blog, one)
    assert due(blog, one).priority == 7
    assert due(blog, sweep(blog, *flows)).priority == 7


async def test_a_sweep_that_somebody_waits_for_goes_as_what_he_asked_for() -> None:
    blog, _ = await loaded(None, page_size=1)
    blog.members.insert(email="bob@example.org")
    one = sweep(blog, {"sweep": "6h"})
    blog.clock.at_us += DAY_US
    await step(blog, one)
    assert due(blog, one).priority == 8
    await blog.connector.sync_now()
    assert due(blog, one).priority == 2
