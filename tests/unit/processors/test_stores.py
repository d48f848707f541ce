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
