"""What the commands read of Kafka: the dead letters, and how far those who rejected them have come since."""

from collections.abc import Iterable, Sequence

from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import GroupCoordinatorNotAvailableError

from duplex import broker, catalog, composition, topics
from duplex.deadletters.book import Book, Entry, Reached
from duplex.deadletters.errors import LetterMissingError
from duplex.reading import Reader
from schemas.deadletters import Mark
from schemas.project.kafka import client_options
from schemas.project.model import Project
from streams.processors.settings import group_id

SINK = "sink "


async def book(project: Project) -> Book:
    """Every dead letter as it stands. Raises BrokerError."""
    found = Book(await _messages(project))
    pending = [entry for entry in found if entry.state == "retried"]
    if not pending:
        return found
    # How far a reader has come is asked first: what it has rejected up to there is then on the topic.
    sent = [(entry.failure.component, mark) for entry in pending if (mark := entry.standing) is not None]
    return await book_at(project, await reached(project, sent))


async def book_at(project: Project, reached: Reached) -> Book:
    """Every dead letter, as it stands where their readers have come so far. Raises BrokerError."""
    return Book(await _messages(project), reached)


async def count_open(project: Project) -> int:
    """How many messages could not be processed, and nobody has done anything about it. Raises BrokerError."""
    if not await broker.count(client_options(project.kafka), topics.names(project).deadletters):
        return 0
    return sum(1 for entry in Book(await _messages(project)) if entry.state == "open")


async def _messages(project: Project) -> list[broker.Message]:
    name = topics.names(project).deadletters
    return [each async for batch in broker.read_all(client_options(project.kafka), name) for each in batch]


async def one(project: Project, name: str) -> Entry:
    """The one entry that this id means. Raises LetterMissingError, BrokerError."""
    found = (await book(project)).get(name)
    if found is None:
        raise LetterMissingError(name)
    return found


async def reader(project: Project) -> Reader:
    """What decodes the messages of every topic of ours. Raises BrokerError."""
    whole = await catalog.read_whole(client_options(project.kafka), topics.names(project).catalog)
    return Reader(project, whole.epochs)


def group_of(pipeline: str, component: str) -> str:
    """The consumer group of the processor or sink that a dead letter names."""
    if component.startswith(SINK):
        return composition.sink_group(pipeline, component.removeprefix(SINK))
    return group_id(pipeline, component)


async def reached(project: Project, sent: Iterable[tuple[str, Mark]]) -> Reached:
    """Where components will read on, in the places to which messages that they had rejected were sent again.

    Raises BrokerError.
    """
    wanted: dict[str, set[TopicPartition]] = {}
    for component, mark in sent:
        if mark.place is not None:
            wanted.setdefault(component, set()).add(TopicPartition(*mark.place[:2]))
    found: dict[tuple[str, str, int], int] = {}
    async with broker.admin(client_options(project.kafka)) as client:
        for component, places in wanted.items():
            offsets = await _committed(client, group_of(project.pipeline, component), sorted(places))
            found |= {(component, place.topic, place.partition): offset for place, offset in offsets.items()}
    return found


async def _committed(
    client: AIOKafkaAdminClient, group: str, places: Sequence[TopicPartition]
) -> dict[TopicPartition, int]:
    try:
        found = await client.list_consumer_group_offsets(group, partitions=places)
    except GroupCoordinatorNotAvailableError:
        return {}
    return {place: each.offset for place, each in found.items() if each.offset >= 0}
