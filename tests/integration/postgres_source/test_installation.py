"""Installing and removing capture: repeatable, whole, and careful with what is not ours."""

import asyncpg
import pytest

from connectors.errors import RefusedError, UnreachableError
from connectors.postgres.connector import connector
from tests.conftest import NewDatabase
from tests.integration.postgres_source.conftest import CONTACT, CONTACTS, MakePlace, Place, spec

ROW = "insert into contacts values (1, 'Ada', 'Ulm')"
TRIGGERS = [f"!duplex_{name}" for name in ("capture", "insert", "replica", "stand_alone", "truncate", "update")]


async def triggers(place: Place) -> list[str]:
    found = await place.session.fetch("select tgname from pg_trigger where not tgisinternal order by 1")
    return [row["tgname"] for row in found]


async def test_installing_again_changes_nothing(make_place: MakePlace) -> None:
    place = await make_place()
    await place.session.execute(ROW)
    assert await place.connector.install(place.specs) == []
    assert await triggers(place) == TRIGGERS
    assert len(await place.log()) == 1


async def test_uninstalling_leaves_the_tables_as_they_were(make_place: MakePlace) -> None:
    place = await make_place(CONTACTS + "; create view seen as select * from contacts")
    await place.session.execute(ROW)
    assert "released table public.contacts (entity contact)" in await place.connector.uninstall()
    assert await triggers(place) == []
    assert await place.session.fetchval("select count(*) from pg_namespace where nspname = 'duplex'") == 0
    assert await place.session.fetchval("select count(*) from contacts") == 1
    assert await place.connector.uninstall() == []


async def test_users_own_triggers_and_functions_stay(make_place: MakePlace) -> None:
    place = await make_place(
        CONTACTS + "; create function f() returns trigger language plpgsql as 'begin return new; end';"
        "create trigger theirs before update on contacts for each row execute function f()"
    )
    await place.connector.uninstall()
    assert await triggers(place) == ["theirs"]


async def test_empty_project_removes_no_trigger(make_place: MakePlace) -> None:
    place = await make_place()
    await place.connector.install([])
    assert await triggers(place) == TRIGGERS
    assert await place.session.fetchval("select count(*) from duplex.captured") == 1


async def test_entity_that_left_keeps_its_triggers_and_is_loaded_when_it_returns(make_place: MakePlace) -> None:
    other = spec("other", "other")
    place = await make_place(CONTACTS + "; create table other (id int primary key)", CONTACT, other)
    await place.session.execute("update duplex.load set done = true")
    await place.connector.install([CONTACT])
    assert len(await triggers(place)) == 12
    done = await place.session.fetch("select entity, done from duplex.load order by entity")
    assert [tuple(row) for row in done] == [("contact", True), ("other", False)]


async def test_entity_that_moves_to_another_table_lets_the_old_one_go(make_place: MakePlace) -> None:
    place = await make_place(CONTACTS + "; create table people (id int primary key, name text, town text)")
    await place.connector.install([spec("contact", "people", "name", "town")])
    await place.session.execute(ROW + "; insert into people values (2, 'Eva', 'Bonn')")
    assert [row["local_id"] for row in await place.log()] == ["[2]"]


async def test_somebody_elses_view_on_the_log_stops_the_removal(make_place: MakePlace) -> None:
    place = await make_place(CONTACTS)
    await place.session.execute("create view spy as select * from duplex.change_log")
    with pytest.raises(RefusedError, match="view spy depends"):
        await place.connector.uninstall()
    assert await triggers(place) == TRIGGERS


async def test_something_else_in_the_schema_stops_the_removal(make_place: MakePlace) -> None:
    place = await make_place(CONTACTS)
    await place.session.execute("create table duplex.theirs (id int)")
    with pytest.raises(RefusedError, match="theirs"):
        await place.connector.uninstall()
    assert await triggers(place) == TRIGGERS


async def test_schema_of_somebody_else_is_refused(new_database: NewDatabase) -> None:
    dsn = await new_database("crm")
    session = await asyncpg.connect(dsn)
    await session.execute("create schema duplex; create table duplex.meta (id int)")
    with pytest.raises(RefusedError, match="was not made by duplex"):
        await connector("crm", "shop", {"dsn": dsn}).install([])
    with pytest.raises(RefusedError, match="was not made by duplex"):
        await connector("crm", "shop", {"dsn": dsn}).uninstall()
    await session.close()


