"""Deletes that mark or archive rows, where Postgres has ways of its own: types, rights, triggers, races."""

import asyncio
from dataclasses import replace

import asyncpg
import pytest

from connectors.base import Removal, TableSpec
from connectors.errors import RefusedError
from connectors.postgres.connector import connector
from tests.conformance.commands import Commander
from tests.conftest import NewDatabase
from tests.integration.postgres_sink.conftest import MakeTarget
from tests.integration.postgres_sink.target import Target
from tests.waiting import eventually

TABLE = "create table people (id serial primary key, mail text, name text, state text not null default 'live')"
MARKING = Removal("inactive", column="state", value="gone", restore="live")
PEOPLE = TableSpec("person", "people", ("mail", "name"), (("mail",), ("name",)), match=("mail",), removal=MARKING)
WAITING = """
select count(*) from pg_locks l join pg_stat_activity a using (pid)
 where not l.granted and a.datname = current_database()
"""
ADA = {"mail": "ada@example.com", "name": "Ada"}
ARCHIVE = "create table old_people (nr bigint generated always as identity, id integer not null, mail text, name text)"
ARCHIVED = replace(PEOPLE, removal=Removal("archive", archive="old_people"))


@pytest.fixture
def commands() -> Commander:
    return Commander("person")


async def states(target: Target) -> list[str]:
    return [row["state"] for row in await target.user.fetch("select state from people order by id")]


async def test_many_rows_are_marked_and_restored_in_one_batch_each(
    make_target: MakeTarget, commands: Commander
) -> None:
    target = await make_target(TABLE, PEOPLE)
    await target.user.execute("insert into people (mail, name) select 'm' || n, 'N' from generate_series(1, 300) n")
    await target.apply(*(commands.delete(f"[{n}]", {"mail": f"m{n}", "name": "N"}) for n in range(1, 301)))
    assert await states(target) == ["gone"] * 300
    await target.apply(*(commands.create({"mail": f"m{n}", "name": "M"}) for n in range(1, 301)))
    assert await states(target) == ["live"] * 300
    assert len(await target.echoes()) == 600


async def test_a_living_row_with_the_natural_key_still_refuses_a_create(
    make_target: MakeTarget, commands: Commander
) -> None:
    target = await make_target(TABLE, PEOPLE)
    await target.user.execute(
        "insert into people (mail, state) values ('ada@example.com', 'gone'), ('ada@example.com', 'live')"
    )
    late = commands.create(ADA)
    await target.apply(late)
    assert "is there already" in (await target.echo(late))["error"]
    assert await states(target) == ["gone", "live"]


MARKS = {
    "null": ("timestamptz", Removal("inactive", column="mark", value=None, restore="2026-01-02T03:04:05Z")),
    "number": ("numeric(6,2)", Removal("inactive", column="mark", value=1.5, restore=None)),
    "date": ("date", Removal("inactive", column="mark", value="1999-12-31", restore=None)),
    "enum": ("mood", Removal("inactive", column="mark", value="sad", restore="ok")),
    "domain": ("word", Removal("inactive", column="mark", value="sad", restore="ok")),
    "json": ("jsonb", Removal("inactive", column="mark", value={"gone": True}, restore=None)),
    "quoted": ("text", Removal("inactive", column="mark", value="it's 100%", restore="%s")),
}


@pytest.mark.parametrize("case", MARKS)
async def test_columns_of_any_type_mark_rows(make_target: MakeTarget, commands: Commander, case: str) -> None:
    kind, removal = MARKS[case]
    types = "create type mood as enum ('sad', 'ok'); create domain word as text check (length(value) < 9);"
    table = f"{types} create table people (id int primary key, mail text, name text, mark {kind})"
    target = await make_target(table, replace(PEOPLE, match=(), removal=removal))
    made = commands.create(ADA, local_id="[1]")
    await target.apply(made)
    await target.apply(commands.delete("[1]", ADA), commands.create(ADA, local_id="[1]"), commands.delete("[1]", ADA))
    outcomes = [(echo["op"], echo["outcome"]) for echo in await target.echoes()]
    assert outcomes == [("c", "applied"), ("u", "applied"), ("u", "applied"), ("u", "applied")]
    if case != "null":
        marks = [echo["after"]["mark"] for echo in await target.echoes()]
        assert marks[1] == marks[3] != marks[2]


async def test_a_mark_that_a_trigger_forbids_is_that_commands_failure(
    make_target: MakeTarget, commands: Commander
) -> None:
    target = await make_target(TABLE + "; alter table people add check (state = 'live' or name <> 'Ada')", PEOPLE)
    await target.user.execute("insert into people (mail, name) values ('ada@example.com', 'Ada'), ('b', 'Ben')")
    ada, ben = commands.delete("[1]", ADA), commands.delete("[2]", {"mail": "b", "name": "Ben"})
    await target.apply(ada, ben)
    assert ((await target.echo(ada))["outcome"], (await target.echo(ben))["outcome"]) == ("failed", "applied")
    assert await states(target) == ["live", "gone"]


async def test_a_row_that_a_user_marks_meanwhile_is_waited_for(make_target: MakeTarget, commands: Commander) -> None:
    target = await make_target(TABLE, PEOPLE)
    await target.user.execute("insert into people (mail, name, state) values ('ada@example.com', 'Ada', 'gone')")
    async with target.user.transaction():
        await target.user.execute("update people set state = 'live', name = 'Augusta'")
        late = commands.create(ADA)
        applying = asyncio.create_task(target.apply(late))
        await waiting_for_a_lock(target)
    await applying
    assert await target.user.fetchval("select name from people") == "Augusta"
    assert await target.user.fetchval("select count(*) from people") == 1
    assert (await target.echo(late))["outcome"] == "failed"


