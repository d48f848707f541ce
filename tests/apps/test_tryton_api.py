"""Tryton through the REST connector, as examples/crm-erp declares it."""

import time
from collections.abc import AsyncIterator, Mapping

import pytest

from connectors.errors import RefusedError, UnreachableError
from connectors.remote import conformance
from connectors.remote.api import MovedError, RowRefusedError
from connectors.remote.conforming import Bench
from connectors.rest.api import RestApi
from duplex.examples.applications import Application
from duplex.examples.tryton.business import founded
from duplex.examples.tryton.user import ADMINISTRATOR, PASSWORD, User
from schemas.identifiers import local_id
from tests.apps.declared import apis, fresh, listing

# What Tryton does not offer, and the words for it.
SPARED = {
    "changed_rows_are_listed": "its rows do not say when they were changed",
    "removed_rows_are_listed": "it has no list of removed rows",
    "requests_keep_to_a_budget": conformance.NO_BUDGET,
}
ADDRESS = {"street": "1 Mill Lane", "city": "York", "zip": "YO1 7HX"}
SHOWN = ("code", "name", "active", "street", "city", "zip")


def environment(server: Application, password: str = PASSWORD) -> dict[str, str]:
    return {"ERP_URL": server.url, "ERP_USER": ADMINISTRATOR, "ERP_PASSWORD": password}


@pytest.fixture
async def erp(tryton: Application, user: User) -> AsyncIterator[Mapping[str, RestApi]]:
    """The resources of the example."""
    async with apis("crm-erp", "erp", environment(tryton)) as found:
        yield found


@pytest.fixture
def parties(erp: Mapping[str, RestApi]) -> RestApi:
    return erp["parties"]


async def test_a_user_s_party_is_listed_and_read(parties: RestApi, user: User, person: str) -> None:
    address = {"street": "1 Mill Lane", "city": "York", "postal_code": "YO1 7HX"}
    party = await user.add("party.party", name="Ada", code=person, addresses=[["create", [address]]])
    found = await parties.get(local_id([party]))
    assert found is not None and (await listing(parties))[local_id([party])] == found
    assert {name: found.values[name] for name in SHOWN} == {"code": person, "name": "Ada", "active": True, **ADDRESS}


async def test_a_party_without_an_address(parties: RestApi, user: User, person: str) -> None:
    party = await user.add("party.party", name="Ada", code=person)
    found = await parties.get(local_id([party]))
    assert found is not None and [found.values[name] for name in ("address", "street", "city")] == [None] * 3
    changed = await parties.update(found, ADDRESS)
    assert {name: changed.values[name] for name in ADDRESS} == ADDRESS


async def test_what_changed_since_counts_addresses_too(parties: RestApi, user: User, person: str) -> None:
    party = await user.add("party.party", name="Ada", code=person, addresses=[["create", [{"city": "York"}]]])
    now_us = int(time.time() * 1e6)
    [address] = (await user.read("party.party", party, "addresses"))["addresses"]
    await user.edit("party.address", address, city="Bath")
    assert local_id([party]) in await listing(parties, now_us - 10_000)
    assert await listing(parties, now_us + 3_600_000_000) == {}


async def test_a_party_that_is_not_there(parties: RestApi) -> None:
    assert await parties.get(local_id([999999])) is None


async def test_create_update_and_delete(parties: RestApi, person: str) -> None:
    made = await parties.create({"code": person, "name": "Ada", **ADDRESS}, "k1")
    assert {name: made.values[name] for name in SHOWN} == {"code": person, "name": "Ada", "active": True, **ADDRESS}
    changed = await parties.update(made, {"name": "Ada Archer", "street": None, "city": "Bath", "zip": None})
    assert {name: changed.values[name] for name in ("name", "street", "city")} == {
        "name": "Ada Archer", "street": None, "city": "Bath",
    }  # fmt: skip
    await parties.delete(changed)
    assert await parties.get(made.local_id) is None
    await parties.delete(changed)


