"""Commands made ready for statements."""

from typing import Any

import msgspec
import pytest

from connectors.base import TableSpec
from connectors.postgres.sink_commands import MalformedCommandError, columns, narrowed, prepare, waves
from connectors.postgres.sink_tables import NARROW_SETS, SinkColumn, SinkTable
from connectors.postgres.sink_values import Carried
from schemas.messages import Command, Unit
from tests.conformance.commands import Commander

SPEC = TableSpec("contact", "contacts", ("a", "b", "c"), (("a", "b"), ("c",)), constants={"kind": "p"})


def table(key: tuple[str, ...] = ("id",), c: Carried = "text") -> SinkTable:
    found = {name: SinkColumn(name, name in key, name in key, False) for name in (*key, "a", "b", "c", "kind")}
    return SinkTable.of("crm", SPEC, 1, found | {"c": SinkColumn("c", False, False, False, c)}, key)


def carried(base: str, wanted: str, c: Carried = "text") -> tuple[str | None, str | None]:
    """What an update's two values of column c look like to the server."""
    place = table(c=c)
    items = [prepare(Commander().raw_update("[7]", f'{{"c":{base}}}', f'{{"c":{wanted}}}'), place)]
    (bases,), (sets,) = (columns(items, side, place, (("c",),)) for side in ("base", "set"))
    return bases[0], sets[0]


def test_an_update_marks_the_units_it_speaks_of() -> None:
    ready = prepare(Commander().update("[7]", ({"c": 1}, {"c": 2})), table())
    assert (ready.mask, ready.keys, ready.base, ready.set) == ("01", ("7",), {"c": 1}, {"c": 2})


def test_units_come_in_any_order() -> None:
    ready = prepare(Commander().update("[7]", ({"c": 1}, {"c": 2}), ({"b": 3, "a": 4}, {"a": 5, "b": 6})), table())
    assert (ready.mask, ready.set) == ("11", {"a": 5, "b": 6, "c": 2})


@pytest.mark.parametrize("text", ["1.50", "1e400", "-0", "0", "123456789012345678901234567890", "true", "[1, 2.50]"])
def test_values_keep_their_text(text: str) -> None:
    assert carried(text, text) == (text, text)


def test_strings_are_what_they_say() -> None:
    assert carried(r'"a\"\u00e9"', '"null"') == ('a"é', "null")


def test_null_is_no_text() -> None:
    assert (
        carried("null", "null")
        == carried("null", "null", "json")
        == carried("null", "null", "document")
        == (None, None)
    )


@pytest.mark.parametrize("text", ['"x"', "1.50", '{"b": 2,"a": [null]}'])
def test_json_travels_as_json(text: str) -> None:
    assert carried(text, text, "json") == (text, text)
    assert carried(text, text, "document") == (f'{{"v":{text}}}', f'{{"v":{text}}}')


def units(*texts: tuple[str, str]) -> tuple[Unit, ...]:
    return tuple(Unit(base=base, set=wanted) for base, wanted in texts)


def update(*texts: tuple[str, str]) -> Command:
    return msgspec.structs.replace(Commander().raw_update("[7]", "{}", "{}"), units=units(*texts))


def test_units_cut_in_another_way_are_not_taken_for_those_seen_before() -> None:
    here = table()
    seen = prepare(update(('{"a":1,"b":2}', '{"a":3,"b":4}'), ('{"c":5}', '{"c":6}')), here)
    torn = prepare(update(('{"a":1}', '{"a":3}'), ('{"b":2,"c":5}', '{"b":4,"c":6}')), here)
    again = prepare(update(('{"a":1,"b":2}', '{"a":3,"b":4}'), ('{"c":5}', '{"c":6}')), here)
    assert (seen.units, torn.units, again.units) == (SPEC.units, (("a",), ("b", "c")), SPEC.units)


def test_units_seen_before_are_read_as_the_first_time() -> None:
    here, texts = table(), (('{"c":5}', '{"c":6}'), (' {"a":1,"b":2} ', '{"b":3, "a":4}'))
    first, second, third = (prepare(update(*texts), here) for _ in range(3))
    assert (first.mask, first.base, first.set) == (second.mask, second.base, second.set)
    assert (third.mask, third.set) == ("11", {"c": 6, "a": 4, "b": 3})


