"""Every common column type: an image written back as a command gives the same row, and equal values are equal."""

import msgspec
import pytest

from connectors.base import TableSpec
from tests.conformance.commands import Commander
from tests.integration.postgres_sink.conftest import MakeTarget
from tests.integration.postgres_sink.target import Target


@pytest.fixture
def commands() -> Commander:
    return Commander("thing")


BEFORE = """
create type mood as enum ('sad', 'it''s "fine"', 'glad');
create domain address as text not null check (value like '%@%');
create domain amount as numeric(12, 3);
create type place as (street text, number int);
create type anycase;
create function anycase_in(cstring) returns anycase immutable strict language internal as 'textin';
create function anycase_out(anycase) returns cstring immutable strict language internal as 'textout';
create type anycase (input = anycase_in, output = anycase_out, like = text, category = 'S');
create cast (anycase as text) without function as implicit;
create function same(anycase, anycase) returns boolean immutable strict language sql
    as 'select lower($1::text) = lower($2::text)';
create operator = (leftarg = anycase, rightarg = anycase, procedure = same);
"""
# type, a value, another value, both as SQL
VALUES = [
    ("smallint", "-32768", "32767"),
    ("bigint", "9223372036854775807", "-9223372036854775808"),
    ("numeric", "'123456789012345678901234567890.123456789'", "'NaN'"),
    ("numeric(10,2)", "1.50", "-99999999.99"),
    ("amount", "1.500", "2.125"),
    ("real", "0.1", "'-Infinity'"),
    ("double precision", "0.1", "'NaN'"),
    ("double precision", "1e-300", "123456789.123456789"),
    ("money", "12.34", "-1234567.89"),
    ("boolean", "true", "false"),
    ("text", "'tab\t, \"quote\", \\ and é 😀'", "''"),
    ("varchar(5)", "'abc'", "'abcde'"),
    ("char(6)", "'ab'", "'abcdef'"),
    ('"char"', "'x'", "'y'"),
    ("name", "'n'", "'N'"),
    ("address", "'a@b'", "'A@B'"),
    ("anycase", "'abc'", "'ABC'"),
    ("mood", "'sad'", "'it''s \"fine\"'"),
    ("date", "'2026-02-28'", "'infinity'"),
    ("date", "'0044-03-15 BC'", "'9999-12-31'"),
    ("time", "'12:34:56.789012'", "'24:00'"),
    ("timetz", "'12:34:56+02'", "'12:34:56-08:30'"),
    ("timestamp", "'2026-02-28 12:34:56.789012'", "'-infinity'"),
    ("timestamptz", "'2026-02-28 12:34:56.789012+05:30'", "'0044-03-15 12:00+00 BC'"),
    ("interval", "'1 mon'", "'30 days'"),
    ("interval", "'-1 year 2 mons -3 days 04:05:06.7'", "'1 day'"),
    ("uuid", "gen_random_uuid()", "'00000000-0000-0000-0000-000000000000'"),
    ("bytea", r"'\x00ff5c7822'", "''"),
    ("json", """'{"b": 1.0, "a": [null, "x"], "b": 2}'""", "'\"text\"'"),
    ("jsonb", """'{"b": 1.00, "a": {"deep": [true]}}'""", "'\"text\"'"),
    ("jsonb", "'12345678901234567890.1234567890'", "'[]'"),
    ("int[]", "'{1,NULL,3}'", "'{{1,2},{3,4}}'"),
    ("text[]", """'{"a,b","c\\"d",NULL,""}'""", "'{}'"),
    ("timestamptz[]", "'{2026-02-28 12:00+01}'", "'{NULL}'"),
    ("mood[]", "'{sad,glad}'", "'{}'"),
    ("numeric(6,2)[]", "'{1.50,2}'", "'{0}'"),
    ("jsonb[]", """array['{"a": 1}'::jsonb]""", "'{}'"),
    ("inet", "'10.0.0.1/8'", "'::1'"),
    ("cidr", "'10.0.0.0/8'", "'::/0'"),
    ("macaddr", "'08:00:2b:01:02:03'", "'00:00:00:00:00:00'"),
    ("bit(4)", "'1010'", "'0000'"),
    ("bit varying", "'101'", "''"),
    ("int4range", "'[1,5)'", "'empty'"),
    ("tstzrange", "'[2026-01-01 00:00+00,)'", "'empty'"),
    ("int4multirange", "'{[1,3),[7,9)}'", "'{}'"),
    ("point", "'(1,2)'", "'(1.5,-2)'"),
    ("box", "'((0,0),(1,4))'", "'((0,0),(2,2))'"),
    ("tsvector", "'a:1 b:2'", "''"),
    ("place", "row('Main St', 5)", "row(null, 6)"),
]
SPELLINGS = [
    ("numeric(10,2)", "1.5", '"1.5"'),
    ("numeric(10,2)", "1.5", "1.5"),
    ("numeric", "1.500", '"1.5"'),
    ("double precision", "0.1", "0.1"),
    ("double precision", "'NaN'", '"NaN"'),
    ("timestamptz", "'2026-01-02 03:04:05+00'", '"2026-01-02T03:04:05Z"'),
    ("timestamptz", "'2026-01-02 03:04:05+00'", '"2026-01-02T05:04:05+02:00"'),
    ("timestamp", "'2026-01-02 03:04:05'", '"2026-01-02T03:04:05.000000"'),
    ("date", "'2026-01-02'", '"2026-01-02"'),
    ("char(5)", "'ab'", '"ab"'),
    ("uuid", "'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'", '"A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11"'),
    ("jsonb", """'{"a": 1.0, "b": 2}'""", '{"b":2,"a":1}'),
    ("json", """'{"a": 1.0,   "b": 2}'""", '{"b":2,"a":1}'),
    ("jsonb", "'null'", "null"),
    ("bigint", "5", '"5"'),
    ("text[]", "'{a,b}'", '["a","b"]'),
    ("bytea", r"'\xAB'", r'"\\xab"'),
]
Values = dict[str, msgspec.Raw]


