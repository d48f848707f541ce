"""Rows that come and go, and the record with them."""

import pytest

from streams.merge.rules import Manual, Priority
from streams.merge.states import NOT_SHOWN
from tests.unit.merge.scenes import Scene, in_step, row, rules, sent


def test_a_first_row_is_created_everywhere() -> None:
    scene = Scene(rules(systems=("crm", "erp", "shop")))
    commands = scene.change("crm", row()).commands
    assert [(c.system, c.op, c.local_id, c.units[0].base) for c in commands] == [
        ("erp", "c", None, None),
        ("shop", "c", None, None),
    ]


def test_equal_rows_link_silently() -> None:
    scene = Scene(rules())
    scene.change("crm", row(), load=True)
    outcome = scene.change("erp", row(), load=True)
    assert (outcome.commands, outcome.verdicts) == ([], [])


def test_a_seen_delete_is_carried_out_with_the_whole_row_as_base() -> None:
    scene = in_step(rules())
    (command,) = scene.change("crm", None).commands
    assert (command.op, command.units[0].base, command.units[0].set) == ("d", row(), None)
    assert scene.golden.deleted


def test_a_system_may_keep_its_row() -> None:
    scene = in_step(rules(deletes={"erp": "ignore"}))
    assert scene.change("crm", None).commands == []


@pytest.mark.parametrize(
    ("policy", "winner", "deleted"),
    [("update_wins", "current", False), ("delete_wins", "incoming", True), ("manual", "parked", False)],
)
def test_a_delete_against_an_unseen_edit(policy: str, winner: str, deleted: bool) -> None:
    scene = in_step(rules(existence=policy))
    scene.change("crm", row(phone="2"))
    (verdict,) = scene.change("erp", None).verdicts
    assert (verdict.field, verdict.kind, verdict.rule, verdict.winner) == ("$", "existence", policy, winner)
    assert verdict.current.value == (("phone", "2"),)
    assert scene.golden.deleted is deleted


def test_update_wins_creates_the_row_again() -> None:
    scene = in_step(rules())
    scene.change("crm", row(phone="2"))
    scene.change("erp", None)
    scene.echo("erp", None)
    assert (sent(scene, "erp").op, sent(scene, "erp").units[0].set) == ("c", row(phone="2"))


@pytest.mark.parametrize(
    ("policy", "winner", "deleted"),
    [("update_wins", "incoming", False), ("delete_wins", "current", True), ("manual", "parked", True)],
)
def test_an_edit_against_an_unseen_delete(policy: str, winner: str, deleted: bool) -> None:
    scene = in_step(rules(existence=policy))
    scene.change("crm", None)
    (verdict,) = scene.change("erp", row(phone="2")).verdicts
    assert (verdict.field, verdict.winner, verdict.incoming.value) == ("$", winner, (("phone", "2"),))
    assert scene.golden.deleted is deleted


def test_an_edit_that_revives_is_what_the_record_lives_with() -> None:
    scene = in_step(rules())
    scene.change("crm", None, ts_us=9000)
    scene.change("erp", row(phone="2"), ts_us=10)
    assert scene.golden.values == row(phone="2")


def test_a_record_written_anew_needs_no_verdict() -> None:
    scene = in_step(rules(existence="manual"))
    scene.change("crm", None)
    scene.echo("erp", None)
    outcome = scene.change("erp", row(name="Eva"), local_id="[2]")
    assert (outcome.verdicts, scene.golden.deleted) == ([], False)


def test_a_withdrawn_delete_ends_its_item() -> None:
    scene = in_step(rules(existence="manual"))
    scene.change("crm", row(phone="2"))
    parked = scene.change("erp", None).verdicts[0]
    verdicts = scene.change("erp", row()).verdicts
    assert (verdicts[0].number, verdicts[0].rule) == (parked.number, "withdrawn")


def test_a_late_first_row_is_no_revival() -> None:
    scene = Scene(rules(existence="delete_wins"))
    scene.change("crm", row())
    scene.change("crm", None)
    (verdict,) = scene.change("erp", row(name="Eva")).verdicts
    assert (verdict.field, verdict.winner, scene.golden.deleted) == ("$", "current", True)


