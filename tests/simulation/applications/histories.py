"""One history from one seed: turbulence, rest, judgement; decide what is left, judge again; repeat everything."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from tests.simulation.applications.judging import is_twinned, judged
from tests.simulation.applications.loops import StandstillError, VirtualLoop
from tests.simulation.applications.tallies import Tally
from tests.simulation.applications.worlds import ThingsWorld


def run(seed: int, tally: Tally | None = None) -> list[str]:
    """The violations of one history; an exception of the program is one too."""
    with _silence(), asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(_lived(seed, tally))


async def _lived(seed: int, tally: Tally | None) -> list[str]:
    world = ThingsWorld(seed)
    try:
        wrong = await _run(world)
    except StandstillError as error:
        wrong = [f"STANDSTILL: {error}"]
    wrong = list(dict.fromkeys([*world.complaints, *world.pipeline.complaints, *wrong]))
    if tally is not None:
        tally.count(world, wrong)
    await world.end()
    return wrong


async def _run(world: ThingsWorld) -> list[str]:
    await world.begin()
    await world.act()
    world.calm_down()
    if not await world.rest():
        return ["REST: the world does not come to rest"]
    wrong = judged(world)
    if not await world.decide_everything():
        return [*wrong, "REST: the world does not come to rest after the last decisions"]
    for record in world.records:
        record.hub.complaints.clear()
    wrong += judged(world)
    return wrong + await _repeated(world)


async def _repeated(world: ThingsWorld) -> list[str]:
    """P1, P3, P6: at rest, all that ever was comes again, and nothing happens."""
    commands = sum(len(topic.records) for topic in world.pipeline.commands.values())
    rows = [(table.row, len(table.log)) for record in world.records for table in record.all_tables]
    settled = await world.repeat_everything()
    wrong = []
    for record in world.records:
        record.hub.replay()
        wrong += record.hub.complaints
    if not settled or commands != sum(len(topic.records) for topic in world.pipeline.commands.values()):
        wrong.append("P1: repeats led to commands")
    if any(is_twinned(record) for record in world.records):
        return []
    if rows != [(table.row, len(table.log)) for record in world.records for table in record.all_tables]:
        wrong.append("P1: repeats changed a row")
    return wrong


@contextmanager
def _silence() -> Iterator[None]:
    """What the engine says of every mishap is not for anybody here."""
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    try:
        yield
    finally:
        structlog.configure(**before)
