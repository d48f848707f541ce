"""Open conflicts that their topic has forgotten, as the merge's state has them."""

import pytest

from duplex.conflicts import inventory, pages, views
from duplex.conflicts.book import Book, Entry
from duplex.conflicts.details import StepShown
from schemas.messages import Conflict, Decision
from tests.unit.conflicts.scenes import CODEC, RECORD, START_US, Scene, conflict


@pytest.fixture
def scene() -> Scene:
    scene = Scene()
    scene.park_phone()
    return scene


def forgotten(scene: Scene, book: Book | None = None) -> list[Conflict]:
    return list(inventory.missing(book or Book(CODEC), RECORD, scene.state(), scene.rules))


def test_what_is_on_record_is_not_listed_twice(scene: Scene) -> None:
    assert forgotten(scene, scene.book) == []


def test_a_forgotten_one_is_as_it_was(scene: Scene) -> None:
    (found,), (entry,) = forgotten(scene), scene.open
    one, was = views.shown(Entry(found, found, True), "a", None), views.shown(entry, "a", None)
    for name in ("id", "entity", "field", "kind", "rule", "state", "current", "incoming", "version", "due_us"):
        assert getattr(one, name) == getattr(was, name), name
    assert "no longer on the conflicts topic" in found.detail


def test_one_whose_end_is_on_record_and_that_is_parked_anew_is_found(scene: Scene) -> None:
    book = Book(CODEC)
    (entry,) = scene.open
    book.note(conflict(int(entry.id.rpartition("/")[2]), id=entry.id, winner="current", rule="decision"))
    assert [each.id for each in forgotten(scene, book)] == [entry.id]


def test_it_can_be_decided_by_what_is_listed(scene: Scene) -> None:
    (found,) = forgotten(scene)
    value = found.incoming.value
    scene.decide(
        Decision(
            record_id=RECORD, entity="contact", item=found.id, candidate=value, version=found.version, value=value,
            decided_by="ada", ts_us=START_US,
        )
    )  # fmt: skip
    assert (scene.rejected, scene.value("phone"), forgotten(scene)) == ([], "3", [])


def test_a_parked_delete_is_told_as_one() -> None:
    scene = Scene()
    scene.edit("crm", email="a@example.com", phone="1")
    scene.answering = False
    scene.edit("crm", phone="2")
    scene.delete("erp")
    scene.answer_all()
    (found,), (entry,) = forgotten(scene), scene.open
    assert (found.kind, found.field, found.incoming.value) == ("existence", "$", None)
    assert (found.current.value, found.version) == ("true", entry.last.version)
    assert "lives" in views.line(views.shown(Entry(found, found, True), "3fa85f64/1", None), START_US)


def test_nobody_says_how_old_it_is_where_nobody_knows() -> None:
    loaded = conflict(ts_us=0)
    one = views.shown(Entry(loaded, loaded, True), "3fa85f64/1", None)
    assert views.standing(one, START_US) == "open for longer than is on record"
    step = StepShown(at_us=0, rule="manual", winner="parked", current="2", incoming="3", detail="")
    assert pages._step("phone", step).startswith("before what is on record  parked by manual")
