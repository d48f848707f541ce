"""crm-marketing: contacts of a CRM, and members of a Ghost site."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import asyncpg

from duplex.embedded.processes import LOOPBACK
from duplex.examples.applications import Application
from duplex.examples.ghost import installing, running
from duplex.examples.ghost.owner import EMAIL, PASSWORD, Owner
from duplex.examples.showings import Example, Place, Showing
from duplex.examples.sides import Row, Table
from duplex.examples.steps import Pair, Step

SELECT = """
select email, full_name as name, remark as note,
       array(select unnest(tags) order by 1) as labels, array(select unnest(newsletters) order by 1) as newsletters
  from public.contacts
"""
INSERT = "insert into public.contacts (email, full_name, remark, tags) values ($1, $2, $3, coalesce($4::text[], '{}'))"
UPDATES = {
    "name": "update public.contacts set full_name = $2 where email = $1",
    "note": "update public.contacts set remark = $2 where email = $1",
    "labels": "update public.contacts set tags = $2 where email = $1",
}
REMOVAL = "delete from public.contacts where email = $1"


@dataclass(frozen=True, slots=True)
class Members:
    """The site's members, and its owner who looks after them."""

    owner: Owner
    name: str = "Ghost"
    system: str = "blog"

    async def rows(self) -> Sequence[Row]:
        return [_shown(member) for member in await self.owner.members()]

    async def create(self, row: Row) -> None:
        await self.owner.add(**_written(row))

    async def update(self, key: str, values: Row) -> None:
        await self.owner.edit(await self._id(key), **_written(values))

    async def delete(self, key: str) -> None:
        await self.owner.remove(await self._id(key))

    async def _id(self, email: str) -> str:
        [found] = [member["id"] for member in await self.owner.members() if member["email"] == email]
        return str(found)


def _shown(member: Mapping[str, Any]) -> Row:
    labels = sorted(label["name"] for label in member["labels"])
    newsletters = sorted(newsletter["id"] for newsletter in member["newsletters"])
    return {**{name: member[name] for name in ("email", "name", "note")}, "labels": labels, "newsletters": newsletters}


def _written(row: Row) -> Mapping[str, Any]:
    return {name: [{"name": one} for one in value] if name == "labels" else value for name, value in row.items()}


def contacts(connection: asyncpg.Connection) -> Table:
    """The CRM's people."""
    inserted = ("email", "name", "note", "labels")
    return Table("the CRM", "crm", connection, SELECT, INSERT, inserted, UPDATES, REMOVAL)


@asynccontextmanager
async def opened(place: Place) -> AsyncIterator[Showing]:
    """A site of its own, with an integration whose webhooks go to the bridge."""
    assert place.installation is not None
    installing.node()
    site = running.site(place.installation, place.folder)
    try:
        await asyncio.to_thread(site.start)
        async with Owner.at(site.url) as owner:
            yield await _showing(site, owner, place)
    finally:
        await asyncio.to_thread(site.stop)


async def _showing(site: Application, owner: Owner, place: Place) -> Showing:
    integration, secret = await owner.integrate("duplex"), secrets.token_hex(16)
    await owner.notify(integration, f"http://{LOOPBACK}:{place.bridge_port}/hooks/blog", secret)
    await owner.add(email="ben@example.com", name="Ben B.", labels=[{"name": "reader"}])
    await owner.add(email="dan@example.com", name="Dan Dyer")
    settings = {"BLOG_URL": site.url, "BLOG_ADMIN_KEY": integration.admin_key, "BLOG_WEBHOOK_SECRET": secret}
    pair = Pair(contacts(place.databases["crm"]), Members(owner), "email")
    return Showing(pair, _steps(pair), settings, _turn(site.url))


def _steps(pair: Pair) -> Sequence[Step]:
    crm, ghost, ada, dan = pair.left, pair.right, "ada@example.com", "dan@example.com"
    return [
        pair.created(crm, {"email": "eve@example.com", "name": "Eve Ekman", "labels": ["lead"]}),
        pair.created(ghost, {"email": "fay@example.com", "name": "Fay Fisher", "note": "signed up on the site"}),
        pair.edited(crm, ada, {"note": "called back"}),
        pair.edited(ghost, ada, {"name": "Ada Archer-Hill"}),
        pair.apart(dan, {"note": "wants the print issue"}, {"name": "Daniel Dyer"}),
        pair.united("cora@example.com", "labels", ["customer", "press", "vip"], ["customer", "press", "speaker"]),
        pair.clashed(dan, "name", "D. Dyer", "Danny Dyer"),
        pair.removed(crm, "eve@example.com"),
        pair.removed(ghost, "fay@example.com"),
    ]


def _turn(url: str) -> Sequence[str]:
    return (
        f"Ghost's own pages: {url}/ghost/#/members  (sign in as {EMAIL}, password {PASSWORD})",
        "Edit a member there, and look at its contact:",
        "  {psql} '{CRM_DSN}' -c 'select * from contacts'",
    )


EXAMPLE = Example(
    "crm-marketing",
    "A CRM in Postgres and a Ghost site. Both know some people; one of them both, under two names.",
    "contact",
    ("crm",),
    opened,
    installing.RECIPE,
)
