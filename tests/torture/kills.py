"""`kill -9` of every part and of the whole program during bursts on both sides, again and again."""

import asyncio
import os
import random
import signal
import tempfile
import time
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from duplex.demo import databases
from duplex.demo.people import person
from tests.acceptance.showings import Showing
from tests.servers import PrivateKafka

PARTS = (
    ("processors",),
    ("sink", "crm"),
    ("sink", "erp"),
    ("source", "crm"),
    ("source", "erp"),
)
EDITS_A_SIDE = 300
KILLS_A_ROUND = 4
# The oracle looks at all of a showing's history at once: it is kept short.
ROUNDS_A_SHOWING = 3
SETTLE_S = 180.0
NewDatabase = Callable[[str], Awaitable[str]]


@dataclass(slots=True)
class Tally:
    """What was done, all of it survived."""

    rounds: int = 0
    edits: int = 0
    commands: int = 0
    kills: int = 0

    def __str__(self) -> str:
        return (
            f"ok: {self.rounds} rounds, {self.kills} kills, {self.edits:,} edits, {self.commands:,} commands; "
            "nothing lost, nothing doubled, no differences"
        )


async def campaign(broker: PrivateKafka, new_database: NewDatabase, time_s: float, seed: int) -> Tally:
    """Round after round until the time is over. Raises AssertionError with what was lost or doubled."""
    tally, chance, over = Tally(), random.Random(seed), time.monotonic() + time_s
    while time.monotonic() < over:
        showing = await _new_showing(broker, new_database)
        try:
            await showing.start()
            await showing.settled()
            numbers = count(1)
            for _ in range(ROUNDS_A_SHOWING):
                await _round(showing, broker, chance, numbers, tally)
            past = await showing.nothing_lost_or_doubled()
        finally:
            await showing.stop()
        tally.edits, tally.commands = tally.edits + len(past.edits), tally.commands + len(past.commands)
    return tally


async def _new_showing(broker: PrivateKafka, new_database: NewDatabase) -> Showing:
    pipeline, folder = f"t{uuid.uuid4().hex[:8]}", Path(tempfile.mkdtemp(prefix="duplex-torture-"))
    dsns = databases.Pair(await new_database("crm"), await new_database("erp"))
    await databases.fill(dsns)
    (folder / "duplex.yaml").write_text(databases.script("project.yaml").replace("PIPELINE", pipeline))
    showing = Showing(folder, pipeline, broker.bootstrap, dsns)
    await showing.call("apply")
    return showing


async def _round(
    showing: Showing, broker: PrivateKafka, chance: random.Random, numbers: "count[int]", tally: Tally
) -> None:
    work = asyncio.create_task(_burst(showing, random.Random(chance.random()), numbers))
    for _ in range(KILLS_A_ROUND):
        await asyncio.sleep(chance.uniform(0.05, 1.0))
        await _kill(showing, broker, chance)
        tally.kills += 1
    await work
    await showing.settled(SETTLE_S)
    tally.rounds += 1


async def _kill(showing: Showing, broker: PrivateKafka, chance: random.Random) -> None:
    """A part, most of the time; sometimes the whole program, sometimes the broker."""
    what = chance.random()
    if what < 0.7:
        await showing.kill(*chance.choice(PARTS))
    elif what < 0.9:
        process = showing.processes[-1]
        os.kill(process.pid, signal.SIGKILL)
        await process.wait()
        await showing.start()
    else:
        await asyncio.to_thread(broker.kill)
        await asyncio.to_thread(broker.start)


async def _burst(showing: Showing, chance: random.Random, numbers: "count[int]") -> None:
    """Edits on both sides, to records of one side and of both, each to a value that was never there before."""
    async with showing.connected() as (crm, erp):

        async def edit_crm() -> None:
            for _ in range(EDITS_A_SIDE):
                email = person(chance.randrange(180)).email
                await crm.execute("update shop.contacts set credit_limit = $2 where email = $1", email, next(numbers))

        async def edit_erp() -> None:
            for _ in range(EDITS_A_SIDE):
                email = person(chance.randrange(140, 300)).email
                await erp.execute("update shop.customers set tel = $2 where mail = $1", email, f"erp {next(numbers)}")

        await asyncio.gather(edit_crm(), edit_erp())