async def test_a_party_that_is_marked_inactive_is_still_read(parties: RestApi, person: str) -> None:
    made = await parties.create({"code": person, "name": "Ada"}, "k1")
    changed = await parties.update(made, {"active": False})
    assert changed.values["active"] is False
    assert made.local_id in await listing(parties)
    assert made.local_id in await listing(parties, int(time.time() * 1e6) - 60_000_000)
    assert made.local_id in [one.local_id for one in await parties.find({"code": person})]


async def test_a_party_is_found_by_its_code(parties: RestApi, person: str) -> None:
    # As after a create whose answer was lost.
    made = await parties.create({"code": person, "name": "Ada"}, "k1")
    assert [one.local_id for one in await parties.find({"code": person})] == [made.local_id]
    assert await parties.find({"code": f"{person}-none"}) == []


async def test_an_edit_in_between_is_never_written_over(parties: RestApi, user: User, person: str) -> None:
    made = await parties.create({"code": person, "name": "Ada", **ADDRESS}, "k1")
    await user.edit("party.party", made.values["id"], name="by a user")
    with pytest.raises(MovedError):
        await parties.update(made, {"name": "by us"})
    with pytest.raises(MovedError):
        await parties.delete(made)


async def test_an_edit_of_the_address_in_between_is_never_written_over(
    parties: RestApi, user: User, person: str
) -> None:
    made = await parties.create({"code": person, "name": "Ada", **ADDRESS}, "k1")
    await user.edit("party.address", made.values["address"], city="Bath")
    with pytest.raises(MovedError):
        await parties.update(made, {**ADDRESS, "city": "Hull"})


async def test_a_party_that_tryton_does_not_take(parties: RestApi, person: str) -> None:
    await parties.create({"code": person, "name": "Ada"}, "k1")
    with pytest.raises(RowRefusedError, match="must be unique"):
        await parties.create({"code": person, "name": "Ben"}, "k2")


async def test_what_tryton_makes_of_a_value_is_told(parties: RestApi, person: str) -> None:
    made = await parties.create({"code": person, "name": " Ada ", **ADDRESS, "city": " York "}, "k1")
    assert (made.values["name"], made.values["city"]) == (" Ada ", "York")


async def test_a_wrong_password_is_said(tryton: Application, user: User) -> None:
    async with apis("crm-erp", "erp", environment(tryton, "wrong")) as found:
        with pytest.raises(RefusedError, match="auth"):
            await found["parties"].page(None)


async def test_a_session_that_ended_is_begun_anew(tryton: Application, parties: RestApi, user: User) -> None:
    await parties.page(None)
    # A new password ends all sessions of its user.
    await user.edit("res.user", 1, password=PASSWORD)
    assert await parties.get(local_id([999999])) is None


async def test_stock_and_orders_are_read(erp: Mapping[str, RestApi], user: User, person: str) -> None:
    company = await founded(user, person)
    product = await company.stocked(person, "Lamp", 7.0, "12.50")
    shown = await erp["products"].get(local_id([product]))
    assert shown is not None
    assert shown.values == {"id": product, "code": person, "name": "Lamp", "stock": "7"}
    party = await user.add("party.party", name="Ada", code=person, addresses=[["create", [{"city": "York"}]]])
    order = {"party": party, "reference": person, "currency": company.currency, **company.context}
    sale = await company.add("sale.sale", **order)
    read = (await listing(erp["orders"]))[local_id([sale])]
    assert read.values == {"id": sale, "reference": person, "state": "draft", "payment": "none"}
    used = await erp["parties"].get(local_id([party]))
    assert used is not None
    with pytest.raises(RowRefusedError):
        await erp["parties"].delete(used)


@pytest.mark.parametrize("case", conformance.cases())
async def test_tryton_conforms(tryton: Application, user: User, person: str, case: str) -> None:
    async with fresh("crm-erp", "erp", environment(tryton)) as make:
        bench = Bench(
            system="erp",
            api=lambda: make("parties"),
            sample=lambda place: {"code": f"{person}-{place}", "name": f"Name {place}"},
            edit=lambda place: {"name": f"Edited {place}"},
            match=("code",),
        )
        assert await conformance.run(conformance.cases()[case], bench) == SPARED.get(case)


async def test_a_server_that_is_down(tryton: Application, parties: RestApi) -> None:
    tryton.kill()
    with pytest.raises(UnreachableError):
        await parties.page(None)
