"""The edits the demo plays, and how it sees them land: by looking into the other database, nowhere else."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

import asyncpg

from duplex.demo.databases import compare
from duplex.demo.people import CRM_COLUMNS, ERP_COLUMNS, Person, person

LANDING_TIMEOUT_S = 30.0
BURST_TIMEOUT_S = 120.0
BURST = 2000
POLL_S = 0.003
Look = Callable[[], Awaitable[bool]]


@dataclass(slots=True)
class Landing:
    """One step as it ended: what was shown to be true, and how long after the commit."""

    title: str
    shown: str
    delay_ms: float
    held: bool
    remarks: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Play:
    """The scenario over two open connections; `tell` is called with every landing as it happens."""

    crm: asyncpg.Connection
    erp: asyncpg.Connection
    tell: Callable[[Landing], None]
    conflicts: Callable[[str], Awaitable[list[str]]]
    landings: list[Landing] = field(default_factory=list)

    async def first_sync(self) -> None:
        """Wait until the rows of either side are in both, merged."""

        async def equal() -> bool:
            found = await compare(self.crm, self.erp)
            return found.differences == 0 and found.rows > 0

        await self.landed(
            "the rows that were there", "both databases hold all of them, equal", equal, timeout_s=BURST_TIMEOUT_S
        )

    async def rest(self) -> None:
        """Play every step after the first, in order."""
        steps = (
            self.update_in_erp, self.different_fields, self.same_field, self.create_in_crm,
            self.create_in_erp, self.create_in_both, self.delete_in_erp, self.burst,
        )  # fmt: skip
        for step in steps:
            await step()

    async def update_in_crm(self) -> None:
        await self.crm.execute("update shop.contacts set last_name = 'Cooper' where email = $1", person(3).email)
        await self.landed("an update in the CRM", "ERP full_name is now 'Dina Cooper'", self.erp_name(3, "Dina Cooper"))

    async def update_in_erp(self) -> None:
        await self.erp.execute("update shop.customers set credit = 1234.50 where mail = $1", person(200).email)
        look = self.is_true(self.crm, "select credit_limit = 1234.50 from shop.contacts where email = $1", 200)
        await self.landed("an update in the ERP", "CRM credit_limit is now 1234.50", look)

    async def different_fields(self) -> None:
        await asyncio.gather(
            self.crm.execute("update shop.contacts set birthday = '1999-12-31' where email = $1", person(150).email),
            self.erp.execute("update shop.customers set status_code = 'X' where mail = $1", person(150).email),
        )
        there = self.is_true(
            self.erp, "select born = '31.12.1999' and status_code = 'X' from shop.customers where mail = $1", 150
        )
        here = self.is_true(
            self.crm, "select birthday = '1999-12-31' and status = 'former' from shop.contacts where email = $1", 150
        )
        await self.landed("two fields of one record, one on each side, at once", "both edits are in both", there, here)

    async def same_field(self) -> None:
        await asyncio.gather(
            self.crm.execute("update shop.contacts set phone = '+1 555 CRM' where email = $1", person(151).email),
            self.erp.execute("update shop.customers set tel = '+1 555 ERP' where mail = $1", person(151).email),
        )
        there = self.is_true(self.erp, "select tel = '+1 555 CRM' from shop.customers where mail = $1", 151)
        here = self.is_true(self.crm, "select phone = '+1 555 CRM' from shop.contacts where email = $1", 151)
        title, shown = "the same field on both sides, at once", "the CRM's phone won by priority"
        await self.landed(title, shown, there, here, remarks=self.conflicts("phone"))

    async def create_in_crm(self) -> None:
        await self.insert_crm(person(301))
        await self.landed("a new contact in the CRM", "the ERP has it", self.erp_name(301, _name(301)))

    async def create_in_erp(self) -> None:
        await self.insert_erp(person(302))
        look = self.is_true(self.crm, "select count(*) = 1 from shop.contacts where email = $1", 302)
        await self.landed("a new customer in the ERP", "the CRM has it", look)

    async def create_in_both(self) -> None:
        await asyncio.gather(self.insert_crm(person(303)), self.insert_erp(person(303)))
        await self.crm.execute("update shop.contacts set status = 'active' where email = $1", person(303).email)
        there = self.is_true(
            self.erp, "select count(*) = 1 and min(status_code) = 'A' from shop.customers where mail = $1", 303
        )
        here = self.is_true(self.crm, "select count(*) = 1 from shop.contacts where email = $1", 303)
        await self.landed("the same person created on both sides, at once", "one record, in step", there, here)

    async def delete_in_erp(self) -> None:
        await self.erp.execute("delete from shop.customers where mail = $1", person(220).email)
        look = self.is_true(self.crm, "select count(*) = 0 from shop.contacts where email = $1", 220)
        await self.landed("a delete in the ERP", "it is gone from the CRM", look)

    async def burst(self) -> None:
        """Updates of different records and fields, half on each side, as fast as one connection each can write."""
        await asyncio.gather(self._burst_in_crm(random.Random(1)), self._burst_in_erp(random.Random(2)))

        async def equal() -> bool:
            return (await compare(self.crm, self.erp)).differences == 0

        title, shown = f"a burst of {BURST:,} updates, half on each side", "both databases agree, row by row"
        await self.landed(title, shown, equal, timeout_s=BURST_TIMEOUT_S)

    async def _burst_in_crm(self, chance: random.Random) -> None:
        for number in range(BURST // 2):
            await self.crm.execute(
                "update shop.contacts set credit_limit = $2, status = $3 where email = $1",
                person(chance.randrange(300)).email, number, chance.choice(("lead", "active", "former")),
            )  # fmt: skip

    async def _burst_in_erp(self, chance: random.Random) -> None:
        for number in range(BURST // 2):
            await self.erp.execute(
                "update shop.customers set tel = $2, town = $3 where mail = $1",
                person(chance.randrange(300)).email, f"+1 556 {number}", f"Town {number}",
            )  # fmt: skip

    async def insert_crm(self, who: Person) -> None:
        await self.crm.execute(f"insert into shop.contacts ({CRM_COLUMNS}) values {_places(who.crm_row)}", *who.crm_row)

    async def insert_erp(self, who: Person) -> None:
        await self.erp.execute(
            f"insert into shop.customers ({ERP_COLUMNS}) values {_places(who.erp_row)}", *who.erp_row
        )

    def is_true(self, database: asyncpg.Connection, query: str, number: int) -> Look:
        async def look() -> bool:
            return bool(await database.fetchval(query, person(number).email))

        return look

    def erp_name(self, number: int, name: str) -> Look:
        async def look() -> bool:
            found = await self.erp.fetchval(
                "select full_name from shop.customers where mail = $1", person(number).email
            )
            return bool(found == name)

        return look

    async def landed(
        self,
        title: str,
        shown: str,
        *looks: Look,
        timeout_s: float = LANDING_TIMEOUT_S,
        remarks: Awaitable[list[str]] | None = None,
    ) -> None:
        """Wait until every look is true, record the landing, tell it. A step that never lands is told as such."""
        started = time.perf_counter()
        held = await until(looks, timeout_s)
        delay_ms = (time.perf_counter() - started) * 1000
        landing = Landing(title, shown, delay_ms, held, await remarks if remarks else [])
        self.landings.append(landing)
        self.tell(landing)


async def until(looks: Sequence[Look], timeout_s: float, poll_s: float = POLL_S) -> bool:
    """Look until every look is true in one round, or the time is over."""
    deadline = time.perf_counter() + timeout_s
    while time.perf_counter() < deadline:
        if all([await look() for look in looks]):
            return True
        await asyncio.sleep(poll_s)
    return False


def _places(row: Sequence[object]) -> str:
    return "(" + ", ".join(f"${position}" for position in range(1, len(row) + 1)) + ")"


def _name(number: int) -> str:
    return f"{person(number).given} {person(number).family}"
