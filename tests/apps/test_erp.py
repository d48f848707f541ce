"""CRM ↔ ERP: examples/crm-erp under the real program, with a real Tryton."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest
import pytest_asyncio

from duplex.examples.applications import Application
from duplex.examples.erp import Parties, customers
from duplex.examples.steps import Pair
from duplex.examples.tryton.business import founded, opened
from duplex.examples.tryton.user import User
from tests.acceptance.conftest import topics_of
from tests.acceptance.shops import connected
from tests.apps.bursts import Burst, Kill
from tests.apps.conftest import only_at_length
from tests.apps.offices import Office, begin, office
from tests.apps.test_tryton_api import environment
from tests.conftest import databases, new_pipeline_name
from tests.waiting import eventually

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(900)]

LIMIT_S = 120.0
PARTS = (("system", "erp"), ("processors",), ("sink", "crm"), ("system", "erp"))
SHOWN = ("name", "code", "active", "addresses.street", "addresses.city", "addresses.postal_code")


@dataclass
class Business:
    """Both sides, and the people who work in them."""

    office: Office
    server: Application
    user: User

    async def party(self, code: str) -> Mapping[str, Any] | None:
        """The ERP's party, as the CRM would say it."""
        domain = [["code", "=", code], ["active", "in", [True, False]]]
        found = await self.user.search("party.party", domain, *SHOWN)
        assert len(found) <= 1, f"there are two of {code}"
        if not found:
            return None
        address = (found[0]["addresses."] or [{}])[0]
        place = {"street": address.get("street"), "city": address.get("city"), "zip": address.get("postal_code")}
        return {"id": found[0]["id"], "active": bool(found[0]["active"]), "name": found[0]["name"], **place}

    async def agree(self, code: str, **wanted: Any) -> int:
        """Wait until both have this customer, and say these things of it; the party's id."""

        async def same() -> Mapping[str, Any] | None:
            party, customer = await self.party(code), await self.office.row("customers", "number", code)
            if party is None or customer is None:
                return None
            return party if all(party[key] == customer[key] == value for key, value in wanted.items()) else None

        found = await eventually(same, LIMIT_S, f"{code} is not {wanted} in both")
        assert found is not None
        return int(found["id"])

    async def one_of(self, code: str, *names: str) -> str:
        """Wait until both give this customer the same one of these names; that name."""

        async def same() -> str | None:
            party, customer = await self.party(code), await self.office.row("customers", "number", code)
            found = {party and party["name"], customer and customer["name"]}
            [name, *more] = found
            return name if not more and name in names else None

        found = await eventually(same, LIMIT_S, f"{code} has not one of {names}")
        assert found is not None
        return found

    async def restart(self) -> None:
        """`kill -9` the server, and start it again; sessions outlive it."""
        await asyncio.to_thread(self.server.kill)
        await asyncio.to_thread(self.server.start)

    async def shows(self, table: str, column: str, value: str, **wanted: Any) -> None:
        """Wait until the CRM says these things of an order or a product."""

        async def same() -> bool:
            row = await self.office.row(table, column, value)
            return row is not None and all(row[key] == one for key, one in wanted.items())

        await eventually(same, LIMIT_S, f"{value} is not {wanted} in the CRM")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def both(
    tryton: Application, tmp_path_factory: pytest.TempPathFactory, kafka_bootstrap: str, postgres_dsn: str
) -> AsyncIterator[Business]:
    """One program for all tests of the module; each has customers of its own."""
    name, folder = new_pipeline_name(), tmp_path_factory.mktemp("office")
    async with (
        topics_of(kafka_bootstrap, name),
        databases(postgres_dsn) as new_database,
        User.at(tryton.url) as user,
        office("crm-erp", folder, name, kafka_bootstrap, new_database, environment(tryton)) as made,
    ):
        address = {"street": "9 Quay", "city": "Hull", "postal_code": "HU1"}
        await user.add("party.party", name="Ben Baker", code="C1002", addresses=[["create", [address]]])
        await begin(made)
        yield Business(made, tryton, user)


async def test_the_first_sync_joins_customers_by_their_number(both: Business) -> None:
    await both.agree("C1001", name="Ada Archer", street="1 Mill Lane", city="York", zip="YO1 7HX")
    await both.agree("C1002", name="Ben Baker", street="9 Quay", city="Hull", zip="HU1")


async def test_a_party_becomes_a_customer_and_its_address_follows(both: Business) -> None:
    address = {"street": "1 Dock", "city": "Bath", "postal_code": "BA1"}
    party = await both.user.add("party.party", name="Cora", code="E1", addresses=[["create", [address]]])
    await both.agree("E1", name="Cora", street="1 Dock", city="Bath", zip="BA1")
    [number] = (await both.user.read("party.party", party, "addresses"))["addresses"]
    await both.user.edit("party.address", number, street="2 Dock")
    await both.agree("E1", street="2 Dock", city="Bath")


async def test_a_new_customer_becomes_a_party(both: Business) -> None:
    await both.office.sql("insert into customers (number, name) values ('C2', 'Dan')")
    await both.agree("C2", name="Dan", city=None)
    await both.office.sql("update customers set street = '3 Row', city = 'Leeds', zip = 'LS1' where number = 'C2'")
    await both.agree("C2", name="Dan", street="3 Row", city="Leeds", zip="LS1")


