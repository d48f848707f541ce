"""Ghost as we start it: its users' work, its webhooks, its restarts, and what it does to the values it is given."""

import asyncio
import json
import time
from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from connectors.webhook.schemes import verify
from connectors.webhook.signatures import Request, SignatureRefusedError
from duplex.examples.applications import Application
from duplex.examples.errors import ApplicationError
from duplex.examples.ghost.owner import Owner
from tests.waiting import eventually

SECRET = "shared-with-the-site"
ARRIVAL_LIMIT_S = 60.0


class Listener:
    """What Ghost posts, in the order in which it comes."""

    def __init__(self) -> None:
        self.requests: list[Request] = []

    async def take(self, request: web.Request) -> web.Response:
        self.requests.append(Request("POST", str(request.url), list(request.headers.items()), await request.read()))
        return web.Response()

    async def about(self, email: str, count: int) -> list[Request]:
        """The deliveries that name this address, as soon as there are so many."""

        def found() -> list[Request]:
            hits = [one for one in self.requests if email.encode() in one.body]
            return hits if len(hits) >= count else []

        return await eventually(found, ARRIVAL_LIMIT_S, f"no {count} webhooks about {email}")


@pytest.fixture
async def listener(owner: Owner) -> AsyncIterator[Listener]:
    """An address that Ghost posts its members' events to."""
    listening = Listener()
    app = web.Application()
    app.router.add_post("/hooks", listening.take)
    async with TestServer(app) as server:
        integration = await owner.integrate("duplex")
        await owner.notify(integration, str(server.make_url("/hooks")), SECRET)
        yield listening


async def test_users_add_edit_and_remove_members(owner: Owner, person: str) -> None:
    made = await owner.add(email=f"{person}@example.com", name="Ada", labels=[{"name": "customer"}])
    assert (await owner.edit(made["id"], name="Ada Archer", note="met"))["name"] == "Ada Archer"
    [shown] = [one for one in await owner.members() if one["id"] == made["id"]]
    assert (shown["note"], [label["name"] for label in shown["labels"]]) == ("met", ["customer"])
    await owner.remove(made["id"])
    with pytest.raises(ApplicationError, match="404"):
        await owner.member(made["id"])


async def test_every_change_of_a_member_is_posted_and_signed(owner: Owner, listener: Listener, person: str) -> None:
    email = f"{person}@example.com"
    made = await owner.add(email=email, name="Ada")
    await listener.about(email, 1)
    await owner.edit(made["id"], name="Ada Archer")
    await listener.about(email, 2)
    await owner.remove(made["id"])
    deliveries = await listener.about(email, 3)
    for delivery in deliveries:
        sent_s = verify("ghost", delivery, (SECRET,), time.time()).sent_s
        assert sent_s is not None and abs(time.time() - sent_s) < ARRIVAL_LIMIT_S
    bodies = [json.loads(delivery.body)["member"] for delivery in deliveries]
    assert [body["current"].get("name") for body in bodies] == ["Ada", "Ada Archer", None]
    assert bodies[2]["previous"]["id"] == made["id"] and "id" not in bodies[2]["current"]


async def test_a_webhook_that_another_secret_signed_is_refused(owner: Owner, listener: Listener, person: str) -> None:
    await owner.add(email=f"{person}@example.com")
    [delivery] = await listener.about(person, 1)
    with pytest.raises(SignatureRefusedError):
        verify("ghost", delivery, ("some-other-secret",), time.time())


async def test_labels_alone_are_posted_but_leave_the_time_as_it_was(
    owner: Owner, listener: Listener, person: str
) -> None:
    email = f"{person}@example.com"
    made = await owner.add(email=email)
    await listener.about(email, 1)
    edited = await owner.edit(made["id"], labels=[{"name": f"{person}-label"}])
    deliveries = await listener.about(email, 2)
    assert json.loads(deliveries[1].body)["member"]["previous"] == {"labels": []}
    assert edited["updated_at"] == made["updated_at"]


async def test_ghost_keeps_values_as_written_but_for_these(owner: Owner, person: str) -> None:
    made = await owner.add(
        email=f"{person.upper()}@Example.com",
        name=" Ada ",
        note="a \n",
        labels=[{"name": f" {person} "}, {"name": person.upper()}, {"name": f"{person}, too"}],
    )
    assert (made["email"], made["name"], made["note"]) == (f"{person.upper()}@Example.com", " Ada ", "a \n")
    assert [label["name"] for label in made["labels"]] == [person, f"{person}, too"]
    assert (await owner.edit(made["id"], name=""))["name"] is None


@pytest.mark.parametrize("values", [{"name": None}, {"note": None}, {"name": "n" * 192}, {"note": "n" * 2001}])
async def test_ghost_refuses(owner: Owner, person: str, values: dict[str, str | None]) -> None:
    made = await owner.add(email=f"{person}@example.com")
    with pytest.raises(ApplicationError, match="422"):
        await owner.edit(made["id"], **values)


async def test_addresses_that_differ_in_case_are_two_members(owner: Owner, person: str) -> None:
    first = await owner.add(email=f"{person}@example.com")
    second = await owner.add(email=f"{person.upper()}@example.com")
    assert first["id"] != second["id"]
    with pytest.raises(ApplicationError, match="422"):
        await owner.add(email=f"{person}@example.com")


async def test_ghost_has_no_conditional_writes(owner: Owner, person: str) -> None:
    made = await owner.add(email=f"{person}@example.com")
    edited = await owner.edit(made["id"], name="late", updated_at="2020-01-01T00:00:00.000Z")
    assert edited["name"] == "late"


@pytest.mark.parametrize("way", ["stop", "kill"])
async def test_members_outlive_a_restart(ghost: Application, owner: Owner, person: str, way: str) -> None:
    made = await owner.add(email=f"{person}@example.com")
    await asyncio.to_thread(getattr(ghost, way))
    await asyncio.to_thread(ghost.start)
    async with Owner.at(ghost.url) as again:
        assert (await again.member(made["id"]))["email"] == f"{person}@example.com"
