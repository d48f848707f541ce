"""Live changes while a system catches up with a backlog: real Kafka, real Postgres."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from functools import partial

import pytest

from connectors.base import Effect, TableSpec
from connectors.postgres.sink import PostgresSink
from schemas.messages import Command
from tests.conftest import NewDatabase
from tests.integration.postgres_sink.target import Target
from tests.integration.sinks.pipes import Pipe
from tests.waiting import eventually

BACKLOG, LIVE = 20_000, 40
ITEMS = TableSpec("contact", "items", ("n",), (("n",),))
TABLE = f"""
create table items (id integer primary key, n integer not null);
insert into items select id, 0 from generate_series(1, {BACKLOG + LIVE}) id;
"""


class Paced(PostgresSink):
    """Carries out a batch of the backlog when it is told to."""

    paces: asyncio.Semaphore
    batches = 0

    async def apply(self, commands: Sequence[Command]) -> Sequence[Effect]:
        async with asyncio.timeout(30):
            await self.paces.acquire()
        self.batches += 1
        return await super().apply(commands)


@pytest.fixture
async def target(new_database: NewDatabase) -> AsyncIterator[Target]:
    made = await Target.made(await new_database("target"), TABLE, ITEMS)
    yield made
    await made.close()


@pytest.fixture
async def pipe(kafka_bootstrap: str, pipeline_name: str) -> Pipe:
    made = Pipe(kafka_bootstrap, pipeline_name)
    await made.create()
    return made


def counted(pipe: Pipe, first: int, count: int) -> list[Command]:
    return [pipe.commands[0].update(f"[{key}]", ({"n": 0}, {"n": 1})) for key in range(first, first + count)]


def paced(target: Target) -> Paced:
    made = Paced("crm", target.dsn, target.specs)
    made.paces = asyncio.Semaphore(0)
    return made


async def live_ones(target: Target) -> int:
    return int(await target.user.fetchval("select count(*) from items where n > 0 and id > $1", BACKLOG))


async def live_until_seen(pipe: Pipe, target: Target, sink: Paced) -> int:
    """Send live commands, one for each batch of the backlog, until one is carried out; how many were sent."""
    for sent in range(1, LIVE + 1):
        await pipe.send(*counted(pipe, BACKLOG + sent, 1))
        sink.paces.release()
        await eventually(partial(_at_least, sink, sent))
        if await live_ones(target):
            return sent
    raise AssertionError("no live command was carried out before its turn")


def _at_least(sink: Paced, batches: int) -> bool:
    return sink.batches >= batches


async def all_done(target: Target, commands: int) -> bool:
    found = "select (select count(*) from duplex.change_log), (select count(*) from items where n = 1)"
    return tuple(await target.user.fetchrow(found) or ()) == (commands, commands)


async def test_a_live_change_does_not_wait_for_the_backlog(pipe: Pipe, target: Target) -> None:
    await pipe.send(*counted(pipe, 1, BACKLOG))
    sink = paced(target)
    async with pipe.running(sink):
        sent = await live_until_seen(pipe, target, sink)
        assert sink.batches < BACKLOG // 1000
        for _ in range(BACKLOG // 1000 + LIVE):
            sink.paces.release()
        await eventually(lambda: all_done(target, BACKLOG + sent), timeout_s=60)
    await sink.close()


async def test_a_successor_does_not_repeat_what_went_ahead(pipe: Pipe, target: Target) -> None:
    await pipe.send(*counted(pipe, 1, BACKLOG))
    sink = paced(target)
    async with pipe.running(sink):
        sent = await live_until_seen(pipe, target, sink)
    await sink.close()
    successor = PostgresSink("crm", target.dsn, target.specs)
    async with pipe.running(successor):
        await eventually(lambda: all_done(target, BACKLOG + sent), timeout_s=60)
        await eventually(lambda: _nothing_ahead(target))
    await successor.close()
    repeated = "select count(*) - count(distinct command) from duplex.change_log"
    assert await target.user.fetchval(repeated) == 0


async def _nothing_ahead(target: Target) -> bool:
    return not await target.user.fetchval("select count(*) from duplex.ahead")
