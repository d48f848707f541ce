"""Positions and local rows: repeats, key changes, second rows."""

from typing import Any

from streams.merge.rules import Guard
from tests.simulation.lenses import Piece, SimpleLens
from tests.unit.merge.scenes import Scene, in_step, row, rules, sent


def test_a_repeat_changes_nothing() -> None:
    scene = in_step(rules())
    scene.change("crm", row(phone="2"))
    data = scene.data
    outcome = scene.change("crm", row(phone="7"), position=(1, scene.position))
    assert (outcome.repeated, outcome.commands, scene.data) == (True, [], data)


def test_a_new_incarnation_starts_its_numbers_again() -> None:
    scene = in_step(rules())
    assert not scene.change("crm", row(phone="2"), position=(2, 1)).repeated
    assert scene.golden.values["phone"] == "2"


def test_a_change_of_an_unknown_system_is_ignored() -> None:
    scene = in_step(rules())
    assert scene.change("gone", row(phone="2")).repeated


def test_a_key_change_moves_the_record_to_the_new_row() -> None:
    scene = in_step(rules())
    scene.change("erp", row(), local_id="[2]", before_id="[1]")
    scene.change("crm", row(phone="2"))
    assert sent(scene, "erp").local_id == "[2]"


def test_entries_of_the_old_key_stay_dropped() -> None:
    scene = in_step(rules())
    before = scene.position
    scene.change("erp", row(), local_id="[2]", before_id="[1]")
    assert scene.change("erp", row(phone="9"), local_id="[1]", position=(1, before)).repeated


def test_an_answer_from_the_old_key_does_nothing_to_the_row() -> None:
    scene = in_step(rules())
    scene.change("crm", row(phone="2"))
    scene.change("erp", row(), local_id="[2]", before_id="[1]")
    (command,) = scene.echo("erp", None, local_id="[1]").commands
    assert (command.local_id, command.op, scene.golden.deleted) == ("[2]", "u", False)


def test_a_row_created_anew_takes_the_place_of_the_one_deleted() -> None:
    scene = in_step(rules())
    scene.change("crm", None)
    scene.echo("erp", None)
    scene.change("crm", row(name="Eva"), local_id="[2]")
    assert scene.state.systems["crm"].local_id == "[2]"
    assert scene.change("crm", None, local_id="[1]", position=(1, 2)).repeated


def test_a_second_row_is_recorded_and_not_merged() -> None:
    scene = in_step(rules())
    (verdict,) = scene.change("erp", row(name="Eva"), local_id="[2]").verdicts
    assert (verdict.kind, verdict.field, verdict.winner) == ("existence", "$", "current")
    assert "[2]" in verdict.detail
    assert scene.golden.values == row()


def test_a_second_row_is_recorded_once() -> None:
    scene = in_step(rules())
    scene.change("erp", row(name="Eva"), local_id="[2]")
    outcome = scene.change("erp", row(name="Eva"), local_id="[2]", position=(1, scene.position))
    assert (outcome.repeated, outcome.verdicts) == (True, [])


def test_a_second_row_s_delete_does_not_touch_the_record() -> None:
    scene = in_step(rules())
    assert scene.change("erp", None, local_id="[2]").repeated
    assert not scene.golden.deleted


def test_the_local_id_of_a_created_row_comes_with_its_echo() -> None:
    scene = Scene(rules())
    scene.change("crm", row())
    scene.echo("erp", row(), local_id="[77]")
    scene.change("crm", row(phone="2"))
    assert sent(scene, "erp").local_id == "[77]"


def test_other_rows_are_remembered_within_a_limit() -> None:
    scene = in_step(rules())
    for other in range(2, 80):
        scene.change("erp", None, local_id=f"[{other}]")
    assert len(scene.state.systems["erp"].others) == 64


def _told_only(**more: Any) -> Scene:
    """erp is told of the phone, and never asked."""
    pieces = tuple(Piece("plain", (name,), (name,)) for name in ("name", "phone"))
    return in_step(rules(lens=SimpleLens(pieces, outward=frozenset({"phone"})), **more))


def test_what_is_only_written_to_a_system_is_set_right_when_written_over() -> None:
    scene = _told_only()
    outcome = scene.change("erp", row("Eva", None))
    assert (scene.golden.values, outcome.verdicts) == (row("Eva", "1"), [])
    assert [(c.system, c.units[0].set) for c in outcome.commands] == [("crm", {"name": "Eva"}), ("erp", {"phone": "1"})]


def test_what_nobody_has_given_yet_is_not_cleared_where_it_is_only_written() -> None:
    scene = _told_only()
    scene.data = None
    scene.change("erp", row(phone="7"))
    assert [c.system for c in scene.change("erp", row(phone="8")).commands] == []


def test_a_system_that_insists_on_what_is_only_written_to_it_is_left_alone_at_last() -> None:
    scene, outcomes = _told_only(guard=Guard(flips=2, window_us=10_000)), []
    for _ in range(3):
        outcomes.append(scene.change("erp", row(phone="9")))
        if outcomes[-1].commands:
            scene.echo("erp", row())
    (verdict,) = outcomes[-1].verdicts
    assert (verdict.kind, verdict.rule, verdict.incoming.value) == ("refused", "oscillation", ("9",))
    assert [len(outcome.commands) for outcome in outcomes] == [1, 1, 0]