@pytest.mark.parametrize(("system", "pipeline"), [("crm", "other"), ("erp", "shop")])
async def test_installation_of_another_pipeline_or_system_is_refused(
    make_place: MakePlace, system: str, pipeline: str
) -> None:
    place = await make_place()
    other = connector(system, pipeline, {"dsn": place.dsn})
    with pytest.raises(RefusedError, match="belongs to system crm of pipeline shop"):
        await other.install([])
    with pytest.raises(RefusedError, match="belongs to system crm of pipeline shop"):
        await other.uninstall()


UNFIT = {
    "no key": ("create table t (id int)", None, "no primary key"),
    "view": ("create view t as select 1 as id", None, "it is a view"),
    "nullable": ("create table t (id int unique)", ("id",), "may be null"),
    "not unique": ("create table t (id int not null)", ("id",), "no unique index"),
    "partial": (
        "create table t (id int not null); create unique index on t (id) where id > 0",
        ("id",),
        "no unique index",
    ),
    "deferrable": ("create table t (id int primary key deferrable)", None, "deferrable"),
    "unknown key": ("create table t (id int primary key)", ("nr",), "does not have"),
    "partition": (
        "create table p (id int primary key) partition by range (id); create table t partition of p default",
        None,
        "it is a partition",
    ),
    "virtual": ("create table t (id int primary key, v int generated always as (1) virtual)", None, "computed"),
    "missing": ("select 1", None, "there is no such table"),
}


@pytest.mark.parametrize("case", UNFIT)
async def test_unfit_tables_are_refused_with_the_reason(new_database: NewDatabase, case: str) -> None:
    ddl, key, reason = UNFIT[case]
    dsn = await new_database("crm")
    session = await asyncpg.connect(dsn)
    if case == "virtual" and session.get_server_version().major < 18:
        await session.close()
        pytest.skip("this server has no virtual columns")
    await session.execute(ddl)
    columns = ("v",) if case == "virtual" else ()
    with pytest.raises(RefusedError, match=reason):
        await connector("crm", "shop", {"dsn": dsn}).install([spec("thing", "t", *columns, key=key)])
    assert await session.fetchval("select to_regnamespace('duplex') is null")
    await session.close()


async def test_unique_not_null_columns_serve_as_key(make_place: MakePlace) -> None:
    place = await make_place("create table t (a int, b text not null unique)", spec("thing", "t", key=("b",)))
    await place.session.execute("insert into t values (1, 'x')")
    assert (await place.log())[0]["local_id"] == '["x"]'


async def test_one_table_holds_one_entity(make_place: MakePlace) -> None:
    place = await make_place()
    with pytest.raises(RefusedError, match="captured as entity contact"):
        await place.connector.install([CONTACT, spec("twin", "contacts")])


async def test_mapped_column_that_is_not_there_is_refused(make_place: MakePlace) -> None:
    place = await make_place()
    with pytest.raises(RefusedError, match="no column phone"):
        await place.connector.install([spec("contact", "contacts", "phone")])


async def test_discovery_describes_tables(make_place: MakePlace) -> None:
    place = await make_place()
    found = await place.connector.discover([CONTACT, spec("none", "nowhere")])
    assert list(found) == ["contact"]
    assert found["contact"].key == ("id",) and found["contact"].key_refusal is None
    assert [(c.name, c.type, c.nullable) for c in found["contact"].columns][:2] == [
        ("id", "integer", False),
        ("name", "text", True),
    ]


async def test_rows_come_in_chunks(make_place: MakePlace) -> None:
    place = await make_place()
    await place.session.execute("insert into contacts select n, 'n' from generate_series(1, 2500) n")
    chunks = [len(chunk) async for chunk in place.connector.rows(CONTACT)]
    assert chunks == [1000, 1000, 500]


async def test_unreachable_server_is_named_without_the_password(postgres_dsn: str) -> None:
    far = connector("crm", "shop", {"dsn": "postgresql://ada:s3cret@127.0.0.1:1/crm"})
    with pytest.raises(UnreachableError) as error:
        await far.discover([])
    assert "127.0.0.1:1/crm" in str(error.value) and "systems.crm.dsn" in str(error.value)
    assert "s3cret" not in str(error.value)
