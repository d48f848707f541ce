"""Commands made ready for statements."""

from typing import Any

import msgspec
import pytest

from connectors.base import TableSpec
from connectors.postgres.sink_commands import (
    MalformedCommandError,
    Prepared,
    columns,
    key_columns,
    narrowed,
    prepare,
    prepare_all,
    waves,
)
from connectors.postgres.sink_tables import NARROW_SETS, SinkColumn, SinkTable
from schemas.messages import Command, Unit
from tests.conformance.commands import Commander

SPEC = TableSpec("contact", "contacts", ("a", "b", "c"), (("a", "b"), ("c",)), constants={"kind": "p"})


def table(key: tuple[str, ...] = ("id",)) -> SinkTable:
    found = {name: SinkColumn(name, name in key, name in key, False) for name in (*key, "a", "b", "c", "kind")}
    return SinkTable.of("crm", SPEC, 1, found, key)


def decoded(names: tuple[str, ...], values: tuple[msgspec.Raw, ...] | None) -> dict[str, Any]:
    """Values by column, as people write them."""
    return {name: msgspec.json.decode(value) for name, value in zip(names, values or (), strict=True)}


def together(*commands: Command, here: SinkTable | None = None) -> tuple[list[Prepared], list[str]]:
    """The commands made ready as one batch, and the ids of those refused."""
    refused: list[str] = []
    ready = prepare_all(commands, {"contact": here or table()}, lambda command, _: refused.append(command.id))
    return ready, refused


def update(*texts: tuple[str, str]) -> Command:
    units = tuple(Unit(base=base, set=wanted) for base, wanted in texts)
    return msgspec.structs.replace(Commander().raw_update("[7]", "{}", "{}"), units=units)


def test_an_update_marks_the_units_it_speaks_of() -> None:
    ready = prepare(Commander().update("[7]", ({"c": 1}, {"c": 2})), table())
    assert (ready.mask, decoded(("id",), ready.keys)) == ("01", {"id": 7})
    assert (decoded(ready.names, ready.base), decoded(ready.names, ready.set)) == ({"c": 1}, {"c": 2})


def test_units_come_in_any_order() -> None:
    ready = prepare(Commander().update("[7]", ({"c": 1}, {"c": 2}), ({"b": 3, "a": 4}, {"a": 5, "b": 6})), table())
    assert (ready.mask, decoded(ready.names, ready.set)) == ("11", {"a": 5, "b": 6, "c": 2})


def test_values_keep_their_text() -> None:
    texts = ["1.50", "1e400", "-0", "123456789012345678901234567890", r'"\u00e9\""', '{"b": 2,"a": [null]}', "null"]
    ready, _ = together(*(update((f'{{"c": {text}}}', f'{{"c":{text} }}')) for text in texts))
    assert columns(ready, "base", ["c"]) == columns(ready, "set", ["c"]) == [f"[{','.join(texts)}]"]
    assert columns(ready, "set", ["a"]) == ["[null,null,null,null,null,null,null]"]


def test_columns_of_commands_that_speak_of_different_units() -> None:
    ready, _ = together(update(('{"c":1}', '{"c":2}')), update(('{"a":3,"b":4}', '{"a":5,"b":6}')))
    assert [item.mask for item in ready] == ["01", "10"]
    assert columns(ready, "set", ["a", "b", "c"]) == ["[null,5]", "[null,6]", "[2,null]"]
    assert key_columns(ready, table()) == ["[7,7]"]


ALONE_AND_TOGETHER = [
    (('{"c":5}', '{"c":6}'), ('{"b":1, "a":2}', '{"a":3,"b":4}')),
    ((' {"a":1,"b":2} ', '{"b":3, "a":4}'), ('{"c":5}', '{"c":6}')),
    (('{"a":1}', '{"a":3}'), ('{"b":2,"c":5}', '{"b":4,"c":6}')),
    (('{"c":5}', '{"c":6}'), ('{"c":7}', '{"c":8}')),
]


@pytest.mark.parametrize("texts", ALONE_AND_TOGETHER)
def test_what_is_read_together_is_what_is_read_alone(texts: tuple[tuple[str, str], ...]) -> None:
    command, here = update(*texts), table()
    one, other = prepare(command, here), together(update(('{"c":5}', '{"c":6}')), command, here=here)[0][1]
    assert (one.units, one.mask, one.keys) == (other.units, other.mask, other.keys)
    assert decoded(one.names, one.base) == decoded(other.names, other.base)
    assert decoded(one.names, one.set) == decoded(other.names, other.set)


@pytest.mark.parametrize(
    "texts",
    [
        (('{"a":1,"b":2', '{"a":1,"b":2}'), ('"c":5}', '{"c":6}')),
        (('{"a":1,"b":2}', '{"a":1,"c":2}'), ('{"c":5}', '{"b":6}')),
        (('{"a":1,"b":2}', '{"a":1,"b":2}'), ('{"c":5},{"c":5}', '{"c":6}')),
        (('{"a":1,"b":2}', '{"a":1,"b":2}'), ("", "")),
    ],
)
def test_a_malformed_command_is_refused_alone(texts: tuple[tuple[str, str], ...]) -> None:
    before, bad, after = (msgspec.structs.replace(update(*texts), id=name) for name in ("before", "bad", "after"))
    good = update(('{"a":1,"b":2}', '{"a":1,"b":2}'), ('{"c":5}', '{"c":6}')).units
    ready, refused = together(
        msgspec.structs.replace(before, units=good), bad, msgspec.structs.replace(after, units=good)
    )
    assert ([item.command.id for item in ready], refused) == (["before", "after"], ["bad"])


def test_a_batch_stays_in_order() -> None:
    commands = Commander()
    batch = [
        commands.update("[1]", ({"c": 1}, {"c": 2})),
        commands.create({"a": 1}),
        commands.update("[2]", ({"a": 1, "b": 1}, {"a": 2, "b": 2})),
        commands.update("[3]", ({"c": 1}, {"c": 2})),
        commands.delete("[4]", {"c": 1}),
    ]
    assert [item.command for item in together(*batch)[0]] == batch


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
    assert decoded(ready.names, ready.set) == {"kind": "q", "a": 1, "land": "DE", "no": 4}
    assert decoded(("land", "no"), ready.keys) == {"land": "DE", "no": 4}
    assert (ready.names, ready.local_id) == (("land", "no", "a", "kind"), '["DE",4]')


def test_a_create_leaves_the_key_to_the_table() -> None:
    ready = prepare(Commander().create({"a": 1, "id": None}), table())
    assert (ready.names, ready.local_id, ready.keys) == (("a", "kind"), None, None)


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
