"""Fresh commands carried out ahead of a backlog: once, only where they can be, and whoever crashes."""

from collections.abc import Iterable
from typing import Any

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.base import Effect
from connectors.errors import RefusedError
from connectors.postgres import sink_ahead, sink_errors
from connectors.postgres.connector import connector
from connectors.postgres.sink import PostgresSink
from schemas.messages import Command
from tests.conformance.commands import Commander
from tests.integration.postgres_sink.target import Target


def rename(commands: Commander, key: int, name: str = "new", base: str | None = None, **place: Any) -> Command:
    return commands.update(f"[{key}]", ({"name": base or f"Name {key}"}, {"name": name}), **place)


def outcomes(effects: Iterable[Effect]) -> dict[str, str | None]:
    return {effect.command: effect.outcome for effect in effects}


async def names(target: Target) -> list[str]:
    return [row["name"] for row in await target.user.fetch("select name from contacts order by id")]


async def ahead(target: Target) -> int:
    return int(await target.user.fetchval("select count(*) from duplex.ahead"))


async def test_a_command_goes_ahead_once_and_its_turn_finds_it_done(target: Target, commands: Commander) -> None:
    backlog = [rename(commands, key) for key in range(1, 6)]
    fresh = rename(commands, 6)
    assert outcomes(await target.sink.apply_ahead([fresh])) == {fresh.id: "applied"}
    assert (await target.fence(), await ahead(target)) == (-1, 1)
    await target.user.execute("update contacts set name = 'Name 6' where id = 6")
    assert outcomes(await target.sink.apply_ahead([fresh])) == {}
    effects = await target.apply(*backlog, fresh)
    assert [effect.outcome for effect in effects] == ["applied"] * 5 + [None]
    assert (await names(target))[:6] == ["new"] * 5 + ["Name 6"]
    assert (await target.fence(), await ahead(target), len(await target.echoes())) == (6, 0, 6)


async def test_a_backlog_of_updates_is_still_one_statement(
    target: Target, commands: Commander, monkeypatch: pytest.MonkeyPatch
) -> None:
    backlog, fresh = [rename(commands, key) for key in (1, 2)], rename(commands, 3)
    await target.sink.apply_ahead([fresh])

    async def in_steps(*_: Any, **__: Any) -> None:
        raise AssertionError("it was not carried out by one statement")

    monkeypatch.setattr(PostgresSink, "_carry_out", in_steps)
    assert [effect.outcome for effect in await target.apply(*backlog)] == ["applied"] * 2


async def test_what_cannot_be_carried_out_leaves_nothing_and_has_its_turn(target: Target, commands: Commander) -> None:
    frees = commands.update("[1]", ({"email": "user1"}, {"email": "free"}))
    takes = commands.update("[2]", ({"email": "user2"}, {"email": "user1"}))
    gone, fine = rename(commands, 99), rename(commands, 3)
    assert outcomes(await target.sink.apply_ahead([takes, gone, fine])) == {fine.id: "applied"}
    assert [echo["command"] for echo in await target.echoes()] == [fine.id]
    assert [effect.outcome for effect in await target.apply(frees, takes, gone, fine)] == ["applied"] * 3 + [None]
    assert len(await target.echoes()) == 4 and not await target.parked()


async def test_deletes_have_their_turn(target: Target, commands: Commander) -> None:
    row = {"email": "user1", "name": "Name 1", "city": "Bonn", "zip": "53111"}
    delete = commands.delete("[1]", row)
    assert await target.sink.apply_ahead([delete]) == []
    assert outcomes(await target.apply(delete)) == {delete.id: "applied"}


async def test_a_create_whose_value_is_taken_has_its_turn(target: Target, commands: Commander) -> None:
    row = {"email": "user1", "name": "Name 1", "city": "Bonn", "zip": "53111"}
    delete = commands.delete("[1]", row)
    again, other = commands.create(row), commands.create({"email": "other"})
    assert outcomes(await target.sink.apply_ahead([again, other])) == {other.id: "applied"}
    assert [effect.outcome for effect in await target.apply(delete, again, other)] == ["applied", "applied", None]
    assert await target.user.fetchval("select count(*) from contacts") == 21


async def test_a_command_given_up_is_not_carried_out_after_its_successor(target: Target, commands: Commander) -> None:
    first = rename(commands, 1, "first")
    second = Command(**{**_fields(rename(commands, 1, "second")), "record_id": first.record_id})
    await target.sink.apply_ahead([second])
    await target.user.execute("update contacts set name = 'Name 1' where id = 1")
    assert [effect.outcome for effect in await target.apply(first, second)] == [None, None]
    assert (await names(target))[0] == "Name 1"


async def test_another_sink_knows_what_went_ahead(target: Target, commands: Commander) -> None:
    backlog, fresh = [rename(commands, 1), rename(commands, 2)], [rename(commands, 3), rename(commands, 4)]
    successor = PostgresSink("crm", target.dsn, target.specs)
    await target.apply(backlog[0])
    await successor.apply_ahead([fresh[0]])
    # This one knows nothing of that, and makes the number grow; then the first finds another than it knows.
    await target.sink.apply_ahead([fresh[1]])
    await target.user.execute("update contacts set name = 'Name ' || id where id in (3, 4)")
    assert [effect.outcome for effect in await successor.apply([*backlog, *fresh])] == [None, "applied", None, None]
    assert (await names(target))[:4] == ["new", "new", "Name 3", "Name 4"]
    await successor.close()


