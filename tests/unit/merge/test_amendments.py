"""Undo and replay: a record is amended where it is as it was, and nowhere else."""

import pytest

from streams.merge.events import Amend
from streams.merge.rules import Manual
from streams.merge.turns import DECISION
from tests.unit.merge.scenes import Scene, in_step, row, rules, sent


def _edited() -> tuple[Scene, int]:
    scene = in_step(rules())
    scene.change("crm", row(phone="2"))
    scene.echo("erp", row(phone="2"))
    return scene, scene.golden.provenance["phone"].version


def test_an_edit_is_undone_everywhere() -> None:
    scene, version = _edited()
    outcome = scene.amend(Amend("phone", version, "1"))
    assert (outcome.verdicts, scene.golden.values["phone"]) == ([], "1")
    assert scene.golden.provenance["phone"].system == DECISION
    assert [(c.system, c.units[0].base, c.units[0].set) for c in outcome.commands] == [
        ("crm", {"phone": "2"}, {"phone": "1"}),
        ("erp", {"phone": "2"}, {"phone": "1"}),
    ]


def test_what_was_edited_since_is_put_on_record_and_left_alone() -> None:
    scene, version = _edited()
    scene.change("erp", row(phone="3"))
    (verdict,) = scene.amend(Amend("phone", version, "1")).verdicts
    assert (verdict.kind, verdict.rule, verdict.winner, verdict.incoming.value) == ("value", "undo", "current", "1")
    assert verdict.detail == f"edited since: version {version} was named, {version + 1} holds"
    assert scene.golden.values["phone"] == "3"


def test_a_value_that_holds_already_needs_nothing() -> None:
    scene, _ = _edited()
    outcome = scene.amend(Amend("phone", 1, "2"))
    assert (outcome.verdicts, outcome.commands, outcome.golden) == ([], [], False)


def test_an_amendment_twice_is_an_amendment_once() -> None:
    scene, version = _edited()
    scene.amend(Amend("phone", version, "1"))
    data = scene.data
    assert scene.amend(Amend("phone", version, "1")).verdicts == []
    assert scene.data == data


def test_fields_are_amended_one_by_one() -> None:
    scene, version = _edited()
    name = scene.golden.provenance["name"].version
    outcome = scene.amend(Amend("phone", version, "1"), Amend("name", name + 7, "Eva"), kind="replay")
    assert [(v.field, v.rule) for v in outcome.verdicts] == [("name", "replay")]
    assert scene.golden.values == row(phone="1")


def test_an_unknown_field_refuses_the_whole_amendment() -> None:
    scene, version = _edited()
    data = scene.data
    outcome = scene.amend(Amend("phone", version, "1"), Amend("fax", 1, "1"))
    assert (outcome.refusal, scene.data) == ("contact has no field fax: nothing was amended", data)


def test_an_open_item_stays_open() -> None:
    scene = in_step(rules(Manual()))
    scene.change("crm", row(phone="2"))
    scene.change("erp", row(phone="3"))
    scene.echo("erp", row(phone="3"))
    outcome = scene.amend(Amend("phone", scene.golden.provenance["phone"].version, "1"))
    assert [c.system for c in outcome.commands] == ["crm"]
    assert [item.candidate for item in scene.state.systems["erp"].dissent.values()] == ["3"]


def test_a_create_is_undone() -> None:
    scene = in_step(rules())
    outcome = scene.amend(Amend("$", scene.state.version, None))
    assert (scene.golden.deleted, [(c.system, c.op) for c in outcome.commands]) == (True, [("crm", "d"), ("erp", "d")])


def test_a_create_is_not_undone_over_later_edits() -> None:
    scene = in_step(rules())
    version = scene.state.version
    scene.change("crm", row(phone="2"))
    (verdict,) = scene.amend(Amend("$", version, None)).verdicts
    assert (verdict.kind, verdict.field, verdict.winner, scene.golden.deleted) == ("existence", "$", "current", False)


def test_a_create_is_not_undone_while_edits_are_parked() -> None:
    scene = in_step(rules(Manual()))
    scene.change("crm", row(phone="2"))
    scene.change("erp", row(phone="3"))
    (verdict,) = scene.amend(Amend("$", scene.state.version, None)).verdicts
    assert "other items are parked" in verdict.detail
    assert not scene.golden.deleted


@pytest.mark.parametrize("named", ["greatest", "own"])
def test_a_delete_is_undone(named: str) -> None:
    scene = in_step(rules())
    scene.change("crm", None)
    scene.echo("erp", None)
    version = scene.state.version if named == "greatest" else scene.golden.existence.version
    outcome = scene.amend(Amend("$", version, True))
    assert [(c.system, c.op, c.units[0].set) for c in outcome.commands] == [("crm", "c", row()), ("erp", "c", row())]


def test_a_record_lives_again_with_its_amended_values() -> None:
    scene = in_step(rules())
    scene.change("crm", None)
    scene.echo("erp", None)
    phone, existence = scene.golden.provenance["phone"].version, scene.state.version
    scene.amend(Amend("$", existence, True), Amend("phone", phone, "9"))
    assert sent(scene, "erp").units[0].set == row(phone="9")


def test_versions_are_compared_before_the_amendment_makes_new_ones() -> None:
    scene, version = _edited()
    outcome = scene.amend(Amend("$", scene.state.version, None), Amend("phone", version, "1"))
    assert (outcome.verdicts, scene.golden.deleted, scene.golden.values["phone"]) == ([], True, "1")