def spec(count: int) -> TableSpec:
    """A table of so many columns, each a unit of its own."""
    columns = tuple(f"c{place}" for place in range(count))
    return TableSpec("thing", "things", columns, tuple((name,) for name in columns))


async def things(make_target: MakeTarget, *columns: tuple[str, str, str]) -> Target:
    """Two rows; each column is (type, its value in row 1, in row 2), as SQL."""
    types = ", ".join(f"c{place} {kind}" for place, (kind, _, _) in enumerate(columns))
    first, second = (", ".join(column[place] for column in columns) for place in (1, 2))
    rows = f"insert into things values (1, {first}), (2, {second});"
    table = f"create table things (id int primary key, {types});"
    return await make_target(BEFORE + table + rows, spec(len(columns)))


async def values(target: Target, key: int) -> Values:
    """The columns of a row as its image has them."""
    image = await target.user.fetchval("select row_to_json(t)::text from things t where id = $1", key)
    found = msgspec.json.decode(image, type=Values)
    del found["id"]
    return found


async def texts(target: Target, key: int) -> dict[str, str | None]:
    """The columns of a row as Postgres writes them."""
    ask = "select format('select %s from things where id = $1', string_agg(format('%I::text', attname), ', '))" \
          " from pg_attribute where attrelid = 'things'::regclass and attnum > 1"  # fmt: skip
    return dict(await target.user.fetchrow(await target.user.fetchval(ask), key))


def units(base: Values, wanted: Values) -> list[tuple[Values, Values]]:
    return [({name: base[name]}, {name: wanted[name]}) for name in base]


async def test_a_value_read_is_a_value_written(make_target: MakeTarget, commands: Commander) -> None:
    target = await things(make_target, *VALUES)
    base, wanted = await values(target, 1), await values(target, 2)
    (effect,) = await target.apply(commands.update("[1]", *units(base, wanted)))
    assert (effect.outcome, effect.error) == ("applied", None)
    assert await texts(target, 1) == await texts(target, 2)


async def test_a_created_row_holds_the_same_values(make_target: MakeTarget, commands: Commander) -> None:
    target = await things(make_target, *VALUES)
    (effect,) = await target.apply(commands.create(await values(target, 1), local_id="[3]"))
    assert (effect.outcome, effect.error) == ("applied", None)
    assert await texts(target, 3) == await texts(target, 1)


