"""Rows wait for their link, keep their order, and end."""

import pytest

from schemas.identifiers import record_of_row
from streams.identity import rows
from streams.identity.rows import RowState
from streams.processors.records import UnprocessableError
from tests.unit.identity.events import CODEC, echo, event, kinds, link, linker, seqs

A, B = '["a"]', '["b"]'


def waiting(*events) -> RowState:
    row = RowState()
    for each in events:
        linker().on_change(row, each)
    return row


def linked(record_id: str = "R", email: str = "a") -> RowState:
    row = waiting(event(1, "c", email))
    linker().on_link(row, link(record_id))
    return row


def test_first_event_of_a_row_waits_and_claims_its_key():
    row = RowState()
    effects = linker().on_change(row, event(1, "c", "a"))
    assert effects.forwards == [] and kinds(effects.claims) == [("claim", A)]
    assert len(row.waiting) == 1


def test_events_behind_a_claim_wait_without_another_claim():
    row = waiting(event(1, "c", "a"))
    effects = linker().on_change(row, event(2, "u", "a"))
    assert effects.claims == [] and len(row.waiting) == 2


def test_link_passes_on_what_waited_in_order_and_bytes_unchanged():
    first, second = event(1, "c", "a"), event(2, "u", "a")
    row = waiting(first, second)
    effects = linker().on_link(row, link("R"))
    assert effects.forwards == [("R", first.data), ("R", second.data)]
    assert row.record_id == "R" and row.waiting == []


def test_linked_row_passes_its_events_at_once():
    effects = linker().on_change(linked(), event(2, "u", "a"))
    assert seqs(effects.forwards) == [("R", 2)] and effects.claims == []


def test_repeated_event_changes_nothing():
    row = linked()
    assert linker().on_change(row, event(1, "c", "a")).forwards == []


def test_repeated_link_changes_nothing():
    row = linked()
    assert linker().on_link(row, link("R")) == rows.Effects()


def test_link_for_a_row_that_asked_for_none_is_ignored():
    row = RowState()
    linker().on_link(row, link("R"))
    assert row == RowState()


def test_row_without_a_key_is_a_record_of_its_own():
    effects = linker().on_change(RowState(), event(1, "c", None))
    own = record_of_row("contact", "crm", "[1]")
    assert seqs(effects.forwards) == [(own, 1)] and effects.links[0].record_id == own and effects.claims == []


def test_echo_of_a_create_links_at_once_and_tells_the_keys_owner():
    row = RowState()
    effects = linker().on_change(row, echo(1, "c", "a", "R"))
    assert seqs(effects.forwards) == [("R", 1)] and row.record_id == "R"
    assert kinds(effects.claims) == [("hold", A)] and effects.claims[0].record_id == "R"


def test_failed_echo_is_passed_to_its_record_and_links_nothing():
    row = RowState()
    effects = linker().on_change(row, echo(1, "c", "a", "R", outcome="failed"))
    assert seqs(effects.forwards) == [("R", 1)] and row.record_id is None and effects.links == []


def test_echo_of_another_record_is_passed_there():
    effects = linker().on_change(linked("R"), echo(2, "u", "a", "X"))
    assert seqs(effects.forwards) == [("X", 2)]


def test_repeated_echo_is_passed_again_without_other_effects():
    row = linked()
    first = linker().on_change(row, echo(2, "u", "b", "R"))
    again = linker().on_change(row, echo(2, "u", "b", "R"))
    assert first.claims and again.forwards == first.forwards and again.claims == []


def test_echo_for_a_waiting_row_links_it_and_withdraws_its_claim():
    row = waiting(event(1, "c", "a"))
    effects = linker().on_change(row, echo(2, "u", "a", "R"))
    assert seqs(effects.forwards) == [("R", 1), ("R", 2)] and kinds(effects.claims) == [("hold", A)]


def test_deleted_row_gives_its_key_back():
    row = linked()
    effects = linker().on_change(row, event(2, "d", "a"))
    assert seqs(effects.forwards) == [("R", 2)] and kinds(effects.claims) == [("gone", A)]
    assert row.record_id is None and effects.unlinked == [("crm", "[1]")]


def test_row_recreated_under_its_id_claims_anew():
    row = linked()
    linker().on_change(row, event(2, "d", "a"))
    assert kinds(linker().on_change(row, event(3, "c", "a")).claims) == [("claim", A)]


def test_row_deleted_while_waiting_passes_everything_with_the_link():
    row = waiting(event(1, "c", "a"), event(2, "d", "a"))
    effects = linker().on_link(row, link("R"))
    assert seqs(effects.forwards) == [("R", 1), ("R", 2)] and kinds(effects.claims) == [("gone", A)]


