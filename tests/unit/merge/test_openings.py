"""What waits for a person, and the digest of a table."""

from streams.merge.digests import digest
from streams.merge.events import Held
from streams.merge.openings import openings
from streams.merge.rules import Manual, Newest
from streams.merge.states import State
from tests.unit.merge.scenes import Scene, in_step, row, rules


def test_nothing_waits_at_a_new_record() -> None:
    assert openings(State(), rules()) == []


def test_an_item_has_all_that_a_decision_must_name() -> None:
    scene = in_step(rules(Manual(50, Newest())))
    scene.change("crm", row(phone="2"), at_us=100)
    (verdict,) = scene.change("erp", row(phone="3"), ts_us=70, at_us=120).verdicts
    (opening,) = openings(scene.state, scene.rules)
    assert (opening.number, opening.system, opening.field, opening.rule) == (verdict.number, "erp", "phone", "manual")
    assert (opening.candidate, opening.current.value, opening.ts_us, opening.due_us) == ("3", "2", 70, 170)
    assert (opening.version, opening.shown) == (verdict.version, True)
    assert scene.decide(verdict, "3", version=opening.version).refusal == ""


def test_an_item_says_what_the_record_is_by_now() -> None:
    scene = in_step(rules(Manual()))
    scene.change("crm", row(phone="2"))
    scene.change("erp", row(phone="3"))
    scene.change("crm", row(phone="4"), ts_us=2000)
    (opening,) = openings(scene.state, scene.rules)
    assert (opening.current, opening.version) == (Held("crm", "4", 2000), scene.golden.provenance["phone"].version)


def test_deletes_held_by_the_brake_say_so() -> None:
    scene = in_step(rules(braking=frozenset({"erp"})))
    scene.change("erp", None)
    (opening,) = openings(scene.state, scene.rules)
    assert (opening.field, opening.candidate, opening.rule, opening.version) == ("$", None, "brake", 3)


def test_an_item_that_no_row_shows_is_still_open() -> None:
    scene = in_step(rules(Manual()))
    scene.change("crm", row(phone="2"))
    scene.change("erp", row(phone="3"))
    scene.change("erp", row(phone="1"))
    scene.echo("erp", row(phone="2"))
    assert [(opening.candidate, opening.shown) for opening in openings(scene.state, scene.rules)] == [("1", False)]


def test_an_item_of_a_system_that_left_the_rules_is_still_open() -> None:
    scene = in_step(rules(Manual()))
    scene.change("crm", row(phone="2"))
    scene.change("erp", row(phone="3"))
    assert len(openings(scene.state, rules(Manual(), ("crm", "shop")))) == 1


def test_a_digest_knows_no_order_of_its_table() -> None:
    assert digest([(b"a", b"1"), (b"b", b"2")]) == digest([(b"b", b"2"), (b"a", b"1")])


def test_a_digest_tells_tables_apart() -> None:
    tables = [[], [(b"a", b"bc")], [(b"ab", b"c")], [(b"a", b"b"), (b"c", b"")], [(b"", b"")]]
    assert len({digest(table) for table in tables}) == len(tables)


def test_a_state_s_bytes_decide_its_digest() -> None:
    one, other = Scene(rules()), Scene(rules())
    for scene in (one, other):
        scene.change("crm", row())
    assert digest([(b"r", one.data or b"")]) == digest([(b"r", other.data or b"")])
