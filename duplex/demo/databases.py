"""The demo's two databases: made anew for each showing, filled, and compared by hand-written queries."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from importlib import resources
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import asyncpg

from duplex.demo.people import CRM_COLUMNS, ERP_COLUMNS, Person, person

ONLY_CRM, BOTH, ONLY_ERP = range(140), range(140, 180), range(180, 300)


@dataclass(frozen=True, slots=True)
class Pair:
    """One value per database."""

    crm: str
    erp: str


def script(name: str) -> str:
    """The text of one of the demo's SQL files."""
    return resources.files("duplex.demo").joinpath(name).read_text()


def renamed(dsn: str, database: str) -> str:
    """The same server, another database."""
    return urlunsplit(urlsplit(dsn)._replace(path=f"/{database}"))


async def create(servers: Mapping[str, str]) -> Pair:
    """Make `demo_crm` and `demo_erp` anew on their servers, with tables and contacts; returns their addresses."""
    dsns = Pair(*[await fresh(servers[name], f"demo_{name}") for name in ("crm", "erp")])
    await fill(dsns)
    return dsns


async def fill(dsns: Pair) -> None:
    """Make both tables in two empty databases, and the contacts in them."""
    await _fill(dsns.crm, "crm.sql", f"insert into shop.contacts ({CRM_COLUMNS}) values", [p.crm_row for p in _crm()])
    await _fill(dsns.erp, "erp.sql", f"insert into shop.customers ({ERP_COLUMNS}) values", [p.erp_row for p in _erp()])


async def fresh(dsn: str, database: str) -> str:
    """Make a database anew on a server; its address."""
    connection = await asyncpg.connect(dsn)
    try:
        quoted = await connection.fetchval("select quote_ident($1)", database)
        await connection.execute("drop database if exists " + quoted + " with (force)")
        await connection.execute("create database " + quoted)
    finally:
        await connection.close()
    return renamed(dsn, database)


async def _fill(dsn: str, schema: str, insert: str, rows: list[tuple[object, ...]]) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(script(schema))
        places = ", ".join(f"${position}" for position in range(1, len(rows[0]) + 1))
        await connection.executemany(f"{insert} ({places})", rows)
    finally:
        await connection.close()


def _crm() -> Iterable[Person]:
    return [person(number) for number in (*ONLY_CRM, *BOTH)]


def _erp() -> Iterable[Person]:
    differing = {number: {"phone": f"+1 555 9{number:03d}"} for number in BOTH if number % 4 == 0}
    differing |= {number: {"street": f"{number} Old Road"} for number in BOTH if number % 4 == 1}
    return [replace(person(number), **differing.get(number, {})) for number in (*BOTH, *ONLY_ERP)]  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class Comparison:
    """How the two databases stand to each other, in words of the entity."""

    differences: int
    duplicates: int
    rows: int


async def compare(crm: asyncpg.Connection, erp: asyncpg.Connection) -> Comparison:
    """Join both tables by e-mail and count rows that differ or are missing, and addresses that occur twice."""
    left, right = (
        [dict(row) for row in await crm.fetch(script("crm_view.sql"))],
        await erp.fetch(script("erp_view.sql")),
    )
    by_email = {row["email"]: dict(row) for row in right}
    differing = [row for row in left if by_email.get(row["email"]) != row]
    missing = by_email.keys() - {row["email"] for row in left}
    return Comparison(len(differing) + len(missing), _repeated(left) + _repeated(right), max(len(left), len(right)))


def _repeated(rows: Iterable[Mapping[str, Any]]) -> int:
    emails = [row["email"].lower() for row in rows]
    return len(emails) - len(set(emails))