async def test_one_statement_does_not_overlook_what_another_sink_did(target: Target, commands: Commander) -> None:
    first, second, fresh = (rename(commands, key) for key in (1, 2, 3))
    await target.apply(first)
    other = PostgresSink("crm", target.dsn, target.specs)
    await other.apply_ahead([fresh])
    await other.close()
    await target.user.execute("update contacts set name = 'Name 3' where id = 3")
    assert [effect.outcome for effect in await target.apply(second, fresh)] == ["applied", None]
    assert (await names(target))[:3] == ["new", "new", "Name 3"]


async def test_a_commit_that_fails_is_not_kept_in_mind(
    target: Target, commands: Commander, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = rename(commands, 1), rename(commands, 2)

    async def fail(*_: Any) -> dict[Any, int]:
        await inner(*_)
        raise asyncpg.PostgresError("lost just before the commit")

    inner = target.sink._aheads.note
    with monkeypatch.context() as patched:
        patched.setattr(target.sink._aheads, "note", fail)
        with pytest.raises(sink_errors.BatchRefusedError):
            await target.sink.apply_ahead([first])
    await target.sink.apply_ahead([second])
    assert [effect.outcome for effect in await target.apply(first, second)] == ["applied", None]


async def test_there_is_a_limit_to_what_goes_ahead(
    target: Target, commands: Commander, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sink_ahead, "AHEAD_AT_MOST", 2)
    batches = [[rename(commands, key)] for key in (1, 2, 3)]
    assert [len(await target.sink.apply_ahead(batch)) for batch in batches] == [1, 1, 0]


async def test_entities_that_begin_anew_forget_what_went_ahead(target: Target, commands: Commander) -> None:
    fresh = rename(commands, 1)
    await target.sink.apply_ahead([fresh])
    await connector("crm", "shop", {"dsn": target.dsn}).restart(["contact"])
    again = rename(Commander(), 2)
    renewed = Command(**{**_fields(again), "record_id": fresh.record_id})
    assert [effect.outcome for effect in await target.apply(renewed)] == ["applied"]


async def test_another_layout_is_refused(target: Target, commands: Commander) -> None:
    for step, why in ((-1, "older version of duplex made it. Run `duplex apply`"), (2, "newer version")):
        await target.user.execute("update duplex.meta set schema_version = schema_version + $1", step)
        with pytest.raises(RefusedError, match=why):
            await target.apply(rename(commands, 1))


class Readers:
    """The topic, read at two places by sinks that come and go; where a successor begins was committed some time ago."""

    def __init__(self, target: Target, topic: list[Command], fresh: int) -> None:
        self._target, self._topic = target, topic
        self._place = self._committed = 0
        self._fresh = fresh
        self._sinks = [self._sink(), self._sink()]

    def _sink(self) -> PostgresSink:
        return PostgresSink("crm", self._target.dsn, self._target.specs)

    async def backlog(self, size: int) -> None:
        await self._sinks[0].apply(self._topic[self._place : self._place + size])
        self._place = min(len(self._topic), self._place + size)

    async def fresh(self, size: int) -> None:
        await self._sinks[0].apply_ahead(self._topic[self._fresh : self._fresh + size])
        self._fresh = min(len(self._topic), self._fresh + size)

    async def zombie(self, size: int) -> None:
        """The sink that crashed was only asleep, and finishes what it was at."""
        await self._sinks[1].apply_ahead(self._topic[self._fresh : self._fresh + size])

    async def commit(self, _: int) -> None:
        self._committed = self._place

    async def crash(self, _: int) -> None:
        await self._sinks.pop().close()
        self._sinks.insert(0, self._sink())
        self._place, self._fresh = self._committed, min(len(self._topic), self._fresh + 1)

    async def close(self) -> None:
        for sink in self._sinks:
            await sink.close()


STEPS = st.tuples(st.sampled_from(["backlog", "fresh", "zombie", "commit", "crash"]), st.integers(1, 5))


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(STEPS, min_size=3, max_size=16), fresh=st.integers(2, 12), repeated=st.integers(8, 12))
async def test_whatever_crashes_each_command_is_carried_out_once(
    target: Target, steps: list[tuple[str, int]], fresh: int, repeated: int
) -> None:
    await target.user.execute("truncate duplex.progress, duplex.ahead; update contacts set name = 'Name ' || id")
    await target.user.execute("delete from duplex.change_log")
    commands = Commander()
    made = [rename(commands, key) for key in range(1, 21)]
    readers = Readers(target, made[:12] + made[repeated:], fresh)
    for step, size in steps:
        await getattr(readers, step)(size)
    await readers.backlog(len(made) + 12)
    await readers.close()
    assert sorted(echo["command"] for echo in await target.echoes()) == sorted(command.id for command in made)
    assert (await names(target), await ahead(target), await target.fence()) == (["new"] * 20, 0, 20)


def _fields(command: Command) -> dict[str, Any]:
    return {name: getattr(command, name) for name in command.__struct_fields__}
