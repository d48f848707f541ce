"""The tables of a database that has no project file yet."""

from dataclasses import dataclass
from importlib import resources
from urllib.parse import urlsplit

import asyncpg
import msgspec

from connectors.errors import UnreachableError
from duplex.proposals.matching import ColumnFound, TableFound


@dataclass(frozen=True, slots=True)
class Database:
    """A database to look at: the system's name in the project file, and how to reach it."""

    system: str
    dsn: str


async def tables(database: Database) -> list[TableFound]:
    """Every table of a Postgres database that could take part. Raises UnreachableError."""
    query = resources.files("duplex.proposals").joinpath("tables.sql").read_text()
    try:
        connection = await asyncpg.connect(database.dsn, timeout=10)
    except (OSError, TimeoutError, ValueError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        why = str(error) or type(error).__name__
        raise UnreachableError(database.system, without_password(database.dsn), "--from", why) from error
    try:
        return [_table(database.system, row) for row in await connection.fetch(query)]
    finally:
        await connection.close()


def _table(system: str, row: asyncpg.Record) -> TableFound:
    return TableFound(
        system=system,
        name=f"{row['schema_name']}.{row['table_name']}",
        columns=msgspec.json.decode(row["columns"] or "[]", type=tuple[ColumnFound, ...]),
        key=msgspec.json.decode(row["key"], type=tuple[str, ...]),
    )


def without_password(dsn: str) -> str:
    """A DSN as it may be shown."""
    try:
        parts = urlsplit(dsn)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return "(a DSN that is no address)"
    return f"{parts.hostname or 'local'}{port}{parts.path}"
