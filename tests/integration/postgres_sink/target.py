"""A target database with the schema `duplex`, for tests of the sink alone: its log is read with SQL."""

from collections.abc import Sequence
from typing import Any

import asyncpg
import msgspec

from connectors.base import Effect, TableSpec
from connectors.postgres.connector import connector
from connectors.postgres.sink import PostgresSink
from schemas.messages import Command


class Target:
    """One database: `user` is a connection of its user, `sink` the sink for `specs`."""

    def __init__(self, dsn: str, user: asyncpg.Connection, specs: Sequence[TableSpec]) -> None:
        self.dsn = dsn
        self.user = user
        self.specs = tuple(specs)
        self.sink = PostgresSink("crm", dsn, self.specs)

    @classmethod
    async def made(cls, dsn: str, tables: str, *specs: TableSpec) -> "Target":
        """A target with these tables, installed."""
        user = await asyncpg.connect(dsn)
        await user.execute(tables)
        target = cls(dsn, user, specs)
        await connector("crm", "shop", {"dsn": dsn}).install(specs)
        return target

    async def close(self) -> None:
        await self.sink.close()
        await self.user.close()

    async def apply(self, *commands: Command) -> list[Effect]:
        return list(await self.sink.apply(commands))

    async def echoes(self) -> list[dict[str, Any]]:
        """The log's echoes in order, images decoded."""
        return [entry for entry in await self.log() if entry["command"] is not None]

    async def log(self) -> list[dict[str, Any]]:
        """The whole log in order, images decoded."""
        rows = await self.user.fetch("select * from duplex.change_log order by seq")
        return [_decoded(dict(row)) for row in rows]

    async def echo(self, command: Command) -> dict[str, Any]:
        """The one echo of a command."""
        (echo,) = [entry for entry in await self.log() if entry["command"] == command.id]
        return echo

    async def parked(self) -> list[str]:
        return [row["command"] for row in await self.user.fetch("select command from duplex.parked order by command")]

    async def fence(self, partition: int = 0) -> int:
        return int(await self.user.fetchval("select max(reached) from duplex.progress where partition = $1", partition))


def _decoded(entry: dict[str, Any]) -> dict[str, Any]:
    images = {name: entry[name] and msgspec.json.decode(entry[name]) for name in ("before", "after")}
    return {**entry, **images, "op": entry["op"].decode()}
