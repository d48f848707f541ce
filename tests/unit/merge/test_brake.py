"""Deletes that are held for approval."""

from typing import Any

import pytest

from streams.merge.events import Verdict
from tests.unit.merge.scenes import Scene, in_step, row, rules

EXISTENCE_POLICIES = pytest.mark.parametrize("policy", ["update_wins", "delete_wins", "manual"])


def _held(policy: str = "update_wins", **more: Any) -> tuple[Scene, Verdict]:
    scene = in_step(rules(existence=policy, braking=frozenset({"erp"}), **more))
    (verdict,) = scene.change("erp", None).verdicts
    return scene, verdict


@EXISTENCE_POLICIES
def test_a_delete_is_held_under_every_policy(policy: str) -> None:
    scene, verdict = _held(policy)
    assert (verdict.field, verdict.kind, verdict.rule, verdict.winner) == ("$", "existence", "brake", "parked")
    assert (scene.golden.deleted, scene.outcomes[-1].commands) == (False, [])


def test_deletes_of_other_systems_are_not_held() -> None:
    scene = in_step(rules(braking=frozenset({"erp"})))
    scene.change("crm", None)
    assert scene.golden.deleted


def test_a_delete_that_beats_edits_is_held_too() -> None:
    scene = in_step(rules(existence="delete_wins", braking=frozenset({"erp"})))
    scene.change("crm", row(phone="2"))
    (verdict,) = scene.change("erp", None).verdicts
    assert (verdict.rule, verdict.winner, scene.golden.deleted) == ("brake", "parked", False)
    assert "not seen by the deleter: phone" in verdict.detail


def test_a_delete_that_loses_against_edits_needs_no_brake() -> None:
    scene = in_step(rules(existence="update_wins", braking=frozenset({"erp"})))
    scene.change("crm", row(phone="2"))
    assert [v.winner for v in scene.change("erp", None).verdicts] == ["current"]


@EXISTENCE_POLICIES
def test_an_approved_delete_is_carried_out(policy: str) -> None:
    scene, verdict = _held(policy)
    outcome = scene.decide(verdict, None)
    assert [(v.number, v.rule, v.winner) for v in outcome.verdicts] == [(verdict.number, "decision", "incoming")]
    assert [(command.system, command.op) for command in outcome.commands] == [("crm", "d")]


@EXISTENCE_POLICIES
def test_a_rejected_delete_brings_the_row_back(policy: str) -> None:
    scene, verdict = _held(policy)
    (command,) = scene.decide(verdict, True).commands
    assert (command.system, command.op, command.units[0].set) == ("erp", "c", row())


def test_a_row_that_comes_again_withdraws_its_delete() -> None:
    scene, verdict = _held()
    outcome = scene.change("erp", row())
    assert [(v.number, v.rule) for v in outcome.verdicts] == [(verdict.number, "withdrawn")]
    assert (outcome.commands, scene.golden.deleted) == ([], False)


@EXISTENCE_POLICIES
def test_edits_go_on_elsewhere_and_make_the_approval_stale(policy: str) -> None:
    scene, verdict = _held(policy, systems=("crm", "erp", "shop"))
    outcome = scene.change("crm", row(phone="2"))
    assert [command.system for command in outcome.commands] == ["shop"]
    assert "look again" in scene.decide(verdict, None, version=verdict.version).refusal
    assert scene.decide(verdict, None).refusal == ""
    assert scene.golden.deleted


def test_a_delete_that_is_held_does_not_hold_another() -> None:
    scene, verdict = _held()
    outcome = scene.change("crm", None)
    assert [(v.number, v.rule, v.winner) for v in outcome.verdicts] == [(verdict.number, "deleted", "current")]
    assert scene.golden.deleted


def test_two_deletes_that_are_held_are_ended_by_one_approval() -> None:
    scene = in_step(rules(braking=frozenset({"crm", "erp"})))
    first = scene.change("crm", None).verdicts[0]
    second = scene.change("erp", None).verdicts[0]
    outcome = scene.decide(second, None)
    assert [(v.number, v.rule) for v in outcome.verdicts] == [(second.number, "decision"), (first.number, "deleted")]
    assert (scene.golden.deleted, outcome.commands) == (True, [])


def test_a_refused_delete_of_two_brings_back_its_row_alone() -> None:
    scene = in_step(rules(braking=frozenset({"crm", "erp"})))
    scene.change("crm", None)
    second = scene.change("erp", None).verdicts[0]
    assert [command.system for command in scene.decide(second, True).commands] == ["erp"]
