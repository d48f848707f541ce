"""What people ask of replay and undo, and how it is refused."""

import os
from pathlib import Path

import pytest

from duplex import catalog, composition
from duplex.catalog import Entry
from duplex.composition import Composition
from duplex.replaying import places, rulesets, saved
from duplex.replaying.amending import amendments
from duplex.replaying.errors import ConditionError, PlaceError
from duplex.replaying.filters import Condition
from duplex.replaying.folds import MisfitError, Notes
from duplex.replaying.places import START, Place
from duplex.replaying.reports import FieldChange, RecordChange
from duplex.replaying.saved import Progress
from duplex.undoing import asking
from duplex.undoing.asking import Asked
from duplex.undoing.errors import WhatError
from duplex.undoing.selecting import OfEvents, OfTransaction
from schemas.project.findings import ProjectFileError
from schemas.project.loading import load
from streams.processors.records import Record

PROJECT = """\
pipeline: shop
kafka: {bootstrap: "localhost:1"}
systems:
  crm: {connector: postgres, dsn: "${env:CRM_DSN}"}
  erp: {connector: postgres, dsn: "${env:ERP_DSN}"}
entities:
  contact:
    identity: {match: [email]}
    fields:
      email: {type: string, required: true}
      phone: {type: string}
    systems:
      crm: {table: public.contacts, map: {email: email, phone: phone}}
      erp: {table: public.customers, map: {email: mail, phone: tel}}
"""
COLUMNS = {
    "crm": {"id": "bigint", "email": "text", "phone": "text"},
    "erp": {"id": "bigint", "mail": "text", "tel": "text"},
}
TABLES = {"crm": "public.contacts", "erp": "public.customers"}
NOW_US = 1_000_000_000_000_000


@pytest.fixture
def present(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Composition:
    """The project as it is applied."""
    monkeypatch.setenv("CRM_DSN", "postgresql://localhost/crm")
    monkeypatch.setenv("ERP_DSN", "postgresql://localhost/erp")
    path = tmp_path / "duplex.yaml"
    path.write_text(PROJECT)
    entries = [
        Entry(system=system, entity="contact", table=TABLES[system], key=("id",), columns=columns, fingerprint="")
        for system, columns in COLUMNS.items()
    ]
    return composition.compose(load(path, os.environ), catalog.catalog(entries))


def read(present: Composition, folder: Path, text: str) -> tuple[object, Composition]:
    path = folder / "other.yaml"
    path.write_text(text)
    return rulesets.read(path, present, ("contact",))


def test_other_policies_are_taken(present: Composition, tmp_path: Path) -> None:
    text = PROJECT.replace("phone: {type: string}", "phone: {type: string, on_conflict: manual}")
    _, other = read(present, tmp_path, text)
    assert type(other.rules["contact"].policies["phone"]).__name__ == "Manual"


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ("tel}", "mobile}", 14, "no column mobile"),
        ("identity: {match: [email]}", "identity: key", 8, "other rules of identity"),
        ("pipeline: shop", "pipeline: shack", 1, "these are rules for shack"),
        ("  contact:", "  person:", 6, "there is no entity contact"),
        ("phone: {type: string}", "phone: {type: nothing}", 11, "must be string"),
    ],
)
def test_rules_that_the_log_cannot_follow_are_refused_at_their_line(
    present: Composition, tmp_path: Path, old: str, new: str, line: int, words: str
) -> None:
    with pytest.raises(ProjectFileError) as caught:
        read(present, tmp_path, PROJECT.replace(old, new))
    assert words in str(caught.value)
    assert line in {finding.line for finding in caught.value.findings}


def test_a_system_that_was_never_applied_is_refused(present: Composition, tmp_path: Path) -> None:
    text = PROJECT.replace("  erp: {connector", "  era: {connector").replace("      erp: {table", "      era: {table")
    with pytest.raises(ProjectFileError, match=r"other\.yaml:14:.*nothing of era.*did you mean \"erp\"") as caught:
        read(present, tmp_path, text)
    assert len(caught.value.findings) == 1


