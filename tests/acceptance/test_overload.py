"""More changes than a target takes: they wait in Kafka, no process grows, nothing is given up, and all arrive."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import psutil
import pytest

from tests.acceptance.shops import Shop, connected
from tests.conftest import NewDatabase
from tests.waiting import eventually

ROWS, ROUNDS = 1_100, 5
# A process of the program has about 90 MiB when it begins.
BOUND_MIB = 256
INSERT = """insert into public.contacts (email, last_name)
    select 'p' || n || '@example.com', 'Name ' || n from generate_series(1, $1::int) n"""
NAMES = "select md5(string_agg(mail || full_name, ' ' order by mail)) from public.customers where mail like 'p%'"
WANTED = """select md5(string_agg(email || last_name, ' ' order by email)) from public.contacts where email like 'p%'"""


@pytest.fixture
async def shop(
    tmp_path: Path, pipeline_name: str, kafka_bootstrap: str, new_database: NewDatabase
) -> AsyncIterator[Shop]:
    """The sample, running, with 1,100 people more in both databases."""
    async with Shop.made(tmp_path, pipeline_name, kafka_bootstrap, new_database) as shop:
        code, _, errors = await shop.call("apply")
        assert code == 0, errors
        await shop.start()
        await shop.running()
        async with connected(shop.crm) as crm:
            await crm.execute(INSERT, ROWS)
        await shop.becomes(shop.erp, NAMES, await shop.value(shop.crm, WANTED))
        yield shop


@asynccontextmanager
async def locked(dsn: str) -> AsyncIterator[None]:
    """Nobody else can write to the target."""
    async with connected(dsn) as connection, connection.transaction():
        await connection.execute("lock table public.customers in exclusive mode")
        yield


async def burst(crm: asyncpg.Connection) -> None:
    for number in range(ROUNDS):
        await crm.execute("update public.contacts set last_name = last_name || $1 where email like 'p%'", f" {number}")


@pytest.mark.timeout(600)
async def test_changes_beyond_what_a_target_takes_wait_and_cost_no_memory(shop: Shop) -> None:
    conflicts = (await status(shop))["conflicts"]
    async with Watched(shop) as watched:
        async with locked(shop.erp), connected(shop.crm) as crm:
            await burst(crm)
            found = await eventually(lambda: everything_is_merged(shop), 120, "the changes do not come to the sink")
        assert found["bottleneck"]["name"] == "the sink of erp"
        await shop.becomes(shop.erp, NAMES, await shop.value(shop.crm, WANTED))
    assert watched.most_mib and max(watched.most_mib.values()) < BOUND_MIB, watched.most_mib
    found = await status(shop)
    assert found["deadletters"] == 0 and found["conflicts"] == conflicts
    assert not found["counters"].get("duplex_child_restarts_total")


async def status(shop: Shop) -> dict[str, Any]:
    """What `duplex status` says; a sink that waits for a lock may count as not well."""
    _, out, _ = await shop.call("status", "--json")
    return json.loads(out)  # type: ignore[no-any-return]


async def everything_is_merged(shop: Shop) -> dict[str, Any] | None:
    """The status, once all changes are out of the source and through the processors, and only the sink is behind."""
    found = await status(shop)
    before = sum(hop["behind"] for hop in found["hops"] if hop["name"] != "sink erp")
    waits = sum(hop["behind"] for hop in found["hops"] if hop["name"] == "sink erp")
    return found if not found["unpublished"]["crm"] and not before and waits > 0 else None


class Watched:
    """How much memory each process of the program had at most, in MiB, by its words."""

    def __init__(self, shop: Shop) -> None:
        assert shop.process is not None
        self._root = psutil.Process(shop.process.pid)
        self.most_mib: dict[str, float] = {}
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> "Watched":
        self._task = asyncio.create_task(self._watch())
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._task is not None
        self._task.cancel()
        await asyncio.wait([self._task])

    async def _watch(self) -> None:
        while True:
            for process in [self._root, *self._root.children(recursive=True)]:
                words = json.dumps(process.cmdline()[-3:])
                mib = process.memory_info().rss / 2**20
                self.most_mib[words] = max(self.most_mib.get(words, 0.0), mib)
            await asyncio.sleep(0.2)
