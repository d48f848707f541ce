"""What happened, read back from the topics: every message of the demo's pipeline, decoded."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from aiokafka import TopicPartition

from duplex import broker
from schemas.codec import Codec
from schemas.messages import Change, Command, Conflict
from schemas.topics import Topics

READ_TIMEOUT_MS = 5_000


@dataclass(frozen=True, slots=True)
class Logged:
    """A change in the record log: the record it belongs to, and its address there."""

    record_id: str
    partition: int
    offset: int
    change: Change


@dataclass(slots=True)
class History:
    """The record log in order per record, without repeats; commands by id; conflicts by id."""

    changes: list[Logged] = field(default_factory=list)
    commands: dict[str, Command] = field(default_factory=dict)
    conflicts: dict[str, Conflict] = field(default_factory=dict)

    @property
    def edits(self) -> list[Logged]:
        """Entries that a user caused: not echoes, not rows read by the initial load."""
        return [entry for entry in self.changes if entry.change.origin is None and entry.change.op in "cud"]

    @property
    def echoes(self) -> list[Logged]:
        """Entries that a sink left."""
        return [entry for entry in self.changes if entry.change.origin is not None]


async def read(topics: Topics, entity: str, systems: Sequence[str], kafka: Mapping[str, Any]) -> History:
    """Read the pipeline's topics from beginning to end."""
    history, codec, seen = History(), Codec(), set[tuple[object, ...]]()
    names = [topics.records(entity), topics.conflicts, *(topics.commands(system) for system in systems)]
    for record in await _records(names, kafka):
        message = codec.decode(record.value)
        if isinstance(message, Command):
            history.commands[message.id] = message
        elif isinstance(message, Conflict):
            history.conflicts[message.id] = message
        elif isinstance(message, Change):
            # Rows of the initial load carry the log's settled place: only with the row is it theirs alone.
            identity = (message.system, message.incarnation, message.seq, message.op == "r", message.local_id)
            if identity not in seen:
                history.changes.append(Logged(record.key.decode(), record.partition, record.offset, message))
            seen.add(identity)
    return history


async def _records(names: Sequence[str], kafka: Mapping[str, Any]) -> list[Any]:
    async with broker.admin(kafka) as admin:
        counts = await broker.partition_counts(admin, names)
    places = [TopicPartition(name, number) for name in names for number in range(counts.get(name, 0))]
    found: list[Any] = []
    async with broker.consumer(kafka) as consumer:
        consumer.assign(places)
        await consumer.seek_to_beginning(*places)
        ends = await consumer.end_offsets(places)
        while any([await consumer.position(place) < ends[place] for place in places]):
            for batch in (await consumer.getmany(timeout_ms=READ_TIMEOUT_MS, max_records=5000)).values():
                found += batch
    return found
