"""What the triggers write to the log, statement by statement."""

import asyncpg
import msgspec
import pytest

from tests.integration.postgres_source.conftest import CONTACTS, MakePlace, Place, spec

ROW = "insert into contacts values (1, 'Ada', 'Ulm')"


async def entries(place: Place) -> list[tuple[str, str, str | None]]:
    """(op, local id, name afterwards) of every entry."""
    return [
        (row["op"], row["local_id"], msgspec.json.decode(row["after"])["name"] if row["after"] else None)
        for row in await place.log()
    ]


CASES = {
    "insert": ([ROW], [("c", "[1]", "Ada")]),
    "update": ([ROW, "update contacts set name = 'Eva'"], [("c", "[1]", "Ada"), ("u", "[1]", "Eva")]),
    "delete": ([ROW, "delete from contacts"], [("c", "[1]", "Ada"), ("d", "[1]", None)]),
    "no-op": ([ROW, "update contacts set name = 'Ada'"], [("c", "[1]", "Ada")]),
    "key change": ([ROW, "update contacts set id = 2"], [("c", "[1]", "Ada"), ("u", "[2]", "Ada")]),
    "upsert": (
        [ROW, "insert into contacts values (1, 'Eva') on conflict (id) do update set name = excluded.name"],
        [("c", "[1]", "Ada"), ("u", "[1]", "Eva")],
    ),
    "do nothing": ([ROW, "insert into contacts values (1, 'Eva') on conflict do nothing"], [("c", "[1]", "Ada")]),
    "savepoint": (
        [f"begin; {ROW}; savepoint s; update contacts set name = 'Eva'; rollback to s; commit"],
        [("c", "[1]", "Ada")],
    ),
    "rollback": ([f"begin; {ROW}; rollback"], []),
    "truncate": ([ROW, "truncate contacts"], [("c", "[1]", "Ada"), ("d", "[1]", None), ("t", "[]", None)]),
    "replica role": ([f"begin; set local session_replication_role = replica; {ROW}; commit"], [("c", "[1]", "Ada")]),
    "hostile search path": (
        [
            "create schema evil; create domain evil.text as int",
            f"set search_path = evil, public; {ROW}; reset all",
        ],
        [("c", "[1]", "Ada")],
    ),
    "renamed key": (
        [ROW, "alter table contacts rename id to number", "update contacts set name = 'Eva'", "truncate contacts"],
        [("c", "[1]", "Ada"), ("u", "[1]", "Eva"), ("d", "[1]", None), ("t", "[]", None)],
    ),
    "renamed table": (
        [ROW, "alter table contacts rename to people", "update people set name = 'Eva'"],
        [("c", "[1]", "Ada"), ("u", "[1]", "Eva")],
    ),
    "new column": (
        [ROW, "alter table contacts add extra json", "update contacts set extra = '{}'"],
        [("c", "[1]", "Ada"), ("u", "[1]", "Ada")],
    ),
}


@pytest.mark.parametrize("case", CASES)
async def test_statements_leave_these_entries(make_place: MakePlace, case: str) -> None:
    statements, expected = CASES[case]
    place = await make_place()
    for one in statements:
        await place.session.execute(one)
    assert await entries(place) == expected


async def test_key_change_is_one_entry_with_both_ids(make_place: MakePlace) -> None:
    place = await make_place()
    await place.session.execute(ROW)
    await place.session.execute("update contacts set id = 2, name = 'Eva'")
    last = (await place.log())[-1]
    assert (last["op"], last["before_id"], last["local_id"]) == ("u", "[1]", "[2]")
    assert msgspec.json.decode(last["before"]) == {"id": 1, "name": "Ada", "town": "Ulm"}


async def test_copy_is_captured(make_place: MakePlace) -> None:
    place = await make_place()
    await place.session.copy_records_to_table("contacts", records=[(n, f"n{n}", None) for n in range(500)])
    assert [row["local_id"] for row in await place.log()] == [f"[{n}]" for n in range(500)]


async def test_composite_key_is_compact_json_in_key_order(make_place: MakePlace) -> None:
    ddl = 'create table "Odd ""Name" (a int, "b c" text, name text, primary key ("b c", a))'
    place = await make_place(ddl, spec("part", '"Odd ""Name"', "name"))
    await place.session.execute('insert into "Odd ""Name" values (7, $1, null)', 'é"\n\x1f')
    row = (await place.log())[0]
    assert row["local_id"] == msgspec.json.encode(['é"\n\x1f', 7]).decode()


TYPES = {
    "numeric": ("123456789012345678901234567890.1200", "123456789012345678901234567890.1200"),
    "timestamptz": ("2026-01-02 03:04:05.123456+02", '"2026-01-02T01:04:05.123456+00:00"'),
    "timestamp": ("2026-01-02 03:04:05.1", '"2026-01-02T03:04:05.1"'),
    "date": ("2026-01-02", '"2026-01-02"'),
    "bytea": (r"\x00ff", r'"\\x00ff"'),
    "jsonb": ('{"b": 1.50, "a": "\\u00e9"}', '{"a": "é", "b": 1.50}'),
    "json": ('{"b":1}', '{"b":1}'),
    "integer[]": ("{1,null,3}", "[1,null,3]"),
    "interval": ("1 day 02:00", '"1 day 02:00:00"'),
    "float8": ("0.1", "0.1"),
    "boolean": ("t", "true"),
    "uuid": ("6b1d1e0c-8a0b-5a56-9d4e-2f0c7d5b3a11", '"6b1d1e0c-8a0b-5a56-9d4e-2f0c7d5b3a11"'),
    "tstzrange": ("[2026-01-02 00:00+02,)", r'"[\"2026-01-01 22:00:00+00\",)"'),
    "money": ("1.5", '"$1.50"'),
    "point": ("(1,2)", '"(1,2)"'),
}


