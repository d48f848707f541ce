"""Batches of nothing but updates, carried out by a single statement, or by none."""

from typing import Any

import pytest

from connectors.postgres import sink as sink_module
from connectors.postgres import sink_tables
from connectors.postgres.sink import PostgresSink
from connectors.postgres.statements import statement
from schemas.messages import Command
from tests.conformance.commands import Commander
from tests.integration.postgres_sink.target import Target


@pytest.fixture
def no_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fails a batch that is carried out in steps."""

    async def in_steps(*_: Any, **__: Any) -> None:
        raise AssertionError("it was not carried out by one statement")

    monkeypatch.setattr(PostgresSink, "_carry_out", in_steps)


def rename(commands: Commander, key: int, base: str | None = None) -> Command:
    return commands.update(f"[{key}]", ({"name": base or f"Name {key}"}, {"name": "new"}))


async def names(target: Target) -> list[str]:
    return [row["name"] for row in await target.user.fetch("select name from contacts order by id")]


async def test_all_of_a_batch(target: Target, commands: Commander, no_steps: None) -> None:
    batch = [rename(commands, key) for key in range(20, 0, -1)]
    assert [effect.outcome for effect in await target.apply(*batch)] == ["applied"] * 20
    assert (await names(target), await target.fence()) == (["new"] * 20, 20)
    for key, command in zip(range(20, 0, -1), batch, strict=True):
        echo = await target.echo(command)
        assert (echo["before"]["name"], echo["after"]["name"], echo["local_id"]) == (f"Name {key}", "new", f"[{key}]")
    assert len(await target.log()) == 20


async def test_rows_that_show_something_else(target: Target, commands: Commander, no_steps: None) -> None:
    await target.user.execute("update contacts set name = 'edited' where id = 2; delete from duplex.change_log")
    batch = [rename(commands, key) for key in (1, 2, 3)]
    assert [effect.outcome for effect in await target.apply(*batch)] == ["applied"] * 3
    images = [(echo["before"]["name"], echo["after"]["name"]) for echo in [await target.echo(c) for c in batch]]
    assert images == [("Name 1", "new"), ("edited", "edited"), ("Name 3", "new")]


async def test_units_are_whole_and_each_for_itself(target: Target, commands: Commander, no_steps: None) -> None:
    torn = ({"city": "Bonn", "zip": "other"}, {"city": "Rome", "zip": "00100"})
    whole = ({"zip": "53111", "city": "Bonn"}, {"zip": "00100", "city": "Rome"})
    first = commands.update("[1]", torn, ({"name": "Name 1"}, {"name": "new"}))
    second, third = commands.update("[2]", whole), commands.update("[3]", ({"name": "x"}, {"name": "new"}), whole)
    await target.apply(first, second, third)
    after = [(await target.echo(command))["after"] for command in (first, second, third)]
    assert [(row["city"], row["zip"], row["name"]) for row in after] == [
        ("Bonn", "53111", "new"),
        ("Rome", "00100", "Name 2"),
        ("Rome", "00100", "Name 3"),
    ]


async def test_a_row_that_holds_the_wanted_value_is_not_written(
    target: Target, commands: Commander, no_steps: None
) -> None:
    place = "select ctid::text from contacts where id = 1"
    before = await target.user.fetchval(place)
    command = commands.update("[1]", ({"name": "other"}, {"name": "Name 1"}), ({"city": "Bonn", "zip": "x"},) * 2)
    await target.apply(command)
    echo = await target.echo(command)
    assert echo["before"] == echo["after"] and await target.user.fetchval(place) == before


async def test_a_batch_that_was_carried_out_has_no_second_effect(target: Target, commands: Commander) -> None:
    batch = [rename(commands, key) for key in (1, 2)]
    await target.apply(*batch)
    await target.user.execute("update contacts set name = 'Name 1' where id = 1")
    assert [effect.outcome for effect in await target.apply(*batch)] == [None, None]
    assert (await names(target))[:2] == ["Name 1", "new"]
    later = rename(commands, 3)
    assert [effect.outcome for effect in await target.apply(batch[1], later)] == [None, "applied"]
    assert len(await target.echoes()) == 3


async def test_one_row_that_is_not_there_undoes_the_statement(
    target: Target, commands: Commander, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[list[str]] = []

    async def in_steps(*_: Any, **__: Any) -> dict[str, Any]:
        seen.append(await names(target))
        return {}

    monkeypatch.setattr(PostgresSink, "_carry_out", in_steps)
    await target.apply(rename(commands, 1), rename(commands, 99))
    assert seen == [[f"Name {key}" for key in range(1, 21)]]
    assert (await target.log(), await target.user.fetchval("select count(*) from duplex.progress")) == ([], 0)


async def test_what_fails_as_one_statement_is_done_in_steps_for_a_while(
    target: Target, commands: Commander, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sink_module, "SLOW_BATCHES", 1)
    await target.user.execute("alter table contacts add check (name <> 'new' or id > 2)")
    batches = [[rename(commands, key), rename(commands, key + 10)] for key in (1, 3, 4)]
    outcomes = [[effect.outcome for effect in await target.apply(*batch)] for batch in batches]
    assert outcomes == [["failed", "applied"], ["applied"] * 2, ["applied"] * 2]
    assert len(await target.echoes()) == 6


async def test_servers_before_postgres_18(
    target: Target, commands: Commander, monkeypatch: pytest.MonkeyPatch, no_steps: None
) -> None:
    text = sink_tables.statement("sink_statements")
    older = text.replace("current_setting('server_version_num')::int >= 180000", "false")
    assert older != text
    monkeypatch.setattr(sink_tables, "statement", lambda name: older if name == "sink_statements" else statement(name))
    await target.user.execute("update contacts set name = 'edited' where id = 2; delete from duplex.change_log")
    batch = [rename(commands, key) for key in (1, 2, 3)]
    assert [effect.outcome for effect in await target.apply(*batch)] == ["applied"] * 3
    images = [(echo["before"]["name"], echo["after"]["name"]) for echo in [await target.echo(c) for c in batch]]
    assert images == [("Name 1", "new"), ("edited", "edited"), ("Name 3", "new")]
    assert len(await target.log()) == 3
