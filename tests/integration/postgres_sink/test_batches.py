"""Batches: culprits found, the rest applied; the fence; parking."""

import asyncio

import pytest

from connectors.base import TableSpec
from connectors.errors import UnreachableError
from connectors.postgres.sink import PostgresSink
from schemas.messages import Command
from tests.conformance.commands import Commander
from tests.integration.postgres_sink.conftest import MakeTarget
from tests.integration.postgres_sink.target import Target
from tests.waiting import eventually

FAMILY = """
create table parents (id int primary key, name text);
create table children (id int primary key, parent int references parents, name text unique);
"""
PARENT = TableSpec("parent", "parents", ("name",), (("name",),))
CHILD = TableSpec("child", "children", ("parent", "name"), (("parent",), ("name",)))


def rename(commands: Commander, key: int, name: str = "new") -> Command:
    return commands.update(f"[{key}]", ({"name": f"Name {key}"}, {"name": name}))


async def names(target: Target) -> list[str]:
    return [row["name"] for row in await target.user.fetch("select name from contacts order by id")]


@pytest.mark.parametrize("culprits", [{1}, {20}, {7, 8}, set(range(1, 21)), {1, 10, 20}])
async def test_culprits_are_found_and_the_rest_applied(target: Target, commands: Commander, culprits: set[int]) -> None:
    await target.user.execute("alter table contacts add check (name <> 'bad')")
    batch = [rename(commands, key, "bad" if key in culprits else "good") for key in range(1, 21)]
    effects = await target.apply(*batch)
    assert {place for place, effect in enumerate(effects, 1) if effect.outcome == "failed"} == culprits
    assert await names(target) == [f"Name {key}" if key in culprits else "good" for key in range(1, 21)]
    assert sorted(echo["command"] for echo in await target.echoes()) == sorted(command.id for command in batch)
    assert await target.fence() == 20


async def test_a_failure_is_told_in_the_targets_words_without_the_row(target: Target, commands: Commander) -> None:
    await target.user.execute("alter table contacts add constraint short check (length(name) < 10)")
    command = commands.update("[3]", ({"name": "Name 3"}, {"name": "a secret that is too long"}))
    await target.apply(command)
    echo = await target.echo(command)
    assert (echo["outcome"], echo["after"]["name"]) == ("failed", "Name 3")
    assert "short" in echo["error"] and "secret" not in echo["error"]


async def test_a_value_freed_by_another_command_of_the_batch_can_be_taken(target: Target, commands: Commander) -> None:
    taker = commands.update("[1]", ({"email": "user1"}, {"email": "user2"}))
    giver = commands.update("[2]", ({"email": "user2"}, {"email": "free"}))
    assert [effect.outcome for effect in await target.apply(taker, giver)] == ["applied", "applied"]
    heir = commands.create({"email": "user3"})
    leaver = commands.delete("[3]", {"email": "user3"})
    assert [effect.outcome for effect in await target.apply(heir, leaver)] == ["applied", "applied"]


async def test_two_that_want_one_value_are_told_apart(target: Target, commands: Commander) -> None:
    first, second = commands.create({"email": "same"}), commands.create({"email": "same"})
    assert sorted(str(effect.outcome) for effect in await target.apply(first, second)) == ["applied", "failed"]


async def test_commands_of_one_row_are_carried_out_in_order(target: Target, commands: Commander) -> None:
    first, second = rename(commands, 1), commands.update("[1]", ({"name": "new"}, {"name": "newer"}))
    await target.apply(first, second)
    assert [echo["after"]["name"] for echo in await target.echoes()] == ["new", "newer"]


async def test_a_batch_is_fenced_command_by_command(target: Target, commands: Commander) -> None:
    first, second = rename(commands, 1), rename(commands, 2)
    await target.apply(first)
    effects = await target.apply(first, second)
    assert [effect.outcome for effect in effects] == [None, "applied"]
    assert len(await target.echoes()) == 2


async def test_two_sinks_of_one_partition_take_effect_once(target: Target, commands: Commander) -> None:
    batch = [rename(commands, key) for key in range(1, 21)]
    zombie = PostgresSink("crm", target.dsn, target.specs)
    ours, theirs = await asyncio.gather(target.sink.apply(batch), zombie.apply(batch))
    await zombie.close()
    assert sorted(str(effect.outcome) for effect in [*ours, *theirs]) == ["None"] * 20 + ["applied"] * 20
    assert len(await target.echoes()) == 20