def test_a_row_image_without_a_column_names_field_and_place(present: Composition, tmp_path: Path) -> None:
    loaded, other = read(present, tmp_path, PROJECT)
    record = Record("shop.records.contact", 2, 41, b"R", b"", 0)
    error = MisfitError(record, "erp", '{"id": 1, "mail": "a@b.c"}', "no tel")
    told = str(rulesets.misfit(error, loaded, other.lens("contact", "erp")))  # type: ignore[arg-type]
    assert "other.yaml:14:" in told
    assert "systems.erp.map.phone: the log's rows lack tel at offset 41" in told
    assert "--from 42" in told


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("start", START),
        ("17", Place(offset=17)),
        ("2h", Place(ts_ms=NOW_US // 1000 - 7_200_000)),
        ("1970-01-01T00:00:01Z", Place(ts_ms=1000)),
        ("1970-01-01T00:00:01", Place(ts_ms=1000)),
    ],
)
def test_places(text: str, place: Place) -> None:
    assert places.parse("--from", text, NOW_US) == place


def test_a_place_that_is_none_is_refused() -> None:
    with pytest.raises(PlaceError, match="--from yesterday"):
        places.parse("--from", "yesterday", NOW_US)


@pytest.mark.parametrize("source", ["record.", "recrod.name == 'a'"])
def test_conditions_that_are_wrong_for_all_are_refused(source: str) -> None:
    with pytest.raises(ConditionError):
        Condition(source)


def test_progress_is_kept_whole_for_its_owner_alone(tmp_path: Path) -> None:
    path = saved.path(tmp_path / "duplex.yaml", saved.digest(["a", "b"]), "contact", 3)
    kept = Progress(7, {b"R": b"\x01"}, {b"R": b"\x02"}, {b"R": Notes()}, 5)
    saved.save(path, kept)
    assert saved.load(path) == kept
    assert path.stat().st_mode & 0o777 == 0o600
    saved.forget(path)
    saved.forget(path)
    assert saved.load(path) is None


def test_spoilt_progress_is_no_progress(tmp_path: Path) -> None:
    path = tmp_path / "spoilt.state"
    path.write_bytes(b"\xc1")
    assert saved.load(path) is None


def test_other_arguments_are_another_replay() -> None:
    assert saved.digest(["ab", "c"]) != saved.digest(["a", "bc"])


def test_amendments_name_what_was_compared_and_leave_out_what_cannot_be_amended() -> None:
    fields = (
        FieldChange("phone", "1", "2", 5, ""),
        FieldChange("note", None, "x", 0, "", amendable=False),
        FieldChange("$", None, True, 9, ""),
    )
    bare = RecordChange("contact", "S", 0, fields[1:2], (), (), ())
    (one,) = amendments([RecordChange("contact", "R", 0, fields, (), (), ()), bare], "me", "why", 1)
    assert one.kind == "replay"
    assert [(each.field, each.version, each.value) for each in one.fields] == [("phone", 5, '"2"'), ("$", 9, "true")]


@pytest.mark.parametrize(
    "asked",
    [
        Asked(),
        Asked(record="R", commands=("R/crm/1",)),
        Asked(commands=("R/crm/1",), fields=("phone",)),
        Asked(event="1..2", entity="contact"),
        Asked(since="1h"),
        Asked(record="R", system="crm"),
    ],
)
def test_undo_wants_exactly_one_thing_and_all_that_belongs_to_it(asked: Asked) -> None:
    with pytest.raises(WhatError):
        asking.check(asked)


async def test_what_is_selected(present: Composition, tmp_path: Path) -> None:
    async def selected(**more: object) -> list[tuple[str, object]]:
        return list(await asking.selections(present, tmp_path, Asked(**more)))  # type: ignore[arg-type]

    assert await selected(event="5..9", partition=1, entity="contact") == [("contact", OfEvents(1, 5, 9))]
    assert await selected(transaction="crm:12") == [("contact", OfTransaction("crm", 12))]
    with pytest.raises(WhatError, match="no system hr"):
        await selected(transaction="hr:12")


def test_a_command_is_named_by_its_parts() -> None:
    record = "0" * 8 + "-0000" * 3 + "-" + "0" * 12
    assert asking.command(f" {record}/crm/7 ").groups() == (record, "crm", "7")
    with pytest.raises(WhatError, match="RECORD/SYSTEM/NUMBER"):
        asking.command("crm/7")
