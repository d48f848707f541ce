"""Which decisions are answered, by what the merge publishes of them."""

from typing import Any

from duplex.conflicts import deciding, live
from duplex.conflicts.deciding import Choice, Signed
from duplex.conflicts.replies import Replies, Sent
from schemas.messages import Decision
from tests.unit.conflicts.scenes import CODEC, Scene, conflict, dead_letter

SIGNED = Signed("ann", "", 1_790_000_001_000_000)
TOPIC = "shop.records.contact"


def parked() -> Scene:
    scene = Scene()
    scene.park_phone()
    return scene


def decision(scene: Scene, **choice: Any) -> Decision:
    (entry,) = scene.open
    standing = live.standing(scene.state(), scene.rules, 1)
    assert standing is not None
    return deciding.decision(scene.project, entry, Choice(**choice), deciding.seen_now(standing), SIGNED)


def replies(scene: Scene, made: Decision, offset: int) -> Replies:
    found = Replies([Sent(made, (TOPIC, 0, offset))], CODEC)
    for value in scene.conflicts:
        found.conflict(value)
    for rejected in scene.rejected:
        found.deadletter(dead_letter(rejected))
    return found


def test_a_decision_is_answered_by_the_conflicts_end_at_its_own_place() -> None:
    scene = parked()
    made = decision(scene, take="erp")
    found = replies(scene, made, scene.decide(made))
    (answer,) = found.answers()
    assert (answer.outcome, found.missing) == ("decided", 0)
    assert answer.conflict is not None
    assert (answer.conflict.rule, answer.conflict.winner) == ("decision", "incoming")


def test_a_stale_decision_is_answered_by_a_dead_letter_with_the_reason() -> None:
    scene = parked()
    made = decision(scene, take="erp")
    scene.edit("crm", phone="4")
    (answer,) = replies(scene, made, scene.decide(made)).answers()
    assert (answer.outcome, "phone has changed" in answer.reason) == ("refused", True)


def test_an_end_by_something_else_before_it_is_an_answer() -> None:
    scene = parked()
    made = decision(scene, take="erp")
    scene.edit("erp", phone="2")
    (answer,) = replies(scene, made, scene.decide(made)).answers()
    assert answer.outcome == "overtaken"
    assert answer.conflict is not None
    assert answer.conflict.rule == "agreement"


def test_another_candidate_is_no_answer() -> None:
    scene = parked()
    made = decision(scene, take="erp")
    scene.edit("erp", phone="7")
    found = replies(scene, made, 99)
    assert (found.missing, [each.outcome for each in found.answers()]) == (1, ["unanswered"])


def test_what_belongs_to_others_is_passed_over() -> None:
    scene = parked()
    made = decision(scene, take="erp")
    found = Replies([Sent(made, (TOPIC, 0, 50))], CODEC)
    found.conflict(CODEC.encode(conflict(number=2, winner="incoming")))
    found.conflict(b"no message")
    found.deadletter([("other", b"x")])
    assert found.missing == 1
