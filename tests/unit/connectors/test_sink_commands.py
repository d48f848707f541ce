"""Commands made ready for statements."""

from typing import Any

import msgspec
import pytest

from connectors.base import TableSpec
from connectors.postgres import sink_commands
from connectors.postgres.sink_commands import MalformedCommandError, prepare, waves
from connectors.postgres.sink_tables import SinkColumn, SinkTable
from tests.conformance.commands import Commander

SPEC = TableSpec("contact", "contacts", ("a", "b", "c"), (("a", "b"), ("c",)), constants={"kind": "p"})


def table(key: tuple[str, ...] = ("id",)) -> SinkTable:
    columns = {name: SinkColumn(name, name in key, name in key, False) for name in (*key, "a", "b", "c", "kind")}
    return SinkTable.of("crm", SPEC, 1, columns, key)


def decoded(text: str | None) -> Any:
    return text and msgspec.json.decode(text)


def test_an_update_marks_the_units_it_speaks_of() -> None:
    ready = prepare(Commander().update("[7]", ({"c": 1}, {"c": 2})), table())
    assert (ready.mask, decoded(ready.keys), decoded(ready.base), decoded(ready.set)) == (
        "01", {"id": 7}, {"c": 1}, {"c": 2},
    )  # fmt: skip


def test_units_come_in_any_order() -> None:
    ready = prepare(Commander().update("[7]", ({"c": 1}, {"c": 2}), ({"b": 3, "a": 4}, {"a": 5, "b": 6})), table())
    assert (ready.mask, decoded(ready.set)) == ("11", {"a": 5, "b": 6, "c": 2})


def test_numbers_keep_their_text() -> None:
    ready = prepare(Commander().raw_update("[7]", '{"c":1.50}', '{"c":1e400}'), table())
    assert (ready.base, ready.set) == ('{"c":1.50}', '{"c":1e400}')


def test_units_of_another_mapping_are_taken_as_they_are() -> None:
    ready = prepare(Commander().update("[7]", ({"a": 1, "c": 1}, {"a": 2, "c": 2})), table())
    assert ready.units == (("a", "c"),)


def test_a_delete_marks_the_columns_it_compares() -> None:
    ready = prepare(Commander().delete("[7]", {"c": 1, "a": None}), table())
    assert (ready.mask, ready.units) == ("101", SPEC.units)


def test_a_create_takes_constants_and_the_key_it_knows() -> None:
    ready = prepare(Commander().create({"a": 1, "kind": "q"}, local_id='["DE",4]'), table(("land", "no")))
    assert decoded(ready.set) == {"kind": "q", "a": 1, "land": "DE", "no": 4}
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


def test_documents_are_one_array() -> None:
    assert sink_commands.documents(["{}", '{"a":1}']) == '[{},{"a":1}]'
