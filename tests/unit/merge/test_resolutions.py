"""Parked items that a policy decides after all: past their deadline, or under new rules."""

import pytest

from streams.merge.events import Verdict
from streams.merge.rules import Function, Manual, Newest, Owner, Policy, Priority, Sum
from tests.unit.merge.scenes import Scene, in_step, row, rules

DAY_US = 1_000_000


def _due(then: Policy, base: object = "1", **more: object) -> tuple[Scene, Verdict]:
    scene = Scene(rules(Manual(DAY_US, then), **more))  # type: ignore[arg-type]
    scene.change("crm", row(phone=base))  # type: ignore[arg-type]
    scene.echo("erp", row(phone=base))  # type: ignore[arg-type]
    scene.change("crm", row(phone=12), ts_us=5000, at_us=6000)
    (verdict,) = scene.change("erp", row(phone=13), ts_us=4000, at_us=7000).verdicts
    scene.echo("erp", row(phone=13), at_us=7001)
    return scene, verdict


def test_a_parked_item_says_when_it_is_due() -> None:
    _, verdict = _due(Newest())
    assert (verdict.winner, verdict.due_us, verdict.version) == ("parked", 7000 + DAY_US, 4)


def test_before_its_time_nothing_is_decided() -> None:
    scene, _ = _due(Newest())
    assert scene.nudge(reason="deadline", at_us=6999 + DAY_US).verdicts == []


@pytest.mark.parametrize(
    ("then", "winner", "value"),
    [
        (Newest(), "current", 12),
        (Priority(("erp", "crm")), "incoming", 13),
        (Owner("erp"), "incoming", 13),
        (Sum(), "merged", 15),
    ],
)
def test_a_due_item_is_decided_by_its_fallback(then: Policy, winner: str, value: int) -> None:
    scene, parked = _due(then, base=10)
    (verdict,) = scene.nudge(reason="deadline", at_us=7000 + DAY_US).verdicts
    name = type(then).__name__.lower()
    assert (verdict.number, verdict.rule, verdict.winner) == (parked.number, f"deadline:{name}", winner)
    assert (scene.golden.values["phone"], scene.state.systems["erp"].dissent) == (value, {})


def test_a_value_that_won_by_deadline_is_no_newer_than_what_it_beat() -> None:
    scene, _ = _due(Priority(("erp", "crm")))
    scene.nudge(reason="deadline", at_us=7000 + DAY_US)
    assert (scene.golden.provenance["phone"].system, scene.golden.provenance["phone"].ts_us) == ("erp", 5000)


def test_a_row_that_lost_by_deadline_is_corrected() -> None:
    scene, _ = _due(Newest())
    (command,) = scene.nudge(reason="deadline", at_us=7000 + DAY_US).commands
    assert (command.system, command.units[0].base, command.units[0].set) == ("erp", {"phone": 13}, {"phone": 12})


def test_any_event_is_occasion_enough() -> None:
    scene, parked = _due(Newest())
    verdicts = scene.change("crm", row(name="Eva", phone=12), at_us=7000 + DAY_US).verdicts
    assert [(v.number, v.rule) for v in verdicts] == [(parked.number, "deadline:newest")]


def test_another_candidate_is_no_delay() -> None:
    scene, parked = _due(Priority(("erp", "crm")))
    (again,) = scene.change("erp", row(phone=14), at_us=7000 + DAY_US - 1).verdicts
    assert (again.number, again.due_us) == (parked.number, parked.due_us)
    scene.nudge(reason="deadline", at_us=7000 + DAY_US)
    assert scene.golden.values["phone"] == 14


def test_a_decision_comes_before_the_deadline() -> None:
    scene, parked = _due(Newest())
    assert [v.rule for v in scene.decide(parked, 13).verdicts] == ["decision"]
    assert scene.nudge(reason="deadline", at_us=7000 + DAY_US).verdicts == []


def test_a_loose_item_is_decided_too_and_its_row_corrected() -> None:
    scene = in_step(rules(Manual(DAY_US, Priority(("erp", "crm")))))
    scene.change("crm", row(phone="2"), at_us=10)
    scene.change("erp", row(phone="3"), at_us=11)
    scene.change("erp", row(phone="1"), at_us=12)
    scene.echo("erp", row(phone="2"), at_us=13)
    assert len(scene.state.loose) == 1
    outcome = scene.nudge(reason="deadline", at_us=11 + DAY_US)
    assert [v.rule for v in outcome.verdicts] == ["deadline:priority"]
    assert (scene.golden.values["phone"], scene.state.loose) == ("1", {})
    assert {command.system for command in outcome.commands} == {"crm", "erp"}