def test_row_recreated_while_waiting_waits_again_for_its_second_life():
    row = waiting(event(1, "c", "a"), event(2, "d", "a"), event(3, "c", "b"))
    effects = linker().on_link(row, link("R"))
    assert seqs(effects.forwards) == [("R", 1), ("R", 2)]
    assert kinds(effects.claims) == [("gone", A), ("claim", B)] and len(row.waiting) == 1


def test_natural_key_change_releases_the_old_and_holds_the_new():
    effects = linker().on_change(linked(), event(2, "u", "b"))
    assert kinds(effects.claims) == [("release", A), ("hold", B)]


def test_key_change_names_the_new_row_and_ends_the_old():
    row = linked()
    effects = linker().on_change(row, event(2, "u", "a", row="[2]", before_id="[1]"))
    assert seqs(effects.forwards) == [("R", 2)] and effects.unlinked == [("crm", "[1]")]
    moved = effects.links[0]
    assert (moved.local_id, moved.record_id, moved.moved_from, moved.seq) == ("[2]", "R", "[1]", 2)
    assert [(made.kind, made.local_id, made.moved_from) for made in effects.claims] == [("hold", "[2]", "[1]")]
    assert row.record_id is None


def moved_here(seq: int, record_id: str = "R"):
    return link(record_id, moved_from="[9]", incarnation=1, seq=seq)


def test_row_that_came_by_key_change_is_linked_before_its_first_event():
    row = RowState()
    linker().on_link(row, moved_here(5))
    assert seqs(linker().on_change(row, event(6, "u", "a")).forwards) == [("R", 6)]


def test_late_news_of_a_key_change_passes_on_what_waited():
    row = waiting(event(6, "u", "a"))
    assert seqs(linker().on_link(row, moved_here(5)).forwards) == [("R", 6)]


def test_repeated_news_of_a_key_change_does_not_link_the_next_row_of_that_id():
    row = RowState()
    linker().on_link(row, moved_here(5))
    linker().on_change(row, event(6, "d", "a"))
    linker().on_link(row, moved_here(5))
    assert row.record_id is None


def test_row_arriving_before_the_earlier_rows_end_waits_for_it():
    row = linked("old")
    linker().on_link(row, moved_here(5))
    assert seqs(linker().on_change(row, event(4, "d", "a")).forwards) == [("old", 4)]
    assert seqs(linker().on_change(row, event(6, "u", "a")).forwards) == [("R", 6)]


def test_earlier_row_still_waiting_keeps_its_events_from_the_row_that_moves_in():
    row = waiting(event(1, "c", "a"), event(4, "d", "a"), event(6, "u", "b"))
    linker().on_link(row, moved_here(5, "new"))
    effects = linker().on_link(row, link("old"))
    assert seqs(effects.forwards) == [("old", 1), ("old", 4), ("new", 6)]


def test_parked_row_waits_on():
    row = waiting(event(1, "c", "a"))
    assert linker().on_link(row, link(None)).forwards == []
    assert row.parked and len(row.waiting) == 1


def test_parked_row_is_linked_when_its_turn_comes():
    row = waiting(event(1, "c", "a"))
    linker().on_link(row, link(None))
    assert seqs(linker().on_link(row, link("R")).forwards) == [("R", 1)]


def test_parked_row_claims_its_new_key():
    row = waiting(event(1, "c", "a"))
    linker().on_link(row, link(None))
    effects = linker().on_change(row, event(2, "u", "b"))
    assert kinds(effects.claims) == [("gone", A), ("claim", B)] and len(row.waiting) == 2


def test_key_changed_before_the_row_was_parked_is_claimed():
    row = waiting(event(1, "c", "a"), event(2, "u", "b"))
    assert kinds(linker().on_link(row, link(None)).claims) == [("gone", A), ("claim", B)]


def test_parked_row_deleted_is_forgotten():
    row = waiting(event(1, "c", "a"))
    linker().on_link(row, link(None))
    effects = linker().on_change(row, event(2, "d", "a"))
    assert kinds(effects.claims) == [("gone", A)] and row.waiting == []


def test_more_events_than_may_wait_are_refused(monkeypatch):
    monkeypatch.setattr(rows, "MOST_WAITING", 2)
    row = waiting(event(1, "c", "a"), event(2, "u", "a"))
    with pytest.raises(UnprocessableError, match="already wait"):
        linker().on_change(row, event(3, "u", "a"))


def test_state_survives_its_encoding():
    import msgspec

    row = waiting(event(1, "c", "a"))
    row.next = ("R", (1, 5))
    again = msgspec.msgpack.decode(msgspec.msgpack.encode(row), type=RowState)
    assert again == row and CODEC.decode(again.waiting[0])
