"""What `apply` found in each system, kept on a topic so that every process maps rows by the same column types.

One message per system and entity, key `system/entity`, value JSON. The topic is compacted: the last one counts.
Beside them are the rules that were applied, `epoch/entity` and `epoch/entity/number`: see `duplex.epochs`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import msgspec

from connectors.base import TableInfo
from duplex import broker, epochs
from duplex.errors import DuplexError
from schemas.project.model import Project

Columns = Mapping[str, Mapping[str, str]]


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One table: its key columns in order, and the type of every column in the system's own words."""

    system: str
    entity: str
    table: str
    key: tuple[str, ...]
    columns: dict[str, str]
    fingerprint: str

    @property
    def name(self) -> str:
        return f"{self.system}/{self.entity}"


Catalog = Mapping[str, Entry]


class CatalogMissingError(DuplexError):
    """Tables of the project file that `apply` has not seen yet."""

    def __init__(self, topic: str, names: tuple[str, ...]) -> None:
        super().__init__(
            f"the column types of {', '.join(names)} are not known",
            f"topic {topic}",
            "the project was not applied yet, or was changed since",
            "Run `duplex apply`.",
        )
        self.names = names


def entry(system: str, entity: str, table: TableInfo) -> Entry:
    """The catalog's entry of a table as a connector describes it."""
    return Entry(
        system=system,
        entity=entity,
        table=table.name,
        key=table.key,
        columns={column.name: column.type for column in table.columns},
        fingerprint=table.fingerprint,
    )


def catalog(entries: Iterable[Entry]) -> Catalog:
    """These entries by name."""
    return {each.name: each for each in entries}


def columns(found: Catalog, project: Project, entity: str) -> Columns:
    """The column types of an entity, by system and column."""
    return {system: found[f"{system}/{entity}"].columns for system in project.entities[entity].systems}


def require(found: Catalog, project: Project, topic: str) -> Catalog:
    """The same catalog, if it has every table of the project. Raises CatalogMissingError."""
    wanted = [f"{system}/{name}" for name, entity in project.entities.items() for system in entity.systems]
    stale = [
        each
        for each in wanted
        if each not in found or found[each].table.split(".")[-1] != _table(project, each).split(".")[-1]
    ]
    if stale:
        raise CatalogMissingError(topic, tuple(stale))
    return found


def _table(project: Project, name: str) -> str:
    system, entity = name.split("/")
    return project.entities[entity].systems[system].table


async def read(options: broker.Options, topic: str) -> Catalog:
    """The catalog as it stands on its topic; empty where `apply` never ran. Raises BrokerError."""
    return (await read_whole(options, topic)).tables


@dataclass(frozen=True, slots=True)
class Whole:
    """Everything on the topic: the tables, and the rules that were applied, by entity."""

    tables: Catalog
    epochs: epochs.Epochs


async def read_whole(options: broker.Options, topic: str) -> Whole:
    """Everything on the topic, read once. Raises BrokerError."""
    found: dict[str, bytes] = {}
    async for messages in broker.read_all(options, topic):
        for message in messages:
            key = (message.key or b"").decode()
            if message.value is None:
                found.pop(key, None)
            else:
                found[key] = message.value
    tables = {key: msgspec.json.decode(value, type=Entry) for key, value in found.items() if not epochs.is_epoch(key)}
    return Whole(tables, epochs.parse(found))


async def write(options: broker.Options, topic: str, entries: Iterable[Entry]) -> list[str]:
    """Put those of these entries on the topic that differ from what is there; their names. Raises BrokerError."""
    present = await read(options, topic)
    changed = [each for each in entries if present.get(each.name) != each]
    if changed:
        async with broker.producer(options) as client:
            for each in changed:
                await client.send_and_wait(topic, msgspec.json.encode(each), key=each.name.encode())
    return [each.name for each in changed]
