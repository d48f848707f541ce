"""What the commands read of Kafka: the conflicts on record, and single messages of a record log."""

from aiokafka import TopicPartition

from duplex import broker, topics
from duplex.conflicts.book import Book, Entry
from duplex.conflicts.errors import AmbiguousConflictError, ConflictMissingError
from schemas.codec import Codec
from schemas.errors import UndecodableError
from schemas.messages import Conflict, Decision
from schemas.project.kafka import client_options
from schemas.project.model import Project

WHOLE_RECORD_ID = 36
PATIENCE_MS = 5_000


async def book(project: Project) -> Book:
    """Every conflict on record. Raises BrokerError."""
    found = Book()
    async for messages in broker.read_all(client_options(project.kafka), topics.names(project).conflicts):
        found.take_all(message.value for message in messages)
    return found


async def one(project: Project, name: str) -> tuple[Entry, Book]:
    """The one conflict that this name means, and what was read to find it. Raises ConflictMissingError,
    AmbiguousConflictError, BrokerError."""
    record_id = name.partition("/")[0].lower()
    if len(record_id) == WHOLE_RECORD_ID:
        read = Book()
        messages = await broker.read_key(
            client_options(project.kafka), topics.names(project).conflicts, record_id.encode()
        )
        read.take_all(message.value for message in messages)
    else:
        read = await book(project)
    return single(read, name), read


def single(read: Book, name: str) -> Entry:
    """The one conflict in a book that this name means. Raises ConflictMissingError, AmbiguousConflictError."""
    found = read.named(name)
    if not found:
        raise ConflictMissingError(name)
    if len(found) > 1:
        raise AmbiguousConflictError(name, (entry.id for entry in found))
    return found[0]


async def history(project: Project, conflict_id: str) -> list[Conflict]:
    """Every message about one conflict, in order. Raises BrokerError."""
    key = conflict_id.partition("/")[0].encode()
    messages = await broker.read_key(client_options(project.kafka), topics.names(project).conflicts, key)
    decoder = Book()
    found = (decoder.decoded(message.value) for message in messages)
    return [conflict for conflict in found if conflict is not None and conflict.id == conflict_id]


async def decision(project: Project, conflict: Conflict) -> Decision | None:
    """The decision that ended a conflict, from the record log; None where another event did, or the log has lost it.

    Raises BrokerError.
    """
    if conflict.rule != "decision":
        return None
    kafka, topic = client_options(project.kafka), topics.names(project).records(conflict.entity)
    value = await message_at(kafka, topic, conflict.partition, conflict.offset)
    if value is None:
        return None
    try:
        found = Codec().decode(value)
    except UndecodableError:
        return None
    return found if isinstance(found, Decision) else None


async def message_at(options: broker.Options, topic: str, partition: int, offset: int) -> bytes | None:
    """The message at one place of a log; None where the log does not hold it any more. Raises BrokerError."""
    place = TopicPartition(topic, partition)
    async with broker.consumer(options, max_poll_records=1) as client:
        client.assign([place])
        begins, ends = await client.beginning_offsets([place]), await client.end_offsets([place])
        if not begins[place] <= offset < ends[place]:
            return None
        client.seek(place, offset)
        batches = await client.getmany(place, timeout_ms=PATIENCE_MS, max_records=1)
    records = batches.get(place, [])
    return records[0].value if records and records[0].offset == offset else None
