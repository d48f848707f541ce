"""The two sides of a showing, as the people see them who work there: never through duplex."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Protocol

import asyncpg

# Values in the words of the entity: texts, lists of texts, or nothing.
Row = Mapping[str, Any]


class Side(Protocol):
    """A system with its users. `name` is what people call it, `system` what the project file does."""

    @property
    def name(self) -> str: ...

    @property
    def system(self) -> str: ...

    async def rows(self) -> Sequence[Row]:
        """Every record that is in use, each field of the entity named."""

    async def create(self, row: Row) -> None:
        """A user makes a record; fields that are not named are left empty."""

    async def update(self, key: str, values: Row) -> None:
        """A user changes these fields of the record with this key."""

    async def delete(self, key: str) -> None:
        """A user removes the record, or puts it away where nothing is removed for good."""


@dataclass(frozen=True, slots=True)
class Table:
    """A table of a Postgres database, and the statements of its users.

    `select` yields rows in the entity's words, `insert` takes the values of the fields in `inserted`, `updates` has for
    each field a statement that takes the key and the value, `removal` takes the key.
    """

    name: str
    system: str
    connection: asyncpg.Connection
    select: str
    insert: str
    inserted: tuple[str, ...]
    updates: Mapping[str, str]
    removal: str

    async def rows(self) -> Sequence[Row]:
        return [dict(row) for row in await self.connection.fetch(self.select)]

    async def create(self, row: Row) -> None:
        await self.connection.execute(self.insert, *(row.get(field) for field in self.inserted))

    async def update(self, key: str, values: Row) -> None:
        for field, value in values.items():
            await self.connection.execute(self.updates[field], key, value)

    async def delete(self, key: str) -> None:
        await self.connection.execute(self.removal, key)

    def unseen(self) -> AbstractAsyncContextManager[Any]:
        """What is written in this block is seen by nobody before its end, and nobody else writes those rows."""
        found: AbstractAsyncContextManager[Any] = self.connection.transaction()
        return found
