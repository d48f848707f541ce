"""Edits of fields: causal, agreeing, conflicting, parked."""

from streams.merge.events import Held
from streams.merge.rules import Manual, Owner, Priority
from tests.unit.merge.scenes import Scene, in_step, row, rules, sent, upper_lens


def test_an_edit_reaches_the_other_system_as_one_unit() -> None:
    scene = in_step(rules())
    (command,) = scene.change("crm", row(phone="2")).commands
    assert (command.system, command.op, command.number) == ("erp", "u", 2)
    assert [(unit.base, unit.set) for unit in command.units] == [({"phone": "1"}, {"phone": "2"})]


def test_edits_of_different_fields_both_survive() -> None:
    scene = in_step(rules())
    scene.change("crm", row(phone="2"))
    outcome = scene.change("erp", row(name="Eva"))
    assert outcome.verdicts == []
    assert scene.golden.values == row(name="Eva", phone="2")


def test_the_later_of_two_edits_wins_and_the_other_is_on_record() -> None:
    scene = in_step(rules())
    scene.change("crm", row(phone="2"), ts_us=5000)
    (verdict,) = scene.change("erp", row(phone="3"), ts_us=4000).verdicts
    assert (verdict.field, verdict.rule, verdict.winner) == ("phone", "newest", "current")
    assert (verdict.current, verdict.incoming) == (Held("crm", "2", 5000), Held("erp", "3", 4000))


def test_the_loser_is_corrected_after_its_answer() -> None:
    scene = in_step(rules())
    scene.change("crm", row(phone="2"), ts_us=5000)
    scene.change("erp", row(phone="3"), ts_us=4000)
    (command,) = scene.echo("erp", row(phone="3")).commands
    assert (command.units[0].base, command.units[0].set) == ({"phone": "3"}, {"phone": "2"})


def test_an_equal_edit_on_both_sides_is_no_conflict() -> None:
    scene = in_step(rules())
    scene.change("crm", row(phone="2"))
    assert scene.change("erp", row(phone="2")).verdicts == []


def test_an_edit_after_the_echo_is_causal_whatever_the_clock_says() -> None:
    scene = in_step(rules())
    scene.change("crm", row(phone="2"), ts_us=5000)
    scene.echo("erp", row(phone="2"))
    assert scene.change("erp", row(phone="3"), ts_us=10).verdicts == []
    assert scene.golden.provenance["phone"].ts_us == 5001


def test_priority_goes_by_rank_and_not_by_time() -> None:
    scene = in_step(rules(Priority(("erp", "crm"))))
    scene.change("crm", row(phone="2"), ts_us=5000)
    (verdict,) = scene.change("erp", row(phone="3"), ts_us=4000).verdicts
    assert (verdict.rule, verdict.winner, scene.golden.values["phone"]) == ("priority", "incoming", "3")


def test_an_owner_s_value_is_put_back() -> None:
    scene = in_step(rules(Owner("crm")))
    outcome = scene.change("erp", row(phone="9"))
    assert [(v.rule, v.winner, v.incoming.value) for v in outcome.verdicts] == [("owner", "current", "9")]
    assert sent(scene, "erp").units[0].set == {"phone": "1"}


def test_the_first_value_stands_until_the_owner_speaks() -> None:
    scene = in_step(rules(Owner("erp")))
    assert scene.golden.values["phone"] == "1"
    scene.change("erp", row(phone="5"))
    assert scene.golden.values["phone"] == "5"


def test_a_manual_conflict_is_parked_and_neither_row_is_touched() -> None:
    scene = in_step(rules(Manual()))
    scene.change("crm", row(phone="2"))
    (verdict,) = scene.change("erp", row(phone="3")).verdicts
    assert verdict.winner == "parked"
    assert scene.echo("erp", row(phone="3")).commands == []


def test_a_parked_value_that_changes_says_so_under_its_number() -> None:
    scene = in_step(rules(Manual()))
    scene.change("crm", row(phone="2"))
    first = scene.change("erp", row(phone="3")).verdicts[0]
    (again,) = scene.change("erp", row(phone="4")).verdicts
    assert (again.number, again.winner, again.incoming.value) == (first.number, "parked", "4")


def test_a_parked_value_dissolves_when_the_hub_comes_to_it() -> None:
    scene = in_step(rules(Manual()))
    scene.change("crm", row(phone="2"))
    first = scene.change("erp", row(phone="3")).verdicts[0]
    (end,) = scene.change("crm", row(phone="3")).verdicts
    assert (end.number, end.rule, end.winner) == (first.number, "agreement", "current")


def test_what_a_lossy_system_shows_is_not_adopted() -> None:
    scene = in_step(rules(lens=upper_lens()))
    scene.change("erp", {"name": "ADA", "phone": "7"})
    assert scene.golden.values == row(name="Ada", phone="7")


def test_a_lossy_row_agrees_with_what_it_shows() -> None:
    scene = Scene(rules(lens=upper_lens()))
    scene.change("crm", row())
    assert scene.change("erp", {"name": "ADA", "phone": "1"}).verdicts == []


def test_an_invalid_value_stops_at_the_border() -> None:
    scene = in_step(rules())
    (verdict,) = scene.change("erp", row(phone="!x")).verdicts
    assert (verdict.kind, verdict.field, verdict.winner) == ("refused", "phone", "current")
    assert "'!x'" in verdict.detail
    assert scene.golden.values["phone"] == "1"


def test_an_invalid_value_is_reported_once() -> None:
    scene = in_step(rules())
    scene.change("erp", row(phone="!x"))
    assert scene.change("erp", row(name="Eva", phone="!x")).verdicts == []


def test_a_blank_loses_to_a_value_found_by_the_other_load() -> None:
    scene = Scene(rules())
    scene.change("crm", row(phone=None), load=True)
    (verdict,) = scene.change("erp", row(), load=True).verdicts
    assert (verdict.winner, scene.golden.values["phone"]) == ("incoming", "1")
