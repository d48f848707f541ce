"""The record log folded again on the real program: by the same rules, by others, and into a state that was lost."""

import asyncio
import json
import shutil
import signal
from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from duplex import broker
from duplex.demo.people import person
from schemas.topics import Topics
from tests.acceptance.showings import Showing, ended
from tests.waiting import eventually

CLASHES, OTHERS = range(140, 155), range(155, 170)
# People whose phones are the same on both sides from the beginning.
EARLIER, LATER = range(173, 176), range(177, 180)
ATTEMPTS = 5
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
async def test_a_part_of_the_log_and_of_the_records_is_shown_alone(shared: Showing) -> None:
    await clash(shared, EARLIER)
    await shared.settled()
    between = datetime.now(UTC).isoformat()
    await clash(shared, LATER)
    await shared.settled()
    earlier, later = await clashed_records(shared, EARLIER), await clashed_records(shared, LATER)
    rules, where = ("--rules", other_rules(shared)), f"record.email in {emails((*EARLIER, *LATER))}"
    assert await otherwise(shared, *rules, "--where", where, "--from", between) == later
    assert await otherwise(shared, *rules, "--where", where, "--to", between) == earlier
    one = min(later)
    found = await replayed(shared, *rules, "--key", one)
    assert [change["record_id"] for change in found["records"]] == [one]
    assert len(found["partitions"]) == 1


async def clashed_records(showing: Showing, numbers: Iterable[int]) -> set[str]:
    """The records of these people, as far as their two edits met: nearly all."""
    past, theirs = await showing.history(), emails(numbers)
    rows = {one.record_id: json.loads(one.change.after or "{}") for one in past.changes}
    clashed = {one.record_id for one in past.conflicts.values() if one.field == "phone"}
    found = {record for record in clashed if {rows[record].get("email"), rows[record].get("mail")} & {*theirs}}
    assert found
    return found


def emails(numbers: Iterable[int]) -> list[str]:
    return [person(number).email for number in numbers]


async def otherwise(showing: Showing, *words: str) -> set[str]:
    """The records whose values would be other ones."""
    return {change["record_id"] for change in (await replayed(showing, *words))["records"] if change["fields"]}


@on_the_shared_one
async def test_a_fold_that_was_stopped_goes_on_where_it_was(shared: Showing) -> None:
    await interrupted(shared, "replay", "--json")
    output, said, code = await ended(await shared.begun("replay", "--json"))
    first, *_, last = json.loads(output)["partitions"]
    assert (code, json.loads(output)["equal"]) == (0, True)
    assert f"contact/0: taken up at offset {first['position']}" in said
    assert (first["events"], last["events"]) == (0, last["position"])


async def interrupted(showing: Showing, *words: str) -> None:
    """Ctrl-C when the first partition is folded and the last is not; once more where it came too late."""
    kept = showing.folder / ".duplex" / "replay"
    for _ in range(ATTEMPTS):
        shutil.rmtree(kept, ignore_errors=True)
        if await _interrupted(await showing.begun(*words), kept):
            return
    pytest.fail(f"the fold was over before it was stopped, {ATTEMPTS} times")


async def _interrupted(process: asyncio.subprocess.Process, kept: Path) -> bool:
    await eventually(lambda: process.returncode is not None or is_folded(kept, 0), timeout_s=90)
    if process.returncode is None:
        process.send_signal(signal.SIGINT)
    _, said, code = await ended(process)
    assert "Traceback" not in said
    return code != 0 and not is_folded(kept, 3)


def is_folded(kept: Path, partition: int) -> bool:
    return any(kept.glob(f"*.{partition}.state"))


@on_the_shared_one
async def test_rules_that_the_log_cannot_follow_are_refused_with_their_place(shared: Showing) -> None:
    text = (shared.folder / "duplex.yaml").read_text()
    wrong = shared.folder / "wrong.yaml"
    wrong.write_text(text.replace("phone: phone", "phone: mobile"))
    line = next(number for number, words in enumerate(wrong.read_text().splitlines(), 1) if "mobile" in words)
    output, said, code = await ended(await shared.begun("replay", "--rules", str(wrong)))
    assert (output, code) == ("", 2)
    assert f"wrong.yaml:{line}:" in said
    assert "entities.contact.systems.crm.map.phone: shop.contacts of crm has no column mobile" in said


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
