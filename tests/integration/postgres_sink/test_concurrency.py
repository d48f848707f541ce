"""The sink beside other writers: locks, cancels, rows that come and go."""

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest

from connectors.errors import UnreachableError
from connectors.postgres import sink as sink_module
from connectors.postgres import sink_transactions
from connectors.postgres.sink_errors import BatchRefusedError
from schemas.messages import Command
from tests.conformance.commands import Commander
from tests.integration.postgres_sink.target import Target
from tests.waiting import eventually

WAITERS = "select count(*) from pg_stat_activity where application_name = 'duplex sink' and wait_event_type = 'Lock'"


@pytest.fixture
async def other(target: Target) -> AsyncIterator[asyncpg.Connection]:
    """A second user of the target."""
    connection = await asyncpg.connect(target.dsn)
    yield connection
    await connection.close()


def rename(commands: Commander, key: int, name: str = "new") -> Command:
    return commands.update(f"[{key}]", ({"name": f"Name {key}"}, {"name": name}))


async def waiting(target: Target) -> None:
    """Until the sink waits for a lock."""

    async def waits() -> bool:
        return bool(await target.user.fetchval(WAITERS))

    await eventually(waits)


async def test_an_edit_that_commits_first_is_not_overwritten(
    target: Target, other: asyncpg.Connection, commands: Commander
) -> None:
    command = rename(commands, 1)
    edit = other.transaction()
    await edit.start()
    await other.execute("update contacts set name = 'edited' where id = 1")
    applying = asyncio.create_task(target.apply(command))
    await waiting(target)
    await edit.commit()
    await applying
    echo = await target.echo(command)
    assert (echo["before"]["name"], echo["after"]["name"]) == ("edited", "edited")


async def test_an_unrelated_edit_of_the_same_row_is_kept(
    target: Target, other: asyncpg.Connection, commands: Commander
) -> None:
    command = rename(commands, 1)
    edit = other.transaction()
    await edit.start()
    await other.execute("update contacts set email = 'edited' where id = 1")
    applying = asyncio.create_task(target.apply(command))
    await waiting(target)
    await edit.commit()
    await applying
    echo = await target.echo(command)
    assert (echo["before"]["name"], echo["before"]["email"]) == ("Name 1", "edited")
    assert (echo["after"]["name"], echo["after"]["email"]) == ("new", "edited")


async def test_a_row_replaced_in_one_transaction_is_found(
    target: Target, other: asyncpg.Connection, commands: Commander
) -> None:
    command = rename(commands, 1)
    edit = other.transaction()
    await edit.start()
    await other.execute("delete from contacts where id = 1")
    await other.execute("insert into contacts (id, name) values (1, 'Name 1')")
    applying = asyncio.create_task(target.apply(command))
    await waiting(target)
    await edit.commit()
    await applying
    entries = [(entry["op"], entry["after"] and entry["after"]["name"]) for entry in await target.log()]
    assert entries == [("d", None), ("c", "Name 1"), ("u", "new")]


async def test_a_row_that_may_be_on_its_way_is_not_reported_gone(
    target: Target, other: asyncpg.Connection, commands: Commander
) -> None:
    command = commands.update("[99]", ({"name": "late"}, {"name": "new"}))
    edit = other.transaction()
    await edit.start()
    await other.execute("insert into contacts (id, name) values (99, 'late')")
    assert [effect.outcome for effect in await target.apply(command, rename(commands, 1))] == [None, "applied"]
    await edit.commit()

    async def applied() -> bool:
        return bool(await target.sink.retry_parked())

    await eventually(applied)
    echo = await target.echo(command)
    assert (echo["op"], echo["after"]["name"]) == ("u", "new")
    assert max(entry["seq"] for entry in await target.log() if entry["local_id"] == "[99]") == echo["seq"]


async def test_a_key_that_somebody_is_just_taking(
    target: Target, other: asyncpg.Connection, commands: Commander
) -> None:
    command = commands.create({"name": "ours"}, "[99]")
    edit = other.transaction()
    await edit.start()
    await other.execute("insert into contacts (id, name) values (99, 'theirs')")
    applying = asyncio.create_task(target.apply(command))
    await waiting(target)
    await edit.commit()
    await applying
    echo = await target.echo(command)
    assert (echo["op"], echo["before"], echo["after"]["name"]) == ("u", echo["after"], "theirs")


async def test_a_cancelled_batch_leaves_nothing(target: Target, other: asyncpg.Connection, commands: Commander) -> None:
    batch = [rename(commands, key) for key in range(1, 21)]
    edit = other.transaction()
    await edit.start()
    await other.execute("select from contacts where id = 20 for update")
    applying = asyncio.create_task(target.sink.apply(batch))
    await waiting(target)
    applying.cancel()
    with pytest.raises(asyncio.CancelledError):
        await applying
    await edit.rollback()
    assert await target.log() == []
    assert [effect.outcome for effect in await target.apply(*batch)] == ["applied"] * 20


async def test_a_killed_connection_leaves_nothing(
    target: Target, other: asyncpg.Connection, commands: Commander
) -> None:
    batch = [rename(commands, key) for key in range(1, 21)]
    edit = other.transaction()
    await edit.start()
    await other.execute("select from contacts where id = 20 for update")
    applying = asyncio.create_task(target.sink.apply(batch))
    await waiting(target)
    await target.user.execute(
        "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'duplex sink'"
    )
    with pytest.raises(UnreachableError):
        await applying
    await edit.rollback()
    assert await target.log() == []
    assert [effect.outcome for effect in await target.apply(*batch)] == ["applied"] * 20


async def test_a_locked_row_does_not_hold_the_batch_for_ever(
    target: Target, other: asyncpg.Connection, commands: Commander, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sink_module.SESSION, "lock_timeout", "50ms")
    edit = other.transaction()
    await edit.start()
    await other.execute("select from contacts where id = 1 for update")
    with pytest.raises(BatchRefusedError, match="pg_blocking_pids"):
        await target.apply(rename(commands, 1))
    await edit.rollback()
    assert await target.log() == []


async def test_a_deadlock_is_survived(target: Target, other: asyncpg.Connection, commands: Commander) -> None:
    edit = other.transaction()
    await edit.start()
    await other.execute("update contacts set zip = '2' where id = 2")
    applying = asyncio.create_task(target.apply(rename(commands, 1), rename(commands, 2)))
    await waiting(target)
    try:
        await other.execute("update contacts set zip = '1' where id = 1")
        await edit.commit()
    except asyncpg.DeadlockDetectedError:
        await edit.rollback()
    assert [effect.outcome for effect in await applying] == ["applied", "applied"]


async def test_partitions_run_side_by_side(target: Target) -> None:
    batches = [
        [rename(Commander(partition=partition), key) for key in range(1 + partition, 21, 4)] for partition in range(4)
    ]
    done = await asyncio.gather(*(target.sink.apply(batch) for batch in batches))
    assert {effect.outcome for effects in done for effect in effects} == {"applied"}
    assert len(await target.echoes()) == 20


async def test_a_transaction_whose_block_raises_leaves_nothing(target: Target, other: asyncpg.Connection) -> None:
    with pytest.raises(KeyError):
        async with sink_transactions.transaction(other):
            await other.execute("delete from contacts")
            raise KeyError("a mistake of ours, not the server's")
    assert await target.user.fetchval("select count(*) from contacts") == 20
    assert not other.is_in_transaction()
