"""The demo's judge: an edit is lost only if nobody shows it, nobody who saw it replaced it, and nothing names it."""

import json
from dataclasses import replace

import msgspec
import pytest

from duplex.demo.databases import Comparison
from duplex.demo.figures import delays_ms, lost_edits, percentile, summarise
from duplex.demo.history import History, Logged
from schemas.messages import Change, Command, Conflict, Origin, Side

CRM = {
    "id": 1, "email": "a@example.com", "first_name": "Ada", "last_name": "Archer", "phone": "1", "status": "lead",
    "credit_limit": 1, "birthday": None, "street": "s", "city": "c", "zip": "z",
}  # fmt: skip
ERP = {
    "customer_no": 7, "mail": "a@example.com", "full_name": "Ada Archer", "tel": "1", "status_code": "L", "credit": 1,
    "born": None, "addr1": "s", "town": "c", "postcode": "z",
}  # fmt: skip
EQUAL = Comparison(0, 0, 1)


def entry(
    seq: int, system: str, before: dict[str, object] | None, after: dict[str, object] | None, **more: object
) -> Logged:
    images = {"before": before and json.dumps(before), "after": after and json.dumps(after)}
    op = "u" if before and after else "c" if after else "d"
    change = Change(
        system=system, entity="contact", table="t", incarnation=1, seq=seq, op=op, local_id="[1]", ts_us=seq, **images
    )
    return Logged("r", 0, seq, msgspec.structs.replace(change, **more))


def echo(seq: int, before: dict[str, object], after: dict[str, object]) -> Logged:
    return entry(seq, "erp", before, after, origin=Origin(command="r/erp/1", record_id="r", hop=1))


EDIT = entry(2, "crm", CRM, CRM | {"phone": "2"})
START = entry(1, "erp", None, ERP, op="r")


def test_an_edit_that_both_rows_show_is_not_lost() -> None:
    assert lost_edits(History([START, EDIT, echo(3, ERP, ERP | {"tel": "2"})])) == []


def test_an_edit_that_never_reached_the_other_side_is_lost() -> None:
    assert [field for _, field in lost_edits(History([START, EDIT]))] == ["phone"]


def test_an_edit_replaced_by_someone_who_saw_it_is_not_lost() -> None:
    seen = [echo(3, ERP, ERP | {"tel": "2"}), entry(4, "erp", ERP | {"tel": "2"}, ERP | {"tel": "3"})]
    back = entry(5, "crm", CRM | {"phone": "2"}, CRM | {"phone": "3"}, origin=Origin(command="c", record_id="r", hop=1))
    assert lost_edits(History([START, EDIT, *seen, back])) == []


def test_an_edit_overwritten_by_someone_who_had_not_seen_it_is_lost_unless_a_conflict_names_it() -> None:
    blind = entry(3, "erp", ERP, ERP | {"tel": "3"})
    back = entry(4, "crm", CRM | {"phone": "2"}, CRM | {"phone": "3"}, origin=Origin(command="c", record_id="r", hop=1))
    history = History([START, EDIT, blind, back])
    assert [field for _, field in lost_edits(history)] == ["phone"]
    history.conflicts["r/1"] = conflict('"2"', '"3"')
    assert lost_edits(history) == []


def conflict(current: str, incoming: str) -> Conflict:
    return Conflict(
        id="r/1", record_id="r", entity="contact", field="phone", kind="value", rule="newest", winner="incoming",
        current=Side(system="crm", value=current, ts_us=1), incoming=Side(system="erp", value=incoming, ts_us=2),
        partition=0, offset=3, ts_us=3,
    )  # fmt: skip


def test_a_create_that_came_to_nothing_is_not_the_row() -> None:
    created = entry(2, "erp", None, ERP, op="c")
    refused = Origin(command="r/erp/1", record_id="r", hop=1, outcome="failed", error="there already")
    none = entry(3, "erp", None, None, local_id="[]", origin=refused)
    assert lost_edits(History([entry(1, "crm", None, CRM), created, none])) == []


def test_a_delete_that_the_other_side_undid_without_a_record_is_lost() -> None:
    assert [field for _, field in lost_edits(History([START, entry(2, "crm", CRM, None)]))] == ["$"]


def test_the_summary_is_not_ok_while_a_command_has_no_echo() -> None:
    command = Command(
        id="r/erp/1", record_id="r", entity="contact", system="erp", number=1, op="u", local_id="[7]", units=(),
        partition=0, offset=2, hop=1, ts_us=2,
    )  # fmt: skip
    history = History([START, EDIT], {"r/erp/1": command})
    assert not summarise(history, EQUAL, 1.0, steps_held=True).ok
    history.changes.append(echo(3, ERP, ERP | {"tel": "2"}))
    assert summarise(history, EQUAL, 1.0, steps_held=True).ok
    assert delays_ms(history) == [0.001]


@pytest.mark.parametrize("wrong", [replace(EQUAL, differences=1), replace(EQUAL, duplicates=1)])
def test_the_summary_is_not_ok_when_the_databases_differ(wrong: Comparison) -> None:
    history = History([START, EDIT, echo(3, ERP, ERP | {"tel": "2"})])
    assert not summarise(history, wrong, 1.0, steps_held=True).ok


def test_percentiles_of_nothing_are_zero_and_of_many_are_in_order() -> None:
    assert percentile([], 0.99) == 0.0
    assert percentile([float(n) for n in range(100)], 0.99) == 99.0
