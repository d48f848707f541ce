"""Kinds of tables and keys."""

import asyncio

import pytest

from connectors.base import TableSpec
from connectors.errors import RefusedError
from tests.conformance.commands import Commander
from tests.integration.postgres_sink.conftest import MakeTarget
from tests.integration.postgres_sink.target import Target

THING = TableSpec("thing", "things", ("name",), (("name",),))


@pytest.fixture
def commands() -> Commander:
    return Commander("thing")


KEYS = {
    "serial": ("id serial primary key, name text", "[1]"),
    "identity always": ("id bigint generated always as identity primary key, name text", "[1]"),
    "own sequence": ("id numeric(9) primary key default nextval('numbers'), name text", "[1]"),
    "composite": ("a int default 5, b text default 'x', name text, primary key (b, a)", '["x",5]'),
}


@pytest.mark.parametrize("kind", KEYS)
async def test_the_table_makes_the_key(make_target: MakeTarget, commands: Commander, kind: str) -> None:
    columns, key = KEYS[kind]
    target = await make_target(f"create sequence numbers; create table things ({columns})", THING)
    command = commands.create({"name": "one"})
    await target.apply(command)
    echo = await target.echo(command)
    assert (echo["op"], echo["local_id"], echo["after"]["name"]) == ("c", key, "one")


@pytest.mark.parametrize("kind", KEYS)
async def test_the_command_gives_the_key(make_target: MakeTarget, commands: Commander, kind: str) -> None:
    columns, key = KEYS[kind]
    given = key.replace("1", "77").replace("5", "55")
    target = await make_target(f"create sequence numbers; create table things ({columns})", THING)
    made = [commands.create({"name": "one"}, local_id=given), commands.create({"name": "two"})]
    await target.apply(*made)
    assert [(await target.echo(command))["local_id"] for command in made] == [given, key]
    change = commands.update(given, ({"name": "one"}, {"name": "three"}))
    await target.apply(change)
    assert (await target.echo(change))["after"]["name"] == "three"


async def test_many_creates_each_learn_their_own_key(make_target: MakeTarget, commands: Commander) -> None:
    target = await make_target("create table things (id uuid primary key default gen_random_uuid(), name text)", THING)
    made = [commands.create({"name": f"name {n}"}) for n in range(50)]
    await target.apply(*made)
    echoes = {echo["command"]: echo for echo in await target.echoes()}
    assert [echoes[command.id]["after"]["name"] for command in made] == [f"name {n}" for n in range(50)]
    assert len({echo["local_id"] for echo in echoes.values()}) == 50


async def test_a_key_made_by_a_trigger(make_target: MakeTarget, commands: Commander) -> None:
    target = await make_target(
        """
        create table things (id text primary key, name text);
        create function make_key() returns trigger language plpgsql as
            $$ begin new.id := 'key of ' || new.name; return new; end $$;
        create trigger make_key before insert on things for each row execute function make_key();
        """,
        THING,
    )
    made = [commands.create({"name": "a"}), commands.create({"name": "b"}), commands.create({"name": "c"}, '["x"]')]
    await target.apply(*made)
    assert [(await target.echo(command))["local_id"] for command in made] == [
        '["key of a"]',
        '["key of b"]',
        '["key of c"]',
    ]


async def test_a_partitioned_table(make_target: MakeTarget, commands: Commander) -> None:
    target = await make_target(
        """
        create table things (id int primary key, name text) partition by range (id);
        create table low partition of things for values from (0) to (100);
        create table high partition of things for values from (100) to (200);
        insert into things values (1, 'low'), (101, 'high'), (102, 'gone');
        """,
        THING,
    )
    low, high = [commands.update(f"[{key}]", ({"name": name}, {"name": "new"})) for key, name in
                 ((1, "low"), (101, "high"))]  # fmt: skip
    gone, made = commands.delete("[102]", {"name": "gone"}), commands.create({"name": "made"}, "[150]")
    await target.apply(low, high, gone, made)
    rows = await target.user.fetch("select id, name from things order by id")
    assert [tuple(row) for row in rows] == [(1, "new"), (101, "new"), (150, "made")]
    assert [entry["command"] is not None for entry in await target.log()] == [True] * 4


