"""A store knows what a batch changed, and takes it back."""

from streams.processors.stores import PartitionStore


def store() -> PartitionStore:
    return PartitionStore({b"k": b"1", b"l": b"1"})


def test_changes_are_what_differs_from_the_last_settled_state():
    held = store()
    held.put(b"k", b"2")
    held.put(b"k", b"3")
    held.delete(b"l")
    held.put(b"new", b"1")
    assert held.changes() == {b"k": b"3", b"l": None, b"new": b"1"}


def test_what_was_turned_back_is_no_change():
    held = store()
    held.put(b"k", b"2")
    held.put(b"k", b"1")
    assert held.changes() == {}


def test_settled_changes_are_changes_no_more():
    held = store()
    held.put(b"k", b"2")
    held.settle()
    assert held.changes() == {} and held.get(b"k") == b"2"


def test_rollback_restores_everything():
    held = store()
    held.put(b"k", b"2")
    held.delete(b"l")
    held.put(b"new", b"1")
    held.rollback()
    assert dict(held.items()) == {b"k": b"1", b"l": b"1"} and held.changes() == {}


def test_what_was_settled_can_be_read_while_a_batch_is_under_way() -> None:
    changed = store()
    changed.put(b"k", b"2")
    changed.put(b"new", b"1")
    changed.delete(b"l")
    assert [changed.settled(key) for key in (b"k", b"l", b"new")] == [b"1", b"1", None]
    assert changed.settled_items(b"", 10) == [(b"k", b"1"), (b"l", b"1")]
    changed.settle()
    assert changed.settled_items(b"", 10) == [(b"k", b"2"), (b"new", b"1")]


def test_reserved_keys_are_found_by_their_prefix() -> None:
    held = PartitionStore({b"\x00due/a": b"1", b"\x00due/b": b"2", b"\x00open/a": b"3", b"a": b"4"})
    held.put(b"\x00due/c", b"5")
    held.delete(b"\x00due/a")
    assert sorted(held.items(b"\x00due/")) == [(b"\x00due/b", b"2"), (b"\x00due/c", b"5")]
    assert list(held.items(b"\x00due/c")) == [(b"\x00due/c", b"5")]
    held.rollback()
    assert sorted(key for key, _ in held.items(b"\x00due/")) == [b"\x00due/a", b"\x00due/b"]


def test_answer_stops_behind_its_limit() -> None:
    held = PartitionStore({b"%d" % number: b"" for number in range(10)})
    assert len(held.settled_items(b"", 4)) == 5
