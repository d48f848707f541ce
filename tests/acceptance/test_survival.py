"""`kill -9` of any part, or of the whole, in mid-burst: nothing lost, nothing twice, no manual step."""

import asyncio
import json
import os
import random
import signal
from pathlib import Path

import asyncpg
import pytest

from duplex import sockets
from duplex.demo.people import person
from streams.processors.queries import socket_path
from tests.acceptance.showings import Showing
from tests.waiting import eventually

BURST = 400


async def edits_in_crm(crm: asyncpg.Connection, chance: random.Random) -> None:
    """Updates of one field to ever new values, and of another back and forth, so that a repeat would show."""
    for number in range(BURST):
        email = person(chance.randrange(180)).email
        await crm.execute("update shop.contacts set credit_limit = $2 where email = $1", email, number)
        turned = "update shop.contacts set zip = case zip when 'A' then 'B' else 'A' end where email = $1"
        await crm.execute(turned, email)


async def edits_in_erp(erp: asyncpg.Connection, chance: random.Random) -> None:
    for number in range(BURST):
        email = person(chance.randrange(140, 300)).email
        await erp.execute("update shop.customers set tel = $2 where mail = $1", email, f"erp {number}")


async def burst(showing: Showing) -> None:
    async with showing.connected() as (crm, erp):
        await asyncio.gather(edits_in_crm(crm, random.Random(1)), edits_in_erp(erp, random.Random(2)))


@pytest.mark.parametrize("victims", [(("processors",),), (("sink", "erp"), ("sink", "crm")), (("source", "crm"),)])
async def test_a_part_killed_in_mid_burst_loses_and_doubles_nothing(
    showing: Showing, victims: tuple[tuple[str, ...], ...]
) -> None:
    await showing.start()
    await showing.settled()
    work = asyncio.create_task(burst(showing))
    for words in victims * 2:
        await showing.kill(*words)
        await changes_arrive(showing, 50)
    await work
    await showing.settled()
    assert len((await showing.nothing_lost_or_doubled()).edits) == 3 * BURST


async def test_one_of_two_workers_killed_in_mid_burst_loses_and_doubles_nothing(showing: Showing) -> None:
    """Their state is on disk, too, so that what is there after a kill must fit the log."""
    project = showing.folder / "duplex.yaml"
    project.write_text(f"{project.read_text()}\nprocessors: {{workers: 2, memory: 32MiB}}\n")
    await showing.start()
    await showing.settled()
    await eventually(lambda: shared(showing), 60, "the workers do not share the partitions")
    work = asyncio.create_task(burst(showing))
    for words in (("processors", "2"), ("processors",)):
        await showing.kill(*words)
        await changes_arrive(showing, 50)
    await work
    await showing.settled()
    assert len((await showing.nothing_lost_or_doubled()).edits) == 3 * BURST


def shared(showing: Showing) -> bool:
    """Each worker holds partitions of its own, and whoever asks the first one hears of all."""
    mine, others = (positions(socket_path(showing.folder, worker), "?here=1") for worker in (1, 2))
    everything = positions(socket_path(showing.folder), "")
    return bool(mine) and bool(others) and not mine & others and everything == mine | others


def positions(socket: Path, query: str) -> set[str]:
    """The partitions of the merge that a worker answers for."""
    try:
        status, body = sockets.ask(socket, f"/positions/merge.contact{query}", 5)
    except OSError:
        return set()
    return set(json.loads(body)) if status == sockets.OK else set()


async def changes_arrive(showing: Showing, count: int) -> None:
    """Wait until so many more entries stand in the CRM's log: the burst goes on meanwhile."""
    async with showing.connected() as (crm, _):
        start = await crm.fetchval("select count(*) from duplex.change_log")
        for _ in range(2000):
            if await crm.fetchval("select count(*) from duplex.change_log") >= start + count:
                return
            await asyncio.sleep(0.005)


async def test_the_whole_program_killed_in_mid_burst_goes_on_where_it_was(showing: Showing) -> None:
    process = await showing.start()
    await showing.settled()
    work = asyncio.create_task(burst(showing))
    await changes_arrive(showing, 100)
    os.kill(process.pid, signal.SIGKILL)
    await process.wait()
    await showing.start()
    await work
    await showing.settled()
    assert len((await showing.nothing_lost_or_doubled()).edits) == 3 * BURST
