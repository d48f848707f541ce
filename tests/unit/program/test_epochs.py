"""Which number new rules have, and what is not applied."""

import msgspec
import pytest

from duplex import epochs
from duplex.epochs import Applied, Known
from schemas.goldens import Golden, GoldenCodec
from schemas.project import epochs as texts
from schemas.project.model import Project


def project(*fields: str) -> Project:
    held = {"table": "t", "map": {name: name for name in fields}}
    entity = {"fields": {name: {} for name in fields}, "systems": {"crm": held}}
    return Project.model_validate(
        {"pipeline": "p", "systems": {"crm": {"connector": "memory"}}, "entities": {"e": entity}}
    )


def text(*fields: str) -> str:
    return texts.rules_text(project(*fields), "e", {"crm": dict.fromkeys(fields, "text")})


A, B, C = text("a"), text("a", "b"), text("a", "b", "c")


def one(number: int, rules: str) -> Applied:
    return Applied(number=number, fingerprint=texts.fingerprint(rules), rules=rules, applied_at_us=5)


def known(applied: Applied | None, *every: Applied) -> Known:
    return Known(applied, {each.number: each for each in every})


WHOLE = known(one(1, A), one(1, A))
CUT_SHORT = known(one(1, A), one(1, A), one(2, B))


@pytest.mark.parametrize(
    ("state", "rules", "number", "applied"),
    [
        (Known(), A, 1, False),
        (WHOLE, A, 1, True),
        (WHOLE, B, 2, False),
        (CUT_SHORT, B, 2, False),  # the same rules again: the same number
        (CUT_SHORT, C, 3, False),  # other rules: some partition may have the number already
        (CUT_SHORT, A, 3, False),  # and the earlier ones are no longer in force everywhere
        (known(None, one(1, A)), A, 1, False),
    ],
)
def test_a_number_never_has_two_meanings(state: Known, rules: str, number: int, applied: bool) -> None:
    assert epochs.number_for(state, rules) == number
    assert epochs.is_applied(state, rules) is applied


def test_what_changed_is_told() -> None:
    assert epochs.changes(Known(), A) == ["never applied"]
    assert epochs.changes(WHOLE, A) == []
    assert "field b: new, newest" in epochs.changes(WHOLE, B)
    assert epochs.changes(CUT_SHORT, A) == ["an apply of other rules was cut short"]


def test_the_entities_that_are_not_applied_are_named_with_the_remedy() -> None:
    found = epochs.unapplied({"e": WHOLE, "f": WHOLE}, {"e": B, "f": A})
    assert list(found) == ["e"]
    error = epochs.UnappliedError("duplex.yaml", found)
    assert "duplex.yaml" in str(error) and "e: field b: new, newest" in str(error) and "`duplex apply`" in str(error)


def test_epochs_are_told_from_tables_by_their_key() -> None:
    messages = {
        f"epoch/e{rest}": msgspec.json.encode(each)
        for rest, each in (("", one(2, B)), ("/1", one(1, A)), ("/2", one(2, B)), ("/3", one(3, C)))
    }
    found = epochs.parse({"crm/e": b"{}", **messages})
    assert found == {"e": known(one(2, B), one(1, A), one(2, B), one(3, C))}
    assert found["e"].last == 3


def test_merged_records_of_earlier_rules_are_read() -> None:
    earlier = epochs.golden_schemas("p", "e", known(one(2, B), one(1, A), one(2, B), one(3, "no rules")))
    values = {"record_id": "r", "version": 1, "deleted": False, "provenance": {}}
    then = GoldenCodec("p", "e", project("a").entities["e"]).encode(Golden(values={"a": "x"}, **values))
    now = GoldenCodec("p", "e", project("a", "b").entities["e"], earlier)
    assert now.decode(then).values == {"a": "x", "b": None}
