"""crm-erp: customers of a CRM, and parties of a Tryton server that also sells, stocks and is paid."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import asyncpg

from duplex.examples.showings import Example, Place, Showing
from duplex.examples.sides import Row, Table
from duplex.examples.steps import Pair, Step
from duplex.examples.tryton import business, installing, running
from duplex.examples.tryton.business import Books
from duplex.examples.tryton.user import ADMINISTRATOR, PASSWORD, User

SELECT = "select number, name, street, city, zip from public.customers"
INSERT = "insert into public.customers (number, name, street, city, zip) values ($1, $2, $3, $4, $5)"
UPDATES = {
    "name": "update public.customers set name = $2 where number = $1",
    "city": "update public.customers set city = $2 where number = $1",
}
REMOVAL = "delete from public.customers where number = $1"
ADDRESS = {"street": "street", "city": "city", "zip": "postal_code"}
SHOWN = ("code", "name", *(f"addresses.{field}" for field in ADDRESS.values()))


THEIRS = (
    {"number": "C1002", "name": "Ben Baker", "street": "9 Quay", "city": "Hull", "zip": "HU1"},
    {"number": "C1003", "name": "Cora Cook", "street": "3 High Street", "city": "Bath", "zip": "BA1"},
)
OURS = {"number": "C1004", "name": "Dan Dyer", "street": "4 Dock Road", "city": "Hull", "zip": "HU2"}


@dataclass(frozen=True, slots=True)
class Parties:
    """The ERP's parties with a code, archived ones left out, and a clerk who looks after them."""

    user: User
    name: str = "Tryton"
    system: str = "erp"

    async def rows(self) -> Sequence[Row]:
        return [_shown(party) for party in await self.user.search("party.party", [["code", "!=", None]], *SHOWN)]

    async def create(self, row: Row) -> None:
        party = {"code": row["number"], "name": row.get("name")}
        await self.user.add("party.party", **party, addresses=[["create", [_address(row)]]])

    async def update(self, key: str, values: Row) -> None:
        party = await self.id(key)
        if "name" in values:
            await self.user.edit("party.party", party, name=values["name"])
        if address := _address(values):
            [first, *_] = (await self.user.read("party.party", party, "addresses"))["addresses"]
            await self.user.edit("party.address", first, **address)

    async def delete(self, key: str) -> None:
        await self.user.edit("party.party", await self.id(key), active=False)

    async def id(self, code: str) -> int:
        """Tryton's id of the party with this code."""
        [found] = await self.user.search("party.party", [["code", "=", code]], "code")
        return int(found["id"])


def _shown(party: Mapping[str, Any]) -> Row:
    address = (party["addresses."] or [{}])[0]
    place = {name: address.get(theirs) for name, theirs in ADDRESS.items()}
    return {"number": party["code"], "name": party["name"], **place}


def _address(row: Row) -> dict[str, Any]:
    return {theirs: row[name] for name, theirs in ADDRESS.items() if name in row}


@dataclass(slots=True)
class Trade:
    """Goods are delivered and sold in the ERP; the CRM shows what becomes of them."""

    crm: asyncpg.Connection
    books: Books
    parties: Parties
    made: dict[str, int] = field(default_factory=dict)

    async def stock(self) -> None:
        made = await self.books.company.stocked("LAMP-1", "Desk lamp", 7.0, "40.00", self.books.category)
        self.made["product"] = made

    async def order(self) -> None:
        party = await self.parties.id("C1001")
        self.made["order"] = await self.books.ordered(party, self.made["product"], "O-1", 2.0, "40.00")

    async def invoice(self) -> None:
        self.made["invoice"] = await self.books.invoiced(self.made["order"])

    async def pay(self) -> None:
        await self.books.paid(self.made["invoice"])

    async def in_stock(self) -> bool:
        query = "select stock = 7 from public.products where code = 'LAMP-1'"
        return bool(await self.crm.fetchval(query))

    async def says(self, payment: str) -> bool:
        """Whether the CRM shows the order in this state of payment."""
        found = await self.crm.fetchval("select payment from public.orders where number = 'O-1'")
        return bool(found == payment)

    def steps(self) -> Sequence[Step]:
        """The lamp comes, is ordered, invoiced and paid for."""
        return (
            Step("seven lamps are delivered in Tryton", "the CRM shows 7 in stock", self.stock, self.in_stock),
            self._step("a customer orders two of them", self.order, "pending"),
            self._step("the invoice is posted", self.invoice, "awaiting payment"),
            self._step("the invoice is paid", self.pay, "paid"),
        )

    def _step(self, title: str, do: Callable[[], Awaitable[None]], payment: str) -> Step:
        return Step(title, f"the CRM shows the order's payment: {payment}", do, lambda: self.says(payment))


def customers(connection: asyncpg.Connection) -> Table:
    """The CRM's customers."""
    inserted = ("number", "name", "street", "city", "zip")
    return Table("the CRM", "crm", connection, SELECT, INSERT, inserted, UPDATES, REMOVAL)


@asynccontextmanager
async def opened(place: Place) -> AsyncIterator[Showing]:
    """A server of its own, with a company that keeps books."""
    assert place.installation is not None
    server = running.server(place.installation, place.folder)
    try:
        await asyncio.to_thread(server.start)
        async with User.at(server.url) as user:
            yield await _showing(server.url, user, place)
    finally:
        await asyncio.to_thread(server.stop)


async def _showing(url: str, user: User, place: Place) -> Showing:
    books = await business.opened(await business.founded(user, "Lamps & Co"))
    parties = Parties(user)
    for row in THEIRS:
        await parties.create(row)
    pair = Pair(customers(place.databases["crm"]), parties, "number")
    trade = Trade(place.databases["crm"], books, parties)
    settings = {"ERP_URL": url, "ERP_USER": ADMINISTRATOR, "ERP_PASSWORD": PASSWORD}
    return Showing(pair, [*_steps(pair), *trade.steps()], settings, _turn(url))


def _steps(pair: Pair) -> Sequence[Step]:
    crm, tryton, ada, cora = pair.left, pair.right, "C1001", "C1003"
    return [
        pair.created(
            crm, {"number": "C1004", "name": "Dan Dyer", "street": "4 Dock Road", "city": "Hull", "zip": "HU2"}
        ),
        pair.created(tryton, {"number": "E2001", "name": "Eve Ekman", "street": "5 Row", "city": "Ely", "zip": "CB7"}),
        pair.edited(crm, ada, {"city": "Leeds"}),
        pair.edited(tryton, ada, {"name": "Ada Archer-Hill"}),
        pair.apart(cora, {"city": "Wells"}, {"name": "Cora Cook-Lane"}),
        pair.clashed(cora, "name", "C. Cook", "Cornelia Cook"),
        pair.removed(crm, "C1004"),
        pair.removed(tryton, "E2001"),
    ]


def _turn(url: str) -> Sequence[str]:
    server, _, database = url.rpartition("/")
    return (
        f"Tryton's own clients sign in at {server.removeprefix('http://')}, database {database},",
        f"as {ADMINISTRATOR} with the password {PASSWORD}. Edit a customer, and see the party change:",
        "  {psql} '{CRM_DSN}' -c \"update customers set city = 'York' where number = 'C1003'\"",
        "  {psql} '{CRM_DSN}' -c 'select * from orders'",
    )


EXAMPLE = Example(
    "crm-erp",
    "A CRM in Postgres and Tryton as the ERP. Both know some customers; what is sold and paid, Tryton alone knows.",
    "customer",
    ("crm",),
    opened,
    installing.RECIPE,
)
