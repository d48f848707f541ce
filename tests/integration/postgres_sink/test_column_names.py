"""A table whose columns are named as the sink's statements name things of their own."""

from collections.abc import Sequence

import pytest

from connectors.base import Removal, TableSpec
from tests.conformance.commands import Commander
from tests.integration.postgres_sink.conftest import MakeTarget
from tests.integration.postgres_sink.target import Target

NAMES = ("t", "kept", "image", "place", "found", "command", "k1", "s1", "written", "held")
REMOVALS = [
    Removal(),
    Removal("archive", archive="old_things"),
    Removal("inactive", column="held", value="gone", restore="live"),
]
ROW = {name: f"{name}1" for name in NAMES} | {"held": "live"}


@pytest.fixture
def commands() -> Commander:
    return Commander("thing")


async def things(make_target: MakeTarget, removal: Removal, mapped: Sequence[str] = NAMES[:-1]) -> Target:
    columns = ", ".join(f'"{name}" text' for name in NAMES)
    archive = f"create table old_things (id integer, {columns})"
    table = f"create table things (id integer primary key, {columns}); {archive}"
    units = tuple((name,) for name in mapped)
    target = await make_target(table, TableSpec("thing", "things", tuple(mapped), units, removal=removal))
    values = ", ".join(f"'{value}'" for value in ROW.values())
    await target.user.execute(f"insert into things values (1, {values})")
    return target


async def test_units_are_compared_and_set(make_target: MakeTarget, commands: Commander) -> None:
    target = await things(make_target, Removal())
    update = commands.update("[1]", ({"t": "t1"}, {"t": "x"}), ({"found": "other"}, {"found": "y"}))
    await target.apply(update)
    assert (await target.echo(update))["after"] == {"id": 1, **ROW, "t": "x"}


@pytest.mark.parametrize("removal", REMOVALS, ids=lambda removal: removal.mode)
async def test_a_row_is_removed_as_declared(make_target: MakeTarget, commands: Commander, removal: Removal) -> None:
    target = await things(make_target, removal)
    gone = commands.delete("[1]", {name: ROW[name] for name in NAMES[:-1]})
    (effect,) = await target.apply(gone)
    assert (effect.outcome, effect.error) == ("applied", None)
    left = {"id": 1, **ROW, "held": "gone"} if removal.mode == "inactive" else None
    assert (await target.echo(gone))["after"] == left
    assert await target.user.fetchval("select count(*) from old_things") == (removal.mode == "archive")
