"""What an older version of duplex installed is brought to the present layout, and keeps what it holds."""

from pathlib import Path

import asyncpg
import pytest

from connectors.errors import RefusedError
from connectors.postgres import layouts
from connectors.postgres.connector import connector
from connectors.postgres.statements import statement
from tests.conftest import NewDatabase
from tests.integration.postgres_source.conftest import CONTACT, CONTACTS, MakePlace, Place

OLD = (Path(__file__).parent / "layout_1.sql").read_text()
# What an installation of the first layout leaves, with one entity at work.
AT_WORK = """
insert into duplex.meta (pipeline, system, schema_version, installed_by, relay_role, sink_role, segment_rows)
values ('shop', 'crm', 1, current_user, current_user, current_user, 1000);
insert into duplex.source (incarnation, system_identifier, timeline, database, low_mark)
select 7, w.*, 0 from duplex.whereabouts() w;
insert into duplex.captured (entity, relation, table_name, key_columns, key_numbers, columns, units)
values ('contact', 'contacts'::regclass, 'public.contacts', '{id}', '{1}', '{name,town}', '[["name"],["town"]]');
insert into duplex.load (entity, last_key, rows, done) values ('contact', '[1]', 1, true);
insert into duplex.progress values ('contact', 3, 99);
select duplex.extend_log(2);
insert into duplex.change_log (entity, op, local_id, after) values ('contact', 'c', '[1]', '{"id":1}');
"""
COLUMNS = """
select c.relname || '.' || a.attname || ' ' || format_type(a.atttypid, a.atttypmod) || ' ' || a.attnotnull || ' '
       || coalesce(pg_get_expr(d.adbin, d.adrelid), '') as line
  from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
  left join pg_attrdef d on d.adrelid = c.oid and d.adnum = a.attnum
 where c.relnamespace = 'duplex'::regnamespace and c.relkind in ('r', 'p') and c.relname !~ '^change_log_[0-9]'
 order by c.relname, a.attnum
"""
INDEXES = """
select indexdef from pg_indexes where schemaname = 'duplex' and tablename !~ '^change_log_[0-9]' order by indexdef
"""


@pytest.fixture
async def old_place(make_place: MakePlace) -> Place:
    """A database that the first layout was installed in."""
    place = await make_place()
    await place.connector.uninstall()
    await place.session.execute(OLD)
    for name in ("log", "capture"):
        await place.session.execute(statement(name))
    await place.session.execute(AT_WORK)
    return place


async def described(session: asyncpg.Connection) -> list[str]:
    rows = [*await session.fetch(COLUMNS), *await session.fetch(INDEXES)]
    return [row[0] for row in rows]


async def test_an_old_layout_becomes_the_present_one(old_place: Place, make_place: MakePlace) -> None:
    done = await old_place.connector.install(old_place.specs)
    assert done[0] == f"brought the schema duplex from layout 1 to {layouts.VERSION}"
    new = await make_place()
    assert await described(old_place.session) == await described(new.session)


async def test_it_is_brought_there_once(old_place: Place) -> None:
    await old_place.connector.install(old_place.specs)
    assert await old_place.connector.install(old_place.specs) == []
    assert await old_place.connector.check(old_place.specs) == []


async def test_what_it_holds_stays(old_place: Place) -> None:
    await old_place.connector.install(old_place.specs)
    held = await old_place.session.fetchrow(
        "select (select incarnation from duplex.source), (select reached from duplex.progress),"
        " (select done from duplex.load), (select removal ->> 'mode' from duplex.captured)"
    )
    assert held is not None and tuple(held) == (7, 99, True, "remove")
    await old_place.session.execute("insert into contacts values (2, 'Eva', 'Bonn')")
    assert [row["local_id"] for row in await old_place.log()] == ["[1]", "[2]"]


async def test_an_old_layout_is_a_problem_until_then(old_place: Place) -> None:
    (problem,) = await old_place.connector.check(old_place.specs)
    assert problem.what == "the schema duplex was made by an older version of duplex"
    assert problem.remedy == "Run `duplex apply`."


async def test_an_old_layout_is_taken_away_whole(old_place: Place) -> None:
    await old_place.connector.uninstall()
    assert await old_place.session.fetchval("select to_regnamespace('duplex') is null")


async def test_a_newer_layout_is_left_alone(make_place: MakePlace) -> None:
    place = await make_place()
    await place.session.execute("update duplex.meta set schema_version = schema_version + 1")
    with pytest.raises(RefusedError, match="a newer version of duplex made it"):
        await place.connector.install([CONTACT])


async def test_rows_that_were_archived_are_not_taken_away(make_place: MakePlace) -> None:
    place = await make_place()
    await place.session.execute(
        "insert into duplex.archive (entity, local_id, row, command) values ('c', '[1]', '{}', 'x')"
    )
    with pytest.raises(RefusedError, match=r"duplex\.archive holds 1 rows that were deleted"):
        await place.connector.uninstall()
    await place.session.execute("truncate duplex.archive")
    assert "removed the schema duplex with the change log" in await place.connector.uninstall()


async def test_a_failed_step_changes_nothing(new_database: NewDatabase) -> None:
    dsn = await new_database("crm")
    session = await asyncpg.connect(dsn)
    await session.execute(CONTACTS)
    await session.execute(OLD)
    for name in ("log", "capture"):
        await session.execute(statement(name))
    await session.execute(AT_WORK)
    await session.execute("create table duplex.archive (theirs integer)")
    with pytest.raises(RefusedError, match="already exists"):
        await connector("crm", "shop", {"dsn": dsn}).install([CONTACT])
    assert await session.fetchval("select schema_version from duplex.meta") == 1
    await session.close()
