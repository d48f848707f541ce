"""Echoes, and what the merge concludes from the row found and the row left."""

from streams.merge.events import Amend
from streams.merge.rules import Manual
from tests.simulation.lenses import Piece, SimpleLens, plain_lens
from tests.unit.merge.scenes import Scene, in_step, row, rules, sent


def _told(scene: Scene, phone: str = "2") -> Scene:
    scene.change("crm", row(phone=phone))
    return scene


def test_an_echo_is_no_edit() -> None:
    scene = _told(in_step(rules()))
    outcome = scene.echo("erp", row(phone="2"))
    assert (outcome.golden, outcome.commands, outcome.verdicts) == (False, [], [])


def test_what_the_target_made_of_a_value_is_no_edit() -> None:
    scene = _told(in_step(rules()))
    outcome = scene.echo("erp", row(phone="(2)"))
    assert (outcome.golden, outcome.commands, scene.golden.values["phone"]) == (False, [], "2")


def test_a_rejected_unit_is_planned_anew() -> None:
    scene = _told(in_step(rules()))
    scene.change("erp", row(phone="3"), ts_us=1)
    (command,) = scene.echo("erp", row(phone="3")).commands
    assert command.units[0].base == {"phone": "3"}


def test_units_are_judged_one_by_one() -> None:
    scene = in_step(rules())
    scene.change("crm", row("Eva", "2"), ts_us=9000)
    scene.change("erp", row(phone="3"), ts_us=1)
    (command,) = scene.echo("erp", row("Eva", "3")).commands
    assert [unit.base for unit in command.units] == [{"phone": "3"}]


def test_one_command_is_out_at_a_time() -> None:
    scene = _told(in_step(rules()))
    assert scene.change("crm", row(phone="4")).commands == []
    (command,) = scene.echo("erp", row(phone="2")).commands
    assert (command.number, command.units[0].set) == (3, {"phone": "4"})


def test_what_a_trigger_did_to_another_unit_is_an_edit() -> None:
    scene = _told(in_step(rules()))
    outcome = scene.echo("erp", row("Triggered", "2"))
    assert (outcome.golden, scene.golden.values["name"]) == (True, "Triggered")


def test_a_refused_write_is_recorded_and_not_repeated() -> None:
    scene = _told(in_step(rules()))
    outcome = scene.echo("erp", row(), failed="too long")
    (verdict,) = outcome.verdicts
    assert (verdict.kind, verdict.field, verdict.winner, verdict.detail) == ("refused", "phone", "current", "too long")
    assert (outcome.commands, scene.nudge().commands) == ([], [])


def test_a_refused_write_is_tried_again_when_the_row_changed() -> None:
    scene = _told(in_step(rules()))
    scene.echo("erp", row(), failed="too long")
    (command,) = [c for c in scene.change("erp", row(name="Eva")).commands if c.system == "erp"]
    assert command.units[0].set == {"phone": "2"}


def test_a_refused_write_is_tried_again_with_a_newer_value() -> None:
    scene = _told(in_step(rules()))
    scene.echo("erp", row(), failed="too long")
    (command,) = scene.change("crm", row(phone="3")).commands
    assert command.units[0].set == {"phone": "3"}


def test_a_refused_command_of_several_units_is_tried_unit_by_unit() -> None:
    scene = in_step(rules())
    scene.change("crm", row("Eva", "2"))
    first = scene.echo("erp", row(), failed="too long").commands
    second = scene.echo("erp", row(), failed="too long")
    assert [[unit.set for unit in command.units] for command in first] == [[{"name": "Eva"}]]
    assert [(v.field, v.kind) for v in second.verdicts] == [("name", "refused")]
    assert [unit.set for unit in second.commands[0].units] == [{"phone": "2"}]


def test_a_refused_unit_is_tried_without_the_field_that_was_parked_since() -> None:
    scene = _refused_with_a_parked_phone()
    (command,) = [command for command in scene.outcomes[-1].commands if command.system == "erp"]
    assert [unit.set for unit in command.units] == [{"name": "Eva", "phone": "1"}]


