"""An operator decides: on what was shown, and only that."""

from streams.merge.events import Verdict
from streams.merge.rules import Manual
from tests.unit.merge.scenes import Scene, in_step, row, rules, sent


def _parked_phone() -> tuple[Scene, Verdict]:
    scene = in_step(rules(Manual(), existence="manual"))
    scene.change("crm", row(phone="2"))
    verdict = scene.change("erp", row(phone="3")).verdicts[0]
    scene.echo("erp", row(phone="3"))
    return scene, verdict


def _parked_delete() -> tuple[Scene, Verdict]:
    scene = in_step(rules(Manual(), existence="manual"))
    scene.change("crm", row(phone="2"))
    verdict = scene.change("erp", None).verdicts[0]
    scene.echo("erp", None)
    return scene, verdict


def _parked_edits() -> tuple[Scene, Verdict]:
    scene = in_step(rules(Manual(), existence="manual"))
    scene.change("crm", None)
    verdict = scene.change("erp", row(phone="3")).verdicts[0]
    scene.echo("erp", row(phone="3"))
    return scene, verdict


def test_the_parked_value_may_win() -> None:
    scene, verdict = _parked_phone()
    outcome = scene.decide(verdict, "3")
    assert [(v.number, v.rule, v.winner) for v in outcome.verdicts] == [(verdict.number, "decision", "incoming")]
    assert [(c.system, c.units[0].set) for c in outcome.commands] == [("crm", {"phone": "3"})]


def test_keeping_the_current_value_makes_no_new_version() -> None:
    scene, verdict = _parked_phone()
    version = scene.golden.provenance["phone"].version
    outcome = scene.decide(verdict, "2")
    assert scene.golden.provenance["phone"].version == version
    assert [(c.system, c.units[0].set) for c in outcome.commands] == [("erp", {"phone": "2"})]


def test_a_third_value_goes_to_both() -> None:
    scene, verdict = _parked_phone()
    assert [c.system for c in scene.decide(verdict, "4").commands] == ["crm", "erp"]


def test_a_decision_comes_twice() -> None:
    scene, verdict = _parked_phone()
    scene.decide(verdict, "3")
    data = scene.data
    assert "settled before" in scene.decide(verdict, "3").refusal
    assert scene.data == data


def test_a_decision_on_another_candidate_is_refused() -> None:
    scene, verdict = _parked_phone()
    scene.change("erp", row(phone="5"))
    assert "look again" in scene.decide(verdict, "3").refusal


def test_a_decision_on_an_older_version_is_refused() -> None:
    scene, verdict = _parked_phone()
    version = scene.golden.provenance["phone"].version
    scene.change("crm", row(phone="6"))
    assert "has changed since" in scene.decide(verdict, "3", version=version).refusal


def test_a_delete_is_decided() -> None:
    scene, verdict = _parked_delete()
    outcome = scene.decide(verdict, None)
    assert scene.golden.deleted
    assert [(c.system, c.op) for c in outcome.commands] == [("crm", "d")]


def test_a_record_is_kept() -> None:
    scene, verdict = _parked_delete()
    (command,) = scene.decide(verdict, True).commands
    assert (command.system, command.op, command.units[0].set) == ("erp", "c", row(phone="2"))


def test_a_delete_waits_for_what_else_is_parked() -> None:
    scene = in_step(rules(Manual(), ("crm", "erp", "shop"), existence="manual"))
    scene.change("crm", row(phone="2"))
    verdict = scene.change("erp", None).verdicts[0]
    scene.change("shop", row(phone="3"))
    assert "other items are parked" in scene.decide(verdict, None).refusal


def test_edits_of_a_deleted_record_revive_it() -> None:
    scene, verdict = _parked_edits()
    outcome = scene.decide(verdict, True)
    assert (scene.golden.deleted, scene.golden.values) == (False, row(phone="3"))
    assert [(c.system, c.op) for c in outcome.commands] == [("crm", "c")]


def test_edits_of_a_deleted_record_are_let_go() -> None:
    scene, verdict = _parked_edits()
    assert [(c.system, c.op) for c in scene.decide(verdict, None).commands] == [("erp", "d")]


def test_a_delete_may_be_decided_when_our_create_came_after_it() -> None:
    scene = Scene(rules(Manual(), existence="manual"))
    scene.change("crm", row())
    scene.change("erp", row(phone="3"), local_id="[5]")
    verdict = scene.change("erp", None, local_id="[5]").verdicts[-1]
    scene.echo("erp", row(), local_id="[6]")
    assert [item.number for item in scene.state.loose.values()] == [verdict.number]
    assert [(c.system, c.op) for c in scene.decide(verdict, None).commands] == [("crm", "d"), ("erp", "d")]


def test_our_write_over_a_candidate_turned_back_makes_it_loose() -> None:
    scene = in_step(rules(Manual()))
    scene.change("crm", row(phone="2"))
    scene.change("erp", row(phone="3"))
    scene.change("erp", row(phone="1"))
    scene.echo("erp", row(phone="2"))
    assert [item.candidate for item in scene.state.loose.values()] == ["1"]
    assert sent(scene, "erp").number == 2