def test_a_fallback_that_fails_leaves_the_item_to_a_person() -> None:
    scene, parked = _due(Function("broken", lambda *values: {}))  # type: ignore[arg-type]
    (verdict,) = scene.nudge(reason="deadline", at_us=7000 + DAY_US).verdicts
    assert (verdict.number, verdict.winner, verdict.rule, verdict.due_us) == (parked.number, "parked", "function", 0)
    assert scene.nudge(reason="deadline", at_us=9000 + DAY_US).verdicts == []
    assert scene.decide(parked, 13).verdicts[0].winner == "incoming"


def test_two_items_due_at_once_are_decided_one_against_the_other() -> None:
    scene = in_step(rules(Manual(DAY_US, Newest()), ("crm", "erp", "shop")))
    scene.change("crm", row(phone="2"), ts_us=5000, at_us=1)
    scene.change("erp", row(phone="3"), ts_us=7000, at_us=1)
    scene.change("shop", row(phone="4"), ts_us=6000, at_us=1)
    verdicts = scene.nudge(reason="deadline", at_us=9000 + DAY_US).verdicts
    assert [(v.incoming.system, v.winner) for v in verdicts] == [("erp", "incoming"), ("shop", "current")]
    assert scene.golden.values["phone"] == "3"


def _parked(existence: str = "manual") -> Scene:
    scene = in_step(rules(Manual(), existence=existence))
    scene.change("crm", row(phone="2"), ts_us=5000)
    scene.change("erp", row(phone="3"), ts_us=4000)
    scene.echo("erp", row(phone="3"))
    return scene


def test_new_rules_touch_no_open_item_by_themselves() -> None:
    scene = _parked()
    scene.rules = rules(Newest())
    assert scene.nudge().verdicts == []


def test_new_rules_decide_what_they_leave_to_nobody() -> None:
    scene = _parked()
    scene.rules = rules(Newest())
    (verdict,) = scene.nudge(reason="rules").verdicts
    assert (verdict.rule, verdict.winner, scene.state.systems["erp"].dissent) == ("rules:newest", "current", {})


def test_new_rules_give_what_stays_parked_a_deadline() -> None:
    scene = _parked()
    scene.rules = rules(Manual(DAY_US, Newest()))
    (verdict,) = scene.nudge(reason="rules", at_us=5).verdicts
    assert (verdict.winner, verdict.due_us) == ("parked", 5 + DAY_US)
    assert scene.nudge(reason="rules", at_us=6).verdicts == []


def _parked_delete() -> Scene:
    scene = in_step(rules(existence="manual"))
    scene.change("crm", row(phone="2"))
    scene.change("erp", None)
    scene.echo("erp", None)
    return scene


def _parked_edits() -> Scene:
    scene = in_step(rules(existence="manual"))
    scene.change("crm", None)
    scene.change("erp", row(phone="3"))
    scene.echo("erp", row(phone="3"))
    return scene


@pytest.mark.parametrize(
    ("policy", "winner", "deleted", "ops"),
    [("update_wins", "current", False, ["c"]), ("delete_wins", "incoming", True, ["d"])],
)
def test_new_rules_decide_a_parked_delete(policy: str, winner: str, deleted: bool, ops: list[str]) -> None:
    scene = _parked_delete()
    scene.rules = rules(existence=policy)
    outcome = scene.nudge(reason="rules")
    assert [(v.rule, v.winner) for v in outcome.verdicts] == [(f"rules:{policy}", winner)]
    assert (scene.golden.deleted, [command.op for command in outcome.commands]) == (deleted, ops)


@pytest.mark.parametrize(
    ("policy", "winner", "deleted", "ops"),
    [("update_wins", "incoming", False, ["c"]), ("delete_wins", "current", True, ["d"])],
)
def test_new_rules_decide_parked_edits(policy: str, winner: str, deleted: bool, ops: list[str]) -> None:
    scene = _parked_edits()
    scene.rules = rules(existence=policy)
    outcome = scene.nudge(reason="rules")
    assert [(v.rule, v.winner) for v in outcome.verdicts] == [(f"rules:{policy}", winner)]
    assert (scene.golden.deleted, [command.op for command in outcome.commands]) == (deleted, ops)
    assert deleted or scene.golden.values["phone"] == "3"


def test_new_rules_release_no_delete_that_the_brake_holds() -> None:
    scene = in_step(rules(existence="delete_wins", braking=frozenset({"erp"})))
    scene.change("erp", None)
    scene.rules = rules(existence="delete_wins")
    assert scene.nudge(reason="rules").verdicts == []