def test_a_unit_refused_with_fewer_fields_too_is_not_sent_for_ever() -> None:
    scene = _refused_with_a_parked_phone()
    assert scene.echo("erp", row(), failed="no Eva here").commands == []
    assert scene.nudge().commands == []


def _refused_with_a_parked_phone() -> Scene:
    """erp is told of a name and a phone, one unit; its user writes another phone, and takes that back."""
    both = SimpleLens(plain_lens("name", "phone").pieces, together=frozenset({0, 1}))
    scene = in_step(rules(Manual(), lens=both))
    scene.change("crm", row("Eva", "2"))
    scene.change("erp", row(phone="9"))
    scene.change("erp", row())
    scene.echo("erp", row(), failed="no such phone")
    return scene


def test_a_refused_create_is_recorded_for_the_record() -> None:
    scene = Scene(rules())
    scene.change("crm", row())
    (verdict,) = scene.echo("erp", None, local_id="", failed="no such country").verdicts
    assert (verdict.field, verdict.kind, scene.nudge().commands) == ("$", "refused", [])


def test_a_create_that_leaves_no_row_is_not_repeated_for_ever() -> None:
    scene = Scene(rules())
    scene.change("crm", row())
    outcome = scene.echo("erp", None)
    assert ([v.kind for v in outcome.verdicts], outcome.commands) == (["refused"], [])


def test_a_delete_that_leaves_the_row_is_not_repeated_for_ever() -> None:
    scene = in_step(rules())
    scene.change("crm", None)
    outcome = scene.echo("erp", row())
    assert ([v.kind for v in outcome.verdicts], outcome.commands) == (["refused"], [])


def test_a_row_that_may_not_go_is_told_of_its_fields_when_the_record_lives_again() -> None:
    scene = in_step(rules(existence="delete_wins"))
    scene.change("crm", None)
    scene.change("erp", row(phone="3"))
    scene.echo("erp", row(phone="3"))
    assert scene.echo("erp", row(phone="3"), failed="still referenced").commands == []
    scene.amend(Amend("$", scene.golden.existence.version, True))
    assert sent(scene, "erp").units[0].set == {"phone": "1"}


def test_a_row_that_is_only_marked_as_deleted_is_not_deleted_for_ever() -> None:
    scene = in_step(rules())
    scene.change("crm", None)
    assert scene.echo("erp", row(phone="deleted")).commands == []
    assert scene.nudge().commands == []


def test_a_second_answer_is_a_write_of_ours_and_no_edit() -> None:
    scene = in_step(rules())
    outcome = scene.change("erp", row(phone="4"), command="r/erp/1")
    assert (outcome.golden, [(v.field, v.rule, v.incoming.value) for v in outcome.verdicts]) == (
        False,
        [("phone", "late", "4")],
    )
    assert [unit.set for unit in outcome.commands[0].units] == [{"phone": "1"}]


def test_an_answer_to_somebody_else_s_command_is_an_edit() -> None:
    assert in_step(rules()).change("erp", row(phone="4"), command="r/erp/77").golden


def test_a_field_that_may_not_be_written_is_never_sent() -> None:
    pieces = (Piece("plain", ("name",), ("name",)), Piece("plain", ("phone",), ("phone",)))
    scene = in_step(rules(lens=SimpleLens(pieces, inward=frozenset({"phone"}))))
    assert scene.change("crm", row(phone="2")).commands == []
    assert sent(scene, "erp").units[0].set == row(phone=None)


def test_a_field_that_may_not_be_read_is_never_offered() -> None:
    pieces = (Piece("plain", ("name",), ("name",)), Piece("plain", ("phone",), ("phone",)))
    scene = in_step(rules(lens=SimpleLens(pieces, outward=frozenset({"phone"}))))
    assert not scene.change("erp", row(phone="666")).golden
