"""The initial load: every row, beside writers, never in front of what the log says."""

from schemas.messages import Change
from tests.integration.postgres_source.conftest import CONTACTS, MakePlace, Place, image, spec
from tests.waiting import eventually

FILL = "insert into contacts select n, 'n' || n from generate_series(1, 300) n"


async def filled(make_place: MakePlace, **options: int) -> Place:
    """A place whose rows were there before capture was."""
    return await make_place(CONTACTS + ";" + FILL, load_chunk_rows=32, **options)


async def done(place: Place) -> bool:
    return bool(await place.session.fetchval("select bool_and(done) from duplex.load"))


def merged(changes: list[Change]) -> dict[str, str | None]:
    """The rows as a reader knows them who drops whatever is not newer than the row's last."""
    rows: dict[str, tuple[int, str | None]] = {}
    for change in changes:
        if change.seq > rows.get(change.local_id, (-1, None))[0]:
            rows[change.local_id] = (change.seq, change.after)
    return {local_id: after for local_id, (_, after) in rows.items() if after is not None}


async def table(place: Place) -> dict[str, str]:
    found = await place.session.fetch("select '[' || id || ']' as id, row_to_json(c)::text as row from contacts c")
    return {row["id"]: row["row"] for row in found}


async def test_every_row_once_in_key_order(make_place: MakePlace) -> None:
    place = await filled(make_place)
    async with place.reading(loaded=False) as reader:
        *changes, end = await reader.until(301)
        await eventually(lambda: done(place))
    assert (end.op, end.entity) == ("l", "contact")
    assert [change.local_id for change in changes] == [f"[{n}]" for n in range(1, 301)]
    assert {change.op for change in changes} == {"r"} and image(changes[0])["name"] == "n1"
    async with place.reading(loaded=False) as reader:
        await place.session.execute("update contacts set name = 'x' where id = 1")
        assert [change.op for change in await reader.until(1)] == ["u"]


async def test_composite_and_text_keys_in_order(make_place: MakePlace) -> None:
    ddl = "create table t (a text, b int, primary key (a, b));"
    ddl += "insert into t select 'k' || n % 7, n from generate_series(1, 100) n"
    place = await make_place(ddl, spec("thing", "t"), load_chunk_rows=9)
    async with place.reading(loaded=False) as reader:
        changes = await reader.until(101)
        await eventually(lambda: done(place))
    assert [change.op for change in changes] == ["r"] * 100 + ["l"]
    assert len({change.local_id for change in changes[:-1]}) == 100


async def busy(place: Place) -> None:
    """Edit, delete and add rows while the load runs."""
    for step in range(60):
        await place.session.execute("update contacts set town = $1 where id % 60 = $2", f"t{step}", step)
        await place.session.execute("delete from contacts where id = $1", step * 5)
        await place.session.execute("insert into contacts values ($1, 'new')", 1000 + step)
        await place.session.execute("update contacts set id = id + 5000 where id = $1", step * 5 + 1)


async def test_rows_read_never_beat_the_log(make_place: MakePlace) -> None:
    place = await filled(make_place)
    async with place.reading(loaded=False) as reader:
        await busy(place)
        await eventually(lambda: done(place))
        last = await place.session.fetchval("select max(seq) from duplex.change_log")
        await eventually(lambda: any(change.seq == last for change in reader.changes))
    moved = {change.before_id for change in reader.changes if change.before_id}
    expected = await table(place)
    known = merged(reader.changes)
    assert {local_id: row for local_id, row in known.items() if local_id not in moved} == expected


async def test_load_goes_on_where_it_was_interrupted(make_place: MakePlace) -> None:
    place = await filled(make_place)
    async with place.reading(loaded=False, enough=128) as reader:
        await reader.until(128)

    async def stored() -> int:
        return int(await place.session.fetchval("select rows from duplex.load"))

    before = await stored()
    async with place.reading(loaded=False) as again:
        await eventually(lambda: done(place))
    assert before >= 32
    assert len(again.changes) == 300 - before + 1
    rows = [change for change in [*reader.changes, *again.changes] if change.op == "r"]
    assert {change.local_id for change in rows} == {f"[{n}]" for n in range(1, 301)}


async def test_log_comes_before_the_next_chunk(make_place: MakePlace) -> None:
    place = await filled(make_place)
    await place.session.execute("update contacts set town = 'Ulm' where id = 300")
    async with place.reading(loaded=False) as reader:
        changes = await reader.until(301)
    assert changes[0].op == "u"