async def test_edits_of_different_fields_on_both_sides_are_both_kept(both: Business) -> None:
    await both.office.sql("insert into customers (number, name) values ('C3', 'Eve')")
    party = await both.agree("C3", name="Eve")
    await asyncio.gather(
        both.user.edit("party.party", party, name="Eve East"),
        both.office.sql("update customers set street = '4 Row', city = 'Ely', zip = 'CB7' where number = 'C3'"),
    )
    await both.agree("C3", name="Eve East", street="4 Row", city="Ely", zip="CB7")


async def test_a_deleted_customer_is_archived_in_the_erp(both: Business) -> None:
    await both.office.sql("insert into customers (number, name) values ('C4', 'Fay')")
    await both.agree("C4", name="Fay")
    await both.office.sql("delete from customers where number = 'C4'")

    async def archived() -> bool:
        party = await both.party("C4")
        return party is not None and not party["active"]

    await eventually(archived, LIMIT_S, "C4 is still active")


async def test_an_archived_party_is_deleted_in_the_crm(both: Business) -> None:
    await both.office.sql("insert into customers (number, name) values ('C5', 'Gus')")
    party = await both.agree("C5", name="Gus")
    await both.user.edit("party.party", party, active=False)

    async def gone() -> bool:
        return await both.office.row("customers", "number", "C5") is None

    await eventually(gone, LIMIT_S, "C5 is still a customer")


async def test_stock_comes_back_and_so_does_what_becomes_of_an_order_until_it_is_paid(both: Business) -> None:
    books = await opened(await founded(both.user, "Lamps & Co"))
    lamp = await books.company.stocked("L-1", "Lamp", 7.0, "12.50", books.category)
    order = await books.ordered(await both.agree("C1001"), lamp, "O-1", 2.0, "12.50")
    await both.shows("orders", "number", "O-1", state="processing", payment="pending")
    invoice = await books.invoiced(order)
    await both.shows("orders", "number", "O-1", payment="awaiting payment")
    await books.paid(invoice)
    await both.shows("orders", "number", "O-1", payment="paid")
    await both.office.json("sync", "now", "erp")
    await both.shows("products", "code", "L-1", name="Lamp", stock=7)
    await books.company.delivered(lamp, 3.0)
    await both.shows("products", "code", "L-1", stock=10)


async def test_what_the_erp_alone_knows_is_set_back_in_the_crm(both: Business) -> None:
    await both.shows("orders", "number", "O-1", payment="paid")
    await both.office.sql("update orders set payment = 'none' where number = 'O-1'")
    await both.shows("orders", "number", "O-1", payment="paid")


async def test_edits_of_one_field_on_both_sides_at_once_end_in_one_value_and_the_other_is_on_record(
    both: Business,
) -> None:
    await both.office.sql("insert into customers (number, name) values ('K7', 'Ivo')")
    party = await both.agree("K7", name="Ivo")
    async with both.office.unseen("update customers set name = 'Ivo Crm' where number = 'K7'"):
        await both.user.edit("party.party", party, name="Ivo Erp")
    left = await both.one_of("K7", "Ivo Crm", "Ivo Erp")
    assert await both.office.clash("K7", "name") == {"Ivo Crm", "Ivo Erp"}
    code, told, _ = await both.office.call("record", "explain", "K7", "name")
    assert code == 0 and f'name: "{left}"' in told
    assert "It beat" in told and '"Ivo Crm"' in told and '"Ivo Erp"' in told


@pytest.mark.parametrize("victim", ["parts", "whole"])
async def test_a_kill_in_mid_burst_loses_and_doubles_nothing(both: Business, victim: str) -> None:
    if victim == "parts":
        only_at_length("a burst with kills of each part is played")
    kills: dict[str, list[Kill]] = {
        "parts": [partial(both.office.kill, *words) for words in PARTS],
        "whole": [both.office.kill, both.restart],
    }
    async with connected(both.office.crm) as connection:
        pair = Pair(customers(connection), Parties(both.user), "number")
        await Burst(pair, lambda word: f"{victim}-{word}", "city", "name").play(kills[victim])


async def test_a_server_that_is_away_gets_everything_when_it_returns(both: Business) -> None:
    await both.office.sql("insert into customers (number, name) values ('C6', 'H')")
    await both.agree("C6", name="H")
    await asyncio.to_thread(both.server.kill)
    await both.office.sql("update customers set name = 'Hal' where number = 'C6'")
    await asyncio.to_thread(both.server.start)
    await both.agree("C6", name="Hal")


async def test_a_server_that_dies_as_soon_as_it_has_made_a_party_has_one(both: Business) -> None:
    """Whether its answer was lost or not, the customer lives, and is edited by whoever edits it meanwhile."""
    await both.office.sql("insert into customers (number, name) values ('C7', 'J')")
    await eventually(lambda: both.party("C7"), LIMIT_S, "C7 was not made")
    await asyncio.to_thread(both.server.kill)
    await both.office.sql("update customers set name = 'Jan' where number = 'C7'")
    await asyncio.to_thread(both.server.start)
    await both.agree("C7", name="Jan")
