"""An application without a log and a database, kept in step both ways by the real program."""

import asyncio
import time
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.acceptance.blogs import Joined, joined, taken
from tests.acceptance.conftest import Place
from tests.waiting import eventually

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(240)]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def both(place: Place) -> AsyncIterator[Joined]:
    """One program for all tests of the module; each has people of its own."""
    async with joined(*place) as found:
        assert found.blog.hook is not None
        await eventually(lambda: taken(found.blog.hook or ""), timeout_s=30)
        for email in ("ada", "bo", "cy"):
            await found.agree(f"{email}@example.org")
        yield found


async def test_the_first_sync_joins_people_by_their_address(both: Joined) -> None:
    await both.agree("ada@example.org", name="Ada", city="London")
    await both.agree("bo@example.org", name="Bo", city="Oslo")
    await both.agree("cy@example.org", name="Cy", city="Rome")
    assert both.blog.writes.count("POST ada@example.org") == 1


async def test_an_edit_in_the_application_comes_by_its_webhook(both: Joined) -> None:
    await both.blog.edited("cy@example.org", name="Cyrus")
    await both.agree("cy@example.org", name="Cyrus", city="Rome")


async def test_edits_of_different_fields_on_both_sides_are_both_kept(both: Joined) -> None:
    await both.sql("update people set city = 'Bergen' where email = 'bo@example.org'")
    await both.blog.edited("bo@example.org", name="Bodil")
    await both.agree("bo@example.org", name="Bodil", city="Bergen")


async def test_a_created_person_comes_once_though_the_answer_was_lost(both: Joined) -> None:
    both.blog.silent = 1
    await both.sql("insert into people (email, name) values ('di@example.org', 'Di')")
    await both.agree("di@example.org", name="Di")
    assert both.blog.writes.count("POST di@example.org") == 1


async def test_deletes_go_both_ways(both: Joined) -> None:
    await both.sql("insert into people (email, name) values ('ed@example.org', 'Ed'), ('fi@example.org', 'Fi')")
    await both.agree("ed@example.org", name="Ed")
    await both.agree("fi@example.org", name="Fi")
    await both.sql("delete from people where email = 'ed@example.org'")
    member = both.blog.named("fi@example.org")
    assert member is not None
    del both.blog.members[member["id"]]
    await both.blog.tell("deleted", member["id"])
    await both.gone("ed@example.org")
    await both.gone("fi@example.org")


async def test_what_no_webhook_told_is_found_when_asked_to_look(both: Joined) -> None:
    both.blog.add(email="gus@example.org", name="Gus")
    await both.shop.json("sync", "now", "blog")
    await both.agree("gus@example.org", name="Gus")


async def test_an_application_that_is_away_gets_everything_when_it_returns(both: Joined) -> None:
    both.blog.away = True
    await both.sql("insert into people (email, name) values ('hal@example.org', 'H')")
    for name in ("Ha", "Hal"):
        await both.sql(f"update people set name = '{name}' where email = 'hal@example.org'")
    both.blog.away = False
    await both.agree("hal@example.org", name="Hal")


async def test_status_says_since_when_it_is_down_what_it_said_and_what_waits(both: Joined) -> None:
    await both.doors.shut()
    began_us = time.time_ns() // 1000
    await both.sql("insert into people (email, name) values ('ivy@example.org', 'Ivy')")
    await eventually(lambda: waits(both), timeout_s=90, message="status does not tell of the outage")
    (outage,) = await both.outages()
    assert began_us <= outage["since_us"] <= outage["last_us"] and "no connection" in outage["reason"]
    code, out, _ = await both.shop.call("status")
    assert code == 1 and ("DOWN: blog does not answer" in out or "DOWN: blog takes nothing" in out)
    assert "1 command waits for it" in out and "systems.blog.url" in out
    await both.doors.open()
    await both.agree("ivy@example.org", name="Ivy")
    await eventually(lambda: up(both), timeout_s=60, message="status still tells of the outage")
    assert both.blog.writes.count("POST ivy@example.org") == 1


async def waits(both: Joined) -> bool:
    return any(outage["waiting"] for outage in await both.outages())


async def up(both: Joined) -> bool:
    return not await both.outages()


async def test_nothing_is_lost_or_doubled_by_a_kill(both: Joined) -> None:
    values = ", ".join(f"('k{number}@example.org', 'K')" for number in range(40))
    await both.sql(f"insert into people (email, name) values {values}")
    await eventually(lambda: both.blog.named("k0@example.org") is not None, timeout_s=60)
    await both.kill("system", "blog")
    for number in range(40):
        await both.agree(f"k{number}@example.org", name="K")


async def test_a_sink_killed_between_its_write_and_the_answer_makes_nobody_twice(both: Joined) -> None:
    both.blog.held = asyncio.Event()
    await both.sql("insert into people (email, name) values ('jo@example.org', 'Jo')")
    await eventually(lambda: "POST jo@example.org" in both.blog.writes, timeout_s=60)
    await both.kill("system", "blog")
    both.blog.held.set()
    both.blog.held = None
    await both.sql("update people set name = 'Joan' where email = 'jo@example.org'")
    await both.agree("jo@example.org", name="Joan")
    assert both.blog.writes.count("POST jo@example.org") == 1


async def test_at_rest_nothing_is_written(both: Joined) -> None:
    await both.agree("ada@example.org", name="Ada")
    before = len(both.blog.writes)
    await both.blog.tell("edited", next(iter(both.blog.members)))
    await both.sql("update people set name = 'Ada L' where email = 'ada@example.org'")
    await both.agree("ada@example.org", name="Ada L")
    assert len(both.blog.writes) == before + 1
