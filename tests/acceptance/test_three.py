"""Three databases, everybody editing at once, parts of the program killed meanwhile: nothing is lost."""

import random
from collections.abc import Iterable
from pathlib import Path

from tests.acceptance.trio.clashes import Plan, clashes
from tests.acceptance.trio.databases import SYSTEMS, Write
from tests.acceptance.trio.program import Trio
from tests.conftest import NewDatabase

PLAN = Plan(same=40, different=40, deletes=20, records=12, deleted_records=8)
VICTIMS = {20: ("source", "erp"), 45: ("sink", "web"), 70: ("processors",), 85: ("sink", "crm")}


async def test_three_databases_lose_nothing_while_parts_are_killed(
    tmp_path: Path, kafka_bootstrap: str, new_database: NewDatabase, pipeline_name: str
) -> None:
    dsns = {system: await new_database(system) for system in SYSTEMS}
    async with Trio.made(tmp_path, pipeline_name, kafka_bootstrap, dsns, PLAN.all_records()) as (trio, users):
        async for done in clashes(users, PLAN, random.Random(1)):
            if done in VICTIMS:
                await trio.kill(*VICTIMS[done])
        await trio.at_rest(users)
        assert await trio.stays_at_rest(users)
        case = await trio.case(users)
        assert case.judge() == []
        assert await trio.doubled() == []
        enough_happened(case.writes, [conflict.kind for conflict in case.conflicts])


def enough_happened(writes: Iterable[Write], kinds: list[str]) -> None:
    """A test without clashes would show nothing."""
    edits = [write for write in writes if write.by_user and write.after is not None]
    deletes = [write for write in writes if write.by_user and write.after is None]
    assert len(edits) > 2 * (PLAN.same + PLAN.different)
    assert len(deletes) > PLAN.deletes / 2
    assert kinds.count("value") >= PLAN.same / 4
    assert kinds.count("existence") >= PLAN.deletes / 4