async def test_a_child_waits_for_its_parent_and_then_comes(make_target: MakeTarget) -> None:
    target = await make_target(FAMILY, PARENT, CHILD)
    child = Commander("child").create({"parent": 1, "name": "c"}, "[1]")
    assert [effect.outcome for effect in await target.apply(child)] == [None]
    assert (await target.parked(), await target.echoes(), await target.fence()) == ([child.id], [], 1)
    await target.apply(Commander("parent").create({"name": "p"}, "[1]"))

    async def came() -> bool:
        return bool(await target.sink.retry_parked())

    await eventually(came)
    assert (await target.parked(), (await target.echo(child))["outcome"]) == ([], "applied")


async def test_a_parked_command_is_parked_once(make_target: MakeTarget) -> None:
    target = await make_target(FAMILY, PARENT, CHILD)
    commands = Commander("child")
    child = commands.create({"parent": 1, "name": "c"}, "[1]")
    await target.apply(child)
    assert [effect.outcome for effect in await target.apply(child)] == [None]
    assert await target.parked() == [child.id]


async def test_a_parent_that_never_comes_ends_in_a_failure(make_target: MakeTarget) -> None:
    target = await make_target(FAMILY, PARENT, CHILD)
    impatient = PostgresSink("crm", target.dsn, target.specs, longest_wait_s=0)
    child = Commander("child").create({"parent": 1, "name": "c"}, "[1]")
    await impatient.apply([child])

    async def failed() -> bool:
        return [effect.outcome for effect in await impatient.retry_parked()] == ["failed"]

    await eventually(failed)
    await impatient.close()
    echo = await target.echo(child)
    assert (echo["outcome"], echo["local_id"], echo["after"]) == ("failed", "[1]", None)
    assert "children_parent_fkey" in echo["error"] and await target.parked() == []


async def test_a_parent_with_children_waits_to_be_deleted(make_target: MakeTarget) -> None:
    target = await make_target(
        FAMILY + "insert into parents values (1, 'p'); insert into children values (1, 1, 'c')", PARENT, CHILD
    )
    delete = Commander("parent").delete("[1]", {"name": "p"})
    assert [effect.outcome for effect in await target.apply(delete)] == [None]
    child = Commander("child").delete("[1]", {"name": "c", "parent": 1})
    await target.apply(child)

    async def gone() -> bool:
        return bool(await target.sink.retry_parked())

    await eventually(gone)
    assert (await target.echo(delete))["op"] == "d"


async def test_a_deferred_constraint_is_that_commands_failure(make_target: MakeTarget) -> None:
    spec = TableSpec("thing", "things", ("name",), (("name",),))
    target = await make_target(
        "create table things (id int primary key, name text unique deferrable initially deferred);"
        "insert into things values (1, 'a'), (2, 'b'), (3, 'c')",
        spec,
    )
    commands = Commander("thing")
    clash = commands.update("[1]", ({"name": "a"}, {"name": "b"}))
    fine = commands.update("[3]", ({"name": "c"}, {"name": "d"}))
    assert [effect.outcome for effect in await target.apply(clash, fine)] == ["failed", "applied"]


async def test_malformed_commands_are_their_own_failure(target: Target, commands: Commander) -> None:
    batch = [
        commands.raw_update("[1]", "{", "{}"),
        commands.update("[1]", ({"name": "Name 1"}, {"city": "x"})),
        commands.update("[1]", ({"ghost": 1}, {"ghost": 2})),
        commands.update("[1, 2]", ({"name": "Name 1"}, {"name": "x"})),
        commands.update('["x"]', ({"name": "Name 1"}, {"name": "x"})),
        commands.create({"ghost": 1}),
        rename(commands, 2),
    ]
    effects = await target.apply(*batch)
    assert [effect.outcome for effect in effects] == ["failed"] * 6 + ["applied"]
    assert len(await target.echoes()) == 7


async def test_an_entity_that_is_not_ours_is_set_aside(target: Target, commands: Commander) -> None:
    stranger, ours = commands.create({"x": 1}, entity="ghost"), rename(commands, 1)
    assert [effect.outcome for effect in await target.apply(stranger, ours)] == ["failed", "applied"]


async def test_a_database_that_is_away_is_named_without_the_password() -> None:
    sink = PostgresSink("crm", "postgresql://ada:secret@127.0.0.1:1/shop", [PARENT])
    with pytest.raises(UnreachableError) as caught:
        await sink.apply([Commander("parent").create({"name": "x"})])
    assert "127.0.0.1:1/shop" in str(caught.value) and "secret" not in str(caught.value)
    assert "systems.crm.dsn" in str(caught.value)
