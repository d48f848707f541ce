"""Three roles with the least rights each: installer, relay, sink."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

import asyncpg
import pytest

from connectors.postgres.connector import connector
from tests.conftest import NewDatabase
from tests.integration.postgres_source.conftest import CONTACT, CONTACTS, Place

ECHO = "insert into duplex.change_log (entity, op, local_id, command) values ('contact', 'c', '[1]', 'x')"


@dataclass
class Roles:
    """The three DSNs, and a superuser's session."""

    place: Place
    relay: str
    sink: str


@pytest.fixture
async def roles(new_database: NewDatabase) -> AsyncIterator[Roles]:
    dsn = await new_database("crm")
    admin, mark = await asyncpg.connect(dsn), dsn.rpartition("_")[2]
    names = {task: f"{task}_{mark}" for task in ("install", "relay", "sink")}
    for name in names.values():
        await admin.execute(f"create role {name} login password 'p'")
    await admin.execute(f"grant create on database crm_{mark} to {names['install']}")
    await admin.execute(f"create schema app authorization {names['install']}")
    host = dsn.rpartition("@")[2]
    given = {f"{task}_dsn": f"postgresql://{name}:p@{host}" for task, name in names.items()}
    owner = await asyncpg.connect(given["install_dsn"])
    await owner.execute(CONTACTS.replace("contacts", "app.contacts"))
    await owner.close()
    specs = (CONTACT.__class__("contact", "app.contacts", CONTACT.columns, CONTACT.units),)
    place = Place(dsn, admin, connector("crm", "shop", {"dsn": dsn, **given}), specs)
    await place.connector.install(specs)
    yield Roles(place, given["relay_dsn"], given["sink_dsn"])
    for name in names.values():
        await admin.execute(f"reassign owned by {name} to current_user; drop owned by {name} cascade; drop role {name}")
    await admin.close()


async def test_capture_relay_and_load_work_for_their_roles(roles: Roles) -> None:
    await roles.place.session.execute("insert into app.contacts values (1, 'Ada', 'Ulm')")
    async with roles.place.reading(loaded=False) as reader:
        assert [change.op for change in await reader.until(3)] == ["c", "r", "l"]
    assert await roles.place.connector.check(roles.place.specs) == []


async def test_sink_may_write_tables_and_its_mark_counts(roles: Roles) -> None:
    sink = await asyncpg.connect(roles.sink)
    async with sink.transaction():
        await sink.execute("select set_config('duplex.applying', 'app.contacts'::regclass::oid::text, true)")
        await sink.execute("insert into app.contacts values (1, 'Ada', 'Ulm')")
        await sink.execute(ECHO)
    await sink.close()
    assert [row["command"] for row in await roles.place.log()] == ["x"]


FORBIDDEN = {
    "relay": (
        "select * from app.contacts",
        ECHO,
    ),
    "sink": ("select * from duplex.change_log", "select duplex.drop_segment(0)", "delete from duplex.captured"),
}


@pytest.mark.parametrize(("task", "query"), [(task, query) for task in FORBIDDEN for query in FORBIDDEN[task]])
async def test_neither_may_do_more(roles: Roles, task: str, query: str) -> None:
    session = await asyncpg.connect(roles.relay if task == "relay" else roles.sink)
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await session.execute(query)
    await session.close()


async def test_uninstalling_takes_the_grants_back(roles: Roles) -> None:
    await roles.place.connector.uninstall()
    sink = await asyncpg.connect(roles.sink)
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await sink.execute("select * from app.contacts")
    await sink.close()


async def test_lost_right_of_the_sink_is_noticed(roles: Roles) -> None:
    name = roles.sink.partition("//")[2].partition(":")[0]
    await roles.place.session.execute(f"revoke update on app.contacts from {name}")
    found = await roles.place.connector.check(roles.place.specs)
    assert [problem.what for problem in found] == ["the sink's role may not write table app.contacts"]