async def waiting_for_a_lock(target: Target) -> None:
    """Wait until somebody stands behind the user's open transaction."""
    watcher = await asyncpg.connect(target.dsn)
    await eventually(lambda: watcher.fetchval(WAITING), 20, "nobody waits for the row")
    await watcher.close()


async def test_an_archive_keeps_what_it_has_columns_for(make_target: MakeTarget, commands: Commander) -> None:
    target = await make_target(f"{TABLE}; {ARCHIVE}", ARCHIVED)
    await target.user.execute("insert into people (mail, name) values ('ada@example.com', 'Ada')")
    await target.apply(commands.delete("[1]", ADA))
    kept = await target.user.fetchrow("select * from old_people")
    assert kept is not None and tuple(kept) == (1, 1, "ada@example.com", "Ada")
    assert await target.user.fetchval("select count(*) from people") == 0


async def test_a_refusal_of_the_archive_keeps_the_row(make_target: MakeTarget, commands: Commander) -> None:
    target = await make_target(f"{TABLE}; {ARCHIVE}; alter table old_people add check (name <> 'Ada')", ARCHIVED)
    await target.user.execute("insert into people (mail, name) values ('ada@example.com', 'Ada'), ('b', 'Ben')")
    ada, ben = commands.delete("[1]", ADA), commands.delete("[2]", {"mail": "b", "name": "Ben"})
    await target.apply(ada, ben)
    echo = await target.echo(ada)
    assert echo["outcome"] == "failed" and "old_people" in echo["error"]
    assert [row["name"] for row in await target.user.fetch("select name from people")] == ["Ada"]
    assert [row["name"] for row in await target.user.fetch("select name from old_people")] == ["Ben"]


async def test_an_archive_that_changes_is_looked_at_again(make_target: MakeTarget, commands: Commander) -> None:
    target = await make_target(f"{TABLE}; {ARCHIVE}; alter table old_people add state text", ARCHIVED)
    await target.user.execute("insert into people (mail, name) values ('ada@example.com', 'Ada'), ('b', 'Ben')")
    await target.apply(commands.delete("[1]", ADA))
    await target.user.execute("alter table old_people drop state")
    await target.apply(commands.delete("[2]", {"mail": "b", "name": "Ben"}))
    assert await target.user.fetchval("select count(*) from old_people") == 2


async def test_a_row_that_a_trigger_keeps_is_not_archived(make_target: MakeTarget, commands: Commander) -> None:
    keep = (
        "create function keep() returns trigger language plpgsql as 'begin return null; end';"
        "create trigger keep before delete on people for each row execute function keep()"
    )
    target = await make_target(f"{TABLE}; {keep}", replace(PEOPLE, removal=Removal("archive")))
    await target.user.execute("insert into people (mail, name) values ('ada@example.com', 'Ada')")
    command = commands.delete("[1]", ADA)
    await target.apply(command)
    assert (await target.echo(command))["after"]["name"] == "Ada"
    assert await target.user.fetchval("select count(*) from duplex.archive") == 0


UNFIT = {
    "a column is missing": ("create table old_people (id int, mail text)", "its archive old_people has no column name"),
    "a type": ("create table old_people (id int, mail int, name text)", r"column mail \(text\) does not fit"),
    "a value is missing": (
        "create table old_people (id int, mail text, name text, why text not null)",
        "column why of its archive old_people must have a value",
    ),
    "a view": ("create view old_people as select * from people", "is not a table"),
}


@pytest.mark.parametrize("case", UNFIT)
async def test_an_archive_that_does_not_fit_is_refused(new_database: NewDatabase, case: str) -> None:
    ddl, reason = UNFIT[case]
    dsn = await new_database("target")
    await run(dsn, f"{TABLE}; {ddl}")
    with pytest.raises(RefusedError, match=reason):
        await connector("crm", "shop", {"dsn": dsn}).install([ARCHIVED])


async def test_a_table_is_not_its_own_archive(new_database: NewDatabase) -> None:
    dsn = await new_database("target")
    await run(dsn, TABLE)
    with pytest.raises(RefusedError, match="cannot be its own archive"):
        await connector("crm", "shop", {"dsn": dsn}).install(
            [replace(PEOPLE, removal=Removal("archive", archive="people"))]
        )


async def run(dsn: str, script: str) -> None:
    session = await asyncpg.connect(dsn)
    await session.execute(script)
    await session.close()


AFTERWARDS = {
    "dropped": ("drop table old_people", "table old_people, which archives deleted rows of public.people, was dropped"),
    "changed": (
        "alter table old_people drop name",
        "deleted rows of table public.people: its archive old_people has no",
    ),
}


@pytest.mark.parametrize("case", AFTERWARDS)
async def test_an_archive_that_no_longer_fits_is_a_problem(make_target: MakeTarget, case: str) -> None:
    ddl, told = AFTERWARDS[case]
    target = await make_target(f"{TABLE}; {ARCHIVE}", ARCHIVED)
    await target.user.execute(ddl)
    (problem,) = await connector("crm", "shop", {"dsn": target.dsn}).check(target.specs)
    assert problem.what.startswith(told)
