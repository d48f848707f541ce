"""What goes wrong with an installation is noticed, and said once."""

import pytest
from structlog.testing import capture_logs

from connectors.postgres.connector import connector
from connectors.postgres.upkeep import PROBLEMS, Upkeep
from tests.conftest import NewDatabase
from tests.integration.postgres_source.conftest import CONTACT, MakePlace, spec

FAULTS = {
    'alter table contacts disable trigger "!duplex_capture"': "capture trigger of table public.contacts is missing",
    'alter table contacts enable trigger "!duplex_capture"': "capture trigger of table public.contacts is missing",
    'drop trigger "!duplex_capture" on contacts': "capture trigger of table public.contacts is missing",
    'drop trigger "!duplex_insert" on contacts': "capture trigger of table public.contacts is missing",
    'alter table contacts disable trigger "!duplex_update"': "capture trigger of table public.contacts is missing",
    'alter table contacts enable trigger "!duplex_replica"': "capture trigger of table public.contacts is missing",
    "create table heir () inherits (contacts)": "capture trigger of table public.contacts is missing",
    'drop trigger "!duplex_truncate" on contacts': "truncate trigger of table public.contacts is missing",
    "drop table contacts": "table public.contacts was dropped",
    "drop table contacts; create table contacts (id int primary key)": "table public.contacts was dropped",
    "alter table contacts rename id to number": "key columns of table public.contacts were renamed",
    "alter table contacts drop town": "a mapped column of table public.contacts is gone",
    "alter table contacts rename to people": "table public.contacts was renamed",
    "drop schema duplex cascade": "change capture is not installed",
}


async def test_sound_installation_has_no_problem(make_place: MakePlace) -> None:
    place = await make_place()
    assert await place.connector.check(place.specs) == []


@pytest.mark.parametrize("damage", FAULTS)
async def test_damage_is_found(make_place: MakePlace, damage: str) -> None:
    place = await make_place()
    await place.session.execute(damage)
    found = await place.connector.check(place.specs)
    assert [FAULTS[damage] in problem.what for problem in found] == [True]


async def test_apply_mends_a_disabled_trigger(make_place: MakePlace) -> None:
    place = await make_place()
    await place.session.execute('alter table contacts disable trigger "!duplex_capture"')
    assert await place.connector.install(place.specs) == ["put back 1 triggers on table public.contacts"]
    assert await place.connector.check(place.specs) == []


async def test_database_without_capture(new_database: NewDatabase) -> None:
    found = await connector("crm", "shop", {"dsn": await new_database("crm")}).check([CONTACT])
    assert [problem.what for problem in found] == ["change capture is not installed"]


async def test_new_partition_lacks_the_truncate_trigger(make_place: MakePlace) -> None:
    ddl = "create table t (id int primary key) partition by range (id); create table t1 partition of t default"
    place = await make_place(ddl, spec("thing", "t"))
    assert await place.connector.check(place.specs) == []
    await place.session.execute("create table t2 partition of t for values from (1) to (2)")
    assert "a partition of table public.t lacks" in (await place.connector.check(place.specs))[0].what


async def test_running_source_says_it_once_and_shows_it(make_place: MakePlace) -> None:
    place = await make_place()
    upkeep = Upkeep("crm", place.specs, check_every_s=0.0)
    with capture_logs() as logs:
        await place.session.execute('alter table contacts disable trigger "!duplex_capture"')
        for _ in range(2):
            await upkeep.when_due(place.session, 0)
        assert PROBLEMS.labels("crm")._value.get() == 1
        await place.connector.install(place.specs)
        await upkeep.when_due(place.session, 0)
    assert [line["log_level"] for line in logs] == ["error", "info"]
    assert PROBLEMS.labels("crm")._value.get() == 0
