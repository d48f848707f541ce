"""The Postgres connector: capture by triggers, a relay, a sink."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from typing import Any

from connectors.base import Problem, Sink, Source, TableInfo, TableSpec
from connectors.postgres import checks, installation, tables
from connectors.postgres.connections import connected
from connectors.postgres.relay import PostgresSource
from connectors.postgres.settings import Settings, read_settings
from connectors.postgres.statements import statement

BACKLOG_LIMIT = 1_000_000


def connector(system: str, pipeline: str, options: Mapping[str, Any]) -> "PostgresConnector":
    """The connector of one system. Raises RefusedError naming the setting that is unknown, missing or unfit."""
    return PostgresConnector(system, pipeline, read_settings(system, options))


class PostgresConnector:
    """`connectors.base.Connector` for one database. Holds no connection of its own."""

    def __init__(self, system: str, pipeline: str, settings: Settings) -> None:
        self.system = system
        self.pipeline = pipeline
        self.settings = settings

    async def discover(self, specs: Sequence[TableSpec]) -> Mapping[str, TableInfo]:
        """The tables of these entities, by entity; one that does not exist is absent."""
        async with connected(self.settings.main, "discovery") as connection:
            found = [(spec.entity, await tables.find(connection, spec)) for spec in specs]
        return {entity: table.info for entity, table in found if table is not None}

    async def install(self, specs: Sequence[TableSpec]) -> Sequence[str]:
        """Make the schema, triggers and grants that are missing. Entities not in `specs` keep theirs."""
        return await installation.install(self.system, self.pipeline, self.settings, specs)

    async def restart(self, entities: Sequence[str]) -> None:
        """The topics of these entities are new: load every row again, and forget which commands were carried out."""
        async with connected(self.settings.install, "restart") as connection:
            await connection.execute(statement("restart"), list(entities))

    async def uninstall(self) -> Sequence[str]:
        """Take away everything `install` made in this database, and nothing else."""
        return await installation.uninstall(self.system, self.pipeline, self.settings)

    async def check(self, specs: Sequence[TableSpec]) -> Sequence[Problem]:
        """What is wrong with the capture now."""
        async with connected(self.settings.relay, "check") as connection:
            return await checks.problems(connection, self.system, specs)

    async def backlog(self) -> Mapping[str, int]:
        """What waits here: `unpublished` log entries (counted up to a limit) and `parked` commands; empty if nothing
        is installed.
        """
        async with connected(self.settings.relay, "backlog") as connection:
            if not await connection.fetchval("select to_regclass('duplex.captured') is not null"):
                return {}
            unpublished = await connection.fetchval(statement("backlog"), BACKLOG_LIMIT)
        async with connected(self.settings.sink, "backlog") as connection:
            return {"unpublished": unpublished, "parked": await connection.fetchval(statement("parked"))}

    async def rows(self, spec: TableSpec) -> AsyncIterator[Sequence[str]]:
        """Every row of a table as JSON object text, in chunks, from one snapshot."""
        async with (
            connected(self.settings.main, "reading") as connection,
            aclosing(tables.rows(connection, self.system, spec)) as chunks,
        ):
            async for chunk in chunks:
                yield chunk

    def open_source(self, specs: Sequence[TableSpec]) -> Source:
        """The relay of this system's change log."""
        return PostgresSource(self.system, self.settings, specs)

    def open_sink(self, specs: Sequence[TableSpec]) -> Sink:
        """The sink that writes commands to these entities' tables."""
        from connectors.postgres.sink import PostgresSink

        access = self.settings.sink
        return PostgresSink(self.system, access.dsn, specs, setting=access.setting)

    async def close(self) -> None:
        """Nothing is held; may be called twice."""
