"""What reads the topics of a system: a wire for each format, and rows for each entity."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from connectors.base import TableSpec
from connectors.errors import RefusedError
from connectors.kafka.clusters import Topic
from connectors.kafka.registry import RegistryClient
from connectors.kafka.rows import Rows
from connectors.kafka.settings import WITHOUT_SCHEMA, Settings, Table
from connectors.kafka.wires import Avro, Json, JsonWithSchema, Text, Wire


class Readers:
    """Makes them; holds the connection to the registry, and the schemas that it gave."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        registry = settings.registry
        self._registry = None if registry is None else RegistryClient(settings.system, registry)

    @property
    def names(self) -> Sequence[str]:
        """What the topics are called in the project file."""
        return list(self._settings.tables)

    def table(self, spec: TableSpec) -> Table | None:
        """The table of an entity, with the key that the entity names; None where there is no such table."""
        found = self._settings.tables.get(spec.table)
        return found if found is None or not spec.key else replace(found, key=tuple(spec.key))

    def require(self, spec: TableSpec) -> Table:
        """The same. Raises RefusedError where there is no such table."""
        found = self.table(spec)
        if found is None:
            why = f"no topic is named {spec.table}; there are {', '.join(self._settings.tables)}"
            remedy = f"Add it to systems.{self._settings.system}.topics."
            raise RefusedError(self._settings.system, f"entity {spec.entity}, table {spec.table}", why, remedy)
        return found

    def rows(self, spec: TableSpec, topic: Topic) -> Rows:
        """What reads the rows of an entity. Raises RefusedError."""
        table = self.require(spec)
        value, key = self._wire(table.format), self._wire(table.key_format)
        return Rows(self._settings.system, spec.entity, table, spec.columns, key, value, topic.partitions == 1)

    def topics(self, specs: Iterable[TableSpec]) -> Sequence[str]:
        """The topics of these entities, those of tables that exist."""
        tables = [self.table(spec) for spec in specs]
        return list(dict.fromkeys(table.topic for table in tables if table is not None))

    async def close(self) -> None:
        """Let go of the registry."""
        if self._registry is not None:
            await self._registry.close()

    def _wire(self, style: str) -> Wire:
        if style.endswith("avro"):
            assert self._registry is not None, "settings see to it that there is one"
            return Avro(self._registry)
        if style == "text":
            return Text()
        return Json() if style in WITHOUT_SCHEMA else JsonWithSchema()
