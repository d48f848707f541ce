"""An example's showing is judged by what both sides hold, and by the conflicts on record."""

import json
from dataclasses import replace

import pytest

from duplex.demo.scenario import Landing
from duplex.examples.judging import End, Figures, summarised
from duplex.examples.steps import EXISTENCE, Edit
from schemas.messages import Conflict, Side

ADA = {"email": "a@example.com", "name": "Ada", "labels": ["a", "b"]}
END = End([ADA], [ADA], "email", [])
LANDED = [Landing("an edit", "it is there", 12.0, True)]


def edit(field: str, value: object) -> Edit:
    return Edit("a@example.com", field, value)


def conflict(current: object, incoming: object) -> Conflict:
    sides = [
        Side(system=name, value=json.dumps(value), ts_us=1) for name, value in (("crm", current), ("erp", incoming))
    ]
    return Conflict(
        id="r/1", record_id="r", entity="contact", field="name", kind="value", rule="newest", winner="incoming",
        current=sides[0], incoming=sides[1], partition=0, offset=3, ts_us=3,
    )  # fmt: skip


def test_what_both_sides_show_is_not_lost() -> None:
    assert END.lost([[edit("name", "Ada")]]) == []


def test_what_one_side_does_not_show_is_lost() -> None:
    end = replace(END, right=[{**ADA, "name": "A."}])
    assert end.lost([[edit("name", "Ada")]]) == [edit("name", "Ada")]
    assert end.differences == 1


def test_what_a_later_step_replaced_is_not_lost_but_what_was_written_beside_it_is() -> None:
    assert END.lost([[edit("name", "A.")], [edit("name", "Ada")]]) == []
    assert END.lost([[edit("name", "A."), edit("name", "Ada")]]) == [edit("name", "A.")]


def test_the_loser_of_a_clash_is_not_lost_where_a_conflict_names_it() -> None:
    step = [edit("name", "A."), edit("name", "Ada")]
    assert replace(END, conflicts=[conflict("A.", "Ada")]).lost([step]) == []
    assert replace(END, conflicts=[conflict("B.", "Ada")]).lost([step]) == [edit("name", "A.")]


def test_items_of_a_list_are_not_lost_where_the_list_has_grown() -> None:
    assert END.lost([[edit("labels", ["a"]), edit("labels", ["b"])]]) == []
    assert END.lost([[edit("labels", ["c"])]]) == [edit("labels", ["c"])]


def test_a_delete_is_lost_while_anybody_has_the_record() -> None:
    gone = edit(EXISTENCE, None)
    assert END.lost([[gone]]) == [gone]
    assert replace(END, left=[], right=[]).lost([[edit("name", "Ada")], [gone]]) == []


def test_a_record_twice_on_one_side_is_a_duplicate() -> None:
    assert replace(END, right=[ADA, ADA]).duplicates == 1


def figures(end: End = END, landings: list[Landing] = LANDED) -> Figures:
    return summarised("crm-erp", landings, [[edit("name", "Ada")]], end, 1.25)


def test_the_summary_counts_what_happened() -> None:
    found = figures(replace(END, conflicts=[conflict("A.", "Ada")]))
    assert (found.ok, found.edits, found.records, found.conflicts, found.lost) == (True, 1, 1, 1, 0)
    assert found.steps == {"an edit": 12.0}


@pytest.mark.parametrize("end", [End([], [], "email", []), replace(END, right=[]), replace(END, right=[ADA, ADA])])
def test_the_summary_is_not_ok_when_something_is_missing_or_twice(end: End) -> None:
    assert not figures(end).ok


def test_the_summary_is_not_ok_when_a_step_did_not_land() -> None:
    assert not figures(landings=[replace(LANDED[0], held=False)]).ok
