"""Undoing on a running pipeline: an update, a delete, a create, a transaction over twenty rows."""

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import asyncpg
import pytest

from duplex.demo.people import person
from tests.acceptance.showings import Showing
from tests.waiting import eventually

TWENTY = range(1, 21)
UPDATED, KEPT, SINCE, NAMED, CARRIED = 30, 31, range(33, 36), 36, 38

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def undone(showing: Showing, *words: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(await showing.call("undo", *words, "--yes", "--json"))
    await showing.settled()
    return found


async def city(showing: Showing, number: int) -> tuple[object, object]:
    async with showing.connected() as (crm, erp):
        email = person(number).email
        here = await crm.fetchval("select city from shop.contacts where email = $1", email)
        return here, await erp.fetchval("select town from shop.customers where mail = $1", email)


async def move(connection: asyncpg.Connection, numbers: Iterable[int], town: str) -> int:
    """Give people another city, all in one transaction; its number."""
    async with connection.transaction():
        for number in numbers:
            await connection.execute("update shop.contacts set city = $2 where email = $1", person(number).email, town)
        return int(await connection.fetchval("select pg_current_xact_id()::text"))


async def test_the_last_update_of_a_record(shared: Showing) -> None:
    email = person(UPDATED).email
    async with shared.connected() as (crm, _):
        await move(crm, [UPDATED], "Elsewhere")
    await shared.settled()
    shown = await shared.call("undo", email, "--dry-run")
    assert "Elsewhere" in shown
    assert await city(shared, UPDATED) == ("Elsewhere", "Elsewhere")
    (one,) = await undone(shared, email)
    assert (one["field"], one["undone"]) == ("address", True)
    assert await city(shared, UPDATED) == (person(UPDATED).city, person(UPDATED).city)


async def test_without_a_terminal_it_must_be_meant(shared: Showing) -> None:
    async with shared.connected() as (crm, _):
        await move(crm, [KEPT], "Elsewhere")
    await shared.settled()
    await shared.call("undo", person(KEPT).email, accepted=(2,))
    assert await city(shared, KEPT) == ("Elsewhere", "Elsewhere")


async def test_a_delete(shared: Showing) -> None:
    email = person(150).email
    async with shared.connected() as (crm, _):
        await crm.execute("delete from shop.contacts where email = $1", email)
    await eventually(lambda: _gone(shared, 150), timeout_s=90, message="the delete did not arrive")
    (one,) = await undone(shared, email)
    assert (one["field"], one["undone"]) == ("$", True)
    here, there = await city(shared, 150)
    assert here == there == person(150).city


async def _gone(showing: Showing, number: int) -> bool:
    return await city(showing, number) == (None, None)


async def test_a_create(shared: Showing) -> None:
    async with shared.connected() as (crm, _):
        await crm.execute(
            "insert into shop.contacts (email, first_name, last_name) values ('new@example.com', 'Ada', 'New')"
        )
    await shared.settled()
    (one,) = await undone(shared, "new@example.com")
    assert (one["field"], one["back_to"], one["undone"]) == ("$", None, True)
    async with shared.connected() as (crm, erp):
        assert await crm.fetchval("select count(*) from shop.contacts where email = 'new@example.com'") == 0
        assert await erp.fetchval("select count(*) from shop.customers where mail = 'new@example.com'") == 0


async def test_a_transaction_over_twenty_rows_with_one_edited_since(shared: Showing) -> None:
    async with shared.connected() as (crm, erp):
        number = await move(crm, TWENTY, "Moved")
        await shared.settled()
        await erp.execute("update shop.customers set town = 'Later' where mail = $1", person(7).email)
        await shared.settled()
    found = await undone(shared, "--transaction", f"crm:{number}")
    assert [one["undone"] for one in found].count(True) == len(TWENTY) - 1
    (left,) = [one for one in found if not one["undone"]]
    assert left["changed_since_by"] == "erp"
    assert await city(shared, 7) == ("Later", "Later")
    assert [await city(shared, each) for each in (1, 20)] == [(person(each).city,) * 2 for each in (1, 20)]
    past = await shared.history()
    assert [one.rule for one in past.conflicts.values() if one.record_id == left["record_id"]] == ["undo"]


async def test_everything_that_a_system_did_since(shared: Showing) -> None:
    since = datetime.now(UTC).isoformat()
    async with shared.connected() as (crm, erp):
        await move(crm, SINCE, "Moved")
        await erp.execute("update shop.customers set tel = '7' where mail = $1", person(SINCE[1]).email)
    await shared.settled()
    found = await undone(shared, "--since", since, "--system", "erp")
    assert [(one["field"], one["undone"]) for one in found if one["now"] == "7"] == [("phone", True)]
    assert await city(shared, SINCE[1]) == ("Moved", "Moved")


async def test_what_a_batch_of_commands_carried(shared: Showing) -> None:
    async with shared.connected() as (crm, _):
        await move(crm, [CARRIED, CARRIED + 1], "Carried")
    await shared.settled()
    commands = [one.id for one in (await shared.history()).commands.values() if "Carried" in str(one.units)]
    assert len(commands) == 2
    found = await undone(shared, "--command", commands[0], "--command", commands[1])
    assert [(one["field"], one["undone"]) for one in found] == [("address", True)] * 2
    for number in (CARRIED, CARRIED + 1):
        assert await city(shared, number) == (person(number).city, person(number).city)


async def test_an_event_by_its_offset(shared: Showing) -> None:
    """It is undone, and what its neighbours in the log did stays."""
    async with shared.connected() as (crm, _):
        await move(crm, [NAMED, NAMED + 1], "Beside")
        await shared.settled()
        await move(crm, [NAMED], "Named")
    await shared.settled()
    last = [one for one in (await shared.history()).edits if '"Named"' in str(one.change.after)]
    (place,) = {(str(one.partition), str(one.offset)) for one in last}
    (one,) = await undone(shared, "--entity", "contact", "--partition", place[0], "--event", place[1])
    assert (one["record_id"], one["field"], one["undone"]) == (last[0].record_id, "address", True)
    assert await city(shared, NAMED) == await city(shared, NAMED + 1) == ("Beside", "Beside")
