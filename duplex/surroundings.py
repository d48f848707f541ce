"""What a system without a log is lent: its notes, and the deliveries of its webhooks."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from connectors.base import Connector
from connectors.errors import RefusedError
from connectors.kafka_notes import SMALL, KafkaNotes
from connectors.remote.surroundings import Attachable, Hooks, NoHooks, Surroundings
from connectors.webhook.hooks import KafkaHooks
from duplex import broker, systems
from schemas.project.model import Project
from schemas.topics import Topics


def hooks_group(topics: Topics, system: str) -> str:
    """The consumer group that says how far a system's webhook deliveries were read."""
    return topics.hooks(system)


@asynccontextmanager
async def lent(
    connector: Connector, system: str, project: Project, topics: Topics, kafka: broker.Options, *, running: bool = False
) -> AsyncIterator[None]:
    """Attach a connector that wants to be, for as long as this lasts. Others are left as they are.

    `running`: source and sink are run with it, and its webhooks' deliveries are read. Raises UnreachableError, and
    RefusedError where a topic is missing.
    """
    if not isinstance(connector, Attachable):
        yield
        return
    async with AsyncExitStack() as stack:
        notes = KafkaNotes(kafka, system, topics.notes(system), follow=running)
        await notes.open()
        stack.push_async_callback(notes.close)
        deliveries: Hooks = NoHooks()
        if running and system in systems.hooked(project):
            reader = KafkaHooks(kafka, topics.hooks(system), hooks_group(topics, system))
            stack.push_async_callback(reader.close)
            deliveries = reader
        connector.attach(Surroundings(notes, deliveries, writing=running))
        yield


@asynccontextmanager
async def lent_to_check(
    connector: Connector, system: str, project: Project, topics: Topics, kafka: broker.Options
) -> AsyncIterator[None]:
    """As `lent`, for `check` alone: of the notes, it finds those that say what is installed, and can put none.

    So a system with very many rows is looked at as quickly as any other. Raises UnreachableError, RefusedError.
    """
    if not isinstance(connector, Attachable):
        yield
        return
    notes = KafkaNotes(kafka, system, topics.notes(system))
    await notes.open(only=[f"{SMALL}{name}" for name, entity in project.entities.items() if system in entity.systems])
    try:
        connector.attach(Surroundings(notes, writing=False))
        yield
    finally:
        await notes.close()


@asynccontextmanager
async def lent_if_there(
    connector: Connector, system: str, project: Project, topics: Topics, kafka: broker.Options
) -> AsyncIterator[bool]:
    """As `lent`; says whether that was possible: not, where the pipeline was never applied. Raises UnreachableError."""
    async with AsyncExitStack() as stack:
        try:
            await stack.enter_async_context(lent(connector, system, project, topics, kafka))
        except RefusedError:
            yield False
            return
        yield True
