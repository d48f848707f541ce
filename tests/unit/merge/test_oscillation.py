"""Automations that rewrite each other are stopped, people are not."""

from streams.merge.events import Outcome
from streams.merge.rules import Guard, Owner
from tests.unit.merge.scenes import Scene, in_step, row, rules, sent

GUARD = Guard(flips=3, window_us=1000)


def _told(scene: Scene, system: str) -> None:
    """Carry out what was sent to a system."""
    entry = scene.state.systems[system]
    if entry.out is not None:
        after = {**(entry.image or {}), **(sent(scene, system).units[0].set or {})}
        scene.echo(system, after, at_us=_now(scene))


def _now(scene: Scene) -> int:
    return 10_000 + scene.position


def _fight(scene: Scene, times: int, gap_us: int = 0) -> list[Outcome]:
    """crm wants "2", erp wants "1", each as soon as it sees the other's."""
    outcomes = []
    for turn in range(times):
        system, phone = (("crm", "2"), ("erp", "1"))[turn % 2]
        outcomes.append(scene.change(system, row(phone=phone), at_us=_now(scene) + turn * gap_us))
        _told(scene, ("erp", "crm")[turn % 2])
    return outcomes


def test_a_field_that_is_rewritten_in_turn_is_parked_with_the_reason() -> None:
    scene = in_step(rules(guard=GUARD))
    *before, last = _fight(scene, 5)
    assert [outcome.verdicts for outcome in before] == [[]] * 4
    (verdict,) = last.verdicts
    assert (verdict.rule, verdict.winner, verdict.incoming.value) == ("oscillation", "parked", "2")
    assert verdict.detail == "erp and crm have rewritten each other 3 times in 0.0 s"


def test_the_parked_row_is_left_alone_and_the_other_fields_go_on() -> None:
    scene = in_step(rules(guard=GUARD))
    _fight(scene, 5)
    assert scene.nudge().commands == []
    (command,) = scene.change("crm", row("Eva", "2")).commands
    assert command.units[0].set == {"name": "Eva"}


def test_the_parked_row_is_behind_and_is_corrected_when_so_decided() -> None:
    scene = in_step(rules(guard=GUARD))
    (verdict,) = _fight(scene, 5)[-1].verdicts
    (command,) = scene.decide(verdict, "1").commands
    assert (command.system, command.units[0].set, scene.state.flips) == ("crm", {"phone": "1"}, {})


def test_slow_turns_are_people() -> None:
    scene = in_step(rules(guard=GUARD))
    assert not any(outcome.verdicts for outcome in _fight(scene, 12, gap_us=600))


def test_a_third_value_breaks_the_pattern() -> None:
    scene = in_step(rules(guard=GUARD))
    _fight(scene, 4)
    scene.change("crm", row(phone="9"), at_us=_now(scene))
    _told(scene, "erp")
    assert not any(outcome.verdicts for outcome in _fight(scene, 2))


def test_one_system_alone_may_turn_a_value_back_as_often_as_it_likes() -> None:
    scene = in_step(rules(guard=GUARD))
    outcomes = [scene.change("crm", row(phone=str(turn % 2 + 1))) for turn in range(20)]
    assert (any(outcome.verdicts for outcome in outcomes), scene.state.flips) == (False, {})


THREE = ("crm", "erp", "web")


def _take_turns(scene: Scene, words: list[tuple[str, str]]) -> list[Outcome]:
    """Each of these systems in turn gives its value, and all others take it over, until one is parked."""
    outcomes: list[Outcome] = []
    for system, phone in words:
        outcomes.append(scene.change(system, row(phone=phone), at_us=_now(scene)))
        if outcomes[-1].verdicts:
            break
        for other in scene.rules.systems:
            _told(scene, other)
    return outcomes


def test_three_values_in_turn_are_stopped_too() -> None:
    scene = in_step(rules(systems=THREE, guard=GUARD))
    outcomes = _take_turns(scene, [("crm", "2"), ("erp", "3"), ("web", "4")] * 5)
    (verdict,) = outcomes[-1].verdicts
    assert (len(outcomes), verdict.rule, verdict.incoming.value) == (7, "oscillation", "2")
    assert verdict.detail == "erp, web and crm have rewritten each other 4 times in 0.0 s"


def test_a_system_that_goes_round_several_values_is_stopped() -> None:
    scene = in_step(rules(guard=GUARD))
    words = [("crm", "2"), ("erp", "3"), ("crm", "4"), ("erp", "5")] * 4
    outcomes = _take_turns(scene, words)
    assert (outcomes[-1].verdicts[0].rule, len(outcomes)) == ("oscillation", 7)


