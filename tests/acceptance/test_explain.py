"""Why a value is what it is: the program's own account, judged against what was done to the two databases."""

import asyncio
import json
from typing import Any

from duplex.demo.people import CRM_COLUMNS, person
from duplex.explaining import asking
from tests.acceptance.showings import Showing

Facts = dict[str, Any]
FIELDS = ("email", "name", "phone", "status", "credit", "birthday", "address")


async def explain(showing: Showing, *words: str) -> Facts:
    """The one record that these words mean."""
    (found,) = json.loads(await showing.call("record", "explain", *words, "--json"))
    return found  # type: ignore[no-any-return]


async def entry(showing: Showing, system: str, local_id: str) -> tuple[int, int]:
    """The newest entry of a row in its system's own log that is no echo: (seq, transaction)."""
    async with showing.connected() as both:
        query = (
            "select seq, transaction::text::bigint as transaction from duplex.change_log "
            "where local_id = $1 and command is null order by seq desc limit 1"
        )
        row = await both[("crm", "erp").index(system)].fetchrow(query, local_id)
    assert row is not None
    return row["seq"], row["transaction"]


async def echo(showing: Showing, system: str, command: str) -> int:
    """The sequence number of a command's echo in the system's own log."""
    async with showing.connected() as both:
        query = "select seq from duplex.change_log where command = $1"
        return int(await both[("crm", "erp").index(system)].fetchval(query, command))


async def row_of(showing: Showing, system: str, email: str) -> str:
    """The local id of a contact in one system."""
    async with showing.connected() as (crm, erp):
        if system == "crm":
            return f"[{await crm.fetchval('select id from shop.contacts where email = $1', email)}]"
        return f"[{await erp.fetchval('select customer_no from shop.customers where mail = $1', email)}]"


async def came_by_one_command(showing: Showing, facts: Facts, system: str) -> None:
    """The value reached this system by one command, confirmed by the echo that stands in the system's own log."""
    (command,) = [one for one in facts["current"]["commands"] if one["outcome"] == "confirmed"]
    assert (command["system"], command["echo"]["kind"]) == (system, "echo")
    assert command["echo"]["seq"] == await echo(showing, system, command["command"])
    assert 0 <= command["delay_us"] < 60_000_000


async def test_every_value_is_explained(showing: Showing) -> None:
    await showing.start()
    await showing.settled()
    await an_update_names_its_entry_and_the_echo(showing)
    await a_conflict_names_the_loser(showing)
    await a_create_explains_every_field(showing)
    await a_delete_names_who_deleted(showing)
    await every_field_of_every_contact_is_explained(showing)
    await what_people_read(showing)


async def an_update_names_its_entry_and_the_echo(showing: Showing) -> None:
    email = person(3).email
    async with showing.connected() as (crm, _):
        await crm.execute("update shop.contacts set phone = '+1 555 3' where email = $1", email)
    await showing.settled()
    found = await explain(showing, email)
    phone, local = found["fields"]["phone"], await row_of(showing, "crm", email)
    assert (phone["current"]["value"], phone["current"]["rule"]) == ("+1 555 3", "no conflict")
    event = phone["current"]["event"]
    assert (event["system"], event["local_id"]) == ("crm", local)
    assert (event["seq"], event["transaction"]) == await entry(showing, "crm", local)
    await came_by_one_command(showing, phone, "erp")
    assert [(one["system"], one["how"]) for one in phone["standing"]] == [("crm", "wrote"), ("erp", "told")]
    assert await explain(showing, f"crm:{local}") == found
    assert await explain(showing, f"crm:{local[1:-1]}") == found
    assert await explain(showing, found["record_id"]) == found


async def a_conflict_names_the_loser(showing: Showing) -> None:
    email = person(151).email
    async with showing.connected() as (crm, erp):
        await asyncio.gather(
            crm.execute("update shop.contacts set phone = 'of the CRM' where email = $1", email),
            erp.execute("update shop.customers set tel = 'of the ERP' where mail = $1", email),
        )
    await showing.settled()
    found = await explain(showing, email, "phone", "--history")
    assert list(found["fields"]) == ["phone"]
    phone = found["fields"]["phone"]
    assert phone["current"]["value"] == "of the CRM"
    (met,) = [one for one in phone["current"]["met"] if one["rule"] == "priority"]
    assert (met["system"], met["kind"], met["value"]) == ("erp", "value", "of the ERP")


async def a_create_explains_every_field(showing: Showing) -> None:
    async with showing.connected() as (crm, _):
        places = ", ".join(f"${place + 1}" for place in range(len(person(301).crm_row)))
        await crm.execute(f"insert into shop.contacts ({CRM_COLUMNS}) values ({places})", *person(301).crm_row)
    await showing.settled()
    found = await explain(showing, person(301).email)
    local = await row_of(showing, "crm", person(301).email)
    assert tuple(found["fields"]) == (*FIELDS, "$")
    for facts in found["fields"].values():
        assert (facts["current"]["event"]["op"], facts["current"]["rule"]) == ("c", "first value")
        assert (facts["current"]["event"]["local_id"], facts["current"]["system"]) == (local, "crm")
        await came_by_one_command(showing, facts, "erp")


async def a_delete_names_who_deleted(showing: Showing) -> None:
    email = person(220).email
    local, record_id = await row_of(showing, "erp", email), (await explain(showing, email))["record_id"]
    async with showing.connected() as (_, erp):
        await erp.execute("delete from shop.customers where mail = $1", email)
    await showing.settled()
    found = await explain(showing, record_id, "existence")
    life = found["fields"]["$"]
    assert (found["deleted"], life["current"]["value"]) == (True, None)
    event = life["current"]["event"]
    assert (event["system"], event["local_id"], event["op"]) == ("erp", local, "d")
    assert event["seq"] == (await entry(showing, "erp", local))[0]
    await came_by_one_command(showing, life, "crm")


async def every_field_of_every_contact_is_explained(showing: Showing) -> None:
    """A sample of those that only one side had, that both had, and that were edited."""
    for number in (0, 3, 139, 140, 151, 179, 180, 299):
        found = await explain(showing, person(number).email)
        assert found["complete"], found["remarks"]
        for name, facts in found["fields"].items():
            assert facts["current"] is None or facts["current"]["event"] is not None, (number, name)
            assert all(one["shows"] for one in facts["standing"]), (number, name, facts["standing"])


async def what_people_read(showing: Showing) -> None:
    told = await showing.call("record", "explain", person(3).email, "phone")
    assert 'phone: "+1 555 3"' in told
    assert "From crm, which updated its row" in told
    assert "confirmed by echo" in told
    asked = await asyncio.to_thread(
        asking.explanation, showing.folder / "duplex.yaml", name=person(3).email, field="phone"
    )
    assert asked == told.rstrip("\n").encode(), "the running pipeline does not answer, or says something else"
    refusal = await showing.call("record", "explain", person(3).email, "fone", accepted=(2,))
    assert refusal == ""
    await showing.stop()
    assert await showing.call("record", "explain", person(3).email, "phone") == told
