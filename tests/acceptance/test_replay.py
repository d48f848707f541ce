"""The record log folded again on the real program: by the same rules, by others, and into a state that was lost."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import asyncpg
import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from duplex import broker
from duplex.demo.people import person
from schemas.topics import Topics
from tests.acceptance.showings import Showing
from tests.waiting import eventually

CLASHES, OTHERS = range(140, 155), range(155, 170)
on_the_shared_one = pytest.mark.asyncio(loop_scope="module")


async def clash(showing: Showing, numbers: Iterable[int]) -> None:
    """The same phone on both sides, at once; erp's clock a little later."""
    async with showing.connected() as (crm, erp):
        for number in numbers:
            email = person(number).email
            await asyncio.gather(
                crm.execute("update shop.contacts set phone = $2 where email = $1", email, f"crm {number}"),
                erp.execute("update shop.customers set tel = $2 where mail = $1", email, f"erp {number}"),
            )


async def replayed(showing: Showing, *words: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(await showing.call("replay", "--json", *words))
    return found


async def lived(showing: Showing) -> None:
    """A pipeline that has loaded, met conflicts, and is at rest."""
    await showing.start()
    await showing.settled()
    await clash(showing, CLASHES)
    await showing.settled()


def other_rules(showing: Showing) -> str:
    """The project's file with the phone decided the other way round."""
    text = (showing.folder / "duplex.yaml").read_text()
    path = showing.folder / "other.yaml"
    path.write_text(text.replace("{priority: [crm, erp]}", "{priority: [erp, crm]}"))
    return str(path)


@on_the_shared_one
async def test_the_same_rules_make_the_live_state_byte_for_byte(shared: Showing) -> None:
    await clash(shared, CLASHES)
    await shared.settled()
    found = await replayed(shared)
    assert found["equal"]
    assert found["differences"] == 0
    assert [each["digest"] for each in found["partitions"]] == [each["live_digest"] for each in found["partitions"]]
    assert sum(each["records"] for each in found["partitions"]) == 300
    assert sum(each["bookkeeping"] for each in found["partitions"]) == 0
    assert "byte for byte" in await shared.call("replay", "--restart")


@on_the_shared_one
async def test_other_rules_list_what_would_be_otherwise_and_apply_it(shared: Showing) -> None:
    await clash(shared, OTHERS)
    await shared.settled()
    rules = other_rules(shared)
    found = await replayed(shared, "--rules", rules)
    otherwise = {change["record_id"]: {field["field"] for field in change["fields"]} for change in found["records"]}
    past = await shared.history()
    clashed = {each.record_id for each in past.conflicts.values() if each.field == "phone"}
    assert otherwise.keys() == clashed
    assert all(fields == {"phone"} for fields in otherwise.values())
    assert len(clashed) >= len(OTHERS) // 2
    await shared.call("replay", "--rules", rules, "--apply", "--yes")
    await eventually(lambda: _none_left(shared, rules), timeout_s=120, message="the difference stays")
    await shared.settled()


async def _none_left(showing: Showing, rules: str) -> bool:
    found = await replayed(showing, "--rules", rules)
    return all(not change["fields"] for change in found["records"])


@on_the_shared_one
async def test_rules_that_the_log_cannot_follow_are_refused_with_their_place(shared: Showing) -> None:
    text = (shared.folder / "duplex.yaml").read_text()
    wrong = shared.folder / "wrong.yaml"
    wrong.write_text(text.replace("phone: phone", "phone: mobile"))
    told = await shared.call("replay", "--rules", str(wrong), accepted=(2,))
    assert told == ""


async def test_a_lost_state_is_made_anew_and_nothing_is_sent_twice(showing: Showing) -> None:
    await lived(showing)
    await showing.stop()
    await lose_state(showing)
    before = await commands(showing)
    await showing.call("replay", "--rebuild", "--yes")
    assert (await replayed(showing, "--restart"))["equal"]
    await showing.start()
    async with showing.connected() as (crm, _):
        await crm.execute("update shop.contacts set city = 'New' where email = $1", person(1).email)
    await showing.settled()
    assert await commands(showing) == before + 1
    await showing.nothing_lost_or_doubled()


async def lose_state(showing: Showing) -> None:
    await broker.delete({"bootstrap_servers": showing.bootstrap}, [Topics(showing.pipeline).state("merge", "contact")])


async def commands(showing: Showing) -> int:
    """How many commands there ever were."""
    consumer = AIOKafkaConsumer(bootstrap_servers=showing.bootstrap)
    await consumer.start()
    try:
        names = [Topics(showing.pipeline).commands(system) for system in ("crm", "erp")]
        sources = [TopicPartition(name, number) for name in names for number in range(4)]
        return sum((await consumer.end_offsets(sources)).values())
    finally:
        await consumer.stop()


HR = """\
      hr:
        table: public.people
        map: {email: email, name: full_name, phone: phone}
"""


async def test_a_system_that_is_added_later_gets_every_record(
    showing: Showing, new_database: Callable[[str], Awaitable[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    await lived(showing)
    await showing.stop()
    dsn = await new_database("hr")
    monkeypatch.setenv("HR_DSN", dsn)
    hr = await asyncpg.connect(dsn)
    try:
        await hr.execute("create table people (id serial primary key, email text not null, full_name text, phone text)")
        await hr.execute("insert into people (email, full_name) values ($1, 'Own Name')", person(1).email)
        path = showing.folder / "duplex.yaml"
        systems = '  erp: {connector: postgres, dsn: "${env:ERP_DSN}"}\n'
        text = path.read_text().rstrip() + "\n" + HR
        path.write_text(text.replace(systems, systems + systems.replace("erp", "hr").replace("ERP", "HR")))
        await showing.call("apply")
        await showing.start()
        count = "select count(*) from people"
        await eventually(lambda: _is(hr, count, 300), timeout_s=90, message="records are missing in hr")
        assert await hr.fetchval("select count(distinct email) from people") == 300
        phone = "select phone from people where email = $1"
        assert await hr.fetchval(phone, person(2).email) == person(2).phone
        await showing.settled()
    finally:
        await hr.close()
    assert (await replayed(showing))["equal"]


async def _is(connection: asyncpg.Connection, query: str, wanted: int) -> bool:
    return bool(await connection.fetchval(query) == wanted)
