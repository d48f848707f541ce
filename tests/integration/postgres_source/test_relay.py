"""The relay on a real database: nothing missing, in order, whatever commits when."""

import asyncio
import random

import asyncpg

from schemas.messages import Change
from tests.integration.postgres_source.conftest import CONTACT, CONTACTS, MakePlace, Place, image, spec
from tests.waiting import eventually

INSERT = "insert into contacts select n, 'n' || n from generate_series($1::int, $2::int) n"


async def low_mark(place: Place) -> int:
    return int(await place.session.fetchval("select low_mark from duplex.source"))


async def settled(place: Place, mark: int) -> None:
    async def reached() -> bool:
        return await low_mark(place) >= mark

    await eventually(reached, 10.0, f"the low mark reaches {mark}")


async def test_change_says_everything(make_place: MakePlace) -> None:
    place = await make_place()
    async with place.reading() as reader:
        await place.session.execute("insert into contacts values (1, 'Ada', 'Ulm')")
        await place.session.execute("update contacts set town = 'Bonn'")
        _, change = await reader.until(2)
    assert (change.system, change.entity, change.table, change.op) == ("crm", "contact", "public.contacts", "u")
    assert (image(change, "before")["town"], image(change)["town"]) == ("Ulm", "Bonn")
    source = await place.session.fetchrow("select * from duplex.source")
    assert change.incarnation == source["incarnation"]
    at_us = await place.session.fetchval("select extract(epoch from clock_timestamp()) * 1000000")
    assert 0 <= at_us - change.ts_us < 60_000_000
    assert change.transaction > 0 and change.types and change.origin is None


async def test_echo_carries_its_origin(make_place: MakePlace) -> None:
    place = await make_place()
    async with place.reading() as reader:
        await place.session.execute(
            "insert into duplex.change_log (entity, op, local_id, command, record_id, hop, outcome, error)"
            " values ('contact', 'u', '[1]', 'r/crm/1', 'r', 1, 'failed', 'no')"
        )
        origin = (await reader.until(1))[0].origin
    assert origin is not None
    assert (origin.command, origin.record_id, origin.hop, origin.outcome, origin.error) == (
        "r/crm/1",
        "r",
        1,
        "failed",
        "no",
    )


async def test_commit_behind_later_ones_is_published(make_place: MakePlace) -> None:
    place = await make_place()
    early = await asyncpg.connect(place.dsn)
    async with place.reading() as reader:
        held = early.transaction()
        await held.start()
        await early.execute(INSERT, 1, 3)
        await place.session.execute(INSERT, 4, 6)
        assert [change.local_id for change in await reader.until(3)] == ["[4]", "[5]", "[6]"]
        assert await low_mark(place) < 3
        await held.commit()
        assert [change.seq for change in await reader.until(6)] == [4, 5, 6, 1, 2, 3]
        await settled(place, 6)
    await early.close()


async def test_mark_passes_numbers_that_were_rolled_back(make_place: MakePlace) -> None:
    place = await make_place()
    async with place.reading() as reader:
        await place.session.execute("begin; insert into contacts values (1, 'a'); rollback")
        await place.session.execute(INSERT, 2, 2)
        await reader.until(1)
        await settled(place, 2)


async def test_transaction_that_writes_elsewhere_holds_nothing_up(make_place: MakePlace) -> None:
    place = await make_place(CONTACTS + "; create table other (id int)")
    idle = await asyncpg.connect(place.dsn)
    async with place.reading() as reader, idle.transaction():
        await idle.execute("insert into other values (1)")
        await place.session.execute(INSERT, 1, 5)
        await reader.until(5)
        await settled(place, 5)
    await idle.close()


async def write_randomly(dsn: str, writer: int, transactions: int) -> None:
    """Count up shared rows, with rollbacks and savepoints; each commit is one step of each row it touched."""
    chance = random.Random(writer)
    session = await asyncpg.connect(dsn)
    for _ in range(transactions):
        transaction = session.transaction()
        await transaction.start()
        for row in sorted(chance.sample(range(8), 2)):
            await session.execute("update counters set n = n + 1 where id = $1", row)
            if chance.random() < 0.2:
                await session.execute("savepoint s")
                await session.execute("update counters set n = n + 1000 where id = $1", row)
                await session.execute("rollback to s")
        await (transaction.rollback() if chance.random() < 0.2 else transaction.commit())
    await session.close()


COUNTERS = """
create table counters (id int primary key, n int not null);
insert into counters select g, 0 from generate_series(0, 7) g;
"""


