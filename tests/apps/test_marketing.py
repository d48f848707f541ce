"""CRM ↔ marketing platform: examples/crm-marketing under the real program, with a real Ghost."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest
import pytest_asyncio

from duplex.examples.applications import Application
from duplex.examples.ghost.owner import Owner
from duplex.examples.marketing import Members, contacts
from duplex.examples.steps import Pair
from tests.acceptance.conftest import topics_of
from tests.acceptance.shops import connected
from tests.apps.bursts import Burst, Kill
from tests.apps.conftest import only_at_length
from tests.apps.offices import Office, begin, listens, office
from tests.conftest import databases, new_pipeline_name
from tests.waiting import eventually

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(900)]

SECRET = "shared-with-the-site"
LIMIT_S = 120.0
PARTS = (("system", "blog"), ("processors",), ("sink", "crm"), ("bridge",), ("system", "blog"))


@dataclass
class Marketing:
    """Both sides, and the people who work in them."""

    office: Office
    site: Application
    owner: Owner

    async def member(self, email: str) -> Mapping[str, Any] | None:
        found = [one for one in await self.owner.members() if one["email"] == email]
        assert len(found) <= 1, f"there are two of {email}"
        return found[0] if found else None

    async def agree(self, email: str, **wanted: Any) -> Mapping[str, Any]:
        """Wait until both have this person, and say these things of them; Ghost's member."""

        async def same() -> Mapping[str, Any] | None:
            member, contact = await self.member(email), await self.office.row("contacts", "email", email)
            if member is None or contact is None:
                return None
            labels = sorted(label["name"] for label in member["labels"])
            of_ghost = {"name": member["name"], "note": member["note"], "labels": labels}
            of_crm = {"name": contact["full_name"], "note": contact["remark"], "labels": sorted(contact["tags"])}
            return member if all(of_ghost[key] == of_crm[key] == value for key, value in wanted.items()) else None

        found = await eventually(same, LIMIT_S, f"{email} is not {wanted} in both")
        assert found is not None
        return found

    async def one_of(self, email: str, *names: str) -> str:
        """Wait until both give this person the same one of these names; that name."""

        async def same() -> str | None:
            member, contact = await self.member(email), await self.office.row("contacts", "email", email)
            found = {member and member["name"], contact and contact["full_name"]}
            [name, *more] = found
            return name if not more and name in names else None

        found = await eventually(same, LIMIT_S, f"{email} has not one of {names}")
        assert found is not None
        return found

    async def restart(self) -> None:
        """`kill -9` the site, and start it again; its owner stays signed in."""
        await asyncio.to_thread(self.site.kill)
        await asyncio.to_thread(self.site.start)

    async def gone(self, email: str) -> None:
        """Wait until neither has this person."""

        async def neither() -> bool:
            return await self.member(email) is None and await self.office.row("contacts", "email", email) is None

        await eventually(neither, LIMIT_S, f"{email} is still somewhere")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def both(
    ghost: Application, tmp_path_factory: pytest.TempPathFactory, kafka_bootstrap: str, postgres_dsn: str
) -> AsyncIterator[Marketing]:
    """One program for all tests of the module; each has people of its own."""
    name, folder = new_pipeline_name(), tmp_path_factory.mktemp("office")
    async with (
        topics_of(kafka_bootstrap, name),
        databases(postgres_dsn) as new_database,
        Owner.at(ghost.url) as owner,
    ):
        integration = await owner.integrate("duplex")
        environment = {
            "BLOG_URL": ghost.url, "BLOG_ADMIN_KEY": integration.admin_key, "BLOG_WEBHOOK_SECRET": SECRET,
        }  # fmt: skip
        async with office("crm-marketing", folder, name, kafka_bootstrap, new_database, environment) as made:
            await owner.add(email="ben@example.com", name="Ben", labels=[{"name": "reader"}])
            await owner.notify(integration, f"http://127.0.0.1:{made.port}/hooks/blog", SECRET)
            await begin(made)
            await listens(made, "blog")
            yield Marketing(made, ghost, owner)


async def test_the_first_sync_joins_people_by_their_address(both: Marketing) -> None:
    await both.agree("ada@example.com", name="Ada Archer", note="met at the fair", labels=["customer"])
    await both.agree("cora@example.com", labels=["customer", "press"])
    await both.agree("ben@example.com", labels=["reader"])


