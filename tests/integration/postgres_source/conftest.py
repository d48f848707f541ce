"""A captured database, and a source whose changes a test can wait for."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import asyncpg
import msgspec
import pytest

from connectors.base import TableSpec
from connectors.postgres.connector import PostgresConnector, connector
from schemas.messages import Change
from tests.conftest import NewDatabase
from tests.waiting import eventually

CONTACTS = "create table contacts (id integer primary key, name text, town text)"


def spec(entity: str, table: str, *columns: str, key: tuple[str, ...] | None = None) -> TableSpec:
    """A table spec whose columns move one by one."""
    return TableSpec(entity, table, columns, tuple((column,) for column in columns), key)


CONTACT = spec("contact", "public.contacts", "name", "town")


@dataclass
class Reader:
    """Reads a source in the background, acknowledges everything, and keeps what it read.

    With `enough` it stops in the middle: having read this much, it neither acknowledges nor reads on.
    """

    enough: int | None = None
    changes: list[Change] = field(default_factory=list)
    positions: list[Any] = field(default_factory=list)
    task: asyncio.Task[None] | None = None

    async def run(self, source: Any, acknowledge: bool = True) -> None:
        async with aclosing(source.read(None)) as batches:
            async for batch in batches:
                self.changes.extend(batch.changes)
                self.positions.append(batch.position)
                if self.enough is not None and len(self.changes) >= self.enough:
                    await asyncio.Event().wait()
                if acknowledge:
                    await source.ack(batch.position)

    async def until(self, count: int, timeout_s: float = 20.0) -> list[Change]:
        """What was read, once it is this much. An error of the source is the test's error."""
        await eventually(lambda: self.ended() or len(self.changes) >= count, timeout_s, f"{count} changes")
        return self.changes

    def ended(self) -> bool:
        if self.task is not None and self.task.done():
            self.task.result()
        return False


@dataclass
class Place:
    """One system: its database, an open session in it, its connector."""

    dsn: str
    session: asyncpg.Connection
    connector: PostgresConnector
    specs: Sequence[TableSpec] = (CONTACT,)

    @asynccontextmanager
    async def reading(
        self, acknowledge: bool = True, loaded: bool = True, enough: int | None = None
    ) -> AsyncIterator[Reader]:
        """A reader that runs for the time of the block. `loaded`: the initial load counts as done."""
        if loaded:
            await self.session.execute("update duplex.load set done = true")
        reader, source = Reader(enough), self.connector.open_source(self.specs)
        reader.task = asyncio.create_task(reader.run(source, acknowledge))
        try:
            yield reader
        finally:
            if reader.task is not None:
                reader.task.cancel()
                with suppress(asyncio.CancelledError):
                    await reader.task
            await source.close()

    async def log(self) -> list[asyncpg.Record]:
        """The change log as it is."""
        return list(await self.session.fetch("select *, op::text as op from duplex.change_log order by seq"))


MakePlace = Callable[..., Awaitable[Place]]


@pytest.fixture
async def make_place(new_database: NewDatabase) -> AsyncIterator[MakePlace]:
    """`await make_place(ddl, *specs, **options)`: a database with these tables, captured."""
    sessions = []

    async def make(ddl: str = CONTACTS, *specs: TableSpec, **options: Any) -> Place:
        dsn = await new_database("crm")
        session = await asyncpg.connect(dsn)
        sessions.append(session)
        await session.execute(ddl)
        place = Place(dsn, session, connector("crm", "shop", {"dsn": dsn, **options}), specs or (CONTACT,))
        await place.connector.install(place.specs)
        return place

    yield make
    for session in sessions:
        await session.close()


def image(change: Change | None, side: str = "after") -> Any:
    """The row image of a change, decoded."""
    text = getattr(change, side)
    return None if text is None else msgspec.json.decode(text)