async def test_a_key_of_the_projects_choice(make_target: MakeTarget, commands: Commander) -> None:
    spec = TableSpec("thing", "things", ("code", "name"), (("code",), ("name",)), key=("code",))
    tables = "create table things (id serial primary key, code text not null unique, name text)"
    target = await make_target(tables, spec)
    made = commands.create({"code": "A", "name": "one"})
    moved = commands.update('["A"]', ({"code": "A"}, {"code": "B"}))
    await target.apply(made)
    await target.apply(moved)
    echo = await target.echo(moved)
    assert (await target.echo(made))["local_id"] == '["A"]'
    assert (echo["op"], echo["before_id"], echo["local_id"], echo["after"]["code"]) == ("u", '["A"]', '["B"]', "B")


async def test_columns_that_the_table_computes_or_fills(make_target: MakeTarget, commands: Commander) -> None:
    spec = TableSpec("thing", "things", ("name", "loud", "made"), (("name",), ("loud",), ("made",)),
                     constants={"kind": "person"})  # fmt: skip
    target = await make_target(
        """
        create table things (id serial primary key, name text, kind text not null default 'thing',
            loud text generated always as (upper(name)) stored, made date not null default '2026-01-01');
        """,
        spec,
    )
    command = commands.create({"name": "a", "loud": "ignored", "made": None})
    await target.apply(command)
    after = {"id": 1, "name": "a", "kind": "person", "loud": "A", "made": "2026-01-01"}
    assert (await target.echo(command))["after"] == after


async def test_a_null_is_written_where_it_may_be(make_target: MakeTarget, commands: Commander) -> None:
    target = await make_target("create table things (id serial primary key, name text default 'x')", THING)
    command = commands.create({"name": None})
    await target.apply(command)
    assert (await target.echo(command))["after"] == {"id": 1, "name": None}


async def test_a_table_changed_while_the_sink_runs(make_target: MakeTarget, commands: Commander) -> None:
    target = await make_target("create table things (id int primary key, name text)", THING)
    await target.apply(commands.create({"name": "1"}, "[1]"))
    await target.user.execute("alter table things alter name type int using name::int, add extra text default 'e'")
    command = commands.update("[1]", ({"name": 1}, {"name": 2}))
    await target.apply(command)
    assert (await target.echo(command))["after"] == {"id": 1, "name": 2, "extra": "e"}


async def test_a_table_changed_while_several_partitions_are_written(
    make_target: MakeTarget, commands: Commander
) -> None:
    places = range(1, 9)
    target = await make_target(
        "create table things (id int primary key, name text);"
        " insert into things select n, '0' from generate_series(1, 8) n",
        THING,
    )
    await _renamed(target, commands, places, "0", "1")
    for kind, before, after in (("int", 1, 2), ("text", "2", "3"), ("int", 3, 4)):
        await target.user.execute(f"alter table things alter name type {kind} using name::{kind}")
        await _renamed(target, commands, places, before, after)
    assert await target.user.fetchval("select count(*) from things where name = 4") == len(places)


async def _renamed(target: Target, commands: Commander, places: range, before: object, after: object) -> None:
    """Each row in a batch of its own, from a partition of its own, all at once."""
    updates = [commands.update(f"[{n}]", ({"name": before}, {"name": after}), partition=n) for n in places]
    await asyncio.gather(*(target.apply(update) for update in updates))


async def test_a_table_that_is_gone_is_said(make_target: MakeTarget, commands: Commander) -> None:
    target = await make_target("create table things (id int primary key, name text)", THING)
    await target.user.execute("drop table things")
    with pytest.raises(RefusedError, match="there is no such table"):
        await target.apply(commands.create({"name": "1"}, "[1]"))


async def test_units_of_an_older_mapping_are_still_compared_as_they_were(
    make_target: MakeTarget, commands: Commander
) -> None:
    spec = TableSpec("thing", "things", ("a", "b"), (("a",), ("b",)))
    target = await make_target(
        "create table things (id int primary key, a text, b text); insert into things values (1, 'a', 'b')", spec
    )
    torn = commands.update("[1]", ({"a": "a", "b": "other"}, {"a": "A", "b": "B"}))
    whole = commands.update("[1]", ({"a": "a", "b": "b"}, {"a": "A", "b": "B"}))
    await target.apply(torn)
    assert (await target.echo(torn))["after"] == {"id": 1, "a": "a", "b": "b"}
    await target.apply(whole)
    assert (await target.echo(whole))["after"] == {"id": 1, "a": "A", "b": "B"}