async def test_another_value_is_another(make_target: MakeTarget, commands: Commander) -> None:
    target = await things(make_target, *VALUES)
    before, others = await values(target, 1), await values(target, 2)
    nothing = dict.fromkeys(others, msgspec.Raw(b"null"))
    await target.apply(commands.update("[1]", *units(others, nothing)))
    assert await values(target, 1) == before


async def test_spellings_of_one_value_are_equal(make_target: MakeTarget, commands: Commander) -> None:
    target = await things(make_target, *((kind, held, "null") for kind, held, _ in SPELLINGS))
    base = {f"c{place}": msgspec.Raw(spelling.encode()) for place, (_, _, spelling) in enumerate(SPELLINGS)}
    nothing = await values(target, 2)
    await target.apply(commands.update("[1]", *units(base, nothing)))
    assert await values(target, 1) == nothing


async def test_a_delete_compares_every_column(make_target: MakeTarget, commands: Commander) -> None:
    target = await things(make_target, *VALUES)
    (effect,) = await target.apply(commands.delete("[2]", await values(target, 2)))
    assert (effect.outcome, effect.error) == ("applied", None)
    assert await target.user.fetchval("select count(*) from things") == 1


async def test_a_value_that_is_too_long_is_refused_and_not_cut(make_target: MakeTarget, commands: Commander) -> None:
    target = await things(make_target, ("varchar(3)", "'abc'", "null"))
    (effect,) = await target.apply(commands.update("[1]", ({"c0": "abc"}, {"c0": "abcd"})))
    assert effect.outcome == "failed"
    assert effect.error is not None and "too long" in effect.error


async def test_a_domains_own_check_refuses(make_target: MakeTarget, commands: Commander) -> None:
    target = await things(make_target, ("address", "'a@b'", "'c@d'"))
    (effect,) = await target.apply(commands.update("[1]", ({"c0": "a@b"}, {"c0": "nowhere"})))
    assert effect.error is not None and "address_check" in effect.error


async def test_names_are_quoted_by_the_server(make_target: MakeTarget, commands: Commander) -> None:
    odd = 'we"ird %s $1 ; -- ñ'
    named = TableSpec("thing", '"My ""Table"" %I"', (odd, "select"), ((odd,), ("select",)))
    name = odd.replace('"', '""')
    target = await make_target(
        f'create table "My ""Table"" %I" ("Key" int primary key, "{name}" text, "select" int);'
        f'insert into "My ""Table"" %I" values (1, $$a$$, 1)',
        named,
    )
    command = commands.update("[1]", ({odd: "a"}, {odd: "b"}), ({"select": 1}, {"select": 2}))
    (effect,) = await target.apply(command)
    assert (effect.outcome, effect.error) == ("applied", None)
    assert (await target.echo(command))["after"] == {"Key": 1, odd: "b", "select": 2}


OURS = (
    "t",
    "old",
    "new",
    "found",
    "command",
    "written",
    "given",
    "target",
    "w1",
    "k1",
    "b1",
    "s1",
    "place",
    "mask",
    "hop",
)


async def test_names_that_the_statements_use_themselves(make_target: MakeTarget, commands: Commander) -> None:
    spec = TableSpec("thing", "things", OURS, tuple((name,) for name in OURS))
    columns = ", ".join(f'"{name}" text' for name in OURS)
    target = await make_target(f"create table things (id int primary key, {columns})", spec)
    first, second = ({name: f"{name} {place}" for name in OURS} for place in (1, 2))
    made = commands.create(first, local_id="[1]")
    changed = commands.update("[1]", *(({name: first[name]}, {name: second[name]}) for name in OURS))
    left = commands.update("[1]", *(({name: first[name]}, {name: "never"}) for name in OURS))
    await target.apply(made, changed, left, commands.delete("[1]", second))
    images = [(echo["before"], echo["after"]) for echo in await target.echoes()]
    one, two = ({"id": 1, **values} for values in (first, second))
    assert images == [(None, one), (one, two), (two, two), (two, None)]
