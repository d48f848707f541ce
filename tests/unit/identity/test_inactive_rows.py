"""A row that is marked as inactive counts as deleted, but is there: it keeps its link, and gives up its key."""

import msgspec

from schemas.messages import Change
from streams.identity.rows import RowEvent, RowLinker, RowState
from tests.unit.identity.events import CODEC, change, echo, email_of, kinds, link, linker, seqs

A, B = '["a"]', '["b"]'


def is_gone(system: str, image: str) -> bool:
    return bool(msgspec.json.decode(image).get("gone"))


def knowing() -> RowLinker:
    return RowLinker("contact", email_of, lambda data: CODEC.decode_as(data, Change), None, is_gone)


def inactive(seq: int, email: str = "a", **more) -> RowEvent:
    made = change(seq, "u", email, **more)
    image = msgspec.json.encode({"email": email, "gone": True}).decode()
    made = msgspec.structs.replace(made, after=image)
    return RowEvent(made, CODEC.encode(made))


def active(seq: int, email: str = "a") -> RowEvent:
    made = change(seq, "u", email)
    return RowEvent(made, CODEC.encode(made))


def linked() -> RowState:
    row = RowState()
    knowing().on_change(row, active(1))
    knowing().on_link(row, link("R"))
    return row


def test_row_marked_inactive_stays_linked_and_gives_up_its_key():
    row = linked()
    effects = knowing().on_change(row, inactive(2))
    assert seqs(effects.forwards) == [("R", 2)] and kinds(effects.claims) == [("gone", A)]
    assert (row.record_id, row.key) == ("R", None) and effects.unlinked == []


def test_key_is_given_up_once():
    row = linked()
    knowing().on_change(row, inactive(2))
    assert knowing().on_change(row, inactive(3)).claims == []


def test_restored_row_is_the_same_one_and_takes_its_key_again():
    row = linked()
    knowing().on_change(row, inactive(2))
    effects = knowing().on_change(row, echo(3, "c", "a", "R"))
    assert seqs(effects.forwards) == [("R", 3)] and kinds(effects.claims) == [("hold", A)]
    assert row.record_id == "R" and effects.links == []


def test_row_that_was_inactive_when_first_read_takes_no_part_until_it_is_active():
    row = RowState()
    effects = knowing().on_change(row, inactive(1))
    assert (effects.forwards, effects.claims, row.waiting) == ([], [], [])
    assert kinds(knowing().on_change(row, active(2)).claims) == [("claim", A)]


def test_parked_duplicate_that_becomes_inactive_waits_no_more():
    row = RowState()
    knowing().on_change(row, active(1))
    knowing().on_link(row, link(None))
    effects = knowing().on_change(row, inactive(2))
    assert kinds(effects.claims) == [("gone", A)] and row == RowState(place=(1, 2))


def test_where_nothing_is_marked_such_a_row_is_any_other():
    row = linked()
    assert linker().on_change(row, inactive(2)).claims == []
    assert row.key == A
