"""Undoing on the real program: an update, a delete, a create, and a transaction over twenty rows."""

import json
from datetime import UTC, datetime
from typing import Any

import asyncpg
import pytest

from duplex.demo.people import person
from tests.acceptance.showings import Showing
from tests.waiting import eventually

TWENTY = range(1, 21)


@pytest.fixture
async def running(showing: Showing) -> Showing:
    await showing.start()
    await showing.settled()
    return showing


async def undone(showing: Showing, *words: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(await showing.call("undo", *words, "--yes", "--json"))
    await showing.settled()
    return found


async def city(showing: Showing, number: int) -> tuple[object, object]:
    async with showing.connected() as (crm, erp):
        email = person(number).email
        here = await crm.fetchval("select city from shop.contacts where email = $1", email)
        return here, await erp.fetchval("select town from shop.customers where mail = $1", email)


async def move(connection: asyncpg.Connection, numbers: range, town: str) -> int:
    """Give people another city, all in one transaction; its number."""
    async with connection.transaction():
        for number in numbers:
            await connection.execute("update shop.contacts set city = $2 where email = $1", person(number).email, town)
        return int(await connection.fetchval("select pg_current_xact_id()::text"))


async def test_the_last_update_of_a_record(running: Showing) -> None:
    email = person(1).email
    async with running.connected() as (crm, _):
        await move(crm, range(1, 2), "Elsewhere")
    await running.settled()
    shown = await running.call("undo", email, "--dry-run")
    assert "Elsewhere" in shown
    assert await city(running, 1) == ("Elsewhere", "Elsewhere")
    (one,) = await undone(running, email)
    assert (one["field"], one["undone"]) == ("address", True)
    assert await city(running, 1) == (person(1).city, person(1).city)


async def test_without_a_terminal_it_must_be_meant(running: Showing) -> None:
    async with running.connected() as (crm, _):
        await move(crm, range(1, 2), "Elsewhere")
    await running.settled()
    await running.call("undo", person(1).email, accepted=(2,))
    assert await city(running, 1) == ("Elsewhere", "Elsewhere")


async def test_a_delete(running: Showing) -> None:
    email = person(150).email
    async with running.connected() as (crm, _):
        await crm.execute("delete from shop.contacts where email = $1", email)
    await eventually(lambda: _gone(running, 150), timeout_s=30, message="the delete did not arrive")
    (one,) = await undone(running, email)
    assert (one["field"], one["undone"]) == ("$", True)
    here, there = await city(running, 150)
    assert here == there == person(150).city


async def _gone(showing: Showing, number: int) -> bool:
    return await city(showing, number) == (None, None)


async def test_a_create(running: Showing) -> None:
    async with running.connected() as (crm, _):
        await crm.execute(
            "insert into shop.contacts (email, first_name, last_name) values ('new@example.com', 'Ada', 'New')"
        )
    await running.settled()
    (one,) = await undone(running, "new@example.com")
    assert (one["field"], one["back_to"], one["undone"]) == ("$", None, True)
    async with running.connected() as (crm, erp):
        assert await crm.fetchval("select count(*) from shop.contacts where email = 'new@example.com'") == 0
        assert await erp.fetchval("select count(*) from shop.customers where mail = 'new@example.com'") == 0


async def test_a_transaction_over_twenty_rows_with_one_edited_since(running: Showing) -> None:
    async with running.connected() as (crm, erp):
        number = await move(crm, TWENTY, "Moved")
        await running.settled()
        await erp.execute("update shop.customers set town = 'Later' where mail = $1", person(7).email)
        await running.settled()
    found = await undone(running, "--transaction", f"crm:{number}")
    assert [one["undone"] for one in found].count(True) == len(TWENTY) - 1
    (left,) = [one for one in found if not one["undone"]]
    assert left["changed_since_by"] == "erp"
    assert await city(running, 7) == ("Later", "Later")
    assert [await city(running, each) for each in (1, 20)] == [(person(each).city,) * 2 for each in (1, 20)]
    past = await running.history()
    assert [one.rule for one in past.conflicts.values() if one.record_id == left["record_id"]] == ["undo"]


async def test_everything_that_a_system_did_since(running: Showing) -> None:
    since = datetime.now(UTC).isoformat()
    async with running.connected() as (crm, erp):
        await move(crm, range(1, 4), "Moved")
        await erp.execute("update shop.customers set tel = '7' where mail = $1", person(2).email)
    await running.settled()
    found = await undone(running, "--since", since, "--system", "erp")
    assert [(one["field"], one["undone"]) for one in found if one["now"] == "7"] == [("phone", True)]
    assert await city(running, 2) == ("Moved", "Moved")


async def test_what_one_command_carried(running: Showing) -> None:
    async with running.connected() as (crm, _):
        await move(crm, range(1, 2), "Elsewhere")
    await running.settled()
    past = await running.history()
    command = next(one for one in past.commands.values() if "Elsewhere" in str(one.units))
    (one,) = await undone(running, "--command", command.id)
    assert (one["field"], one["undone"]) == ("address", True)
    assert await city(running, 1) == (person(1).city, person(1).city)