@pytest.mark.parametrize("type_name", TYPES)
async def test_values_are_written_alike_whatever_the_session_says(make_place: MakePlace, type_name: str) -> None:
    written, expected = TYPES[type_name]
    place = await make_place(f"create table t (id int primary key, v {type_name})", spec("thing", "t", "v"))
    await place.session.execute(
        "set timezone = 'Asia/Kolkata'; set datestyle = 'German'; set bytea_output = 'escape';"
        " set intervalstyle = 'sql_standard'; set extra_float_digits = -5"
    )
    await place.session.execute("set lc_monetary = 'C'")
    await place.session.execute(f"insert into t values (1, $q${written}$q$)")
    text = (await place.log())[0]["after"]
    assert text == '{"id":1,"v":' + (expected if type_name != "money" else text[12:-1]) + "}"
    await place.session.execute("update t set v = v")
    assert len(await place.log()) == 1


async def test_stored_generated_columns_are_in_the_image(make_place: MakePlace) -> None:
    ddl = "create table t (id int primary key, a int, b int generated always as (a * 2) stored)"
    place = await make_place(ddl, spec("thing", "t", "a", "b"))
    await place.session.execute("insert into t values (1, 4)")
    assert (await place.log())[0]["after"] == '{"id":1,"a":4,"b":8}'


PARTITIONED = """
create table t (id int, region text, name text, primary key (id, region)) partition by list (region);
create table t_n partition of t for values in ('n');
create table t_s partition of t for values in ('s');
"""


async def test_partitioned_table_through_parent_and_partition(make_place: MakePlace) -> None:
    place = await make_place(PARTITIONED, spec("thing", "t", "name"))
    await place.session.execute("insert into t values (1, 'n', 'a'), (2, 's', 'b')")
    await place.session.execute("update t_n set name = 'c'")
    await place.session.execute(
        "create table t_w partition of t for values in ('w'); insert into t values (3, 'w', 'd')"
    )
    assert await entries(place) == [
        ("c", '[1,"n"]', "a"),
        ("c", '[2,"s"]', "b"),
        ("u", '[1,"n"]', "c"),
        ("c", '[3,"w"]', "d"),
    ]


@pytest.mark.parametrize("truncated", ["t", "t_n"])
async def test_truncating_partitions_reports_each_row_once(make_place: MakePlace, truncated: str) -> None:
    place = await make_place(PARTITIONED, spec("thing", "t", "name"))
    await place.session.execute("create table t_w partition of t for values in ('w')")
    await place.session.execute("insert into t values (1, 'n', 'a'), (2, 's', 'b'), (3, 'w', 'c')")
    await place.session.execute(f"truncate {truncated}")
    gone = sorted(row["local_id"] for row in await place.log() if row["op"] == "d")
    assert gone == (['[1,"n"]', '[2,"s"]', '[3,"w"]'] if truncated == "t" else ['[1,"n"]'])


NESTED = """
create function touch() returns trigger language plpgsql as $$
begin update contacts set town = town || '!' where id >= new.id and pg_trigger_depth() = 1; return null; end $$;
create trigger "AA touch" after update on contacts for each row execute function touch();
"""


async def test_last_entry_of_a_row_shows_it_as_it_is_though_triggers_wrote_between(make_place: MakePlace) -> None:
    place = await make_place(CONTACTS + ";" + NESTED.replace(">=", ">"))
    await place.session.execute("insert into contacts values (1, 'a', 'x'), (2, 'b', 'y'), (3, 'c', 'z')")
    await place.session.execute("update contacts set name = upper(name)")
    last = {row["local_id"]: row["after"] for row in await place.log()}
    rows = await place.session.fetch("select row_to_json(c)::text from contacts c")
    assert sorted(last.values()) == sorted(row[0] for row in rows)


async def mark(place: Place, table: str = "contacts") -> None:
    await place.session.execute("select set_config('duplex.applying', $1::regclass::oid::text, true)", table)


async def test_rows_the_sink_writes_are_left_to_it_but_not_what_triggers_write(make_place: MakePlace) -> None:
    place = await make_place(CONTACTS + ";" + NESTED)
    await place.session.execute("insert into contacts values (1, 'a', 'x')")
    async with place.session.transaction():
        await mark(place)
        await place.session.execute("update contacts set name = 'b' where id = 1")
    assert await entries(place) == [("c", "[1]", "a"), ("u", "[1]", "b")]
    assert msgspec.json.decode((await place.log())[-1]["after"])["town"] == "x!"


async def test_mark_counts_only_for_the_table_it_names(make_place: MakePlace) -> None:
    place = await make_place(CONTACTS + "; create table other (id int)")
    async with place.session.transaction():
        await mark(place, "other")
        await place.session.execute(ROW)
    assert len(await place.log()) == 1


async def test_mark_of_another_role_is_a_forgery(make_place: MakePlace, postgres_dsn: str) -> None:
    place = await make_place()
    role = "forger_" + place.dsn.rpartition("_")[2]
    await place.session.execute(f"create role {role} login password 'forged'; grant all on contacts to {role}")
    forger = await asyncpg.connect(place.dsn, user=role, password="forged")
    async with forger.transaction():
        await forger.execute("select set_config('duplex.applying', 'contacts'::regclass::oid::text, true)")
        await forger.execute(ROW)
    await forger.close()
    assert len(await place.log()) == 1
    await place.session.execute(f"drop owned by {role}; drop role {role}")
