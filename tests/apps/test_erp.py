"""CRM ↔ ERP: examples/crm-erp under the real program, with a real Tryton."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
import pytest_asyncio

from duplex.examples.applications import Application
from duplex.examples.tryton.user import User
from tests.acceptance.conftest import topics_of
from tests.apps.offices import Office, begin, office
from tests.apps.test_tryton_api import a_company, a_lamp, environment
from tests.conftest import databases, new_pipeline_name
from tests.waiting import eventually

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(600)]

LIMIT_S = 120.0
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


async def test_stock_and_the_state_of_orders_come_back(both: Business) -> None:
    company = await a_company(both.user, "office")
    await both.user.call("model.product.template.create", [a_lamp("L-1")], context=company)
    [product] = await both.user.search("product.product", [["code", "=", "L-1"]], "code")
    move = {"product": product["id"], "unit": 1, "quantity": 7.0, "from_location": 4, "to_location": 3, **company}
    made = await both.user.call("model.stock.move.create", [move], context=company)
    await both.user.call("model.stock.move.do", made, context=company)
    order = {"party": await both.agree("C1001"), "reference": "O-1", "currency": 1, **company}
    [sale] = await both.user.call("model.sale.sale.create", [order], context=company)
    await both.shows("orders", "number", "O-1", state="draft", payment="none")
    await both.user.call("model.sale.sale.cancel", [sale], context=company)
    await both.shows("orders", "number", "O-1", state="cancelled")
    await both.office.json("sync", "now", "erp")
    await both.shows("products", "code", "L-1", name="Lamp", stock=7)


async def test_a_server_that_is_away_gets_everything_when_it_returns(both: Business) -> None:
    await both.office.sql("insert into customers (number, name) values ('C6', 'H')")
    await both.agree("C6", name="H")
    await asyncio.to_thread(both.server.kill)
    await both.office.sql("update customers set name = 'Hal' where number = 'C6'")
    await asyncio.to_thread(both.server.start)
    await both.agree("C6", name="Hal")
