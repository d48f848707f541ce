"""Tryton as we start it: its users' work, its restarts, and what its answers are like."""

import asyncio

import pytest

from duplex.examples.applications import Application
from duplex.examples.tryton.user import TrytonError, User

ADDRESS = {"street": "1 Mill Lane", "city": "York", "postal_code": "YO1 7HX"}


async def test_users_add_edit_and_remove_parties(user: User, person: str) -> None:
    party = await user.add("party.party", name="Ada", code=person, addresses=[["create", [ADDRESS]]])
    await user.edit("party.party", party, name="Ada Archer")
    found = await user.read("party.party", party, "name", "code", "addresses.city")
    assert (found["name"], found["code"], found["addresses."][0]["city"]) == ("Ada Archer", person, "York")
    await user.remove("party.party", party)
    assert await user.search("party.party", [["id", "=", party]], "name") == []


async def test_a_wrong_password_is_refused(tryton: Application) -> None:
    with pytest.raises(TrytonError, match="status 401"):
        async with User.at(tryton.url, password="wrong"):
            pass


async def test_another_user_works_beside_the_first(tryton: Application, user: User, person: str) -> None:
    await user.add("res.user", name="Clerk", login=person, password="made-for-tests-only-too")
    async with User.at(tryton.url, person, "made-for-tests-only-too") as clerk:
        assert await clerk.search("party.party", [["code", "=", person]], "name") == []


async def test_a_party_with_the_code_of_another_is_refused(user: User, person: str) -> None:
    await user.add("party.party", name="Ada", code=person)
    with pytest.raises(TrytonError, match="must be unique"):
        await user.add("party.party", name="Ben", code=person)


async def test_a_code_is_given_once(user: User, person: str) -> None:
    party = await user.add("party.party", name="Ada")
    assert (await user.read("party.party", party, "code"))["code"]
    with pytest.raises(TrytonError, match="not allowed to modify"):
        await user.edit("party.party", party, code=person)


async def test_a_party_that_is_not_there(user: User) -> None:
    with pytest.raises(TrytonError, match="don't exist"):
        await user.read("party.party", 999999, "name")
    await user.remove("party.party", 999999)


async def test_a_write_may_name_the_state_it_was_made_on(user: User, person: str) -> None:
    party = await user.add("party.party", name="Ada", code=person)
    stamp = (await user.read("party.party", party, "_timestamp"))["_timestamp"]
    condition = {"_timestamp": {f"party.party,{party}": stamp}}
    await user.call("model.party.party.write", [party], {"name": "Ada 2"}, context=condition)
    with pytest.raises(TrytonError, match="ConcurrencyException"):
        await user.call("model.party.party.write", [party], {"name": "Ada 3"}, context=condition)


async def test_the_condition_holds_for_the_address_too(user: User, person: str) -> None:
    party = await user.add("party.party", name="Ada", code=person, addresses=[["create", [ADDRESS]]])
    [address] = (await user.read("party.party", party, "addresses._timestamp"))["addresses."]
    await user.edit("party.address", address["id"], city="Bath")
    condition = {"_timestamp": {f"party.address,{address['id']}": address["_timestamp"]}}
    values = {"addresses": [["write", [address["id"]], {"city": "Hull"}]]}
    with pytest.raises(TrytonError, match="ConcurrencyException"):
        await user.call("model.party.party.write", [party], values, context=condition)


async def test_an_address_leaves_its_party_undated(user: User, person: str) -> None:
    party = await user.add("party.party", name="Ada", code=person, addresses=[["create", [ADDRESS]]])
    before = await user.read("party.party", party, "write_date", "addresses")
    await user.edit("party.address", before["addresses"][0], city="Bath")
    assert await user.read("party.party", party, "write_date", "addresses") == before


async def test_what_is_archived_is_found_by_those_who_ask_for_it(user: User, person: str) -> None:
    party = await user.add("party.party", name="Ada", code=person)
    await user.edit("party.party", party, active=False)
    here = [["id", "=", party]]
    assert await user.search("party.party", here, "code") == []
    [found] = await user.search("party.party", [*here, ["active", "in", [True, False]]], "code")
    assert found["code"] == person


async def test_tryton_trims_a_city_and_nothing_else(user: User, person: str) -> None:
    address = {"street": " 1 Mill Lane\n", "city": " York ", "postal_code": " YO1 "}
    party = await user.add("party.party", name=" Ada ", code=person, addresses=[["create", [address]]])
    found = await user.read("party.party", party, "name", "addresses.street", "addresses.city", "addresses.postal_code")
    [kept] = found["addresses."]
    assert (found["name"], kept["street"], kept["city"]) == (" Ada ", " 1 Mill Lane\n", "York")


@pytest.mark.parametrize("way", ["stop", "kill"])
async def test_parties_outlive_a_restart(tryton: Application, user: User, person: str, way: str) -> None:
    party = await user.add("party.party", name="Ada", code=person)
    await asyncio.to_thread(getattr(tryton, way))
    await asyncio.to_thread(tryton.start)
    async with User.at(tryton.url) as again:
        assert (await again.read("party.party", party, "code"))["code"] == person
