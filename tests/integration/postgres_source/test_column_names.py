"""Tables whose columns are named as the capture names things of its own: nothing is taken for something else."""

from typing import Any

import msgspec
import pytest

from tests.integration.postgres_source.conftest import MakePlace, Place, image, spec
from tests.waiting import eventually

NAMES = ("t", "before", "after", "new", "old", "seq", "image", "n", "o", "k1", "local_id", "relation", "operation")
KEYS = ["id", "t", "old", "image, seq"]


def table(key: str) -> str:
    """A table of texts with all these columns, and two rows."""
    columns = ", ".join(f'"{name}" text' for name in ("id", *NAMES))
    rows = ", ".join("(" + ", ".join(f"'{name}{row}'" for name in ("id", *NAMES)) + ")" for row in (1, 2))
    return f"create table things ({columns}, primary key ({key})); insert into things values {rows}"


def whole(row: int, **other: str) -> dict[str, str]:
    return {name: f"{name}{row}" for name in ("id", *NAMES)} | other


def key_of(key: str, row: int, **other: str) -> str:
    return msgspec.json.encode([whole(row, **other)[name] for name in key.split(", ")]).decode()


async def captured(make_place: MakePlace, key: str) -> Place:
    return await make_place(table(key), spec("thing", "things", *NAMES))


async def entries(place: Place, *statements: str) -> list[tuple[Any, ...]]:
    """What these statements, one transaction, left in the log: op, local id, images before and after."""
    async with place.session.transaction():
        for statement in statements:
            await place.session.execute(statement)
    return [
        (one["op"], one["local_id"], *(one[side] and msgspec.json.decode(one[side]) for side in ("before", "after")))
        for one in await place.log()
    ]


@pytest.mark.parametrize("key", KEYS)
async def test_the_load_reads_whole_rows_chunk_by_chunk(make_place: MakePlace, key: str) -> None:
    place = await make_place(table(key), spec("thing", "things", *NAMES), load_chunk_rows=1)
    async with place.reading(loaded=False) as reader:
        first, second, _ = await reader.until(3)
        await eventually(lambda: place.session.fetchval("select bool_and(done) from duplex.load"))
    assert [image(first), image(second)] == [whole(1), whole(2)]
    assert [first.local_id, second.local_id] == [key_of(key, 1), key_of(key, 2)]


async def test_a_plan_reads_whole_rows(make_place: MakePlace) -> None:
    place = await captured(make_place, "id")
    found = [msgspec.json.decode(row) async for rows in place.connector.rows(place.specs[0]) for row in rows]
    assert found == [whole(1), whole(2)]


@pytest.mark.parametrize("key", KEYS)
async def test_edits_are_entered_whole(make_place: MakePlace, key: str) -> None:
    place = await captured(make_place, key)
    found = await entries(
        place,
        "update things set n = 'x' where n = 'n1'",
        "delete from things where n = 'x'",
        'insert into things (select (jsonb_populate_record(t.*, \'{"id": "id3", "t": "t3", "old": "old3", '
        '"image": "image3"}\')).* from things t)',
    )
    made = whole(2, id="id3", t="t3", old="old3", image="image3")
    assert found[:2] == [
        ("u", key_of(key, 1), whole(1), whole(1, n="x")),
        ("d", key_of(key, 1), whole(1, n="x"), None),
    ]
    assert found[2:] == [("c", key_of(key, 2, id="id3", t="t3", old="old3", image="image3"), None, made)]


@pytest.mark.parametrize("key", KEYS)
async def test_a_truncate_says_which_rows_it_took(make_place: MakePlace, key: str) -> None:
    place = await captured(make_place, key)
    rows = [("d", key_of(key, row), whole(row), None) for row in (1, 2)]
    assert await entries(place, "truncate things") == [*rows, ("t", "[]", None, None)]


SHOUTING = """
create function shout() returns trigger language plpgsql as $$ begin
    update things set after = upper(after) where id = new.id;
    return null;
end $$;
create trigger shouting after update of n on things for each row execute function shout()
"""


@pytest.mark.parametrize("key", KEYS)
async def test_a_row_that_a_trigger_wrote_as_well_is_shown_as_it_is(make_place: MakePlace, key: str) -> None:
    place = await make_place(f"{table(key)}; {SHOUTING}", spec("thing", "things", *NAMES))
    found = await entries(place, "update things set n = 'x' where id = 'id1'", "update things set o = 'y'")
    shown = {local_id: after for _, local_id, _, after in found}
    assert shown[key_of(key, 1)] == whole(1, n="x", o="y", after="AFTER1")
    assert shown[key_of(key, 2)] == whole(2, o="y")
