"""Reading, writing and checking through one system's lens."""

import pytest

from schemas.project.model import Entity
from streams.errors import MappingError, RowImageError
from streams.mapping.compiled import TableLens, compile_lens
from streams.mapping.rules import table_units
from streams.merge.lenses import Lens
from streams.merge.rules import Manual, Newest, Owner, Priority
from streams.merge.values import Value
from tests.unit.mapping.lenses import CONTACT, CRM, contact_lens, contact_rules, lens_of

IMAGE = """{"id": 7, "email": "anna@example.com", "first_name": "Anna Maria", "last_name": "Lopez",
  "phone": "+34 600 123 456", "credit_limit": 10.50, "status": "A", "born": "29.02.1984",
  "seen": "2024-07-01T12:00:00", "street": "Mayor 1", "city": "Madrid", "zip": null, "note": {"a": 1}}"""
VALUES: dict[str, Value] = {
    "email": "anna@example.com",
    "name": "Anna Maria Lopez",
    "phone": "+34 600 123 456",
    "credit": "10.5",
    "status": "active",
    "born": "1984-02-29",
    "seen": "2024-07-01T10:00:00Z",
    "address": ("Mayor 1", "Madrid", None),
}


def test_reads_a_row_image_into_canonical_values() -> None:
    lens = contact_lens("crm")
    assert lens.get(lens.load(IMAGE)) == VALUES


def test_writes_canonical_values_into_another_systems_row() -> None:
    assert contact_lens("erp").put(VALUES, None) == {
        "mail": "anna@example.com",
        "full_name": "Anna Maria Lopez",
        "tel": "+34 600 123 456",
        "credit": "10.5",
        "state": 1,
        "birth": "1984-02-29",
        "seen_at": "2024-07-01T10:00:00Z",
        "addr1": "Mayor 1",
        "town": "Madrid",
        "postcode": None,
    }


def test_putting_back_what_was_read_changes_nothing() -> None:
    lens = contact_lens("crm")
    row = lens.load(IMAGE)
    assert lens.put(lens.get(row), row) == row


def test_is_a_lens_of_the_merge() -> None:
    lens: Lens = contact_lens("crm")
    assert lens.readable == frozenset(VALUES)
    assert lens.writable == frozenset(VALUES) - {"credit"}


def test_units_partition_the_columns() -> None:
    units = table_units(contact_lens("crm"))
    assert ("first_name", "last_name") in units
    assert ("street", "city", "zip") in units
    assert sorted(sum(units, ())) == sorted(contact_lens("crm").columns)


def test_a_field_with_direction_in_is_never_written() -> None:
    lens = contact_lens("crm")
    row = lens.load(IMAGE)
    assert lens.put({"credit": "99"}, row) == row
    assert "credit_limit" not in lens.dump_new(lens.put(VALUES, None))


def test_an_invalid_value_is_left_out_and_explained() -> None:
    lens = contact_lens("crm")
    row = {**lens.load(IMAGE), "email": "no address", "phone": "12", "status": "Q", "born": "31.02.2024"}
    assert set(lens.get(row)) == set(VALUES) - {"email", "phone", "status", "born"}
    faults = lens.faults(row)
    assert faults["status"] == "status in crm: column status holds 'Q', which is none of the codes 'A', 'X'"
    assert "is not of the form %d.%m.%Y" in faults["born"]
    assert "'no address' is no e-mail address" in faults["email"]


def test_a_required_field_must_be_there() -> None:
    lens = contact_lens("crm")
    row = {**lens.load(IMAGE), "email": "  "}
    assert "email" not in lens.get(row)
    assert "required" in lens.faults(row)["email"]


def test_a_value_without_code_leaves_the_column_and_is_explained() -> None:
    lens = contact_lens("crm")
    row = lens.load(IMAGE)
    assert lens.put({"status": "asleep"}, row) == row
    assert "'asleep' has no code" in lens.unwritable({"status": "asleep"})["status"]


def test_a_value_of_the_wrong_type_is_not_written() -> None:
    lens = contact_lens("erp")
    assert set(lens.unwritable({"name": 7, "address": "Mayor 1", "credit": 1.5})) == {"name", "address", "credit"}


