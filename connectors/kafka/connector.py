"""Topics that exist already as a system: Debezium's, or any that carry rows by key. They are read, and never written.

Nothing is installed: what this connector keeps is the offsets of its consumer group.
"""

import hashlib
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

import msgspec
from aiokafka import TopicPartition

from connectors.base import ColumnInfo, Kind, Problem, TableInfo, TableSpec
from connectors.errors import RefusedError
from connectors.kafka import checks, marks, samples
from connectors.kafka.clusters import Cluster, Topic
from connectors.kafka.readers import Readers
from connectors.kafka.scans import last_offsets, scan
from connectors.kafka.settings import Settings, read_settings
from connectors.kafka.source import KafkaSource


def connector(system: str, pipeline: str, options: Mapping[str, Any]) -> "KafkaConnector":
    """A system of topics. Raises RefusedError for settings that are unknown or unfit."""
    settings = read_settings(system, options)
    return KafkaConnector(settings, marks.group(pipeline, system), Readers(settings), settings.client)


kind = Kind(connector, writes=False)
"""The entry point."""


@dataclass(slots=True)
class KafkaConnector:
    """Topics as `connectors.base.Connector`."""

    settings: Settings
    group: str
    readers: Readers
    kafka: Mapping[str, Any] | None

    def lend_kafka(self, kafka: Mapping[str, Any]) -> None:
        """The arguments of the pipeline's own Kafka clients, for a system that names no `bootstrap`."""
        if self.settings.client is None:
            self.kafka = kafka

    @property
    def cluster(self) -> Cluster:
        """Where the topics are. Raises RefusedError where nobody said."""
        if self.kafka is None:
            place, remedy = f"setting systems.{self.settings.system}.bootstrap", "Write host:9092."
            raise RefusedError(self.settings.system, place, "it is missing", remedy)
        return Cluster(self.settings.system, self.kafka)

    async def discover(self, specs: Sequence[TableSpec]) -> Mapping[str, TableInfo]:
        present = await self.cluster.topics(self.readers.topics(specs))
        found = {}
        for spec in specs:
            table = self.readers.table(spec)
            if table is not None and table.topic in present:
                found[spec.entity] = await self._info(spec, table.topic, present[table.topic])
        return found

    async def _info(self, spec: TableSpec, name: str, topic: Topic) -> TableInfo:
        rows = self.readers.rows(_unmapped(spec), topic)
        sample = await samples.sample(self.cluster, rows, name, topic)
        table, key = self.readers.require(spec), sample.key
        columns = sample.columns
        if not columns and table.columns:
            columns = tuple(ColumnInfo(column, given.type) for column, given in table.columns.items())
            key = table.key
        refusal = None if columns and key else sample.why_nothing(name)
        text = msgspec.json.encode({column.name: column.type for column in columns})
        return TableInfo(spec.table, columns, key, hashlib.sha256(text).hexdigest()[:16], refusal)

    async def install(self, specs: Sequence[TableSpec]) -> Sequence[str]:
        """Nothing is made. Raises RefusedError for a topic that does not exist."""
        present = await self.cluster.topics(self.readers.topics(specs))
        for spec in specs:
            topic = self.readers.require(spec).topic
            if topic not in present:
                what = f"entity {spec.entity}, topic {topic}"
                raise RefusedError(self.settings.system, what, "there is no such topic", "Correct its name.")
        return []

    async def restart(self, entities: Sequence[str]) -> None:
        await self._forget(entities)

    async def uninstall(self) -> Sequence[str]:
        """Forgets how far it had read. The topics are others'."""
        await self._forget(None)
        return [f"the offsets of group {self.group} are set back"]

    async def _forget(self, entities: Sequence[str] | None) -> None:
        names = [table.topic for table in self.settings.tables.values()]
        present = await self.cluster.topics(names)
        every = [TopicPartition(name, number) for name, one in present.items() for number in range(one.partitions)]
        known = await marks.recorded(self.cluster, self.group, every)
        await marks.forget(self.cluster, self.group, known, entities)

    async def check(self, specs: Sequence[TableSpec]) -> Sequence[Problem]:
        return await checks.check(self.cluster, self.group, self.readers, specs)

    async def rows(self, spec: TableSpec) -> AsyncIterator[Sequence[str]]:
        """The rows as they are at the end of the topic: of each the last message, unless it is a delete."""
        table = self.readers.require(spec)
        topic = (await self.cluster.topics([table.topic])).get(table.topic)
        if topic is None:
            return
        reader = self.readers.rows(spec, topic)
        async with self.cluster.reached(), self.cluster.consumer() as consumer:
            places = [TopicPartition(table.topic, number) for number in range(topic.partitions)]
            starts, ends = await consumer.beginning_offsets(places), await consumer.end_offsets(places)
            for place in places:
                last = await last_offsets(consumer, reader, place, starts[place], ends[place])
                wanted = set(last.values())
                async for messages in scan(consumer, place, starts[place], ends[place]):
                    chosen = [reader.read(message, 0, True) for message in messages if message.offset in wanted]
                    yield [change.after for change in chosen if change is not None and change.after is not None]

    def open_source(self, specs: Sequence[TableSpec]) -> KafkaSource:
        return KafkaSource(self.cluster, self.group, self.readers, specs)

    def open_sink(self, specs: Sequence[TableSpec]) -> NoReturn:
        """Raises RefusedError: who writes to somebody else's topic would speak in its owner's name."""
        why = "a kafka system is read, and never written"
        remedy = "Give every field of it `direction: in`."
        raise RefusedError(self.settings.system, "writing", why, remedy)

    async def close(self) -> None:
        await self.readers.close()


def _unmapped(spec: TableSpec) -> TableSpec:
    """The same without columns: what is not known yet cannot be missing."""
    return TableSpec(spec.entity, spec.table, (), (), spec.key)


kind = Kind(connector, writes=False)