async def test_who_signs_up_at_the_site_becomes_a_contact(both: Marketing) -> None:
    made = await both.owner.add(email="dan@example.com", name="Dan", labels=[{"name": "reader"}])
    await both.agree("dan@example.com", name="Dan", labels=["reader"])
    await both.owner.edit(made["id"], name="Dan Dyer")
    await both.agree("dan@example.com", name="Dan Dyer")


async def test_a_new_contact_becomes_a_member(both: Marketing) -> None:
    await both.office.sql("insert into contacts (email, full_name) values ('eve@example.com', 'Eve')")
    await both.agree("eve@example.com", name="Eve")
    await both.office.sql("update contacts set remark = 'called' where email = 'eve@example.com'")
    await both.agree("eve@example.com", name="Eve", note="called")


async def test_edits_of_different_fields_on_both_sides_are_both_kept(both: Marketing) -> None:
    await both.office.sql("insert into contacts (email, full_name) values ('fay@example.com', 'Fay')")
    made = await both.agree("fay@example.com", name="Fay")
    await asyncio.gather(
        both.owner.edit(made["id"], name="Fay Ford"),
        both.office.sql("update contacts set remark = 'wrote' where email = 'fay@example.com'"),
    )
    await both.agree("fay@example.com", name="Fay Ford", note="wrote")


async def test_labels_given_on_both_sides_are_united(both: Marketing) -> None:
    await both.office.sql("insert into contacts (email, tags) values ('gus@example.com', '{a}')")
    made = await both.agree("gus@example.com", labels=["a"])
    await asyncio.gather(
        both.owner.edit(made["id"], labels=[{"name": "a"}, {"name": "b"}]),
        both.office.sql("update contacts set tags = '{a,c}' where email = 'gus@example.com'"),
    )
    await both.agree("gus@example.com", labels=["a", "b", "c"])


async def test_deletes_go_both_ways(both: Marketing) -> None:
    await both.office.sql("insert into contacts (email) values ('hal@example.com'), ('ida@example.com')")
    await both.agree("hal@example.com")
    made = await both.agree("ida@example.com")
    await both.office.sql("delete from contacts where email = 'hal@example.com'")
    await both.owner.remove(made["id"])
    await both.gone("hal@example.com")
    await both.gone("ida@example.com")


async def test_edits_of_one_field_on_both_sides_at_once_end_in_one_value_and_the_other_is_on_record(
    both: Marketing,
) -> None:
    await both.office.sql("insert into contacts (email, full_name) values ('lea@example.com', 'Lea')")
    made = await both.agree("lea@example.com", name="Lea")
    async with both.office.unseen("update contacts set full_name = 'Lea Crm' where email = 'lea@example.com'"):
        await both.owner.edit(made["id"], name="Lea Ghost")
    left = await both.one_of("lea@example.com", "Lea Crm", "Lea Ghost")
    assert await both.office.clash("lea@example.com", "name") == {"Lea Crm", "Lea Ghost"}
    code, told, _ = await both.office.call("record", "explain", "lea@example.com", "name")
    assert code == 0 and f'name: "{left}"' in told
    assert "It beat" in told and '"Lea Crm"' in told and '"Lea Ghost"' in told


@pytest.mark.parametrize("victim", ["parts", "whole"])
async def test_a_kill_in_mid_burst_loses_and_doubles_nothing(both: Marketing, victim: str) -> None:
    only_at_length("a burst with kills is played")
    kills: dict[str, list[Kill]] = {
        "parts": [partial(both.office.kill, *words) for words in PARTS],
        "whole": [both.office.kill, both.restart],
    }
    async with connected(both.office.crm) as connection:
        pair = Pair(contacts(connection), Members(both.owner), "email")
        burst = Burst(pair, lambda word: f"{victim}-{word}@example.com", "note", "name")
        await burst.play(kills[victim])


async def test_a_site_that_is_away_gets_everything_when_it_returns(both: Marketing) -> None:
    await both.office.sql("insert into contacts (email, full_name) values ('jan@example.com', 'J')")
    await both.agree("jan@example.com", name="J")
    await asyncio.to_thread(both.site.kill)
    await both.office.sql("update contacts set full_name = 'Jan' where email = 'jan@example.com'")
    await both.office.sql("insert into contacts (email, full_name) values ('kim@example.com', 'Kim')")
    await asyncio.to_thread(both.site.start)
    async with Owner.at(both.site.url) as again:
        both.owner = again
        await both.agree("jan@example.com", name="Jan")
        await both.agree("kim@example.com", name="Kim")
