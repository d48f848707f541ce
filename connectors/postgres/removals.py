"""How deleted rows leave a table: taken away, marked in a column, or moved to an archive."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import asyncpg
import msgspec

from connectors.base import Removal, TableSpec
from connectors.postgres.statements import statement


@dataclass(frozen=True, slots=True)
class Fragments:
    """Parts of the sink's statements, written by `sql/removal.sql`, where they are described."""

    gone: str | None = None
    retired: str | None = None
    restored: str | None = None
    archived: str | None = None


@dataclass(frozen=True, slots=True)
class Judged:
    """A table's removal: its SQL, the archive's number in the catalog, and why it cannot be, if it cannot."""

    fragments: Fragments = Fragments()
    archive: int | None = None
    refusal: str | None = None


def text(removal: Removal) -> str:
    """A removal as the JSON object that the SQL files take."""
    return msgspec.json.encode(removal).decode()


async def judged(connection: Any, spec: TableSpec, relation: int, key: Sequence[str]) -> Judged:
    """What `spec.removal` means for this table, by the catalog as it is now. Reads only."""
    removal = spec.removal
    if removal.mode == "remove":
        return Judged()
    archive = None
    if removal.archive is not None:
        archive = await connection.fetchval("select to_regclass($1)::oid::bigint", removal.archive)
    row = await look(connection, relation, key, spec.columns, text(removal), archive)
    refusal = row["refusal"] or await _unfit(connection, removal, row["trial"])
    fragments = Fragments(**{name: row[name] for name in Fragments.__dataclass_fields__})
    return Judged(fragments, archive, refusal)


async def look(
    connection: Any, relation: int, key: Sequence[str], columns: Sequence[str], removal: str, archive: int | None
) -> asyncpg.Record:
    """The one line of `sql/removal.sql`."""
    return await connection.fetchrow(statement("removal"), relation, list(key), list(columns), removal, archive)


async def _unfit(connection: Any, removal: Removal, trial: str | None) -> str | None:
    """Why the values that mark rows cannot be held by the column."""
    if trial is None:
        return None
    try:
        async with connection.transaction():
            await connection.fetchrow(trial)
    except asyncpg.PostgresError as error:
        if (error.sqlstate or "")[:2] not in ("22", "42"):
            raise
        return f"column {removal.column} cannot hold what marks deleted rows: {error}"
    return None
