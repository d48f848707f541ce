"""What the catalog says of the tables that take part."""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass

import asyncpg
import msgspec

from connectors.base import ColumnInfo, TableInfo, TableSpec
from connectors.errors import RefusedError
from connectors.postgres import removals
from connectors.postgres.removals import Judged
from connectors.postgres.statements import statement

CHUNK_ROWS = 1_000
UNFIT = "Give it a primary key, or name a unique, not-null set of columns as `key`."
UNREMOVABLE = "Mend that, or give this system another way in `on_delete`."


@dataclass(frozen=True, slots=True)
class Found:
    """A table as found: its number in the catalog, what the contract says of it, and how its rows are removed."""

    relation: int
    info: TableInfo
    removal: Judged


async def find(connection: asyncpg.Connection, spec: TableSpec) -> Found | None:
    """The table of an entity, or None if there is none. What speaks against it is in `info.key_refusal`."""
    key = list(spec.key) if spec.key else None
    row = await connection.fetchrow(statement("tables"), spec.table, key)
    if row is None:
        return None
    columns = tuple(msgspec.json.decode(row["columns"], type=list[ColumnInfo])) if row["columns"] else ()
    removal = await removals.judged(connection, spec, row["relation"], row["key"])
    refusal = row["key_refusal"] or _unreadable(spec, row["virtual"]) or removal.refusal
    info = TableInfo(row["name"], columns, tuple(row["key"]), row["fingerprint"], refusal)
    return Found(row["relation"], info, removal)


def _unreadable(spec: TableSpec, virtual: Sequence[str]) -> str | None:
    mapped = sorted(set(spec.columns) & set(virtual))
    if not mapped:
        return None
    return f"column {mapped[0]} is computed when it is read, so no trigger sees it (make it STORED)"


async def require(connection: asyncpg.Connection, system: str, spec: TableSpec) -> Found:
    """The table of an entity. Raises RefusedError if it is not there, cannot take part, or lacks a mapped column."""
    found = await find(connection, spec)
    what = f"entity {spec.entity}, table {spec.table}"
    if found is None:
        raise RefusedError(system, what, "there is no such table", "Correct its name, or create it.")
    if found.info.key_refusal:
        why = found.info.key_refusal
        raise RefusedError(system, what, why, UNREMOVABLE if why == found.removal.refusal else UNFIT)
    missing = sorted({*spec.columns, *spec.constants} - {column.name for column in found.info.columns})
    if missing:
        raise RefusedError(system, what, f"it has no column {missing[0]}", "Correct the mapping, or add the column.")
    return found


async def rows(connection: asyncpg.Connection, system: str, spec: TableSpec) -> AsyncGenerator[Sequence[str], None]:
    """Every row as JSON object text, in chunks, from one snapshot."""
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        await connection.execute("set local row_security = off")
        query = await connection.fetchval(
            "select format('select row_to_json(t.*)::text from %s t', to_regclass($1)::text)", spec.table
        )
        if query is None:
            raise RefusedError(system, f"table {spec.table}", "there is no such table", "Correct its name.")
        cursor = await connection.cursor(query)
        while found := await cursor.fetch(CHUNK_ROWS):
            yield [row[0] for row in found]