def test_an_image_without_a_mapped_column_is_refused_and_not_read_as_null() -> None:
    with pytest.raises(RowImageError, match="missing required field `email`"):
        contact_lens("crm").load('{"id": 7}')


@pytest.mark.parametrize("text", ["", "[]", "{", "null", IMAGE.replace("10.50", '"many"'), IMAGE.replace("7,", "7")])
def test_what_is_no_row_image_is_refused(text: str) -> None:
    with pytest.raises(RowImageError):
        contact_lens("crm").load(text)


def test_filters_look_at_unmapped_columns() -> None:
    lens = contact_lens("erp")
    assert lens.admits('{"kind": "person", "no": 1}')
    assert not lens.admits('{"kind": "company"}')
    assert not lens.admits({"kind": None})
    with pytest.raises(RowImageError, match="kind"):
        lens.admits({"no": 1})


def test_all_filters_must_admit_a_row() -> None:
    filters = [{"column": "x", "equals": 1}, {"column": "y", "one_of": ["a", "b"]}]
    held = {"table": "t", "map": {"f": "f"}, "filter": filters}
    entity = Entity.model_validate({"fields": {"f": {}}, "systems": {"s": held}})
    lens = compile_lens(entity, "s", {"f": "text", "x": "integer", "y": "text"})
    admitted = [lens.admits({"x": x, "y": y}) for x, y in [(1, "b"), (1, "c"), (2, "a"), (None, None)]]
    assert admitted == [True, False, False, False]


def test_a_filter_may_ask_for_null() -> None:
    entity = Entity.model_validate(
        {
            "fields": {"f": {}},
            "systems": {"s": {"table": "t", "map": {"f": "f"}, "filter": [{"column": "x", "equals": None}]}},
        }
    )
    lens = compile_lens(entity, "s", {"f": "text", "x": "timestamp with time zone"})
    assert lens.admits('{"x": null}')
    assert not lens.admits('{"x": "2024-01-01T00:00:00+00:00"}')


def test_a_column_that_the_table_lacks_is_refused() -> None:
    columns = {name: text for name, text in CRM.items() if name != "last_name"}
    with pytest.raises(MappingError, match="last_name: the table has no such column"):
        compile_lens(Entity.model_validate(CONTACT), "crm", columns, "contact")


def test_a_column_that_cannot_hold_its_field_is_refused() -> None:
    with pytest.raises(MappingError, match="c: is boolean, which cannot hold a decimal"):
        lens_of({"type": "decimal"}, "c", c="boolean")


def test_rules_follow_the_project_file() -> None:
    rules = contact_rules()
    assert rules.systems == ("crm", "erp")
    assert rules.policies["phone"] == Priority(("erp", "crm"))
    assert rules.policies["credit"] == Owner("erp")
    assert rules.policies["address"] == Manual()
    assert rules.policies["name"] == Newest()
    assert (rules.existence, rules.deletes) == ("delete_wins", {"crm": "remove", "erp": "ignore"})


def marked(**columns: str) -> TableLens:
    gone = {"inactive": {"column": "gone", "value": True, "restore": False}}
    held = {"table": "t", "map": {"f": "f"}}
    entity = Entity.model_validate({"fields": {"f": {}}, "on_delete": {"s": gone}, "systems": {"s": held}})
    return compile_lens(entity, "s", {"f": "text", **columns}, "e")


def test_a_row_with_the_value_that_marks_it_counts_as_gone() -> None:
    lens = marked(gone="boolean")
    assert lens.is_gone('{"f": "x", "gone": true}')
    assert not lens.is_gone('{"f": "x", "gone": false}')
    assert not lens.is_gone('{"f": "x", "gone": null}')
    assert lens.columns == ("f",)
    assert not contact_lens("crm").is_gone(IMAGE)


def test_a_row_without_the_column_that_would_mark_it_is_refused() -> None:
    with pytest.raises(RowImageError):
        marked(gone="boolean").is_gone('{"f": "x"}')
    with pytest.raises(MappingError, match="gone: the table has no such column"):
        marked()
