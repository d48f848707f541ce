"""Capture by whole statements: what its quick way cannot do is done by its slow one, and nothing differs in the log."""

import asyncpg
import msgspec
import pytest

from tests.integration.postgres_source.conftest import CONTACT, CONTACTS, MakePlace, Place, spec

THREE = "insert into contacts values (3, 'c', 'z'), (2, 'b', 'y'), (1, 'a', 'x')"
BY_ROW = {"!duplex_capture", "!duplex_truncate"}
BY_STATEMENT = BY_ROW | {"!duplex_insert", "!duplex_replica", "!duplex_stand_alone", "!duplex_update"}
TOUCH = """
create function touch() returns trigger language plpgsql as $$
begin update contacts set town = town || '!' where {condition}; return null; end $$;
create trigger "AA touch" after {event} on contacts for each row execute function touch();
"""


async def moves(place: Place, after: int = 3) -> list[tuple[str, str | None, str, str | None]]:
    """(op, id before, id, name afterwards) of the entries after the first ones."""
    return [
        (
            row["op"],
            row["before_id"],
            row["local_id"],
            msgspec.json.decode(row["after"])["name"] if row["after"] else None,
        )
        for row in await place.log()
        if row["seq"] > after
    ]


async def triggers(place: Place, table: str = "contacts") -> set[str]:
    query = "select tgname from pg_trigger where tgrelid = $1::regclass and starts_with(tgname, '!duplex')"
    return {row["tgname"] for row in await place.session.fetch(query, table)}


async def last_images(place: Place) -> list[str]:
    """The row as its last entry has it, of every row."""
    last = {row["local_id"]: row["after"] for row in await place.log()}
    return sorted(image for image in last.values() if image is not None)


async def rows(place: Place) -> list[str]:
    return sorted(row[0] for row in await place.session.fetch("select row_to_json(c)::text from contacts c"))


CHANGED_KEYS: dict[str, tuple[str, list[tuple[str | None, str, str]]]] = {
    "moved": ("update contacts set id = id + 10", [("[3]", "[13]", "c"), ("[2]", "[12]", "b"), ("[1]", "[11]", "a")]),
    "shifted": ("update contacts set id = id + 1", [("[3]", "[4]", "c"), ("[2]", "[3]", "b"), ("[1]", "[2]", "a")]),
    "some": (
        "update contacts set id = case id when 2 then 9 else id end, name = name || '!'",
        [(None, "[3]", "c!"), ("[2]", "[9]", "b!"), (None, "[1]", "a!")],
    ),
}


@pytest.mark.parametrize("case", CHANGED_KEYS)
async def test_rows_whose_keys_change_are_paired_with_themselves(make_place: MakePlace, case: str) -> None:
    statement, expected = CHANGED_KEYS[case]
    place = await make_place()
    await place.session.execute(THREE)
    await place.session.execute(statement)
    assert await moves(place) == [("u", *one) for one in expected]
    await place.session.execute("update contacts set town = 'w'")
    assert len(await place.log()) == 9


MERGES = {
    "deleted and inserted": (
        "merge into contacts c using (values (1, 1), (1, null)) s (id, known) on c.id = s.known"
        " when matched then delete when not matched then insert values (s.id, 'new')",
        [("d", None, "[1]", None), ("c", None, "[1]", "new")],
    ),
    "moved and inserted": (
        "merge into contacts c using (values (1, 1), (1, null)) s (id, known) on c.id = s.known"
        " when matched then update set id = 9 when not matched then insert values (s.id, 'new')",
        [("u", "[1]", "[9]", "a"), ("c", None, "[1]", "new"), ("c", None, "[1]", "new")],
    ),
    "inserted by what moves on": (
        "with i as (insert into contacts values (1, 'new') returning 0 as id)"
        " update contacts c set id = 9 from (select 1 as id union all select id from i) s where c.id = s.id",
        [("c", None, "[1]", "new"), ("u", "[1]", "[9]", "a"), ("c", None, "[1]", "new")],
    ),
    "inserted by what deletes": (
        "with i as (insert into contacts values (1, 'new') returning 0 as id)"
        " delete from contacts c using (select 1 as id union all select id from i) s where c.id = s.id",
        [("d", None, "[1]", None), ("c", None, "[1]", "new")],
    ),
}


@pytest.mark.parametrize("case", MERGES)
async def test_a_key_given_up_and_taken_in_one_statement_ends_taken(make_place: MakePlace, case: str) -> None:
    statement, expected = MERGES[case]
    place = await make_place()
    await place.session.execute(THREE)
    await place.session.execute(statement)
    assert await moves(place) == expected


