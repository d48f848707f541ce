"""A merge state that was lost or spoilt, made anew from the record log.

The state is folded up to the place that the processors had read, as their consumer group says: what stands before it
has had its outputs sent, what stands behind it is read by the next run. So nothing is sent twice and nothing left out.
"""

import asyncio
import time
from dataclasses import dataclass

from duplex import broker, topics
from duplex.composition import Composition
from duplex.replaying import cuts, groups, logs
from duplex.replaying.errors import LogCutError, NotReadError, RunningError
from duplex.replaying.folds import TrueFold
from duplex.replaying.replay import Advance, processor
from schemas.codec import Codec
from streams.processors import changelogs
from streams.processors.changelogs import Stamp
from streams.processors.publishing import Publisher
from streams.processors.settings import Hosting, group_id

MARGIN_S = 3.0
POLL_S = 0.5


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """One partition: how many states were written, and the place in the log they were made up to."""

    entity: str
    partition: int
    states: int
    position: int


async def rebuild(composed: Composition, entity: str, advance: Advance) -> list[Rebuilt]:
    """Write the state of every partition of an entity anew. The processors must be stopped, and stay so.

    Raises RunningError, LogCutError, NotReadError, and what reading and writing raise.
    """
    names = composed.topics
    group = group_id(names.pipeline, f"merge.{entity}")
    await _check_stopped(composed, group)
    bounds = await logs.bounds(composed.kafka, names.records(entity))
    for partition, bound in bounds.items():
        if bound.first > 0:
            raise LogCutError(names.records(entity), partition, bound.first)
    reached = await groups.reached(composed.kafka, group, names.records(entity), sorted(bounds))
    if not reached:
        raise NotReadError(group, entity)
    await _make_topic(composed, entity)
    done = []
    for partition in sorted(bounds):
        position = min(reached.get(partition, 0), bounds[partition].end)
        fold = TrueFold(processor(composed, entity, Codec()))
        async for batch in logs.records(composed.kafka, names.records(entity), partition, 0, position):
            fold.take(batch)
            if batch:
                advance(entity, partition, batch[-1].offset + 1, position)
        await _check_stopped(composed, group)
        await _write(composed, entity, partition, position, fold)
        done.append(Rebuilt(entity, partition, len(fold.states()), position))
    return done


async def _check_stopped(composed: Composition, group: str) -> None:
    """Whether nobody is in the group. One that has just stopped is remembered for its session time-out."""
    hosting = Hosting(kafka=composed.kafka, pipeline=composed.topics.pipeline)
    deadline_s = time.monotonic() + hosting.session_timeout_ms / 1000 + MARGIN_S
    while members := await groups.members(composed.kafka, group):
        if time.monotonic() > deadline_s:
            raise RunningError(group, members)
        await asyncio.sleep(POLL_S)


async def _make_topic(composed: Composition, entity: str) -> None:
    name = composed.topics.state("merge", entity)
    specs = [spec for spec in topics.wanted(composed.project) if spec.name == name]
    await broker.create_missing(composed.kafka, specs, composed.project.kafka.replication_factor)


async def _write(composed: Composition, entity: str, partition: int, position: int, fold: TrueFold) -> None:
    """Write the state over whatever is there, by an epoch above all that are."""
    names = composed.topics
    present = await cuts.cut(composed, entity, partition)
    old, epoch = present.content, present.epoch
    changes: dict[bytes, bytes | None] = {**dict.fromkeys(old), **fold.content()}
    positions = {names.records(entity): position}
    entries = changelogs.batch(changes, positions, Stamp(epoch + 1, sum(positions.values())))
    publisher = Publisher(Hosting(kafka=composed.kafka, pipeline=names.pipeline), f"merge.{entity}")
    await publisher.start()
    try:
        await publisher.append(names.state("merge", entity), partition, entries)
    finally:
        await publisher.stop()
