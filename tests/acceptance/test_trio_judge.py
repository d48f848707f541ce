"""The judge of the three databases finds each kind of fault: cases written by hand."""

from decimal import Decimal
from typing import Any

import msgspec

from schemas.messages import Conflict, Side
from tests.acceptance.trio.databases import SYSTEMS, Record, Write
from tests.acceptance.trio.judge import Case

EMAIL, RECORD_ID = "ada@example.com", "r1"


def row(name: str = "name 1", credit: int = 1, address: tuple[str, str] = ("street 1", "city 1")) -> Record:
    return {"email": EMAIL, "name": name, "phone": "phone 1", "credit": Decimal(credit), "address": address}


def wrote(system: str, before: Record | None, after: Record | None, by_user: bool = True) -> Write:
    return Write(system, by_user, before, after)


def case(writes: list[Write], final: Record | None, *conflicts: Conflict, **finals: Record | None) -> Case:
    """A case in which every database shows `final`, but for those named."""
    shown = {system: finals.get(system, final) for system in SYSTEMS}
    rows = {system: {} if found is None else {EMAIL: found} for system, found in shown.items()}
    return Case([wrote("crm", None, row()), *writes], rows, conflicts, {RECORD_ID: EMAIL})


def conflict(field: str, current: Any, incoming: Any) -> Conflict:
    sides = [
        Side(system="crm", value=None if value is None else msgspec.json.encode(value).decode(), ts_us=1)
        for value in (current, incoming)
    ]
    return Conflict(
        id=f"{RECORD_ID}/1",
        record_id=RECORD_ID,
        entity="contact",
        field=field,
        kind="existence" if field == "$" else "value",
        rule="newest",
        winner="current",
        current=sides[0],
        incoming=sides[1],
        partition=0,
        offset=1,
        ts_us=1,
    )


def test_edits_that_are_final_are_well() -> None:
    assert case([wrote("erp", row(), row("name 2"))], row("name 2")).judge() == []


def test_an_edit_that_vanished_is_lost() -> None:
    (told,) = case([wrote("erp", row(), row("name 2"))], row()).judge()[:1]
    assert told == "lost: name='name 2' of ada@example.com, written in erp"


def test_an_edit_that_somebody_saw_and_replaced_is_well() -> None:
    writes = [wrote("erp", row(), row("name 2")), wrote("web", row("name 2"), row("name 3"))]
    assert case(writes, row("name 3")).judge() == []


def test_an_edit_that_duplex_wrote_over_is_lost() -> None:
    writes = [
        wrote("erp", row(), row("name 2")),
        wrote("web", row(), row("name 3")),
        wrote("erp", row("name 2"), row("name 3"), by_user=False),
    ]
    assert any("lost: name='name 2'" in told for told in case(writes, row("name 3")).judge())
    on_record = conflict("name", "name 2", "name 3")
    assert case(writes, row("name 3"), on_record).judge() == []


def test_a_group_and_an_amount_are_named_as_they_travel() -> None:
    writes = [
        wrote("erp", row(), row(credit=2, address=("street 2", "city 2"))),
        wrote("web", row(), row(credit=30, address=("street 3", "city 3"))),
    ]
    final = row(credit=30, address=("street 3", "city 3"))
    named = [conflict("credit", "2", "30"), conflict("address", ["street 2", "city 2"], ["street 3", "city 3"])]
    assert case(writes, final, *named).judge() == []
    assert len(case(writes, final, named[0]).judge()) == 1


def test_a_torn_group_was_written_by_nobody() -> None:
    writes = [wrote("erp", row(), row(address=("street 2", "city 2")))]
    assert any("written by nobody" in told for told in case(writes, row(address=("street 2", "city 1"))).judge())


def test_what_duplex_wrote_in_between_counts_too() -> None:
    writes = [wrote("erp", row(), row("name 9"), by_user=False), wrote("erp", row("name 9"), row(), by_user=False)]
    assert any("name='name 9'" in told for told in case(writes, row()).judge())


def test_databases_that_differ_are_named() -> None:
    assert any(told.startswith("web shows None") for told in case([], row(), web=None).judge())


def test_a_deletion_that_is_final_takes_what_its_user_saw() -> None:
    assert case([wrote("erp", row(), None)], None).judge() == []


def test_a_deletion_takes_no_edit_that_its_user_did_not_see() -> None:
    writes = [wrote("web", row(), row("name 2")), wrote("erp", row(), None)]
    assert any("lost: name='name 2'" in told for told in case(writes, None).judge())
    assert case(writes, None, conflict("$", [["name", "name 2"]], None)).judge() == []


def test_a_deletion_that_was_undone_must_be_on_record() -> None:
    writes = [wrote("erp", row(), None), wrote("web", row(), row("name 2"))]
    assert any("undone: the deletion" in told for told in case(writes, row("name 2")).judge())
    assert case(writes, row("name 2"), conflict("$", None, [["name", "name 2"]])).judge() == []
