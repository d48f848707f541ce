"""The topics of a processor, checked before it starts: they exist, and their keys stay together."""

from collections.abc import Iterable, Mapping
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient

from streams.processors.errors import PartitionCountError, TopicMissingError


async def partition_counts(kafka: Mapping[str, Any], topics: Iterable[str]) -> dict[str, int]:
    """How many partitions each of these topics has; one that does not exist is absent. Creates nothing."""
    wanted = set(topics)
    client = AIOKafkaAdminClient(**kafka)
    await client.start()
    try:
        # Asking for a missing topic by name could create it, where the broker allows that.
        described = await client.describe_topics()
    finally:
        await client.close()
    return {topic["topic"]: len(topic["partitions"]) for topic in described if topic["topic"] in wanted}


def check_together(processor: str, needed: Iterable[str], counts: Mapping[str, int]) -> int:
    """The partition count that all these topics share. Raises TopicMissingError or PartitionCountError."""
    topics = list(dict.fromkeys(needed))
    for topic in topics:
        if topic not in counts:
            raise TopicMissingError(processor, topic)
    found = {topic: counts[topic] for topic in topics}
    if len(set(found.values())) != 1:
        raise PartitionCountError(processor, found)
    return found[topics[0]]
