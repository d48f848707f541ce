"""What is wrong in one place stays in that place, is said, and loses nothing elsewhere."""

import json
from typing import Any

from duplex import broker
from duplex.demo.people import person
from schemas.topics import Topics
from tests.acceptance.showings import Showing
from tests.waiting import eventually


async def status(showing: Showing) -> dict[str, Any]:
    return json.loads(await showing.call("status", "--json", accepted=(0, 1)))  # type: ignore[no-any-return]


async def edit_arrives(showing: Showing, number: int, phone: str) -> None:
    async with showing.connected() as (crm, erp):
        await crm.execute("update shop.contacts set phone = $2 where email = $1", person(number).email, phone)

        async def arrived() -> bool:
            query = "select tel from shop.customers where mail = $1"
            return bool(await erp.fetchval(query, person(number).email) == phone)

        await eventually(arrived, timeout_s=90, message=f"the edit of {person(number).email} did not arrive")


async def test_bytes_that_are_no_message_become_dead_letters_and_nothing_waits(showing: Showing) -> None:
    await showing.start()
    await showing.settled()
    topics, kafka = Topics(showing.pipeline), {"bootstrap_servers": showing.bootstrap}
    spoilt = (topics.changes("crm", "contact"), topics.records("contact"), topics.commands("erp"))
    async with broker.producer(kafka) as producer:
        for topic in spoilt:
            for partition in range(topics.partitions):
                await producer.send_and_wait(topic, b"not a message", key=b"k", partition=partition)
    await edit_arrives(showing, 3, "after the noise")

    async def all_there() -> bool:
        tail = await showing.call("topic", "tail", "deadletters", "--from-beginning", "--no-follow", "--json")
        found = [json.loads(line) for line in tail.splitlines()]
        origins = {one["headers"]["__connect.errors.topic"] for one in found if one["value"] == "not a message"}
        return origins == set(spoilt) and len(found) == len(spoilt) * topics.partitions

    await eventually(all_there, timeout_s=90, message="not every spoilt message is in the dead letters")


async def test_a_row_that_a_constraint_refuses_holds_up_no_other_and_comes_when_it_fits(showing: Showing) -> None:
    async with showing.connected() as (_, erp):
        await erp.execute("alter table shop.customers add constraint short check (length(full_name) < 30)")
    await showing.start()
    await showing.settled()
    async with showing.connected() as (crm, _):
        rename = "update shop.contacts set last_name = $2 where email = $1"
        await crm.execute(rename, person(3).email, "of a very very long name indeed")
        await edit_arrives(showing, 4, "not held up")
        await eventually(lambda: refused(showing), timeout_s=90, message="status does not show the refusal")
        await crm.execute(rename, person(3).email, "Short")
    await showing.settled()
    await showing.nothing_lost_or_doubled()


async def refused(showing: Showing) -> bool:
    return "short" in json.dumps(await status(showing))


async def test_a_table_dropped_while_running_is_said_within_a_minute(showing: Showing) -> None:
    await showing.start()
    await showing.settled()
    async with showing.connected() as (_, erp):
        await erp.execute("drop table shop.customers")
    log = showing.folder / "run.log"
    await eventually(
        lambda: "shop.customers" in log.read_text(), timeout_s=60, message="the log does not name the dropped table"
    )
    assert "shop.customers" in json.dumps(await status(showing))


async def test_lost_topics_are_made_again_and_everything_is_read_anew(showing: Showing) -> None:
    await showing.start()
    await showing.settled()
    await showing.stop()
    topics, kafka = Topics(showing.pipeline), {"bootstrap_servers": showing.bootstrap}
    await broker.delete(kafka, [spec.name for spec in topics.all({"contact": ("crm", "erp")})])
    assert "every row of contact will be read" in await showing.call("apply")
    await showing.start()
    await edit_arrives(showing, 3, "after the loss")
    await showing.settled()