@pytest.mark.parametrize("condition", ["id > new.id and pg_trigger_depth() = 1", "id = new.id and town !~ '!!!'"])
@pytest.mark.parametrize("event", ["insert or update", "update"])
async def test_triggers_made_since_may_write_as_deep_as_they_like(
    make_place: MakePlace, event: str, condition: str
) -> None:
    place = await make_place()
    await place.session.execute(TOUCH.format(event=event, condition=condition))
    assert await triggers(place) == BY_STATEMENT
    await place.session.execute(THREE)
    await place.session.execute("update contacts set name = upper(name)")
    await place.session.execute("update contacts set name = 'q', id = id + 10 where id = 2")
    current = await rows(place)
    last = {row["local_id"]: row["after"] for row in await place.log() if row["local_id"] != "[2]"}
    assert sorted(last.values()) == current


async def test_writes_of_another_tables_triggers_are_captured(make_place: MakePlace) -> None:
    other = (
        "create table other (id int primary key); create function f() returns trigger language plpgsql as $$"
        " begin update contacts set name = new.id::text; update contacts set town = 'w'; return null; end $$;"
        "create trigger f after insert on other for each row execute function f(); "
    )
    place = await make_place(CONTACTS + ";" + other)
    await place.session.execute(THREE)
    await place.session.execute("insert into other values (7), (8)")
    assert len(await place.log()) == 3 + 3 * 3
    assert await last_images(place) == await rows(place)


SETTINGS = "select current_setting('timezone') || current_setting('datestyle') || current_setting('bytea_output')"


@pytest.mark.parametrize("local", ["", "local "])
async def test_a_sessions_settings_stay_its_own(make_place: MakePlace, local: str) -> None:
    ddl = "create table t (id int primary key, at timestamptz, data bytea, during tstzrange)"
    place = await make_place(ddl, spec("thing", "t", "at"))
    async with place.session.transaction():
        for one in ("timezone = 'Asia/Kolkata'", "datestyle = 'German'", "bytea_output = 'escape'"):
            await place.session.execute(f"set {local}{one}")
        before = await place.session.fetchval(SETTINGS)
        await place.session.execute(
            "insert into t values (1, '2026-01-01 00:00Z', 'a', '[2026-01-01 00:00Z,)'); update t set id = 2;"
        )
        assert await place.session.fetchval(SETTINGS) == before
    assert (await place.session.fetchval(SETTINGS) == before) is not bool(local)
    image = '{"id":%d,"at":"2026-01-01T00:00:00+00:00","data":"\\\\x61","during":"[\\"2026-01-01 00:00:00+00\\",)"}'
    assert [row["after"] for row in await place.log()] == [image % 1, image % 2]


async def test_a_plan_made_for_one_row_serves_many(make_place: MakePlace) -> None:
    place = await make_place()
    await place.session.execute("insert into contacts values (0, 'n', 't')")
    await place.session.execute("update contacts set name = 'm'")
    await place.session.execute("insert into contacts select n, 'n', 't' from generate_series(1, 20000) n")
    await place.session.execute("update contacts set town = town || id", timeout=20)
    assert await place.session.fetchval("select count(*) from duplex.change_log where op = 'u'") == 20_002


async def test_no_name_of_a_column_is_in_the_way(make_place: MakePlace) -> None:
    names = ("k1", "k2", "image", "place", "!missing", "old", "new", "o", "n", "found", "tg_relid", "!pair")
    columns = ", ".join(f'"{name}" int' for name in names)
    key = ", ".join(f'"{name}"' for name in names)
    place = await make_place(f"create table t ({columns}, primary key ({key}))", spec("thing", "t"))
    await place.session.execute("insert into t values (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12)")
    await place.session.execute('update t set "!missing" = 0, k2 = 1')
    last = (await place.log())[-1]
    assert last["before_id"] == "[1,2,3,4,5,6,7,8,9,10,11,12]"
    assert last["local_id"] == "[1,1,3,4,0,6,7,8,9,10,11,12]"


CHANGED_TABLES = {
    "key of another type": "alter table contacts alter id type bigint",
    "key of text": "alter table contacts alter id type text",
    "another column": "alter table contacts add at timestamptz",
    "one less": "alter table contacts drop town",
}


