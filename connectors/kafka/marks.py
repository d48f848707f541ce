"""How far a source has come, and in which life of its topics: kept beside the offsets of its consumer group.

A *mark* is committed with every offset. It says which topic it was (its id), which incarnation of our log that began,
how many partitions there were, where the initial load ends, and of which entities the end of the load was told.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, cast

import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import GroupCoordinatorNotAvailableError

from connectors.kafka.clusters import Cluster

COORDINATOR_LIMIT_S = 20.0
COORDINATOR_PAUSE_S = 0.2


class Mark(msgspec.Struct, frozen=True):
    """See the module's text."""

    topic: str
    incarnation: int
    partitions: int
    load_end: int
    loaded: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Place:
    """The next offset to read of a partition, and its mark."""

    offset: int
    mark: Mark


Places = Mapping[TopicPartition, Place]


def group(pipeline: str, system: str) -> str:
    """The consumer group of a source."""
    return f"{pipeline}.source.{system}"


async def recorded(cluster: Cluster, group_id: str, wanted: Sequence[TopicPartition]) -> dict[TopicPartition, Place]:
    """What was committed for these partitions, with a mark of ours. Raises UnreachableError."""
    async with cluster.admin() as admin:
        found = await _offsets(admin, group_id, list(wanted))
    marks = {place: (one.offset, _mark(one.metadata)) for place, one in found.items() if one.offset >= 0}
    return {place: Place(offset, mark) for place, (offset, mark) in marks.items() if mark is not None}


async def _offsets(admin: AIOKafkaAdminClient, group_id: str, wanted: list[TopicPartition]) -> Mapping[Any, Any]:
    """A young cluster first makes the topic that offsets are kept in: that is waited for."""
    deadline = asyncio.get_running_loop().time() + COORDINATOR_LIMIT_S
    while True:
        try:
            return cast(Mapping[Any, Any], await admin.list_consumer_group_offsets(group_id, partitions=wanted))
        except GroupCoordinatorNotAvailableError:
            if asyncio.get_running_loop().time() > deadline:
                raise
        await asyncio.sleep(COORDINATOR_PAUSE_S)


def _mark(text: str | None) -> Mark | None:
    """A mark of ours; an offset that another tool committed has none, and begins anew."""
    try:
        return msgspec.json.decode(text or "", type=Mark)
    except msgspec.DecodeError:
        return None


class Committer:
    """Commits for a group that nobody else is a member of. It reads nothing, and stays connected until closed."""

    def __init__(self, cluster: Cluster, group_id: str) -> None:
        self._cluster, self._group = cluster, group_id
        self._held: AbstractAsyncContextManager[AIOKafkaConsumer] | None = None
        self._consumer: AIOKafkaConsumer | None = None

    async def commit(self, places: Places) -> None:
        """Keep these. Raises UnreachableError."""
        encode = msgspec.json.encode
        await self.put({at: (place.offset, encode(place.mark).decode()) for at, place in places.items()})

    async def put(self, offsets: Mapping[TopicPartition, tuple[int, str]]) -> None:
        """Keep these offsets with the text beside them. Raises UnreachableError."""
        consumer = await self._opened()
        async with self._cluster.reached():
            if consumer.assignment() != offsets.keys():
                consumer.assign(list(offsets))
                # What is assigned would be fetched.
                consumer.pause(*offsets)
            await consumer.commit(dict(offsets))

    async def close(self) -> None:
        """Leave; may be called twice."""
        held, self._held, self._consumer = self._held, None, None
        if held is not None:
            await held.__aexit__(None, None, None)

    async def _opened(self) -> AIOKafkaConsumer:
        if self._consumer is None:
            held = self._cluster.consumer(self._group)
            self._consumer = await held.__aenter__()
            self._held = held
        return self._consumer


async def forget(cluster: Cluster, group_id: str, known: Places, entities: Iterable[str] | None = None) -> None:
    """Load these entities again, or all. Raises UnreachableError."""
    gone = None if entities is None else frozenset(entities)
    offsets = dict.fromkeys(known, (0, ""))
    for at, place in known.items():
        kept = () if gone is None else tuple(name for name in place.mark.loaded if name not in gone)
        if kept:
            mark = msgspec.structs.replace(place.mark, loaded=kept)
            offsets[at] = (place.offset, msgspec.json.encode(mark).decode())
    committer = Committer(cluster, group_id)
    try:
        if offsets:
            await committer.put(offsets)
    finally:
        await committer.close()
