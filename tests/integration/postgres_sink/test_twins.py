"""A create that comes too late: somebody made the row of the same record in the meantime."""

import pytest

from connectors.base import TableSpec
from tests.conformance.commands import Commander
from tests.integration.postgres_sink.conftest import MakeTarget

TABLE = "create table people (id serial primary key, mail text, born date, name text)"
UNITS = (("mail",), ("born",), ("name",))
BY_MAIL = TableSpec("person", "people", ("mail", "born", "name"), UNITS, match=("mail",))
BY_BOTH = TableSpec("person", "people", ("mail", "born", "name"), UNITS, match=("mail", "born"))
ADA = {"mail": "ada@example.com", "born": "1990-01-02", "name": "Ada"}


@pytest.fixture
def commands() -> Commander:
    return Commander("person")


async def test_a_row_with_the_same_natural_key_is_not_made_again(make_target: MakeTarget, commands: Commander) -> None:
    target = await make_target(TABLE, BY_MAIL)
    await target.user.execute("insert into people (mail, name) values ('ada@example.com', 'Ada by hand')")
    late, other = commands.create(ADA), commands.create({**ADA, "mail": "ben@example.com"})
    await target.apply(late, other)
    echo = await target.echo(late)
    assert (echo["outcome"], echo["after"]) == ("failed", None)
    assert "a row with the same mail is there already" in echo["error"]
    assert (await target.echo(other))["outcome"] == "applied"
    assert await target.user.fetchval("select count(*) from people") == 2


async def test_every_column_of_the_natural_key_counts(make_target: MakeTarget, commands: Commander) -> None:
    target = await make_target(TABLE, BY_BOTH)
    await target.user.execute("insert into people (mail, born) values ('ada@example.com', '1980-01-02')")
    made = commands.create(ADA)
    await target.apply(made)
    assert (await target.echo(made))["outcome"] == "applied"


async def test_without_a_natural_key_equal_rows_are_made(make_target: MakeTarget, commands: Commander) -> None:
    spec = TableSpec("person", "people", ("mail", "born", "name"), UNITS)
    target = await make_target(TABLE, spec)
    await target.apply(commands.create(ADA), commands.create(ADA))
    assert await target.user.fetchval("select count(*) from people") == 2