def test_an_edited_row_shows_nothing_of_the_values_under_the_tombstone() -> None:
    scene = in_step(rules(existence="delete_wins"))
    scene.change("crm", None)
    scene.change("erp", row(phone="2"))
    assert scene.state.systems["erp"].behind["phone"] == NOT_SHOWN


def test_two_deletes_meet() -> None:
    scene = in_step(rules(existence="manual"))
    scene.change("crm", None)
    outcome = scene.change("erp", None)
    assert (outcome.verdicts, scene.golden.deleted) == ([], True)


def test_a_system_being_loaded_is_told_nothing_until_nudged() -> None:
    scene = Scene(rules(loading=frozenset({"erp"})))
    assert scene.change("crm", row(), load=True).commands == []
    scene.rules = rules()
    assert [command.op for command in scene.nudge().commands] == ["c"]


def _half_overwritten() -> Scene:
    """erp renamed a deleted record and turned its phone back, over which our late write landed."""
    scene = in_step(rules(Manual(), existence="manual"))
    scene.change("crm", row(phone="2"))
    scene.change("crm", None)
    scene.change("erp", row("Eva", "3"))
    scene.change("erp", row("Eva", "1"))
    scene.echo("erp", row("Eva", "2"))
    return scene


def test_edits_of_a_deleted_record_are_held_while_the_row_shows_one_of_them() -> None:
    scene = _half_overwritten()
    assert scene.state.systems["erp"].dissent["$"].edits == row("Eva", "1")
    assert (scene.state.loose, scene.nudge().commands) == ({}, [])


def test_edits_that_the_row_shows_no_more_are_loose() -> None:
    scene = in_step(rules(existence="manual"))
    scene.change("crm", row(phone="2"))
    scene.change("crm", None)
    scene.change("erp", row(phone="3"))
    scene.change("erp", row(phone="1"))
    scene.echo("erp", row(phone="2"))
    assert [item.edits for item in scene.state.loose.values()] == [{"phone": "1"}]
    assert sent(scene, "erp").op == "d"


def test_of_edits_offered_again_our_writes_go_over_those_alone_that_the_row_shows_no_more() -> None:
    scene = _half_overwritten()
    (command,) = scene.change("crm", row("Ida", "9")).commands
    assert (command.system, [unit.set for unit in command.units]) == ("erp", [{"phone": "9"}])
    assert scene.state.systems["erp"].dissent["name"].candidate == "Eva"
    assert [item.candidate for item in scene.state.loose.values()] == ["1"]


def test_an_edit_that_wins_again_is_written_to_the_row_that_lost_it() -> None:
    scene = _half_overwritten()
    scene.rules = rules(Priority(("erp", "crm")), existence="manual")
    outcome = scene.change("crm", row("Ida", "9"))
    assert scene.golden.values == row("Eva", "1")
    assert [(c.system, c.units[0].set) for c in outcome.commands if c.system == "erp"] == [("erp", {"phone": "1"})]


def test_a_delete_that_has_not_seen_what_another_parked_is_parked_itself() -> None:
    scene = in_step(rules(Manual(), existence="manual"))
    scene.change("crm", row(phone="2"))
    scene.change("erp", row(phone="3"))
    (verdict,) = scene.change("crm", None).verdicts
    assert (verdict.field, verdict.winner, verdict.detail) == ("$", "parked", "not seen by the deleter: phone")
    assert not scene.golden.deleted


def test_a_row_that_was_in_the_way_of_a_create_and_is_read_late_is_no_revival() -> None:
    scene = Scene(rules(existence="delete_wins"))
    scene.change("crm", row())
    scene.echo("erp", None, local_id="", failed="there is such a row already")
    scene.change("crm", None)
    outcome = scene.change("erp", row(phone="9"), local_id="[7]")
    assert scene.golden.deleted
    assert [(verdict.field, verdict.rule) for verdict in outcome.verdicts] == [("$", "delete_wins")]
    assert [command.op for command in outcome.commands] == ["d"]
