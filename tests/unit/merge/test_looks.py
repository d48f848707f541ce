"""Systems without a log: looks, results, and looks that come while a command is out."""

from typing import Any

from streams.merge.rules import Sum
from tests.unit.merge.scenes import Scene, row, rules, sent


def _in_step(**more: Any) -> Scene:
    """crm keeps a log, erp is only looked at; erp's row was created by us, and left at order 2."""
    scene = Scene(rules(**more))
    scene.change("crm", row())
    scene.answer("erp", (1, None), (2, row()))
    return scene


def _told(**more: Any) -> Scene:
    scene = _in_step(**more)
    scene.change("crm", row(phone="2"))
    return scene


def test_a_result_is_an_answer_and_no_edit() -> None:
    scene = _in_step()
    outcome = scene.outcomes[-1]
    assert (outcome.golden, outcome.commands, outcome.verdicts) == (False, [], [])
    assert (scene.state.systems["erp"].local_id, scene.state.systems["erp"].position) == ("[1]", (0, 2))


def test_a_look_that_shows_something_else_is_an_edit() -> None:
    scene = _in_step()
    assert scene.look("erp", row(phone="5"), 3).golden
    assert sent(scene, "crm").units[0].set == {"phone": "5"}


def test_an_older_look_is_dropped() -> None:
    scene = _in_step()
    data = scene.data
    assert (scene.look("erp", row(phone="5"), 2).repeated, scene.data) == (True, data)


def test_a_look_of_a_deleted_row_is_a_delete() -> None:
    scene = _in_step()
    scene.look("erp", None, 3)
    assert scene.golden.deleted


def test_looks_are_held_while_a_command_is_out() -> None:
    scene = _told()
    outcome = scene.look("erp", row(name="Eva"), 4)
    assert (outcome.golden, outcome.repeated, len(scene.state.systems["erp"].late)) == (False, False, 1)


def test_a_row_that_was_made_anew_while_a_command_was_out_takes_the_record_over() -> None:
    scene = _told()
    scene.look("erp", None, 3)
    assert not scene.look("erp", row(phone="7"), 3, local_id="[2]").repeated
    outcome = scene.answer("erp", (3, None), (3, None))
    assert (scene.state.systems["erp"].local_id, scene.golden.values["phone"]) == ("[2]", "7")
    assert not any(verdict.kind == "existence" and verdict.winner == "parked" for verdict in outcome.verdicts)
    assert scene.look("erp", None, 4, local_id="[2]").golden


def test_held_looks_of_another_row_are_merged_as_they_came() -> None:
    scene = _told()
    scene.look("erp", None, 9)
    scene.look("erp", row(phone="6"), 5, local_id="[2]")
    scene.look("erp", row(phone="7"), 6, local_id="[2]")
    held = [(look.local_id, look.order) for look in scene.state.systems["erp"].late]
    assert held == [("[1]", 9), ("[2]", 5), ("[2]", 6)]
    scene.answer("erp", (9, None), (9, None))
    assert scene.golden.values["phone"] == "7"


def test_a_look_held_twice_is_held_once() -> None:
    scene = _told()
    scene.look("erp", row(name="Eva"), 4)
    data = scene.data
    assert (scene.look("erp", row(name="Eva"), 4).repeated, scene.data) == (True, data)


def test_what_was_seen_before_the_write_was_typed_before_it() -> None:
    """The user's edit of the phone is in the row found: it conflicts with ours, which they had not seen."""
    scene = _told()
    scene.look("erp", row(phone="7"), 3)
    (verdict,) = scene.answer("erp", (4, row(phone="7")), (5, row(phone="7"))).verdicts
    assert (verdict.field, verdict.current.value, verdict.incoming.value) == ("phone", "2", "7")


def test_what_was_seen_after_the_write_was_typed_in_sight_of_it() -> None:
    scene = _told()
    scene.look("erp", row(phone="8"), 6)
    outcome = scene.answer("erp", (4, row()), (5, row(phone="2")))
    assert (outcome.verdicts, scene.golden.values["phone"]) == ([], "8")


def test_what_was_seen_between_the_two_rows_is_our_write() -> None:
    scene = _told()
    scene.look("erp", row(phone="2"), 5)
    outcome = scene.answer("erp", (4, row()), (5, row(phone="2")))
    assert (outcome.golden, outcome.verdicts, scene.state.systems["erp"].late) == (False, [], [])


