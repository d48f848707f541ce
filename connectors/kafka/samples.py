"""A look at the end of a topic: what rows it holds, and whether its messages can be understood."""

from dataclasses import dataclass

from aiokafka import TopicPartition

from connectors.base import ColumnInfo
from connectors.kafka.clusters import Cluster, Topic
from connectors.kafka.errors import UnreadableError
from connectors.kafka.rows import Rows
from connectors.kafka.scans import scan

MESSAGES_EACH = 50
MOST_PARTITIONS = 16


@dataclass(frozen=True, slots=True)
class Sample:
    """What was seen: the columns and the key of the newest row, how many messages, and why the others are no rows."""

    columns: tuple[ColumnInfo, ...]
    key: tuple[str, ...]
    messages: int
    unreadable: int
    reason: str

    def why_nothing(self, topic: str) -> str:
        """Why a table of this topic cannot be known."""
        if self.unreadable:
            return f"messages of topic {topic} cannot be understood: {self.reason}"
        if not self.messages:
            return f"topic {topic} is empty, so its columns are not known; declare its `columns` and its `key`"
        return f"topic {topic} does not say its columns and its key; declare its `columns` and its `key`"


async def sample(cluster: Cluster, rows: Rows, name: str, topic: Topic) -> Sample:
    """Look at the last messages of each partition. Raises UnreachableError and RefusedError."""
    newest: tuple[int, tuple[ColumnInfo, ...], tuple[str, ...]] = (-1, (), ())
    seen = unreadable = 0
    reason = ""
    async with cluster.reached(), cluster.consumer() as consumer:
        places = [TopicPartition(name, number) for number in range(min(topic.partitions, MOST_PARTITIONS))]
        starts, ends = await consumer.beginning_offsets(places), await consumer.end_offsets(places)
        for place in places:
            first = max(starts[place], ends[place] - MESSAGES_EACH)
            async for messages in scan(consumer, place, first, ends[place]):
                await rows.prepare(messages)
                for message in messages:
                    seen += 1
                    try:
                        columns, key = rows.columns(message)
                        rows.read(message, 0)
                    except UnreadableError as error:
                        unreadable, reason = unreadable + 1, f"{error.reason} (offset {message.offset})"
                        continue
                    if columns and message.timestamp >= newest[0]:
                        newest = (message.timestamp, columns, key)
    return Sample(newest[1], newest[2], seen, unreadable, reason)
