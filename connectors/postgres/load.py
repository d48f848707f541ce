"""The initial load: every row of a table once, as op r, beside the running log.

A chunk is read in the same snapshot as the log, and published after all that the log shows there. So whatever
happened to a row of the chunk before the snapshot is published before it, and what happens later has a greater number
than the mark that the chunk's changes carry: a row read can never pass for newer than an entry of the log.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import asyncpg


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the load of one entity came: the local id of the last row, and how many rows this chunk had."""

    entity: str
    last_key: str | None
    rows: int
    done: bool


@dataclass(frozen=True, slots=True)
class Chunk:
    """Rows in key order: (local id, image) each; and where the load stands after them."""

    rows: Sequence[tuple[str, str]]
    progress: Progress


class Load:
    """What is left to load, entity by entity. `numbers` names each entity's reading function."""

    def __init__(self, left: dict[str, str | None], numbers: dict[str, int], chunk_rows: int) -> None:
        self._left = left
        self._numbers = numbers
        self._chunk_rows = chunk_rows

    @property
    def entities(self) -> tuple[str, ...]:
        """The entities whose load is not done."""
        return tuple(self._left)

    async def next_chunk(self, connection: asyncpg.Connection) -> Chunk | None:
        """The next rows, in the transaction that the connection is in; None when nothing is left."""
        entity = next(iter(self._left), None)
        if entity is None:
            return None
        query = await self._query(connection, entity)
        rows = await connection.fetch(query, self._left[entity], self._chunk_rows)
        done = len(rows) < self._chunk_rows
        last_key = rows[-1]["local_id"] if rows else None
        return Chunk([(row["local_id"], row["image"]) for row in rows], Progress(entity, last_key, len(rows), done))

    def advance(self, progress: Progress) -> None:
        """This chunk is on its way: go on behind it."""
        if progress.done:
            self._left.pop(progress.entity, None)
        else:
            self._left[progress.entity] = progress.last_key

    async def _query(self, connection: asyncpg.Connection, entity: str) -> str:
        name = f"chunk_{self._numbers[entity]}"
        return str(await connection.fetchval("select format('select * from duplex.%I($1, $2)', $1::text)", name))


def merged(progress: Sequence[Progress]) -> list[Progress]:
    """One line per entity: the last place, and the rows of all."""
    latest: dict[str, Progress] = {}
    for one in progress:
        before = latest.get(one.entity)
        rows = one.rows + (before.rows if before else 0)
        last_key = one.last_key or (before.last_key if before else None)
        latest[one.entity] = Progress(one.entity, last_key, rows, one.done)
    return list(latest.values())