def test_an_edit_seen_between_the_two_rows_is_merged_though_it_was_turned_back() -> None:
    """The command was tried twice; its answer says of the name nothing but what it was at first, and is again."""
    scene = _told()
    scene.look("erp", row("Eva", "2"), 5)
    scene.change("crm", row("Ida", "2"), ts_us=1500)
    outcome = scene.answer("erp", (4, row()), (7, row("Ada", "2")))
    incoming = [(v.field, v.current.value, v.incoming.value) for v in outcome.verdicts]
    assert incoming == [("name", "Ida", "Eva"), ("name", "Ida", "Ada")]
    assert scene.golden.values == row("Ada", "2")


def test_what_the_application_made_of_our_write_is_no_edit_between_the_two_rows_either() -> None:
    scene = _told()
    scene.look("erp", row(phone="(2)"), 5)
    outcome = scene.answer("erp", (4, row()), (7, row(phone="(2)")))
    assert (outcome.golden, outcome.verdicts, outcome.commands) == (False, [], [])
    assert scene.golden.values["phone"] == "2"


def test_a_row_that_was_gone_between_the_two_rows_is_told_by_the_answer() -> None:
    scene = _in_step()
    scene.change("crm", None)
    scene.look("erp", None, 5)
    outcome = scene.answer("erp", (4, row()), (7, None))
    assert (outcome.verdicts, outcome.commands, scene.golden.deleted) == ([], [], True)


def test_looks_that_come_in_another_order_are_merged_in_theirs() -> None:
    scene = _told(policy=Sum())
    for order, name in ((8, "third"), (6, "first"), (7, "second")):
        scene.look("erp", row(name, "2"), order)
    scene.answer("erp", (4, row()), (5, row(phone="2")))
    assert scene.golden.values["name"] == "third"
    assert scene.state.systems["erp"].position == (0, 8)


def test_the_row_found_may_show_an_edit_that_nobody_looked_at() -> None:
    scene = _told()
    outcome = scene.answer("erp", (4, row("Eva")), (5, row("Eva", "2")))
    assert (outcome.verdicts, scene.golden.values) == ([], row("Eva", "2"))


def test_what_the_application_made_of_our_write_is_no_edit() -> None:
    scene = _told()
    scene.look("erp", row(phone="(2)"), 6)
    outcome = scene.answer("erp", (4, row()), (5, row(phone="(2)")))
    assert (outcome.golden, outcome.commands, scene.golden.values["phone"]) == (False, [], "2")


def test_a_row_that_our_command_left_alone_is_planned_anew() -> None:
    scene = _in_step()
    scene.change("crm", row(phone="2"), ts_us=9000)
    (command,) = scene.answer("erp", (4, row(phone="3")), (4, row(phone="3"))).commands
    assert (command.units[0].base, command.units[0].set) == ({"phone": "3"}, {"phone": "2"})


def test_an_answer_at_the_order_of_the_last_look_counts() -> None:
    scene = _told()
    outcome = scene.answer("erp", (2, row()), (2, row()), failed="not today")
    assert [(v.kind, v.detail) for v in outcome.verdicts] == [("refused", "not today")]
    assert scene.state.systems["erp"].out is None


def test_a_result_that_comes_twice_is_dropped_the_second_time() -> None:
    scene = _told()
    number = sent(scene, "erp").number
    scene.answer("erp", (4, row()), (5, row(phone="2")))
    data = scene.data
    outcome = scene.answer("erp", (4, row()), (5, row(phone="2")), number=number)
    assert (outcome.repeated, scene.data) == (True, data)


def test_a_refused_create_is_recorded() -> None:
    scene = Scene(rules())
    scene.change("crm", row())
    (verdict,) = scene.answer("erp", (1, None), (1, None), failed="no such country", local_id=None).verdicts
    assert (verdict.field, verdict.kind, scene.nudge().commands) == ("$", "refused", [])


def test_a_delete_is_answered_by_a_row_that_is_gone() -> None:
    scene = _in_step()
    scene.change("crm", None)
    outcome = scene.answer("erp", (4, row()), (5, None))
    assert (outcome.verdicts, outcome.commands, scene.state.systems["erp"].image) == ([], [], None)


def test_a_row_deleted_before_our_write_is_a_delete_against_our_edit() -> None:
    scene = _told()
    (verdict,) = scene.answer("erp", (4, None), (4, None)).verdicts
    assert (verdict.field, verdict.winner, sent(scene, "erp").op) == ("$", "current", "c")


