"""A merge state that was lost or spoilt, made anew from the record log.

The state is folded up to the place that the processors had read, as their consumer group says: what stands before it
has had its outputs sent, what stands behind it is read by the next run. So nothing is sent twice and nothing left out.
"""

from dataclasses import dataclass

from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from duplex import broker, topics
from duplex.composition import Composition
from duplex.replaying import cuts, logs
from duplex.replaying.errors import LogCutError, NotReadError, RunningError
from duplex.replaying.folds import TrueFold
from duplex.replaying.replay import Advance, processor
from schemas.codec import Codec
from streams.processors import changelogs
from streams.processors.changelogs import Stamp
from streams.processors.publishing import Publisher
from streams.processors.settings import Hosting, group_id

QUIET = ("Empty", "Dead")


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
    reached = await _reached(composed, group, names.records(entity), sorted(bounds))
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
    async with broker.admin(composed.kafka) as client:
        members = await _members(client, group)
    if members:
        raise RunningError(group, members)


async def _members(client: AIOKafkaAdminClient, group: str) -> int:
    """How many processes are in a consumer group."""
    found = 0
    for response in await client.describe_consumer_groups([group]):
        for _, _, state, _, _, members, *_ in response.groups:
            found += 0 if state in QUIET else max(1, len(members))
    return found


async def _reached(composed: Composition, group: str, topic: str, partitions: list[int]) -> dict[int, int]:
    """How far the group has read each partition; only those that it has read at all."""
    async with broker.admin(composed.kafka) as client:
        sources = [TopicPartition(topic, each) for each in partitions]
        offsets = await client.list_consumer_group_offsets(group, partitions=sources)
    return {source.partition: found.offset for source, found in offsets.items() if found.offset >= 0}


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