@pytest.mark.parametrize("case", CHANGED_TABLES)
async def test_a_table_may_change_under_an_open_session(make_place: MakePlace, case: str) -> None:
    place = await make_place()
    other = await asyncpg.connect(place.dsn)
    await place.session.execute(THREE + "; update contacts set name = 'm'")
    await other.execute(CHANGED_TABLES[case])
    await place.session.execute("update contacts set name = 'n'")
    await place.session.execute("insert into contacts (id, name) values ('4', 'd')")
    await other.close()
    assert len(await place.log()) == 10
    assert set(await rows(place)) <= set(await last_images(place))


FORMS = {
    "heir": ("create table base (); create table contacts (id int primary key, name text) inherits (base)", BY_ROW),
    "ancestor": (CONTACTS + "; create table heir () inherits (contacts)", BY_ROW),
    "own row triggers": (CONTACTS + ";" + TOUCH.format(event="update", condition="false"), BY_ROW),
    "own statement triggers": (
        CONTACTS + ";" + TOUCH.format(event="insert", condition="false").replace("each row", "each statement"),
        BY_STATEMENT,
    ),
}


@pytest.mark.parametrize("case", FORMS)
async def test_the_form_follows_the_table(make_place: MakePlace, case: str) -> None:
    ddl, expected = FORMS[case]
    place = await make_place(ddl, spec("contact", "contacts", "name"))
    assert await triggers(place) == expected
    assert await place.connector.check(place.specs) == []
    await place.session.execute("insert into contacts (id, name) values (1, 'a'); update contacts set name = 'b'")
    assert await moves(place, 0) == [("c", None, "[1]", "a"), ("u", None, "[1]", "b")]


async def test_applying_again_brings_a_table_from_one_form_to_the_other(make_place: MakePlace) -> None:
    place = await make_place()
    await place.session.execute("create table heir () inherits (contacts)")
    assert await place.connector.install([CONTACT]) == ["put back 1 triggers on table public.contacts"]
    assert await triggers(place) == BY_ROW and await place.connector.check([CONTACT]) == []
    await place.session.execute("drop table heir")
    assert await place.connector.install([CONTACT]) == ["put back 5 triggers on table public.contacts"]
    assert await triggers(place) == BY_STATEMENT and await place.connector.check([CONTACT]) == []
    assert await place.connector.install([CONTACT]) == []


async def test_replicas_write_row_by_row_and_once(make_place: MakePlace) -> None:
    place = await make_place()
    await place.session.execute("set session_replication_role = replica")
    await place.session.execute(THREE + "; update contacts set name = 'q'; delete from contacts where id = 1")
    ops = [row["op"] for row in await place.log()]
    assert ops == ["c"] * 3 + ["u"] * 3 + ["d"]


async def test_all_triggers_enabled_alike_enter_nothing_twice(make_place: MakePlace) -> None:
    place = await make_place()
    await place.session.execute("alter table contacts disable trigger all; alter table contacts enable trigger all")
    await place.session.execute(THREE + "; update contacts set name = 'q'; delete from contacts where id = 1")
    assert [row["op"] for row in await place.log()] == ["c"] * 3 + ["u"] * 3 + ["d"]
    assert await place.connector.install([CONTACT]) == ["put back 4 triggers on table public.contacts"]


async def test_what_was_installed_row_by_row_goes_on_and_is_brought_to_the_new_form(make_place: MakePlace) -> None:
    place = await make_place()
    names = "array['!duplex_insert', '!duplex_update', '!duplex_replica', '!duplex_stand_alone']"
    await place.session.execute(
        f"select duplex.drop_triggers('contacts'::regclass, {names});"
        "select duplex.put_trigger('contacts'::regclass, '!duplex_capture', 29, 'A', 'capture_1', 'table')"
    )
    assert await place.connector.check([CONTACT]) == []
    await place.session.execute("insert into contacts values (1, 'a'); update contacts set name = 'b'")
    assert await moves(place, 0) == [("c", None, "[1]", "a"), ("u", None, "[1]", "b")]
    assert await place.connector.install([CONTACT]) == ["put back 5 triggers on table public.contacts"]
    assert await triggers(place) == BY_STATEMENT


PARENTS = {
    "partition": "create table p (like contacts) partition by range (id);"
    " alter table p attach partition contacts default",
    "heir": "create table p (id int, name text, town text); alter table contacts inherit p",
}


@pytest.mark.parametrize("case", PARENTS)
async def test_no_parent_is_given_whose_statements_would_not_be_seen(make_place: MakePlace, case: str) -> None:
    place = await make_place()
    with pytest.raises(asyncpg.PostgresError, match='"!duplex_stand_alone" prevents table "contacts" from becoming'):
        await place.session.execute(PARENTS[case])
    await place.connector.uninstall()
    await place.session.execute(PARENTS[case])