def test_a_create_that_met_its_twin_joins_it() -> None:
    scene = Scene(rules())
    scene.change("crm", row())
    scene.look("erp", row(phone="9"), 1, local_id="[9]")
    outcome = scene.answer("erp", (2, row(phone="9")), (2, row(phone="9")), local_id="[9]", failed="exists")
    assert [(v.field, v.winner) for v in outcome.verdicts] == [("phone", "current")]
    (command,) = outcome.commands
    assert (command.op, command.local_id, command.units[0].set) == ("u", "[9]", {"phone": "1"})


def test_no_more_looks_are_held_than_the_limit() -> None:
    scene = _told()
    for order in range(10, 90):
        scene.look("erp", row(name=f"{order}"), order)
    assert [look.order for look in scene.state.systems["erp"].late] == list(range(26, 90))
    scene.answer("erp", (4, row()), (5, row(phone="2")))
    assert scene.golden.values["name"] == "89"


def test_looks_of_an_unknown_system_are_nobody_s() -> None:
    assert _in_step().look("gone", row(phone="2"), 9).repeated


# --- a second row, made beside ours


def _beside(**more: Any) -> Scene:
    """A user made row [9] while our create was on its way, or when ours had gone: nobody has said that yet."""
    scene = Scene(rules(**more))
    scene.change("crm", row())
    scene.look("erp", row(phone="9"), 4, local_id="[9]")
    scene.answer("erp", (1, None), (2, row()))
    return scene


def test_a_second_row_is_on_record_and_not_merged() -> None:
    scene = _beside()
    assert [verdict.detail for verdict in scene.outcomes[-1].verdicts] == [
        "row [9] of erp claims the record of row [1]: it was not merged"
    ]
    assert (scene.golden.values, scene.state.systems["erp"].local_id) == (row(), "[1]")


def test_a_second_row_is_the_record_s_when_ours_is_seen_gone() -> None:
    scene = _beside()
    scene.look("erp", None, 5)
    assert (scene.golden.deleted, scene.golden.values["phone"]) == (False, "9")
    assert (sent(scene, "crm").op, sent(scene, "crm").units[0].set) == ("u", {"phone": "9"})
    assert (scene.state.systems["erp"].local_id, scene.state.systems["erp"].late) == ("[9]", [])


def test_a_second_row_is_the_record_s_when_a_command_finds_ours_gone() -> None:
    scene = _beside()
    scene.change("crm", row("Eva"), ts_us=9000)
    scene.answer("erp", (5, None), (5, None))
    command = sent(scene, "erp")
    assert (command.op, command.local_id, command.units[0].set) == ("u", "[9]", {"name": "Eva"})
    assert scene.golden.values == row("Eva", "9")


def test_of_a_second_row_what_was_seen_last_counts() -> None:
    scene = _beside()
    scene.look("erp", row(phone="8"), 6, local_id="[9]")
    scene.look("erp", None, 7)
    assert scene.golden.values["phone"] == "8"


def test_a_second_row_that_went_takes_nobody_s_place() -> None:
    scene = _beside()
    scene.look("erp", None, 6, local_id="[9]")
    scene.look("erp", None, 7)
    assert scene.golden.deleted


def test_of_two_second_rows_the_other_waits_on() -> None:
    scene = _beside()
    scene.look("erp", row(phone="7"), 6, local_id="[8]")
    scene.look("erp", None, 7)
    assert (scene.golden.values["phone"], len(scene.state.systems["erp"].late)) == ("9", 1)
    scene.look("erp", None, 8, local_id="[9]")
    assert (scene.golden.values["phone"], scene.state.systems["erp"].local_id) == ("7", "[8]")


def test_a_second_row_does_not_bring_back_a_record_that_was_ended_elsewhere() -> None:
    scene = _beside()
    scene.change("crm", None)
    outcome = scene.answer("erp", (5, row()), (6, None))
    assert (scene.golden.deleted, outcome.commands, scene.state.systems["erp"].late) == (True, [], [])


def test_a_second_row_waits_through_commands_and_repeats() -> None:
    scene = _beside()
    scene.change("crm", row("Eva"))
    scene.answer("erp", (5, row()), (6, row("Eva")))
    data = scene.data
    scene.look("erp", row(phone="9"), 4, local_id="[9]")
    assert (scene.data, [look.local_id for look in scene.state.systems["erp"].late]) == (data, ["[9]"])
    scene.look("erp", None, 7)
    assert scene.golden.values["phone"] == "9"
