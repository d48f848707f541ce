from pathlib import Path

from duplex.proposals import files, matching
from duplex.proposals.discovery import Database, without_password
from duplex.proposals.matching import ColumnFound, TableFound
from schemas.project.loading import load


def table(system: str, table_name: str, key: tuple[str, ...], /, **columns: str) -> TableFound:
    found = tuple(ColumnFound(column, kind, category(kind)) for column, kind in columns.items())
    return TableFound(system, table_name, found, key)


def category(kind: str) -> str:
    return {"integer": "N", "numeric(10,2)": "N", "date": "D", "uuid": "U"}.get(kind, "S")


CONTACTS = table(
    "crm", "public.contacts", ("id",), id="integer", email="text", phone="text", credit_limit="numeric(10,2)"
)
CUSTOMERS = table("erp", "public.customers", ("id",), id="integer", mail="text", tel="text", credit="numeric(10,2)")
INVOICES = table("erp", "public.invoices", ("id",), id="integer", number="text", amount="numeric(10,2)", due="date")


def test_columns_are_matched_by_equal_and_similar_names() -> None:
    fields = matching.match_columns(CONTACTS, CUSTOMERS)
    pairs = [(field.name, *(column.name for column in field.columns)) for field in fields]
    assert pairs == [("email", "email", "mail"), ("phone", "phone", "tel"), ("credit", "credit_limit", "credit")]


def test_surrogate_numbers_of_two_systems_are_not_the_same_thing() -> None:
    assert "id" not in [field.name for field in matching.match_columns(CONTACTS, CUSTOMERS)]


def test_a_shared_natural_key_is_proposed_as_identity() -> None:
    left = table("a", "p.parts", ("sku",), sku="text", name="text")
    right = table("b", "p.items", ("sku",), sku="text", name="text")
    (proposal,) = matching.propose([left], [right])
    assert proposal.identity == "key"
    assert [field.name for field in proposal.fields] == ["name"]


def test_each_table_is_in_one_pair_and_the_likeliest_wins() -> None:
    (proposal,) = matching.propose([CONTACTS], [INVOICES, CUSTOMERS])
    assert [each.name for each in proposal.tables] == ["public.contacts", "public.customers"]
    assert (proposal.name, proposal.identity) == ("contact", "email")


def test_types_that_cannot_meet_are_not_matched() -> None:
    left, right = table("a", "t", (), born="date", x="text"), table("b", "t", (), born="integer", x="text")
    assert [field.name for field in matching.match_columns(left, right)] == ["x"]


def test_the_proposed_file_is_a_valid_project(tmp_path: Path) -> None:
    entities = matching.propose([CONTACTS], [CUSTOMERS])
    databases = [Database("crm", "postgresql://x"), Database("erp", "postgresql://y")]
    assert loaded(tmp_path, files.proposal("shop", databases, entities)) == ["contact"]


def test_the_example_is_a_valid_project(tmp_path: Path) -> None:
    assert loaded(tmp_path, files.example("shop")) == ["contact"]


def loaded(folder: Path, text: str) -> list[str]:
    path = folder / "duplex.yaml"
    path.write_text(text)
    environment = {"KAFKA_BOOTSTRAP_SERVERS": "k:1", "CRM_DSN": "postgresql://x/y", "ERP_DSN": "postgresql://x/z"}
    return list(load(path, environment).project.entities)


def test_names_that_yaml_reads_otherwise_are_quoted() -> None:
    assert [files.plain(name) for name in ("mail", "public.t", "on", "First Name", "1st")] == [
        "mail",
        "public.t",
        '"on"',
        '"First Name"',
        '"1st"',
    ]


def test_an_address_is_shown_without_its_password() -> None:
    assert without_password("postgresql://me:secret@db.example:5433/shop") == "db.example:5433/shop"
