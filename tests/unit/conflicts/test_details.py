"""One conflict with everything: rows, history, and what each choice leads to."""

from duplex.conflicts import outcomes, pages
from duplex.conflicts.book import Entry
from duplex.conflicts.deciding import Choice, Signed, seen_now
from duplex.conflicts.deciding import decision as make
from duplex.conflicts.details import Detail, Known, detail
from duplex.conflicts.live import name_of, standing
from tests.unit.conflicts.scenes import START_US, Scene

NOW_US = START_US + 7_200_000_100


def shown(scene: Scene, entry: Entry, decided: object = None) -> Detail:
    known = Known(entry, "3fa85f64/1", scene.past(entry), decided, scene.state(), "5@example.com")  # type: ignore[arg-type]
    return detail(scene.project, scene.rules, known)


def parked() -> tuple[Scene, Entry]:
    scene = Scene()
    scene.park_phone()
    (entry,) = scene.open
    return scene, entry


def test_both_values_are_as_they_are_now_with_every_row() -> None:
    scene, entry = parked()
    scene.edit("crm", phone="4")
    found = shown(scene, entry)
    assert found.now is not None
    assert found.parked is not None
    assert (found.now.value, found.now.system, found.parked.value, found.parked.system) == ("4", "crm", "3", "erp")
    rows = {row.system: (row.value, row.standing) for row in found.rows}
    assert rows == {"crm": ("4", "shows it"), "erp": ("3", "parked"), "shop": ("4", "shows it")}


def test_each_choice_says_who_would_be_told() -> None:
    scene, entry = parked()
    found = {each.choice: (each.value, each.told) for each in shown(scene, entry).options}
    assert found == {"--take crm": ("2", ("erp",)), "--take erp": ("3", ("crm", "shop"))}


def test_a_system_that_has_not_answered_is_told_later() -> None:
    scene, entry = parked()
    scene.answering = False
    scene.edit("crm", credit=5)
    (take_erp,) = [each for each in shown(scene, entry).options if each.choice == "--take erp"]
    assert (take_erp.told, take_erp.later) == (("crm",), ("shop",))


def test_looking_changes_nothing() -> None:
    scene, entry = parked()
    before = scene.store.get(entry.last.record_id.encode())
    shown(scene, entry)
    assert scene.store.get(entry.last.record_id.encode()) == before


def test_the_page_has_lines_to_paste_that_name_what_is_shown() -> None:
    scene, entry = parked()
    found = shown(scene, entry)
    page = "\n".join(pages.lines(found, NOW_US))
    assert f"duplex conflicts resolve 3fa85f64/1 --take erp --shown {found.shown}" in page
    assert '"3" stands; told at once: crm, shop' in page
    assert "5@example.com" in page
    assert "open for 2 h 0 min" in page


def test_a_parked_delete_is_about_the_record_itself() -> None:
    scene = Scene()
    scene.edit("crm", email="a@example.com", phone="1")
    scene.answering = False
    scene.edit("crm", phone="2")
    scene.delete("erp")
    scene.answer_all()
    (entry,) = scene.open
    found = shown(scene, entry)
    assert {each.choice: each.told for each in found.options} == {"--keep": ("erp",), "--delete": ("crm", "shop")}
    page = "\n".join(pages.lines(found, NOW_US))
    assert "its existence" in page
    assert "parked:  deleted  of erp" in page


def test_an_ended_conflict_has_its_history_with_who_decided() -> None:
    scene, entry = parked()
    now = standing(scene.state(), scene.rules, 1)
    assert now is not None
    made = make(scene.project, entry, Choice(take="erp"), seen_now(now), Signed("ann", "asked her", START_US))
    scene.decide(made)
    (ended,) = scene.book
    found = shown(scene, ended, made)
    assert [(step.winner, step.rule, step.by) for step in found.history] == [
        ("parked", "manual", ""),
        ("incoming", "decision", "ann"),
    ]
    assert (found.options, found.now) == ((), None)
    assert "incoming by decision of ann (asked her)" in "\n".join(pages.lines(found, NOW_US))


def test_what_moved_is_told_with_both_values() -> None:
    scene, entry = parked()
    now = standing(scene.state(), scene.rules, 1)
    assert now is not None
    made = make(scene.project, entry, Choice(take="erp"), seen_now(now), Signed("ann", "", START_US))
    scene.edit("crm", phone="4")
    told = outcomes.moved(entry, made, standing(scene.state(), scene.rules, 1))
    assert 'it is "4"' in told
    assert "by crm" in told
    scene.edit("erp", phone="7")
    told = outcomes.moved(entry, made, standing(scene.state(), scene.rules, 1))
    assert told.startswith('erp has edited again: its value was "3" when shown and is "7" now')
    assert "nothing is parked" in outcomes.moved(entry, made, None)


def test_a_record_is_called_by_its_natural_key() -> None:
    from types import SimpleNamespace

    scene, _ = parked()
    composed = SimpleNamespace(project=scene.project)
    assert name_of(composed, "contact", scene.state()) == "5@example.com"  # type: ignore[arg-type]