@pytest.mark.parametrize(
    "texts",
    [
        (('{"a":1,"b":2', '{"a":1,"b":2}'), ('"c":5}', '{"c":6}')),
        (('{"a":1,"b":2}', '{"a":1,"c":2}'), ('{"c":5}', '{"b":6}')),
        (('{"a":1,"b":2}', '{"a":1,"b":2}'), ('{"c":5}', "[]")),
        (('{"a":1,"b":2}', '{"a":1,"b":2}'), ("", "")),
    ],
)
def test_what_was_malformed_is_malformed_after_a_good_one(texts: tuple[tuple[str, str], ...]) -> None:
    here = table()
    prepare(update(('{"a":1,"b":2}', '{"a":1,"b":2}'), ('{"c":5}', '{"c":6}')), here)
    with pytest.raises(MalformedCommandError):
        prepare(update(*texts), here)


def test_units_that_nobody_speaks_of_are_left_out() -> None:
    assert narrowed((("a",), ("b", "c"), ("d",)), ["100", "001"]) == ((("a",), ("d",)), {"100": "10", "001": "01"})


def test_statements_are_not_made_for_every_choice_of_units() -> None:
    here = table()
    assert all(here.narrow(((str(place),),)) for place in range(NARROW_SETS))
    assert here.narrow((("0",),)) and not here.narrow((("new",),))


def test_units_of_another_mapping_are_taken_as_they_are() -> None:
    ready = prepare(Commander().update("[7]", ({"a": 1, "c": 1}, {"a": 2, "c": 2})), table())
    assert ready.units == (("a", "c"),)


def test_a_delete_marks_the_columns_it_compares() -> None:
    ready = prepare(Commander().delete("[7]", {"c": 1, "a": None}), table())
    assert (ready.mask, ready.units) == ("101", SPEC.units)


def test_a_create_takes_constants_and_the_key_it_knows() -> None:
    ready = prepare(Commander().create({"a": 1, "kind": "q"}, local_id='["DE",4]'), table(("land", "no")))
    assert ready.set == {"kind": "q", "a": "1", "land": "DE", "no": "4"}
    assert ready.keys == ("DE", "4")
    assert (ready.inserted, ready.local_id) == (("land", "no", "a", "kind"), '["DE",4]')


def test_a_create_leaves_the_key_to_the_table() -> None:
    ready = prepare(Commander().create({"a": 1, "id": None}), table())
    assert (ready.inserted, ready.local_id, ready.keys) == (("a", "kind"), None, None)


def test_a_key_among_the_values_is_the_key() -> None:
    assert prepare(Commander().create({"id": 5}), table()).local_id == "[5]"


@pytest.mark.parametrize(
    "command",
    [
        Commander().update("[7]", ({"a": 1}, {"b": 1})),
        Commander().update("[7]", ({}, {})),
        Commander().update("[7]", ({"ghost": 1}, {"ghost": 1})),
        Commander().update("[7]", ({"a": 1}, {"a": 2}), ({"a": 1, "b": 1}, {"a": 1, "b": 1})),
        Commander().update("[7,8]", ({"c": 1}, {"c": 1})),
        Commander().update("7", ({"c": 1}, {"c": 1})),
        Commander().raw_update("[7]", "[]", "[]"),
        Commander().create({"ghost": 1}),
        Commander().delete("[7]", {"ghost": 1}),
    ],
)
def test_what_fits_no_row_is_said(command: Any) -> None:
    with pytest.raises(MalformedCommandError):
        prepare(command, table())


def test_waves_keep_a_rows_commands_in_order() -> None:
    commands = Commander()
    batch = [
        prepare(commands.update(key, ({"c": 1}, {"c": 2})), table()) for key in ("[1]", "[2]", "[1]", "[3]", "[1]")
    ]
    assert [[item.local_id for item in wave] for wave in waves(batch)] == [["[1]", "[2]"], ["[1]", "[3]"], ["[1]"]]


def test_rows_are_sorted_by_key() -> None:
    commands = Commander()
    batch = [prepare(commands.update(key, ({"c": 1}, {"c": 2})), table()) for key in ("[10]", "[9]", "[100]")]
    assert [item.local_id for item in sorted(batch, key=lambda item: item.order)] == ["[9]", "[10]", "[100]"]
