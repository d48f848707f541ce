"""What is wrong with the topics of a system now."""

from collections.abc import AsyncIterator, Sequence

from aiokafka import TopicPartition

from connectors.base import Problem, TableSpec
from connectors.kafka import marks
from connectors.kafka.clusters import Cluster, Topic
from connectors.kafka.readers import Readers
from connectors.kafka.samples import sample
from connectors.kafka.settings import Table


async def check(cluster: Cluster, group: str, readers: Readers, specs: Sequence[TableSpec]) -> list[Problem]:
    """Missing topics, changed partitions, messages that cannot be understood, rows that are gone for their age."""
    present = await cluster.topics(readers.topics(specs))
    found: list[Problem] = []
    for spec in specs:
        table = readers.table(spec)
        if table is None or table.topic not in present:
            found.append(_missing(cluster.system, spec, table, readers))
            continue
        topic = present[table.topic]
        found += [one async for one in _of_topic(cluster, group, readers, spec, table, topic)]
    return found


def _missing(system: str, spec: TableSpec, table: Table | None, readers: Readers) -> Problem:
    if table is None:
        what = f"no topic is named {spec.table}; there are {', '.join(readers.names)}"
        return Problem(system, spec.entity, what, f"Correct it, or add it to systems.{system}.topics.")
    what = f"there is no topic {table.topic} in the cluster of {system}"
    return Problem(system, spec.entity, what, f"Correct systems.{system}.topics.{spec.table}.topic, or have it made.")


async def _of_topic(
    cluster: Cluster, group: str, readers: Readers, spec: TableSpec, table: Table, topic: Topic
) -> AsyncIterator[Problem]:
    system, name = cluster.system, table.topic
    known = await marks.recorded(cluster, group, [TopicPartition(name, number) for number in range(topic.partitions)])
    for had in {one.mark.partitions for one in known.values() if one.mark.topic == topic.id} - {topic.partitions}:
        what = f"topic {name} had {had} partitions and has {topic.partitions}: the order of rows is lost"
        yield Problem(system, spec.entity, what, "Have it made anew and filled afresh.")
    seen = await sample(cluster, readers.rows(spec, topic), name, topic)
    if seen.unreadable:
        what = f"{seen.unreadable} of the last {seen.messages} messages of topic {name} cannot be understood"
        yield Problem(
            system, spec.entity, f"{what}: {seen.reason}", "Look at its format, key and columns.", fatal=False
        )
    settings = await cluster.settings(name)
    if "compact" not in settings.get("cleanup.policy", "compact") and settings.get("retention.ms") != "-1":
        what = f"topic {name} forgets messages by their age: rows that were not changed since are not loaded"
        remedy = "Set cleanup.policy=compact, or let its producer take a snapshot before the first load."
        yield Problem(system, spec.entity, what, remedy, fatal=False)