async def test_many_writers_lose_nothing_and_keep_each_rows_order(make_place: MakePlace) -> None:
    place = await make_place(COUNTERS, spec("counter", "counters", "n"))
    async with place.reading() as reader:
        await asyncio.gather(*(write_randomly(place.dsn, writer, 40) for writer in range(20)))
        count = await place.session.fetchval("select sum(n) from counters")
        changes = await reader.until(count)
    steps: dict[str, list[int]] = {}
    for change in changes:
        steps.setdefault(change.local_id, []).append(image(change)["n"])
    assert all(seen == list(range(1, len(seen) + 1)) for seen in steps.values())
    assert len(changes) == count


async def test_restart_repeats_what_was_not_stored_and_omits_nothing(make_place: MakePlace) -> None:
    place = await make_place()
    async with place.reading() as reader:
        await place.session.execute(INSERT, 1, 5)
        await reader.until(5)
        await settled(place, 5)
    async with place.reading(acknowledge=False) as reader:
        await place.session.execute(INSERT, 6, 8)
        assert [change.seq for change in await reader.until(3)] == [6, 7, 8]
    assert await low_mark(place) == 5
    await place.session.execute(INSERT, 9, 9)
    async with place.reading() as reader:
        assert [change.seq for change in await reader.until(4)] == [6, 7, 8, 9]


async def test_backlog_greater_than_a_batch(make_place: MakePlace) -> None:
    place = await make_place(batch_rows=7)
    await place.session.execute(INSERT, 1, 100)
    async with place.reading() as reader:
        assert [change.seq for change in await reader.until(100)] == list(range(1, 101))
        await settled(place, 100)


async def test_second_relay_waits_for_the_first(make_place: MakePlace) -> None:
    place = await make_place()
    async with place.reading() as first:
        await place.session.execute(INSERT, 1, 1)
        await first.until(1)
        async with place.reading() as second:
            await place.session.execute(INSERT, 2, 2)
            await first.until(2)
            assert second.changes == []
            first_task = first.task
            assert first_task is not None
            first_task.cancel()
            await place.session.execute(INSERT, 3, 3)
            await eventually(lambda: "[3]" in [change.local_id for change in second.changes])


async def test_old_segments_are_dropped_and_new_ones_made(make_place: MakePlace) -> None:
    place = await make_place(segment_rows=50)

    async def dropped() -> bool:
        return bool(await place.session.fetchval("select min(first) >= 401 from duplex.segment"))

    async with place.reading() as reader:
        for start in range(1, 501, 100):
            await place.session.execute(INSERT, start, start + 99)
            await reader.until(start + 99)
            await settled(place, start + 99)
        await eventually(dropped, 30.0)
    assert [change.local_id for change in reader.changes] == [f"[{n}]" for n in range(1, 501)]


async def test_overflow_takes_what_no_segment_does_and_is_emptied(make_place: MakePlace) -> None:
    place = await make_place(segment_rows=16)
    await place.session.execute(INSERT, 1, 1000)
    assert await place.session.fetchval("select count(*) from duplex.change_log_overflow") > 900
    async with place.reading() as reader:
        await reader.until(1000)

        async def emptied() -> bool:
            return bool(await place.session.fetchval("select count(*) = 0 from duplex.change_log_overflow"))

        await eventually(emptied, 10.0)
        await place.session.execute(INSERT, 1001, 1010)
        assert len({change.seq for change in await reader.until(1010)}) == 1010


async def test_another_server_begins_a_new_incarnation(make_place: MakePlace) -> None:
    place = await make_place()
    before = await place.session.fetchval("update duplex.source set timeline = timeline + 1 returning incarnation")
    async with place.reading() as reader:
        await place.session.execute(INSERT, 1, 1)
        assert (await reader.until(1))[0].incarnation > before


def ids(changes: list[Change], op: str) -> list[str]:
    return [change.local_id for change in changes if change.op == op]


async def test_entities_that_left_the_project_are_passed_over(make_place: MakePlace) -> None:
    place = await make_place(CONTACTS + "; create table other (id int primary key)", CONTACT, spec("other", "other"))
    place.specs = (CONTACT,)
    async with place.reading() as reader:
        await place.session.execute("insert into other values (1)")
        await place.session.execute(INSERT, 1, 1)
        await settled(place, 2)
        assert ids(reader.changes, "c") == ["[1]"] and reader.changes[0].entity == "contact"
