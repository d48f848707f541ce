"""Retries whose first answer comes after all, and tombstones that are forgotten."""

import pytest

from streams.merge.rules import Manual
from tests.unit.merge.scenes import Scene, in_step, row, rules


def _retried(**more: object) -> Scene:
    """The answer to erp's command 2 is lost; command 3 was sent in its place."""
    scene = in_step(rules(**more))  # type: ignore[arg-type]
    scene.change("crm", row(phone="2"))
    (command,) = scene.nudge(reason="retry").commands
    assert (command.system, command.number, command.units[0].set) == ("erp", 3, {"phone": "2"})
    return scene


def test_a_retry_of_one_system_leaves_the_others_alone() -> None:
    scene = in_step(rules(systems=("crm", "erp", "shop")))
    scene.change("crm", row(phone="2"))
    assert [command.system for command in scene.nudge(reason="retry", system="shop").commands] == ["shop"]


def test_a_retry_sends_anew_what_was_refused() -> None:
    scene = in_step(rules())
    scene.change("crm", row(phone="2"))
    scene.echo("erp", row(), failed="too long")
    assert scene.nudge().commands == []
    assert [command.units[0].set for command in scene.nudge(reason="retry").commands] == [{"phone": "2"}]


def test_a_retry_where_nothing_is_wanted_sends_nothing() -> None:
    assert in_step(rules()).nudge(reason="retry").commands == []


def test_the_lost_answer_is_still_an_answer() -> None:
    scene = _retried()
    outcome = scene.change("erp", row(phone="2"), command="r/erp/2")
    assert (outcome.golden, outcome.verdicts, outcome.commands) == (False, [], [])
    assert scene.state.systems["erp"].behind == {}
    assert scene.echo("erp", row(phone="2")).commands == []


def test_the_lost_answer_writes_over_nothing_newer() -> None:
    """The hub moved on since: the late write of the older value is behind, and is corrected, and is no edit."""
    scene = _retried()
    scene.change("crm", row(phone="5"), ts_us=2000)
    outcome = scene.change("erp", row(phone="2"), command="r/erp/2", ts_us=9000)
    assert (outcome.golden, outcome.verdicts, scene.golden.values["phone"]) == (False, [], "5")
    (command,) = scene.echo("erp", row(phone="2")).commands
    assert (command.units[0].base, command.units[0].set) == ({"phone": "2"}, {"phone": "5"})


def test_an_edit_made_on_the_lost_write_is_made_in_sight_of_it() -> None:
    scene = _retried()
    scene.change("erp", row(phone="2"), command="r/erp/2")
    outcome = scene.change("erp", row(phone="6"))
    assert (outcome.verdicts, scene.golden.values["phone"]) == ([], "6")


def test_what_triggers_did_beside_the_lost_write_is_an_edit() -> None:
    scene = _retried()
    scene.change("erp", row("Triggered", "2"), command="r/erp/2")
    assert scene.golden.values == row("Triggered", "2")


def test_a_lost_create_that_was_carried_out_is_no_second_row() -> None:
    scene = Scene(rules())
    scene.change("crm", row())
    scene.nudge(reason="retry")
    outcome = scene.change("erp", row(), local_id="[7]", command="r/erp/1")
    assert (outcome.golden, outcome.verdicts) == (False, [])
    outcome = scene.echo("erp", None, local_id="", failed="there is such a row")
    assert (outcome.commands, outcome.verdicts, scene.state.systems["erp"].local_id) == ([], [], "[7]")


def test_a_create_that_was_given_up_leaves_open_whether_there_is_a_row() -> None:
    """erp had a row all the time, not read yet: it never saw the record deleted, and does not bring it back unsaid."""
    scene = Scene(rules())
    scene.change("crm", row())
    scene.change("crm", None)
    scene.nudge(reason="retry")
    outcome = scene.change("erp", row(phone="9"))
    assert [(v.field, v.winner) for v in outcome.verdicts] == [("$", "incoming")]


@pytest.mark.parametrize("late", [2, 3])
def test_only_the_last_few_lost_commands_are_kept_in_mind(late: int) -> None:
    """An older one is known for ours by its number alone: no edit; what the row shows now is put on record."""
    scene = _retried()
    for _ in range(8):
        scene.nudge(reason="retry")
    scene.change("crm", row(phone="5"), ts_us=2000)
    outcome = scene.change("erp", row(phone="2"), command=f"r/erp/{late}", ts_us=9000)
    assert (outcome.golden, scene.golden.values["phone"]) == (False, "5")
    assert [v.rule for v in outcome.verdicts] == (["late"] if late == 2 else [])
    assert scene.echo("erp", row(phone="2")).commands[0].units[0].set == {"phone": "5"}


def test_a_late_delete_of_ours_is_not_a_user_s() -> None:
    scene = in_step(rules())
    outcome = scene.change("erp", None, command="r/erp/1")
    assert (scene.golden.deleted, [command.op for command in outcome.commands]) == (False, ["c"])


def test_a_late_create_of_ours_revives_nothing() -> None:
    scene = in_step(rules())
    scene.change("crm", None)
    scene.echo("erp", None)
    outcome = scene.change("erp", row(), command="r/erp/1", local_id="[2]")
    assert (scene.golden.deleted, [(c.op, c.local_id) for c in outcome.commands]) == (True, [("d", "[2]")])


def test_a_late_write_over_a_parked_value_leaves_the_item_to_a_person() -> None:
    scene = in_step(rules(Manual()))
    scene.change("crm", row(phone="2"))
    scene.change("erp", row(phone="3"))
    scene.echo("erp", row(phone="3"))
    scene.change("erp", row(phone="1"), command="r/erp/1")
    assert [item.candidate for item in scene.state.loose.values()] == ["3"]


def test_looks_that_waited_for_the_lost_answer_are_merged() -> None:
    scene = Scene(rules())
    scene.change("crm", row())
    scene.answer("erp", (1, None), (2, row()))
    scene.change("crm", row(phone="2"))
    scene.look("erp", row(name="Eva"), 4)
    scene.nudge(reason="retry")
    assert (scene.golden.values["name"], scene.state.systems["erp"].late) == ("Eva", [])
    data = scene.data
    assert scene.answer("erp", (3, row()), (3, row(phone="2")), number=2).repeated
    assert scene.data == data


def _dead(**more: object) -> Scene:
    scene = in_step(rules(horizon_us=1000, **more))  # type: ignore[arg-type]
    scene.change("crm", None, ts_us=5000)
    return scene


def test_an_old_tombstone_is_forgotten() -> None:
    scene = _dead()
    scene.echo("erp", None)
    assert not scene.nudge(reason="forget", at_us=6000).forget
    assert scene.nudge(reason="forget", at_us=6001).forget


def test_nothing_is_forgotten_while_a_command_is_out_or_a_row_is_left() -> None:
    scene = _dead()
    assert not scene.nudge(reason="forget", at_us=99_999).forget
    scene.echo("erp", row(), failed="not allowed")
    assert not scene.nudge(reason="forget", at_us=99_999).forget


def test_a_row_that_a_system_keeps_keeps_the_tombstone() -> None:
    assert not _dead(deletes={"erp": "ignore"}).nudge(reason="forget", at_us=99_999).forget


def test_nothing_is_forgotten_for_ever_without_a_horizon() -> None:
    scene = _dead()
    scene.echo("erp", None)
    scene.rules = rules()
    assert not scene.nudge(reason="forget", at_us=99_999).forget


def test_the_living_are_not_forgotten() -> None:
    assert not in_step(rules(horizon_us=1)).nudge(reason="forget", at_us=99_999).forget
