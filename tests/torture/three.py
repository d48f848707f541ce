"""Three databases at full size: every few seconds a part of the program is killed while their users clash."""

import asyncio
import contextlib
import random
import tempfile
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.acceptance.trio.clashes import Plan, clashes
from tests.acceptance.trio.databases import SYSTEMS, Databases
from tests.acceptance.trio.program import Trio
from tests.servers import PrivateKafka
from tests.torture.kills import NewDatabase

PLAN = Plan(same=500, different=500, deletes=200, records=150, deleted_records=60)
PARTS = (("processors",), *((kind, system) for kind in ("source", "sink") for system in SYSTEMS))
# The clashes are spread over so long, so that the parts are killed many times in between.
CLASHES_S = 150.0
FIRST_KILL_S, LAST_KILL_S = 1.0, 5.0
SETTLE_S = 300.0


@dataclass(slots=True)
class Outcome:
    """What was done, and everything that was wrong with it."""

    clashes: int = 0
    edits: int = 0
    deletions: int = 0
    conflicts: Counter[str] = field(default_factory=Counter)
    kills: Counter[str] = field(default_factory=Counter)
    wrong: Sequence[str] = ()

    def __str__(self) -> str:
        killed = ", ".join(f"{count} {kind}" for kind, count in sorted(self.kills.items()))
        told = "nothing lost, all equal, nothing moves at rest" if not self.wrong else "; ".join(self.wrong[:5])
        return (
            f"{'FAILED' if self.wrong else 'ok'}: {self.clashes:,} clashes, {self.edits:,} edits, "
            f"{self.deletions:,} deletions, {self.conflicts['value']:,} conflicts of values and "
            f"{self.conflicts['existence']:,} of existence, {self.kills.total()} kills ({killed}): "
            f"{len(self.wrong)} violations; {told}"
        )


async def campaign(broker: PrivateKafka, new_database: NewDatabase, seed: int, plan: Plan = PLAN) -> Outcome:
    """Clash, kill, come to rest, judge. Raises AssertionError if the databases do not come to rest."""
    folder, pipeline = Path(tempfile.mkdtemp(prefix="duplex-torture-")), f"t{uuid.uuid4().hex[:8]}"
    dsns = {system: await new_database(system) for system in SYSTEMS}
    outcome, chance = Outcome(), random.Random(seed)
    async with Trio.made(folder, pipeline, broker.bootstrap, dsns, plan.all_records()) as (trio, users):
        async with _killing(trio, random.Random(chance.random()), outcome):
            pause_s = CLASHES_S / (plan.same + plan.different + plan.deletes)
            async for done in clashes(users, plan, chance):
                outcome.clashes = done
                await asyncio.sleep(chance.uniform(0, 2 * pause_s))
        await trio.at_rest(users, SETTLE_S)
        await _judge(trio, users, outcome)
    return outcome


@contextlib.asynccontextmanager
async def _killing(trio: Trio, chance: random.Random, outcome: Outcome) -> AsyncIterator[None]:
    """`kill -9` of one part after another, as long as the block runs."""

    async def forever() -> None:
        while True:
            await asyncio.sleep(chance.uniform(FIRST_KILL_S, LAST_KILL_S))
            words = chance.choice(PARTS)
            await trio.kill(*words)
            outcome.kills[words[0]] += 1

    task = asyncio.create_task(forever())
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def _judge(trio: Trio, users: Databases, outcome: Outcome) -> None:
    moved = [] if await trio.stays_at_rest(users) else ["something moves at rest"]
    case = await trio.case(users)
    doubled = [f"command {command} took effect twice" for command in await trio.doubled()]
    written = [write for write in case.writes if write.by_user]
    outcome.edits = sum(len(write.edits()) for write in written)
    outcome.deletions = sum(write.after is None for write in written)
    outcome.conflicts.update(conflict.kind for conflict in case.conflicts)
    outcome.wrong = [*moved, *doubled, *case.judge()]
