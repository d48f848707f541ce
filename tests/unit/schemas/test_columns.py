"""The project file against the systems' columns."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from schemas.project import rules
from schemas.project.findings import Finding
from tests.unit.schemas.projects import WHOLE, changed, loaded


@dataclass(frozen=True)
class _Column:
    type: str
    nullable: bool = True
    has_default: bool = False
    generated: bool = False
    values: tuple[str, ...] = ()


CRM = {
    "id": _Column("integer", nullable=False, has_default=True),
    "email": _Column("text", nullable=False),
    "first_name": _Column("text"),
    "last_name": _Column("text"),
    "credit_limit": _Column("numeric(10,2)"),
    "phone": _Column("phone_kind", values=("H", "W")),
    "born": _Column("text"),
    "street": _Column("text"),
    "city": _Column("text"),
    "kind": _Column("text", nullable=False),
}
ERP = {
    "mail": _Column("character varying(80)"),
    "full_name": _Column("text"),
    "credit": _Column("numeric"),
    "tel": _Column("smallint"),
    "birth": _Column("date"),
    "addr1": _Column("text"),
    "town": _Column("text"),
}


def _findings(
    folder: Path, text: str = WHOLE, crm: dict[str, _Column] | None = None, erp: dict[str, _Column] | None = None
) -> list[Finding]:
    catalog = {("crm", "contact"): CRM | (crm or {}), ("erp", "contact"): ERP | (erp or {})}
    return rules.check_columns(loaded(folder, text), catalog)


def test_tables_that_fit_have_no_findings(tmp_path: Path) -> None:
    assert _findings(tmp_path) == []


COLUMN_FAULTS: list[tuple[str, str, str, str]] = [
    ("email: mail", "email: mial", "32:18: entities.contact.systems.erp.map.email",
     'customers of erp has no column mial; did you mean "mail"?'),
    ("[first_name, last_name]", "[first_name, lastname]", "22:37: entities.contact.systems.crm.map.name.join[1]",
     'did you mean "last_name"?'),
    ("{column: born, format", "{column: bron, format", "25:26: entities.contact.systems.crm.map.born.column",
     'did you mean "born"?'),
    ("constants: {kind", "constants: {knid", "27:21: entities.contact.systems.crm.constants.knid", 'mean "kind"?'),
    ("[{column: kind", "[{column: kint", "28:27: entities.contact.systems.crm.filter[0].column", 'mean "kind"?'),
    ("        table: customers\n", "        table: customers\n        key: [no]\n",
     "31:15: entities.contact.systems.erp.key[0]", "has no column no"),
    ("        table: customers\n", "        table: customers\n        key: [mail]\n",
     "31:15: entities.contact.systems.erp.key[0]", "may be null"),
    ("credit: {type: decimal, owner: erp}", "credit: {type: uuid, owner: erp}", "23:19: ",
     "is numeric(10,2), which cannot hold a uuid; a field of type decimal fits"),
    ("        constants: {kind: person}\n", "", "21:11: entities.contact.systems.crm.map",
     "nothing fills it when a row is created; map it, or add kind to constants"),
    ("{home: H, work: W}", "{home: H, work: B}", "24:58: ", "phone_kind has no label B; known: H, W"),
    ("{home: 1, work: 2}", '{home: 1, work: "2"}', "35:56: ", "the code is no value of a column of type smallint"),
    ("born: birth", "born: {column: birth, format: iso}", "36:26: ", "format is for text columns"),
    ("born: birth", "born: {column: birth, zone: UTC}", "36:26: ", "zone has no meaning"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "place", "words"), COLUMN_FAULTS)
def test_each_fault_is_named_at_its_place(tmp_path: Path, old: str, new: str, place: str, words: str) -> None:
    lines = [str(one).replace(f"{tmp_path}/", "") for one in _findings(tmp_path, changed(old, new))]
    assert [line for line in lines if line.startswith(f"duplex.yaml:{place}") and words in line], "\n".join(lines)


def test_a_table_that_is_not_there_is_named(tmp_path: Path) -> None:
    found = rules.check_columns(loaded(tmp_path), {("crm", "contact"): CRM})
    assert str(found[0]).endswith(
        "30:16: entities.contact.systems.erp.table: erp has no table customers, or it cannot be seen"
    )


def test_a_generated_column_is_not_written(tmp_path: Path) -> None:
    found = _findings(tmp_path, erp={"full_name": _Column("text", generated=True)})
    assert [(one.line, one.severity) for one in found] == [(33, "error")]
    assert found[0].suggestion == "set direction: in"
    text = changed("name: full_name", "name: {column: full_name, direction: in}")
    assert _findings(tmp_path, text, erp={"full_name": _Column("text", generated=True)}) == []


def test_a_column_that_must_be_filled_by_an_optional_field_is_a_warning(tmp_path: Path) -> None:
    found = _findings(tmp_path, erp={"full_name": _Column("text", nullable=False)})
    assert [(one.line, one.severity) for one in found] == [(33, "warning")]
    assert "name is not required" in found[0].message


def test_what_a_column_cannot_show_is_a_warning(tmp_path: Path) -> None:
    found = _findings(tmp_path, erp={"credit": _Column("integer")})
    assert [(one.severity, one.message) for one in found] == [
        ("warning", "column credit is integer: decimal places are rounded away")
    ]


def test_a_shared_key_is_filled_by_the_record_itself(tmp_path: Path) -> None:
    text = changed("identity: {match: [email]}", "identity: key")
    catalog = {("crm", "contact"): CRM | {"id": _Column("integer", nullable=False)}, ("erp", "contact"): ERP}
    assert rules.check_columns(loaded(tmp_path, text), catalog, {("crm", "contact"): ("id",)}) == []
    unsure = rules.check_columns(loaded(tmp_path, text), catalog)
    assert [one.severity for one in unsure] == ["warning"]


GONE = "erp: {inactive: {column: gone, value: true, restore: false}}"


def _inactive(folder: Path, option: str, column: _Column) -> list[str]:
    found = _findings(folder, changed("erp: ignore", option), erp={"gone": column})
    return [str(finding).split(": ", 1)[1] for finding in found]


def test_the_column_of_inactive_rows_needs_no_other_filling(tmp_path: Path) -> None:
    assert _inactive(tmp_path, GONE, _Column("boolean", nullable=False)) == []


@pytest.mark.parametrize(
    ("option", "column", "words"),
    [
        (GONE, _Column("text"), "inactive.value: is no value of a column of type text; write it in quotes"),
        (GONE.replace("false", "no thing"), _Column("boolean"), "inactive.restore: is no value of a column of type"),
        (GONE.replace("false", "null"), _Column("boolean", nullable=False), "inactive.restore: column gone may not be"),
        (GONE.replace("true", "x"), _Column("mood", values=("y", "z")), "inactive.value: mood has no label x"),
        (GONE, _Column("boolean", generated=True), "inactive.column: column gone is generated"),
        (GONE.replace("column: gone", "column: gon"), _Column("boolean"), 'has no column gon; did you mean "gone"?'),
    ],
)
def test_the_column_of_inactive_rows_must_hold_both_values(
    tmp_path: Path, option: str, column: _Column, words: str
) -> None:
    lines = _inactive(tmp_path, option, column)
    assert any(words in line for line in lines), lines


def test_a_sum_in_a_column_that_rounds_is_a_warning(tmp_path: Path) -> None:
    found = _findings(tmp_path, changed("owner: erp", "on_conflict: sum"), erp={"credit": _Column("integer")})
    assert [finding.severity for finding in found] == ["warning"]
    assert "of what the sum's edits add, it does not show the rest" in found[0].message
