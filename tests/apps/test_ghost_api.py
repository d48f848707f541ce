"""Ghost through the REST connector, as examples/crm-marketing declares it."""

import time
from collections.abc import AsyncIterator

import pytest

from connectors.errors import RefusedError, UnreachableError
from connectors.remote import conformance
from connectors.remote.api import RowRefusedError
from connectors.remote.conforming import Bench
from connectors.rest.api import RestApi
from duplex.examples.applications import Application
from duplex.examples.ghost.owner import Integration, Owner
from schemas.identifiers import local_id
from tests.apps.declared import apis, fresh, listing

SECRET = "shared-with-the-site"
UNPROTECTED = "it has no conditional writes: an edit between reading and writing is covered"
# What Ghost does not offer, and the words for it.
SPARED = {
    "changed_rows_are_listed": "its rows do not say when they were changed",
    "removed_rows_are_listed": "it has no list of removed rows",
    "requests_keep_to_a_budget": conformance.NO_BUDGET,
    "a_conditional_write_covers_no_edit": UNPROTECTED,
}


def environment(site: Application, admin_key: str) -> dict[str, str]:
    return {"BLOG_URL": site.url, "BLOG_ADMIN_KEY": admin_key, "BLOG_WEBHOOK_SECRET": SECRET}


@pytest.fixture
async def integration(owner: Owner) -> Integration:
    return await owner.integrate("duplex")


@pytest.fixture
async def members(ghost: Application, integration: Integration) -> AsyncIterator[RestApi]:
    """The resource `members` of the example."""
    async with apis("crm-marketing", "blog", environment(ghost, integration.admin_key)) as found:
        yield found["members"]


async def test_a_user_s_member_is_listed_and_read(members: RestApi, owner: Owner, person: str) -> None:
    made = await owner.add(email=f"{person}@example.com", name="Ada", note="met", labels=[{"name": person}])
    identifier = local_id([made["id"]])
    found = await members.get(identifier)
    assert found is not None and (await listing(members))[identifier] == found
    newsletters = [one["id"] for one in made["newsletters"]]
    assert found.values == {
        "id": made["id"], "email": f"{person}@example.com", "name": "Ada", "note": "met",
        "labels": [person], "newsletters": newsletters,
    }  # fmt: skip


async def test_a_listing_of_several_pages_is_whole(members: RestApi, owner: Owner, person: str) -> None:
    made = [await owner.add(email=f"{person}-{place}@example.com") for place in range(3)]
    found = await listing(members)
    assert {local_id([one["id"]]) for one in made} <= set(found)
    assert len(found) == len(await owner.members())


async def test_only_what_changed_since(members: RestApi, owner: Owner, person: str) -> None:
    made = await owner.add(email=f"{person}@example.com")
    now_us = int(time.time() * 1e6)
    assert local_id([made["id"]]) in await listing(members, now_us - 60_000_000)
    assert await listing(members, now_us + 3_600_000_000) == {}


async def test_a_member_that_is_not_there(members: RestApi) -> None:
    assert await members.get(local_id(["0123456789abcdef01234567"])) is None


async def test_create_update_and_delete(members: RestApi, owner: Owner, person: str) -> None:
    values = {"email": f"{person}@example.com", "name": "Ada", "note": None, "labels": [person], "newsletters": []}
    made = await members.create(values, "k1")
    assert made.values == {**values, "id": made.values["id"]}
    changed = await members.update(made, {"name": None, "note": "met", "labels": [f"{person}-b", person]})
    assert (changed.values["name"], changed.values["note"]) == (None, "met")
    assert sorted(changed.values["labels"]) == [person, f"{person}-b"]
    assert (await owner.member(made.values["id"]))["note"] == "met"
    await members.delete(changed)
    assert await members.get(made.local_id) is None


async def test_deleting_what_is_gone_is_no_error(members: RestApi, owner: Owner, person: str) -> None:
    made = await members.create({"email": f"{person}@example.com"}, "k1")
    await owner.remove(made.values["id"])
    await members.delete(made)


async def test_a_member_is_found_by_its_address(members: RestApi, person: str) -> None:
    # As after a create whose answer was lost.
    made = await members.create({"email": f"{person}.o'neil@example.com"}, "k1")
    assert [one.local_id for one in await members.find({"email": f"{person}.o'neil@example.com"})] == [made.local_id]
    assert await members.find({"email": f"{person}.nobody@example.com"}) == []


@pytest.mark.parametrize(("values", "reason"), [({"email": "no address"}, "Email"), ({"name": "n" * 192}, "name")])
async def test_a_member_that_ghost_does_not_take(
    members: RestApi, person: str, values: dict[str, str], reason: str
) -> None:
    with pytest.raises(RowRefusedError, match=reason):
        await members.create({"email": f"{person}@example.com", **values}, "k1")


async def test_a_second_member_of_an_address_is_refused(members: RestApi, person: str) -> None:
    await members.create({"email": f"{person}@example.com"}, "k1")
    with pytest.raises(RowRefusedError, match="already exists"):
        await members.create({"email": f"{person}@example.com"}, "k2")


async def test_what_ghost_makes_of_a_value_is_told(members: RestApi, person: str) -> None:
    made = await members.create({"email": f"{person}@example.com", "name": "", "labels": [f" {person} ", person]}, "k1")
    assert (made.values["name"], made.values["labels"]) == (None, [person])


async def test_a_key_that_ghost_does_not_know(ghost: Application, integration: Integration) -> None:
    unknown = "0123456789abcdef01234567:" + integration.admin_key.partition(":")[2]
    async with apis("crm-marketing", "blog", environment(ghost, unknown)) as found:
        with pytest.raises(RefusedError, match="auth"):
            await found["members"].page(None)


@pytest.mark.parametrize("case", conformance.cases())
async def test_ghost_conforms(ghost: Application, integration: Integration, person: str, case: str) -> None:
    async with fresh("crm-marketing", "blog", environment(ghost, integration.admin_key)) as make:
        bench = Bench(
            system="blog",
            api=lambda: make("members"),
            sample=lambda place: {"email": f"{person}-{place}@example.org", "name": f"Name {place}"},
            edit=lambda place: {"name": f"Edited {place}", "note": "met"},
            match=("email",),
        )
        assert await conformance.run(conformance.cases()[case], bench) == SPARED.get(case)


async def test_a_site_that_is_down(ghost: Application, integration: Integration, members: RestApi) -> None:
    ghost.kill()
    with pytest.raises(UnreachableError):
        await members.page(None)
