"""What a decision is upon, when it is refused before it is sent, and the sum of many."""

from types import SimpleNamespace
from typing import Any

import pytest

from duplex.conflicts import deciding, live, resolving
from duplex.conflicts.book import Entry
from duplex.conflicts.deciding import Choice, Signed
from duplex.conflicts.errors import NotDecidableError, StaleError
from duplex.conflicts.replies import Answer
from duplex.conflicts.resolving import Bulk
from schemas.messages import Decision
from tests.unit.conflicts.scenes import RECORD, Scene, conflict

SIGNED = Signed("ann", "", 1)


def composed(scene: Scene) -> Any:
    return SimpleNamespace(project=scene.project, rules={"contact": scene.rules})


def parked() -> tuple[Scene, Entry]:
    scene = Scene()
    scene.park_phone()
    (entry,) = scene.open
    return scene, entry


def made(scene: Scene, entry: Entry, token: str | None = None, take: str = "erp") -> Decision:
    return resolving._made(composed(scene), entry, scene.state(), Choice(take=take), token, SIGNED)


def token(scene: Scene) -> str:
    now = live.standing(scene.state(), scene.rules, 1)
    assert now is not None
    return deciding.seen_now(now).token


def test_without_a_token_the_decision_is_about_what_is_on_record() -> None:
    scene, entry = parked()
    found = made(scene, entry)
    assert (found.candidate, found.version, found.value) == ('"3"', entry.last.version, '"3"')
    scene.edit("crm", phone="4")
    with pytest.raises(StaleError, match=r'phone moved on: "2" \(version \d+\) was shown, and it is "4"'):
        made(scene, entry)


def test_with_a_token_it_is_about_what_was_shown() -> None:
    scene, entry = parked()
    scene.edit("crm", phone="4")
    assert made(scene, entry, token(scene), take="current").value == '"4"'


def test_a_token_of_what_moved_says_what_stands_there_now() -> None:
    scene, entry = parked()
    earlier = token(scene)
    scene.edit("erp", phone="7")
    (entry,) = scene.open
    with pytest.raises(StaleError, match=r'erp has edited again: its value is "7" now'):
        made(scene, entry, earlier)
    scene.edit("crm", phone="4")
    with pytest.raises(StaleError, match=r'phone is "4" \(version \d+\), and erp has "7"'):
        made(scene, entry, earlier)
    scene.edit("erp", phone="4")
    with pytest.raises(StaleError, match="nothing parked under this number"):
        made(scene, entry, earlier)


def test_a_duplicate_is_refused_before_anything_is_looked_up() -> None:
    scene, _ = parked()
    one = conflict(id=f"{RECORD}/duplicate/crm/[2]", kind="duplicate", field="$")
    with pytest.raises(NotDecidableError):
        made(scene, Entry(one, one, True))


def test_many_are_sorted_into_those_that_can_be_sent_and_those_that_cannot() -> None:
    scene, entry = parked()
    bulk = Bulk()
    resolving._prepare(composed(scene), entry, scene.state(), Choice(take="erp"), SIGNED, bulk)
    assert list(bulk.made) == [entry.id]
    scene.edit("crm", phone="4")
    bulk = Bulk()
    resolving._prepare(composed(scene), entry, scene.state(), Choice(take="erp"), SIGNED, bulk)
    assert (list(bulk.made), list(bulk.stale)) == ([], [entry.id])


def test_the_sum_of_many() -> None:
    scene, entry = parked()
    one = made(scene, entry)
    bulk = Bulk(impossible={"a": "no such side"}, stale={"b": "moved"})
    answers = [Answer(one, "decided"), Answer(one, "overtaken"), Answer(one, "unanswered"), Answer(one, "unsent")]
    found = resolving.summary(bulk, answers)
    assert (found.decided, found.refused, found.left) == (1, 2, 2)
    assert found.reasons == {"a": "no such side", one.item: "not sent"}
