"""Three databases with different tables, what their users do, and what the test itself notes of every write."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import asyncpg
import msgspec

FOLDER = Path(__file__).parent
SYSTEMS = ("crm", "erp", "web")
FIELDS = ("name", "phone", "credit", "address")
USER = "a user"
# Written by hand, so that judging trusts no mapping: columns of (e-mail, name, phone, credit, street, city).
TABLES = {"crm": "shop.contacts", "erp": "public.customers", "web": "web.accounts"}
COLUMNS = {
    "crm": ("email", "name", "phone", "credit", "street", "city"),
    "erp": ("mail", "full_name", "tel", "credit", "addr", "town"),
    "web": ("login", "display", "mobile", "balance", "line", "place"),
}
LIVING = {"crm": "true", "erp": "state = 'live'", "web": "true"}
DELETING = {
    "crm": "delete from shop.contacts where email = $1",
    "erp": "update public.customers set state = 'gone' where mail = $1 and state = 'live'",
    "web": "delete from web.accounts where login = $1",
}

Record = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Write:
    """One write of a row, in a person's words: the record as it was found and as it was left. None: gone."""

    system: str
    by_user: bool
    before: Record | None
    after: Record | None

    @property
    def email(self) -> str:
        """Which record it is; nobody changes an e-mail address here."""
        found = self.after or self.before
        assert found is not None
        return str(found["email"])

    def edits(self) -> dict[str, Any]:
        """The fields that were given another value."""
        if self.after is None:
            return {}
        before = self.before or {}
        return {name: self.after[name] for name in FIELDS if self.after[name] != before.get(name, EMPTY[name])}


EMPTY: Record = {"name": None, "phone": None, "credit": None, "address": (None, None)}


@dataclass(slots=True)
class Databases:
    """Open sessions of one user in each database, and the values they write: each is written once."""

    sessions: Mapping[str, asyncpg.Connection]
    numbers: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))

    def new_value(self, name: str) -> Any:
        """A value of this field that nobody wrote before."""
        number = next(self.numbers)
        if name == "credit":
            return Decimal(number)
        return (f"street {number}", f"city {number}") if name == "address" else f"{name} {number}"

    async def edit(self, system: str, email: str, name: str) -> None:
        """Give a field of a living row a new value. Where the row is gone, nothing is written."""
        value = self.new_value(name)
        values = value if name == "address" else (value,)
        columns = _columns_of(system, name)
        set_ = ", ".join(f"{column} = ${place}" for place, column in enumerate(columns, start=2))
        query = f"update {TABLES[system]} set {set_} where {COLUMNS[system][0]} = $1 and {LIVING[system]}"
        await self.sessions[system].execute(query, email, *values)

    async def delete(self, system: str, email: str) -> None:
        """Delete a row, in the way of its system."""
        await self.sessions[system].execute(DELETING[system], email)

    async def insert(self, system: str, emails: Sequence[str]) -> None:
        """Make rows with values of their own."""
        columns = ", ".join(COLUMNS[system])
        query = f"insert into {TABLES[system]} ({columns}) values ($1, $2, $3, $4, $5, $6)"
        await self.sessions[system].executemany(query, [(email, *self._new_row()) for email in emails])

    def _new_row(self) -> list[Any]:
        name, phone, credit, address = [self.new_value(name) for name in FIELDS]
        return [name, phone, credit, *address]

    async def records(self, system: str) -> dict[str, Record]:
        """The living rows of a database, by e-mail."""
        rows = await self.sessions[system].fetch(f"select * from {TABLES[system]} where {LIVING[system]}")
        return {row[COLUMNS[system][0]]: record(system, dict(row)) for row in rows}

    async def all_records(self) -> dict[str, dict[str, Record]]:
        """The living rows of every database."""
        return {system: await self.records(system) for system in SYSTEMS}

    async def history(self, system: str) -> list[Write]:
        """Every write to a database's table in order, by the test's own trigger."""
        rows = await self.sessions[system].fetch("select who, before, after from audit.history order by n")
        return [
            Write(system, row["who"] == USER, _record(system, row["before"]), _record(system, row["after"]))
            for row in rows
        ]

    async def moved(self) -> tuple[int, ...]:
        """How many writes each database has seen."""
        query = "select coalesce(max(n), 0) from audit.history"
        return tuple([await self.sessions[system].fetchval(query) for system in SYSTEMS])

    async def parked(self) -> int:
        """How many commands wait in the three databases."""
        return sum([await self.sessions[system].fetchval("select count(*) from duplex.parked") for system in SYSTEMS])


def _columns_of(system: str, name: str) -> tuple[str, ...]:
    _, *columns = COLUMNS[system]
    place = FIELDS.index(name)
    return tuple(columns[place:]) if name == "address" else (columns[place],)


def record(system: str, row: Mapping[str, Any]) -> Record:
    """A row in the entity's words."""
    email, name, phone, credit, street, city = [row[column] for column in COLUMNS[system]]
    number = None if credit is None else Decimal(str(credit)).normalize()
    return {"email": email, "name": name, "phone": phone, "credit": number, "address": (street, city)}


def _record(system: str, image: str | None) -> Record | None:
    if image is None:
        return None
    row = msgspec.json.Decoder(dict[str, Any], float_hook=Decimal).decode(image)
    return None if row.get("state", "live") == "gone" else record(system, row)


async def make(dsns: Mapping[str, str]) -> None:
    """The tables, and the test's own history, in three empty databases."""
    for system, dsn in dsns.items():
        connection = await asyncpg.connect(dsn)
        await connection.execute((FOLDER / f"{system}.sql").read_text())
        await connection.execute((FOLDER / "audit.sql").read_text())
        moment = f"after insert or update or delete on {TABLES[system]} for each row"
        await connection.execute(f"create trigger noted {moment} execute function audit.note()")
        await connection.close()


@asynccontextmanager
async def users(dsns: Mapping[str, str]) -> AsyncIterator[Databases]:
    """A session of a user in each database."""
    async with AsyncExitStack() as stack:
        sessions = {}
        for system, dsn in dsns.items():
            sessions[system] = await asyncpg.connect(dsn, server_settings={"application_name": USER})
            stack.push_async_callback(sessions[system].close)
        yield Databases(sessions)


async def at_once(*writes: Any) -> None:
    """Do these in the same instant, as far as one process can."""
    await asyncio.gather(*writes)
