"""From a choice to a decision, and whether the merge takes it as it is meant."""

from typing import Any

import pytest

from duplex.conflicts import deciding, live
from duplex.conflicts.book import Entry
from duplex.conflicts.deciding import Choice, Seen, Signed
from duplex.conflicts.errors import BadValueError, ChoiceError, NotDecidableError
from schemas.messages import Side
from tests.unit.conflicts.scenes import RECORD, Scene, conflict, project

SIGNED = Signed("ann", "the customer said so", 1_790_000_001_000_000)


def entry(**more: object) -> Entry:
    made = conflict(**more)  # type: ignore[arg-type]
    return Entry(made, made, made.winner == "parked")


def value(choice: Choice, **more: object) -> str | None:
    one = entry(**more)
    seen = deciding.seen_on_record(one.last)
    assert seen is not None
    return deciding.decision(project(), one, choice, seen, SIGNED).value


def now(scene: Scene, one: Entry) -> Seen:
    standing = live.standing(scene.state(), scene.rules, int(one.id.rpartition("/")[2]))
    assert standing is not None
    return deciding.seen_now(standing)


def decide(scene: Scene, **choice: Any) -> None:
    (one,) = scene.open
    made = deciding.decision(scene.project, one, Choice(**choice), now(scene, one), SIGNED)
    scene.decide(made)
    assert scene.rejected == []
    assert scene.open == []


@pytest.mark.parametrize(("take", "taken"), [("current", '"2"'), ("incoming", '"3"'), ("crm", '"2"'), ("erp", '"3"')])
def test_a_side_is_taken_by_word_or_by_its_system(take: str, taken: str) -> None:
    assert value(Choice(take=take)) == taken


def test_a_system_that_has_neither_value_is_refused_with_those_that_have() -> None:
    with pytest.raises(ChoiceError, match=r"current is of crm, incoming of erp.*--take erp"):
        value(Choice(take="shop"))
    both = Side(system="crm", value='"9"', ts_us=1)
    with pytest.raises(ChoiceError, match="both values came from crm"):
        value(Choice(take="crm"), incoming=both)


def test_exactly_one_choice() -> None:
    for wrong in ({}, {"take": "crm", "value": "1"}, {"keep": True, "delete": True}):
        with pytest.raises(ChoiceError, match="Give exactly one"):
            Choice(**wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("field", "given", "made"),
    [
        ("credit", "10.50", '"10.5"'),
        ("credit", "12345678901234567.10", '"12345678901234567.1"'),
        ("phone", '"9"', '"9"'),
    ],
)
def test_another_value_is_brought_into_the_fields_form_exactly(field: str, given: str, made: str) -> None:
    assert value(Choice(value=given), field=field) == made


@pytest.mark.parametrize(
    ("field", "given", "why"),
    [
        ("phone", "+49", "it is no JSON"),
        ("phone", "5", "is no text.*of type string"),
        ("credit", '"ten"', "of type decimal"),
        ("fax", '"1"', "no such field any more"),
    ],
)
def test_a_value_that_cannot_be_is_refused_with_its_place(field: str, given: str, why: str) -> None:
    with pytest.raises(BadValueError, match=why) as raised:
        value(Choice(value=given), field=field)
    assert f"contact.{field}" in str(raised.value)


def test_existence_is_kept_or_deleted_and_has_no_value() -> None:
    gone = {"field": "$", "kind": "existence", "incoming": Side(system="erp", value=None, ts_us=1)}
    edits = gone | {"incoming": Side(system="erp", value='[["phone","5"]]', ts_us=1)}
    assert [value(Choice(take=side), **gone) for side in ("incoming", "current")] == [None, "true"]
    assert [value(Choice(take=side), **edits) for side in ("incoming", "current")] == ["true", None]
    assert [value(Choice(keep=True), **gone), value(Choice(delete=True), **edits)] == ["true", None]
    with pytest.raises(ChoiceError, match="--keep or --delete"):
        value(Choice(value="1"), **gone)
    with pytest.raises(ChoiceError, match="about its phone"):
        value(Choice(keep=True))


def test_a_duplicate_is_settled_in_its_system() -> None:
    with pytest.raises(NotDecidableError, match=r"of kind duplicate.*Change or delete one of the rows"):
        value(Choice(take="crm"), kind="duplicate", field="$")


@pytest.mark.parametrize(
    ("choice", "stands"), [({"take": "erp"}, "3"), ({"take": "current"}, "2"), ({"value": '"9"'}, "9")]
)
def test_the_merge_carries_out_what_was_chosen(choice: dict[str, str], stands: str) -> None:
    scene = Scene()
    scene.park_phone()
    decide(scene, **choice)
    assert {row and row["phone"] for row in scene.rows.values()} == {stands}


@pytest.mark.parametrize(("choice", "alive"), [({"keep": True}, True), ({"delete": True}, False)])
def test_the_merge_carries_out_a_parked_delete_or_brings_the_row_back(choice: dict[str, bool], alive: bool) -> None:
    scene = Scene()
    scene.edit("crm", email="a@example.com", phone="1")
    scene.answering = False
    scene.edit("crm", phone="2")
    scene.delete("erp")
    scene.answer_all()
    decide(scene, **choice)
    assert scene.state().alive is alive
    assert {row is not None for row in scene.rows.values()} == {alive}


def test_what_was_shown_is_named_by_version_and_candidate() -> None:
    seen = Seen('"3"', '"2"', 4)
    assert seen.token.startswith("4.")
    assert seen.token != Seen('"5"', '"2"', 4).token != Seen('"5"', '"2"', 5).token
    assert deciding.seen_on_record(conflict(version=0)) is None


def test_the_state_says_the_same_as_the_record_of_conflicts() -> None:
    scene = Scene()
    scene.park_phone()
    (one,) = scene.open
    found = now(scene, one)
    assert (found.candidate, found.current) == (one.last.incoming.value, one.last.current.value)
    assert found.version == scene.state(RECORD).fields["phone"].version
