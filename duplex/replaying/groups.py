"""What the broker knows of a processor's consumer group: who is in it, and how far it has read."""

from collections.abc import Sequence

from aiokafka import TopicPartition

from duplex import broker

QUIET = ("Empty", "Dead")


async def members(options: broker.Options, group: str) -> int:
    """How many processes are in a consumer group. Raises BrokerError."""
    found = 0
    async with broker.admin(options) as client:
        for response in await client.describe_consumer_groups([group]):
            for _, _, state, _, _, present, *_ in response.groups:
                found += 0 if state in QUIET else max(1, len(present))
    return found


async def reached(options: broker.Options, group: str, topic: str, partitions: Sequence[int]) -> dict[int, int]:
    """The next offset that a group will read in each partition; only those that it has read. Raises BrokerError."""
    async with broker.admin(options) as client:
        sources = [TopicPartition(topic, each) for each in partitions]
        offsets = await client.list_consumer_group_offsets(group, partitions=sources)
    return {source.partition: found.offset for source, found in offsets.items() if found.offset >= 0}
