"""The topics of a processor, checked before it starts: they exist, and their keys stay together."""

import asyncio
import time
from collections.abc import Iterable, Mapping
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient

from streams.processors.errors import PartitionCountError, TopicMissingError

POLL_SECONDS = 0.1


async def partition_counts(
    kafka: Mapping[str, Any], topics: Iterable[str], patience_seconds: float = 0.0
) -> dict[str, int]:
    """How many partitions each of these topics has; one that does not exist is absent. Creates nothing.

    A topic made a moment ago may not be known to the broker that is asked: waits so long for those that are absent.
    """
    wanted, deadline = set(topics), time.monotonic() + patience_seconds
    client = AIOKafkaAdminClient(**kafka)
    await client.start()
    try:
        while True:
            # Asking for a missing topic by name could create it, where the broker allows that.
            described = await client.describe_topics()
            counts = {topic["topic"]: len(topic["partitions"]) for topic in described if topic["topic"] in wanted}
            if counts.keys() == wanted or time.monotonic() >= deadline:
                return counts
            await asyncio.sleep(POLL_SECONDS)
    finally:
        await client.close()


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
