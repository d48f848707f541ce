"""The source: loads, sweeps, polls, lists of removed rows, and what must not be told."""

import asyncio
from contextlib import aclosing

import pytest

from connectors.errors import UnreachableError
from connectors.remote.memory import able
from tests.unit.remote.bench import PATIENCE_S, bench, row, told


async def test_a_load_tells_every_row_and_then_the_marker() -> None:
    blog = bench(page_size=2)
    ids = [blog.members.insert(email=f"{number}@example.org") for number in range(5)]
    changes = await blog.load()
    assert told(changes) == [*(("r", one) for one in ids), ("l", "")]
    assert {change.incarnation for change in changes} == {0}
    assert row(changes[0].after)["email"] == "0@example.org"


async def test_a_sweep_tells_what_came_changed_and_went() -> None:
    blog = bench()
    ada, bob = blog.members.insert(email="ada@example.org"), blog.members.insert(email="bob@example.org")
    loaded = await blog.load()
    blog.members.update(ada, name="Ada")
    blog.members.delete(bob)
    eve = blog.members.insert(email="eve@example.org")
    changes = await blog.next(3)
    assert sorted(told(changes)) == sorted([("u", ada), ("u", eve), ("d", bob)])
    assert min(change.seq for change in changes) > max(change.seq for change in loaded)


async def test_what_is_known_is_not_told_again() -> None:
    blog = bench()
    blog.members.insert(email="ada@example.org")
    await blog.load()
    assert await blog.quiet(3) == []


async def test_what_did_not_arrive_is_told_again() -> None:
    blog = bench()
    ada = blog.members.insert(email="ada@example.org")
    first = await blog.read(lambda found: any(change.op == "l" for change in found), acked=False)
    blog.restart()
    again = await blog.load()
    assert told(first) == told(again) == [("r", ada), ("l", "")]
    assert again[0].seq > first[0].seq


async def test_a_load_goes_on_where_it_was_interrupted() -> None:
    blog = bench(page_size=2)
    ids = [blog.members.insert(email=f"{number}@example.org") for number in range(6)]
    first = await blog.read(lambda found: len(found) >= 4)
    blog.restart()
    rest = await blog.load()
    assert told([*first, *rest]) == [*(("r", one) for one in ids), ("l", "")]


async def test_rows_gone_before_an_interrupted_sweep_goes_on_are_still_noticed() -> None:
    blog = bench(page_size=2)
    ids = [blog.members.insert(email=f"{number}@example.org") for number in range(6)]
    await blog.load()
    blog.members.update(ids[0], name="A")
    blog.clock.at_us += 70_000_000
    await blog.next()
    blog.members.delete(ids[5])
    blog.restart()
    assert told(await blog.next()) == [("d", ids[5])]


async def test_an_empty_page_deletes_nothing() -> None:
    blog = bench()
    ids = [blog.members.insert(email=f"{number}@example.org") for number in range(30)]
    await blog.load()
    blog.application.habits.empty = 1.0
    blog.members.delete(ids[3])
    changes = await blog.next()
    assert told([*changes, *await blog.quiet(6)]) == [("d", ids[3])]


async def test_an_error_while_missing_rows_are_asked_for_tells_nothing_of_them() -> None:
    blog = bench()
    blog.members.insert(email="ada@example.org")
    await blog.load()
    blog.application.habits.down = True
    with pytest.raises(UnreachableError):
        await blog.next()
    blog.application.habits.down = False
    assert await blog.quiet(3) == []


async def test_a_poll_tells_what_changed_and_a_list_what_went() -> None:
    blog = bench(able(since=True, removed=True), flows=[{"poll": "30s"}, {"removed": "30s"}])
    ada, bob = blog.members.insert(email="ada@example.org"), blog.members.insert(email="bob@example.org")
    await blog.load()
    blog.members.update(ada, name="Ada")
    blog.members.delete(bob)
    assert sorted(told(await blog.next(2))) == [("d", bob), ("u", ada)]
    assert await blog.quiet(4) == []


async def test_a_poll_of_many_pages_misses_nothing() -> None:
    blog = bench(able(since=True), flows=[{"poll": "30s"}], page_size=3)
    await blog.load()
    ids = [blog.members.insert(email=f"{number}@example.org") for number in range(10)]
    assert told(await blog.next(10)) == [("u", one) for one in ids]


async def test_a_slow_clock_of_the_application_hides_no_edit() -> None:
    blog = bench(able(since=True), flows=[{"poll": "30s"}])
    clock = blog.clock
    blog.application.clock_us = lambda: clock.now_us() - 3_600_000_000
    ada = blog.members.insert(email="ada@example.org")
    await blog.load()
    blog.members.update(ada, name="Ada")
    assert told(await blog.next()) == [("u", ada)]
    blog.members.update(ada, name="Countess")
    assert row((await blog.next())[0].after)["name"] == "Countess"


async def test_a_sweep_begins_when_somebody_says_so() -> None:
    blog = bench(flows=["manual"])
    await blog.load()
    ada = blog.members.insert(email="ada@example.org")
    await blog.connector.sync_now("members")
    assert told(await blog.next()) == [("u", ada)]


async def test_a_restart_of_entities_loads_them_again() -> None:
    blog = bench()
    ada = blog.members.insert(email="ada@example.org")
    await blog.connector.install(blog.specs)
    await blog.load()
    await blog.connector.restart(["contact"])
    blog.restart()
    assert told(await blog.load()) == [("r", ada), ("l", "")]
    assert await blog.connector.check(blog.specs) == []


async def test_versions_of_the_application_order_its_looks() -> None:
    blog = bench(versioned=True)
    ada = blog.members.insert(email="ada@example.org")
    await blog.load()
    blog.members.update(ada, name="Ada")
    blog.members.update(ada, name="Countess")
    assert [change.seq for change in await blog.next()] == [3]
    blog.members.delete(ada)
    assert [(change.op, change.seq) for change in await blog.next()] == [("d", 4)]


async def test_what_ends_while_the_last_batch_is_being_sent_is_noticed() -> None:
    blog = bench()
    blog.members.insert(email="ada@example.org")
    source = blog.source()
    async with asyncio.timeout(PATIENCE_S), aclosing(source.read(None)) as reading:  # type: ignore[type-var]
        await anext(reading)
        blog.application.habits.down = True
        for _ in range(500):
            await asyncio.sleep(0)
        with pytest.raises(UnreachableError):
            while True:
                await anext(reading)