def test_two_words_in_a_row_do_not_hide_a_round() -> None:
    scene = in_step(rules(guard=GUARD))
    outcomes = _take_turns(scene, [("crm", "2"), ("crm", "3"), ("erp", "4")] * 8)
    assert [(v.rule, v.incoming.system) for v in outcomes[-1].verdicts] == [("oscillation", "erp")]


def test_who_comes_by_does_not_pay_for_the_others() -> None:
    scene = in_step(rules(systems=THREE, guard=GUARD))
    assert not any(outcome.verdicts for outcome in _take_turns(scene, [("crm", "2"), ("erp", "1")] * 2))
    assert _take_turns(scene, [("web", "2")])[0].verdicts == []
    assert scene.golden.provenance["phone"].system == "web"


def test_who_answers_new_values_with_its_own_is_stopped_and_they_are_not() -> None:
    scene = in_step(rules(guard=GUARD))
    outcomes = _take_turns(scene, [word for new in range(9) for word in (("crm", f"new {new}"), ("erp", "1"))])
    assert [(v.incoming.system, v.incoming.value) for v in outcomes[-1].verdicts] == [("erp", "1")]


def test_people_who_give_each_other_new_values_are_let_be() -> None:
    scene = in_step(rules(systems=THREE, guard=GUARD))
    outcomes = _take_turns(scene, [(THREE[turn % 3], f"new {turn}") for turn in range(30)])
    assert not any(outcome.verdicts for outcome in outcomes)
    assert all(len(flip.previous) <= 4 for flip in scene.state.flips.values())


def test_agreement_on_a_value_that_goes_round_does_not_end_the_count() -> None:
    scene = in_step(rules(systems=THREE, guard=GUARD))
    _take_turns(scene, [("crm", "2"), ("erp", "1")] * 2)
    before = dict(scene.state.flips)
    scene.change("crm", row(phone="2"), at_us=_now(scene))
    scene.change("web", row(phone="2"), at_us=_now(scene))
    assert scene.state.flips.keys() == before.keys()


def test_no_guard_parks_nothing() -> None:
    scene = in_step(rules(guard=Guard(flips=0)))
    assert not any(outcome.verdicts for outcome in _fight(scene, 20))


def test_what_happened_before_the_window_is_forgotten() -> None:
    scene = in_step(rules(guard=GUARD))
    _fight(scene, 2)
    assert scene.state.flips != {}
    scene.nudge(at_us=_now(scene) + 2000)
    assert scene.state.flips == {}


def test_agreement_ends_the_count() -> None:
    scene = in_step(rules(guard=GUARD))
    _fight(scene, 2)
    scene.change("crm", row(phone="5"), at_us=_now(scene))
    scene.change("erp", row(phone="5"), at_us=_now(scene))
    assert scene.state.flips == {}


def test_a_system_that_insists_on_another_s_field_is_left_alone_at_last() -> None:
    scene = in_step(rules(Owner("crm"), guard=GUARD))
    outcomes = []
    for _ in range(4):
        outcomes.append(scene.change("erp", row(phone="9"), at_us=_now(scene)))
        _told(scene, "erp")
    assert [v.winner for outcome in outcomes for v in outcome.verdicts] == ["current"] * 3 + ["parked"]
    assert outcomes[-1].verdicts[0].detail == "erp has written over crm's value 4 times in 0.0 s"
    assert scene.nudge().commands == []


def _insist(scene: Scene, times: int) -> list[Outcome]:
    """erp and web each put their own value where crm's stands, and are corrected in between."""
    outcomes = []
    for _ in range(times):
        outcomes += [scene.change(system, row(phone=f"of {system}"), at_us=_now(scene)) for system in ("erp", "web")]
        for system in ("erp", "web"):
            _told(scene, system)
    return outcomes


def test_of_two_that_insist_in_turn_each_is_left_alone_at_last() -> None:
    scene = in_step(rules(Owner("crm"), ("crm", "erp", "web"), guard=GUARD))
    winners = [verdict.winner for outcome in _insist(scene, 4) for verdict in outcome.verdicts]
    assert winners == ["current"] * 6 + ["parked"] * 2
    assert (scene.nudge().commands, scene.state.flips) == ([], {})


def test_the_owner_s_second_word_ends_the_count_of_all_who_insist() -> None:
    scene = in_step(rules(Owner("crm"), ("crm", "erp", "web"), guard=GUARD))
    _insist(scene, 2)
    assert len(scene.state.flips) == 2
    scene.change("crm", row(phone="5"), at_us=_now(scene))
    assert scene.state.flips == {}
