"""The project's systems, as connectors that are open for the length of one command."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, Protocol, TypeVar, runtime_checkable

from connectors.base import Connector, Kind, TableInfo, TableSpec
from connectors.errors import ConnectorsError
from connectors.registry import kind_of, open_connector
from schemas.project.kafka import client_options
from schemas.project.model import Project

Connectors = Mapping[str, Connector]
T = TypeVar("T")


def used(project: Project) -> list[str]:
    """The systems that hold at least one entity, in the order of the project file."""
    return [name for name in project.systems if any(name in entity.systems for entity in project.entities.values())]


def kinds(project: Project) -> dict[str, Kind]:
    """What each system in use can do. Raises RefusedError for a kind that is not installed."""
    return {name: kind_of(project.systems[name].connector, name) for name in used(project)}


def without_log(project: Project) -> tuple[str, ...]:
    """The systems in use that keep no log: what is known of them is kept in a topic of notes."""
    return tuple(name for name, kind in kinds(project).items() if not kind.log)


def hooked(project: Project) -> tuple[str, ...]:
    """The systems in use whose webhooks are taken."""
    return tuple(name for name in used(project) if project.systems[name].options.get("webhook") is not None)


def drafts(project: Project, system: str) -> tuple[TableSpec, ...]:
    """The tables of a system before anything is known of their columns: enough to discover them."""
    return tuple(
        TableSpec(name, held.table, columns=(), units=(), key=tuple(held.key) if held.key else None)
        for name, entity in project.entities.items()
        if (held := entity.systems.get(system)) is not None
    )


@runtime_checkable
class Borrowing(Protocol):
    """A connector that may use the pipeline's own Kafka."""

    def lend_kafka(self, kafka: Mapping[str, Any]) -> None:
        """Take the arguments of the pipeline's Kafka clients."""
        ...


def made(project: Project, name: str) -> Connector:
    """The connector of a system; nothing is connected yet. Raises RefusedError for settings that it does not know."""
    system = project.systems[name]
    connector = open_connector(system.connector, name, project.pipeline, system.options)
    if isinstance(connector, Borrowing):
        connector.lend_kafka(client_options(project.kafka))
    return connector


@asynccontextmanager
async def opened(project: Project) -> AsyncIterator[Connectors]:
    """A connector for each system in use. Raises RefusedError for settings that a connector does not know."""
    async with AsyncExitStack() as stack:
        found: dict[str, Connector] = {}
        for name in used(project):
            found[name] = connector = made(project, name)
            stack.push_async_callback(connector.close)
        yield found


async def each(
    connectors: Connectors, work: Callable[[str, Connector], Awaitable[T]]
) -> dict[str, T | ConnectorsError]:
    """The result of this work for every system; a system that cannot be reached, or refuses, has its error instead."""
    results: dict[str, T | ConnectorsError] = {}
    for name, connector in connectors.items():
        try:
            results[name] = await work(name, connector)
        except ConnectorsError as error:
            results[name] = error
    return results


async def discover(project: Project, connectors: Connectors) -> dict[str, Mapping[str, TableInfo] | ConnectorsError]:
    """The tables of every system, by system and entity; see `each`."""

    async def one(name: str, connector: Connector) -> Mapping[str, TableInfo]:
        return await connector.discover(drafts(project, name))

    return await each(connectors, one)
