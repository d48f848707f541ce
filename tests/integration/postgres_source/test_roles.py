"""Three roles with the least rights each: installer, relay, sink."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace

import asyncpg
import pytest

from connectors.base import Removal
from connectors.postgres.connector import connector
from tests.conftest import NewDatabase
from tests.integration.postgres_source.conftest import CONTACT, CONTACTS, Place

ECHO = "insert into duplex.change_log (entity, op, local_id, command) values ('contact', 'c', '[1]', 'x')"


@dataclass
class Roles:
    """The three DSNs, and a superuser's session."""

    place: Place
    install: str
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
    yield Roles(place, given["install_dsn"], given["relay_dsn"], given["sink_dsn"])
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


async def test_archives_are_open_to_the_sink(roles: Roles) -> None:
    place, owner = roles.place, await asyncpg.connect(roles.install)
    await owner.execute("create schema old; create table old.contacts (id int, name text, town text)")
    (spec,) = [replace(one, removal=Removal("archive", archive="old.contacts")) for one in place.specs]
    own = replace(spec, removal=Removal("archive"))
    for asked in (own, spec):
        await place.connector.install([asked])
        assert await place.connector.check([asked]) == []
    sink = await asyncpg.connect(roles.sink)
    await sink.execute("insert into old.contacts values (1, 'Ada', 'Ulm')")
    await owner.execute("revoke insert on old.contacts from " + _name(roles.sink))
    (problem,) = await place.connector.check([spec])
    assert problem.what.startswith("the sink's role may not write to old.contacts")
    await sink.close()
    await owner.close()


def _name(dsn: str) -> str:
    return dsn.partition("//")[2].partition(":")[0]


async def test_lost_right_of_the_sink_is_noticed(roles: Roles) -> None:
    await roles.place.session.execute(f"revoke update on app.contacts from {_name(roles.sink)}")
    found = await roles.place.connector.check(roles.place.specs)
    assert [problem.what for problem in found] == ["the sink's role may not write table app.contacts"]
